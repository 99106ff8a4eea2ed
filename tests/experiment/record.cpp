// SPDX-License-Identifier: BSD-3-Clause
#include "dan/experiment/record.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <csignal>
#include <cstddef>
#include <limits>
#include <vector>

#include "dan/analysis/climatology.hpp"
#include "dan/analysis/enks.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/analysis/var3d.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "support/battery.hpp"

using namespace dan;

namespace {

using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
using Filter = Etkf<Lorenz, 5>;

/// A diagnostic from outside the library: how many members are below the truth, and the mean
/// innovation, of the scored cycles.
struct RankHistogram : EmptyRecorder {
  std::vector<std::size_t> counts = std::vector<std::size_t>(Filter::members + 1);
  double innovation = 0;

  void after_forecast(const auto& view) {
    if (!view.scored()) return;
    for (std::size_t i = 0; i < Lorenz::size; ++i) {
      std::size_t rank = 0;
      for (std::size_t m = 0; m < Filter::members; ++m)
        rank += view.carried.ensemble.at(i, m) < view.twin.truth().at(i, 0);
      ++counts[rank];
      innovation += view.observed.values.at(i, 0) - view.estimate.at(i, 0);
    }
  }
  void merge(const RankHistogram& next) {
    for (std::size_t r = 0; r < counts.size(); ++r) counts[r] += next.counts[r];
    innovation += next.innovation;
  }
};

/// The same without recorder, of run `run`.
RankHistogram by_hand(const Filter& filter, const TwinConfig& config, std::size_t run) {
  TwinTruth<Lorenz, 1> twin(Lorenz{}, {.seed = config.seed, .first_run = run});
  Filter::FirstGuessBatch guess;
  std::vector<double> error(Lorenz::size);
  fill_normal<double>(twin.key(0).with(Purpose::first_guess), std::span(error));
  for (std::size_t i = 0; i < Lorenz::size; ++i)
    guess.at(i, 0) = twin.truth().at(i, 0) + config.first_guess_deviation * error[i];
  auto carried = filter.start(guess, config.first_guess_deviation, twin.key(0));
  RankHistogram out;
  for (std::size_t cycle = 1; cycle <= config.cycles; ++cycle) {
    twin.next();
    filter.forecast(carried);
    for (std::size_t i = 0; i < Lorenz::size && cycle > config.burn_in; ++i) {
      std::size_t rank = 0;
      double mean = 0;
      for (std::size_t m = 0; m < Filter::members; ++m) {
        rank += carried.ensemble.at(i, m) < twin.truth().at(i, 0);
        mean += carried.ensemble.at(i, m) / Filter::members;
      }
      ++out.counts[rank];
      out.innovation += twin.observed().values.at(i, 0) - mean;
    }
    filter.analyse(carried, twin.observed(), twin.key(0).with(Purpose::analysis));
  }
  return out;
}

/// Which runs it saw in which order, and in how many cycles.
struct Log {
  std::vector<std::size_t> first{}, begun{}, forecasts{}, analyses{};

  void begin(const auto& group) {
    CHECK(group.twin.cycle() == 0);
    first.push_back(group.first);
    begun.push_back(group.runs);
    forecasts.assign(1, 0), analyses.assign(1, 0);
  }
  void after_forecast(const auto& view) {
    CHECK(view.twin.cycle() == ++forecasts[0]);
    for (std::size_t l = 0; l < view.runs; ++l)
      if (view.going(l)) CHECK(view.rmse[l] == rmse(view.estimate, view.twin.truth(), l));
  }
  void after_analysis(const auto& view) {
    CHECK(view.scored() == (view.twin.cycle() > view.burn_in));
    ++analyses[0];
  }
  void merge(const Log& next) {
    first.push_back(next.first.at(0)), begun.push_back(next.begun.at(0));
    forecasts.push_back(next.forecasts.at(0)), analyses.push_back(next.analyses.at(0));
  }
};

/// Lane 1 of every group fails in cycle 3, the others in cycle 5.
struct Failing : AnalysisTypes<Lorenz, double, 2> {
  struct Carried {
    std::size_t cycle = 0;
  };
  [[nodiscard]] Carried start(const FirstGuessBatch&, double, const RandomKey&) const { return {}; }
  void forecast(Carried& carried) const { ++carried.cycle; }
  void analyse(Carried& carried, const Observed&, const RandomKey&) const {
    if (carried.cycle == 5) throw NumericalError("Failing: as told");
  }
  void estimate(const Carried& carried, Estimate& to) const {
    to.fill(2.3);
    if (carried.cycle >= 3) to.at(0, 1) = std::numeric_limits<double>::quiet_NaN();
  }
};

static_assert(HasSpread<Filter> && !HasSpread<Var3d<Lorenz>>);
static_assert(Smoother<Enks<Filter>> && !Smoother<Filter>);
static_assert(Recorder<RankHistogram, Lorenz, Filter>);
static_assert(!Recorder<EmptyRecorder, Lorenz, Filter>, "it cannot merge");

}  // namespace

TEST_CASE("record: a diagnostic from outside gets the right numbers, for any number of threads") {
  TwinConfig config{.runs = 7, .cycles = 40, .burn_in = 10, .seed = 5, .progress = false};
  config.first_guess_deviation = 0.3;
  const Filter filter(Lorenz{}, {.inflation = {.factor = 1.1}});
  RankHistogram one, three, hand;
  for (std::size_t run = 0; run < config.runs; ++run) hand.merge(by_hand(filter, config, run));
  config.threads = 1;
  const auto scores = run_twin(Lorenz{}, filter, config, one);
  config.threads = 3;
  Log log;
  const auto same = run_twin(Lorenz{}, filter, config, three, log);
  CHECK(one.counts == hand.counts);
  CHECK(one.innovation == doctest::Approx(hand.innovation).epsilon(1e-9));
  CHECK(three.counts == one.counts);
  CHECK(test::same_bits(three.innovation, one.innovation));
  CHECK(test::same_bits(scores.analysis_rmse, same.analysis_rmse));
  CHECK(log.first == std::vector<std::size_t>{0, 1, 2, 3, 4, 5, 6});
  CHECK(log.analyses == std::vector<std::size_t>(7, 40));
}

TEST_CASE("record: the copies see their runs as long as one goes on, and are merged in order") {
  Log log;
  const auto scores = run_twin(Lorenz{}, Failing{},
                               {.runs = 5, .cycles = 10, .burn_in = 2, .progress = false}, log);
  CHECK(scores.failures.size() == 5);
  CHECK(log.first == std::vector<std::size_t>{0, 2, 4});
  CHECK(log.begun == std::vector<std::size_t>{2, 2, 1});
  CHECK(log.forecasts == std::vector<std::size_t>(3, 5));
  CHECK(log.analyses == std::vector<std::size_t>(3, 4));
}

TEST_CASE("record: an interrupted experiment says how far it came") {
  const Climate climate = climatology_of(Lorenz{}, {.cycles = 100});
  const InterruptHandler handler;
  std::raise(SIGINT);
  CHECK_THROWS_WITH_AS(
      run_twin(Lorenz{}, Climatology<Lorenz>(climate), {.runs = 20, .progress = false}),
      "run_twin: interrupted after 0 of 1300 cycles; nothing is kept, run it again", Interrupted);
}
