// SPDX-License-Identifier: BSD-3-Clause
#include "dan/diagnose/belief.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <span>
#include <vector>

#include "dan/analysis/ekf.hpp"
#include "dan/analysis/ensrf.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/analysis/learned.hpp"
#include "dan/diagnose/crps.hpp"
#include "dan/diagnose/rank_histogram.hpp"
#include "dan/diagnose/reduced_centred.hpp"
#include "dan/diagnose/spread_skill.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/problem/scaling.hpp"
#include "dan/train/start.hpp"
#include "support/networks.hpp"
#include "support/sometimes.hpp"

using namespace dan;
using test::normal;

namespace {

constexpr double root_pi = 1.7724538509055160;
const double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// ∫ (F(x) − 1{x ≥ t})² dx by the trapezoidal rule on both sides of t.
template <class F>
double integral(const F& cdf, double t, double reach, std::size_t steps) {
  double sum = 0;
  const double h = reach / static_cast<double>(steps);
  for (const int side : {-1, 1})
    for (std::size_t n = 0; n < steps; ++n)
      for (const double edge : {1e-9, 1 - 1e-9}) {
        const double x = t + side * h * (static_cast<double>(n) + edge);
        sum += h / 2 * std::pow(cdf(x) - (side > 0), 2);
      }
  return sum;
}

/// Truths and beliefs of Gaussian errors: belief b is N(c, (width σ_b)²) or `members` of it, where
/// the truth is N(c, σ_b²) and σ_b from 0.5 to 1.5.
struct Case {
  double width = 1;
  std::size_t members = 0, count = 20'000;

  template <class Score>
  Score scored(Score score) const {
    const auto numbers = normal(count * (members + 2), 17);
    std::vector<double> uniform(count);
    fill_uniform<double>({17, Purpose::ties}, std::span(uniform));
    for (std::size_t b = 0; b < count; ++b) {
      const double* const xi = &numbers[b * (members + 2)];
      const double sigma = 0.5 + static_cast<double>(b) / static_cast<double>(count);
      const double c = 3 * xi[0], truth = c + sigma * xi[1];
      std::vector<double> ensemble;
      for (std::size_t m = 0; m < members; ++m) ensemble.push_back(c + width * sigma * xi[2 + m]);
      score.add(members > 0 ? Belief::of(ensemble) : Belief{c, std::pow(width * sigma, 2)}, truth,
                uniform[b]);
    }
    return score;
  }
};

using Lorenz = Problem<Rk4<Lorenz96<12>>, ObserveAll<12>>;
using Network = AnalysisNetwork<NetworkShape{.filters = 4,
                                             .blocks = 1,
                                             .sub_blocks = 1,
                                             .kernel = 3,
                                             .head = Head::gain,
                                             .gain_radius = 2},
                                Ring<12>>;

/// One analysis of one run: what the recorders tell is what the twin experiment tells by its own
/// code, the spread of a method by the method's.
template <class Method>
void check_against_scores(const Method& method, double members) {
  const TwinConfig config{.runs = 1, .cycles = 6, .burn_in = 5, .threads = 1};
  BeliefRecorder<SpreadSkill> recorder;
  const auto scores = run_twin(Lorenz{}, method, config, recorder);
  REQUIRE(scores.cycles == 1);
  const auto bin = recorder.score.bins(1)[0];
  CHECK(bin.count == 12);
  CHECK(bin.skill == doctest::Approx(scores.analysis_rmse).epsilon(1e-5));
  CHECK(bin.spread ==
        doctest::Approx(scores.spread * std::sqrt((members + 1) / members)).epsilon(1e-5));
}
}  // namespace

