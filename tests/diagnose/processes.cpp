// SPDX-License-Identifier: BSD-3-Clause
// Every recorder of diagnose/ in an experiment that is dealt out among processes.
#include "dan/core/processes.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <tuple>
#include <vector>

#include "dan/analysis/learned.hpp"
#include "dan/diagnose/belief.hpp"
#include "dan/diagnose/bias.hpp"
#include "dan/diagnose/collapse.hpp"
#include "dan/diagnose/crps.hpp"
#include "dan/diagnose/error_moments.hpp"
#include "dan/diagnose/linearity.hpp"
#include "dan/diagnose/rank_histogram.hpp"
#include "dan/diagnose/reduced_centred.hpp"
#include "dan/diagnose/sensitivity.hpp"
#include "dan/diagnose/spectrum.hpp"
#include "dan/diagnose/spread_skill.hpp"
#include "dan/diagnose/wave_spectrum.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "support/networks.hpp"
#include "support/thread_ranks.hpp"

using namespace dan;

namespace {

using Lorenz = Problem<Rk4<Lorenz96<9>>, ObserveAll<9>>;
using Method = Learned<Lorenz, test::RichNetwork, 4>;

/// All scales as one.
struct MeanSquare {
  static constexpr std::size_t points = 9, scales = 1;
  static void add(const double* x, double* to) {
    for (std::size_t i = 0; i < points; ++i) to[0] += x[i] * x[i] / points;
  }
};

struct Everything {
  BiasRecorder bias;
  CollapseRecorder collapse;
  ErrorMoments moments;
  LinearityRecorder linearity{{1, 2}};
  SensitivityRecorder sensitivity{2, 3};
  CovarianceRecorder covariance{2};
  WaveSpectrum<MeanSquare> waves;
  BeliefRecorder<MeanCrps> crps;
  BeliefRecorder<RankHistogram> ranks{RankHistogram(7)};
  BeliefRecorder<ReducedCentred> reduced;
  BeliefRecorder<SpreadSkill> spread;

  [[nodiscard]] auto all() {
    return std::tie(bias, collapse, moments, linearity, sensitivity, covariance, waves, crps, ranks,
                    reduced, spread);
  }
  /// What was found, as numbers.
  [[nodiscard]] std::vector<std::vector<double>> found() const {
    auto out = bias.series.runs;
    out.push_back({collapse.correlation(), collapse.scatter(), collapse.spread(), collapse.used()});
    out.push_back({moments.count(), moments.mean(), moments.deviation(), moments.skewness(),
                   moments.excess_kurtosis()});
    out.push_back({linearity.nonlinear_share(0), linearity.nonlinear_share(1)});
    const auto add = [&](const auto& numbers) { out.emplace_back(numbers.begin(), numbers.end()); };
    add(sensitivity.mean());
    for (const auto& run : covariance.covariances)
      for (const auto& p : run) add(p);
    add(waves.truth()), add(waves.forecast()), add(waves.analysis());
    out.push_back({crps.score.mean(), static_cast<double>(crps.score.count())});
    add(ranks.score.counts());
    out.push_back({reduced.score.bias(), reduced.score.dispersion(),
                   static_cast<double>(reduced.score.without())});
    for (const auto& bin : spread.score.bins(3))
      out.push_back({bin.spread, bin.skill, static_cast<double>(bin.count)});
    return out;
  }
};

template <class Ranks>
std::vector<std::vector<double>> found_by(Ranks& processes) {
  const Lorenz problem;
  const Method method(problem, test::small_increments<test::RichNetwork>());
  const TwinConfig config{.runs = 10, .cycles = 9, .burn_in = 2, .threads = 1, .progress = false};
  Everything recorders;
  std::apply([&](auto&... one) { run_twin(problem, method, config, processes, one...); },
             recorders.all());
  return recorders.found();
}

}  // namespace

TEST_CASE("diagnose: every recorder finds the same among any number of processes") {
  const OneProcess alone;
  const auto expected = found_by(alone);
  REQUIRE(expected.size() > 40);
  for (const std::size_t size : {1U, 2U, 5U})
    test::ThreadRanks::run(size, [&](const test::ThreadRanks& ranks) {
      CHECK(found_by(ranks) == expected);  // every bit
    });
}