TEST_CASE("crps: the integral of its definition") {
  for (const double t : {-1.3, 0.0, 0.4, 5.0}) {
    const auto gaussian = [](double x) {
      return std::erfc(-(x - 0.4) / 1.5 / std::numbers::sqrt2) / 2;
    };
    CHECK(crps_of_gaussian(0.4, 2.25, t) ==
          doctest::Approx(integral(gaussian, t, 20, 20'000)).epsilon(1e-6));
    const std::vector<double> members{0.3, -2, 1.1, 0.3, 4};
    const auto steps = [&](double x) {
      double below = 0;
      for (const double member : members) below += member <= x;
      return below / 5;
    };
    CHECK(crps_of_ensemble(members, t, CrpsKind::ordinary) ==
          doctest::Approx(integral(steps, t, 10, 100'000)).epsilon(1e-3));
  }
  CHECK(crps_of_gaussian(1, 0, 3) == 2);
  CHECK(crps_of_ensemble(std::vector{1.0}, 3, CrpsKind::ordinary) == 2);
}

TEST_CASE("crps: in the mean that of a Gaussian case, fair for any number of members") {
  // E|x − t| − E|x − x'|/2 of independent normal numbers; the mean of σ is 1.
  const auto expected = [](double width) {
    return std::sqrt(2 * (1 + width * width)) / root_pi - width / root_pi;
  };
  for (const double width : {0.5, 1.0, 2.0}) {
    // 20,000 scores whose deviation is hardly more than their mean: 0.8 % (fair ones of two members
    // 1.1 %), four standard deviations.
    CHECK(Case{width}.scored(MeanCrps{}).mean() ==
          doctest::Approx(expected(width)).epsilon(0.032).scale(0));
    for (const std::size_t members : {2U, 5U, 40U}) {
      const auto fair = Case{width, members}.scored(MeanCrps{});
      CHECK(fair.count() == 20'000);
      CHECK(fair.mean() == doctest::Approx(expected(width)).epsilon(0.045).scale(0));
    }
  }
  const std::vector<double> members{0.3, -2, 1.1};
  // E|x − x'| over pairs is (2.3 + 0.8 + 3.1)/3; ordinary less fair is that / (2 N).
  CHECK(crps_of_ensemble(members, 1, CrpsKind::ordinary) - crps_of_ensemble(members, 1) ==
        doctest::Approx(6.2 / 3 / 6));
  CHECK(std::isnan(MeanCrps{}.mean()));
}

TEST_CASE("rank histogram: flat for a calibrated ensemble, hollow and a dome for others") {
  const auto band = [](double ranks) { return ranks - 1 + 4 * std::sqrt(2 * (ranks - 1)); };
  for (const std::size_t members : {0U, 9U}) {
    const auto of = [&](double width) { return Case{width, members}.scored(RankHistogram(10)); };
    CHECK(of(1).chi_squared() < band(10));
    const auto narrow = of(0.6), wide = of(1.6);
    CHECK(narrow.chi_squared() > 10 * band(10));
    CHECK(narrow.counts()[0] > 2 * narrow.counts()[5]);
    CHECK(wide.chi_squared() > 10 * band(10));
    CHECK(2 * wide.counts()[0] < wide.counts()[5]);
  }
  CHECK(std::isnan(RankHistogram(3).chi_squared()));
}

TEST_CASE("rank histogram: ranks by hand, and among equal members drawn") {
  RankHistogram ranks(4);
  const std::vector<double> members{1, 2, 3}, equal{2, 2, 3};
  ranks.add(Belief::of(members), 0, 0.5);
  ranks.add(Belief::of(members), 2.5, 0.5);
  ranks.add(Belief::of(equal), 2, 0.1);  // of 0, 1, 2 the first
  ranks.add(Belief::of(equal), 2, 0.9);  // the last
  ranks.add(Belief{2, 1}, 1e9, 0.5);
  CHECK(ranks.counts() == std::vector<std::size_t>{2, 0, 2, 1});
  RankHistogram same(4);
  std::vector<double> uniform(4000);
  fill_uniform<double>({5, Purpose::ties}, std::span(uniform));
  const std::vector<double> dry{0, 0, 0};
  for (const double u : uniform) {
    same.add(Belief::of(dry), 0, u);
    same.add(Belief{0, 0}, 0, u);
  }
  CHECK(same.chi_squared() < 2 * 20);
}

TEST_CASE("reduced centred variable: mean and deviation of a Gaussian case") {
  const double band = 4 / std::sqrt(20'000.0);
  for (const double width : {0.5, 1.0, 2.0}) {
    const auto z = Case{width}.scored(ReducedCentred{});
    CHECK(std::abs(z.bias()) < band / width);
    // Of 20,000 normal numbers the deviation is known to 1/√(2 · 20,000) of it.
    CHECK(z.dispersion() == doctest::Approx(1 / width).epsilon(band).scale(0));
  }
  // Student's t with N − 1 degrees of freedom.
  const auto z = Case{1, 12}.scored(ReducedCentred{});
  CHECK(std::abs(z.bias()) < 1.2 * band);
  CHECK(z.dispersion() == doctest::Approx(std::sqrt(11.0 / 9)).epsilon(band).scale(0));

  ReducedCentred none;
  none.add({1, 0}, 1);
  CHECK(none.without() == 1);
  CHECK(none.count() == 0);
  CHECK(std::isnan(none.bias()));
  CHECK(std::isnan(none.dispersion()));
}

TEST_CASE("spread-skill: on the diagonal where the beliefs are right, else beside it") {
  for (const double width : {0.5, 1.0, 2.0}) {
    const auto bins = Case{width}.scored(SpreadSkill{}).bins(8);
    for (const auto& bin : bins) {
      CHECK(bin.count == 2500);
      CHECK(bin.spread ==
            doctest::Approx(width * bin.skill).epsilon(4 / std::sqrt(5000.0)).scale(0));
    }
    CHECK(bins[7].spread > 2 * bins[0].spread);
  }
  for (const std::size_t members : {3U, 20U}) {
    const auto all = Case{1, members}.scored(SpreadSkill{}).bins(1)[0];
    CHECK(all.spread == doctest::Approx(all.skill).epsilon(0.03).scale(0));
  }
  const auto some = Case{.count = 7}.scored(SpreadSkill{}).bins(3);
  CHECK(some[0].count + some[1].count + some[2].count == 7);
}

TEST_CASE("belief recorder: agrees with the scores of the experiment for every method") {
  const Lorenz problem;
  const double many = std::numeric_limits<double>::max();  // (N + 1)/N = 1
  check_against_scores(Etkf<Lorenz, 10>(problem, {.inflation = {.factor = 1.05}}), 10);
  check_against_scores(Ensrf<Lorenz, 16>(problem, {.inflation = 1.05}), 16);
  check_against_scores(Ekf<Lorenz>(problem, {.inflation = 1.05}), many);
  const auto trained = test::small_increments<Network>();
  check_against_scores(Learned<Lorenz, Network, 2>(problem, trained), many);
}

namespace {
/// What a network says of itself in cycles with observations and without.
struct Silent : EmptyRecorder {
  double silent = 0, spreads = 0, known = 0;
  void after_analysis(const auto& view) {
    if (!view.scored()) return;
    std::array<double, 2> spread;
    std::vector<double> variances(12);
    view.method.spread(view.carried, spread);
    for (std::size_t l = 0; l < view.runs; ++l) {
      view.method.variances(view.carried, l, variances);
      const bool none = !(view.observed.precision.at(0, l) > 0);
      CHECK(std::isnan(spread[l]) == none);
      CHECK(std::isnan(variances[3]) == none);
      silent += none;
      if (!none) spreads += spread[l], ++known;
    }
  }
  void merge(const Silent& next) {
    silent += next.silent, spreads += next.spreads, known += next.known;
  }
};
}  // namespace

TEST_CASE("belief recorder: what a network does not know in a gap is no belief") {
  using World = Problem<Rk4<Lorenz96<12>>, test::Sometimes<12>>;
  const World world;
  Network network;
  scale_inputs(world, network);
  const Learned<World, Network, 2> method(world, random_start<float>(network, 1),  // a gain of 0.2
                                          {.way_back = false});
  Silent seen;
  BeliefRecorder<MeanCrps> crps;
  const auto scores = run_twin(
      world, method, {.runs = 4, .cycles = 30, .burn_in = 5, .threads = 1, .progress = false}, seen,
      crps);
  CHECK(seen.silent > 20);
  CHECK(seen.known > 20);
  CHECK(scores.spread == doctest::Approx(seen.spreads / seen.known).epsilon(1e-12));
  CHECK(scores.spread > 0.1);
  CHECK(crps.score.count() == static_cast<std::size_t>(12 * seen.known));
}

TEST_CASE("belief recorder: threads change no bit") {
  const Lorenz problem;
  const Ensrf<Lorenz, 16, 2> filter(problem, {.inflation = 1.05});
  const auto scored = [&](std::size_t threads) {
    BeliefRecorder<MeanCrps> crps;
    BeliefRecorder ranks{RankHistogram(17)};
    BeliefRecorder<ReducedCentred> z;
    BeliefRecorder<SpreadSkill> spread;
    run_twin(problem, filter, {.runs = 5, .cycles = 20, .burn_in = 10, .threads = threads}, crps,
             ranks, z, spread);
    CHECK(crps.score.count() == 5 * 10 * 12);
    std::vector<double> numbers{crps.score.mean(), ranks.score.chi_squared(), z.score.bias(),
                                z.score.dispersion()};
    for (const auto& bin : spread.score.bins(4)) {
      numbers.push_back(bin.spread);
      numbers.push_back(bin.skill);
    }
    return numbers;
  };
  CHECK(scored(1) == scored(3));
}

TEST_CASE("beliefs: bad input") {
  const std::vector<double> one{1}, two{1, 2}, bad{1, not_a_number};
  CHECK_THROWS_WITH_AS((void)crps_of_ensemble(one, 0),
                       doctest::Contains("crps_of_ensemble: members is 1, expected at least 2"),
                       ConfigError);
  CHECK_THROWS_WITH_AS((void)crps_of_ensemble({}, 0, CrpsKind::ordinary),
                       doctest::Contains("members is 0, expected at least 1"), ConfigError);
  CHECK_THROWS_WITH_AS((void)crps_of_ensemble(bad, 0),
                       doctest::Contains("crps_of_ensemble: the errors of the members sum up to"),
                       NumericalError);
  for (const double variance : {-1.0, not_a_number})
    CHECK_THROWS_WITH_AS((void)crps_of_gaussian(0, variance, 0),
                         doctest::Contains("crps_of_gaussian: variance is"), ConfigError);
  CHECK_THROWS_WITH_AS(RankHistogram(1),
                       doctest::Contains("RankHistogram: ranks is 1, expected at least 2"),
                       ConfigError);
  RankHistogram ranks(4);
  CHECK_THROWS_WITH_AS(ranks.add(Belief::of(two), 0, 0.5),
                       doctest::Contains("RankHistogram::add: members has shape (2), expected (3)"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(ranks.add({not_a_number, 1}, 0, 0.5),
                       doctest::Contains("RankHistogram::add: the mean is"), NumericalError);
  CHECK_THROWS_WITH_AS(ranks.add({0, -1}, 0, 0.5), doctest::Contains("the variance -1"),
                       NumericalError);
  CHECK_THROWS_WITH_AS(ranks.merge(RankHistogram(3)),
                       doctest::Contains("RankHistogram::merge: next has shape (3), expected (4)"),
                       ShapeError);
  const auto some = Case{.count = 7}.scored(SpreadSkill{});
  CHECK_THROWS_WITH_AS((void)some.bins(0), doctest::Contains("SpreadSkill::bins: count is 0"),
                       ConfigError);
  CHECK_THROWS_WITH_AS((void)some.bins(8),
                       doctest::Contains("SpreadSkill::bins: count is 8, expected at most 7"),
                       ConfigError);
}
