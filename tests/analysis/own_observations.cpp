// SPDX-License-Identifier: BSD-3-Clause
// Observations of a file, at places and with errors that change from cycle to cycle, and gaps:
// analyses step by step, without a twin experiment.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <vector>

#include "dan/analysis/climatology.hpp"
#include "dan/analysis/enkf_n.hpp"
#include "dan/analysis/learned.hpp"
#include "dan/analysis/letkf.hpp"
#include "dan/analysis/operational_run.hpp"
#include "dan/analysis/var3d.hpp"
#include "dan/experiment/score.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/interpolate.hpp"
#include "dan/observe/table_file.hpp"
#include "dan/problem/truth.hpp"
#include "dan/train/trainer.hpp"
#include "support/temporary_folder.hpp"

using namespace dan;

namespace {
using Grid = Ring<40>;
using Operator = ObserveRandomPlaces<Grid, 30>;
using Lorenz = Problem<Rk4<Lorenz96<40>>, Operator>;
using Truths = std::vector<Batch<double, 40, 1, 1>>;
using Network = AnalysisNetwork<NetworkShape{.filters = 16,
                                             .blocks = 2,
                                             .sub_blocks = 2,
                                             .kernel = 3,
                                             .head = Head::gain,
                                             .memory = 8,
                                             .gain_radius = 4,
                                             .products = 8,
                                             .sees_precision = true},
                                Grid>;
constexpr CycleTimes times{.interval = 0.05, .tolerance = 0.01};
constexpr std::size_t cycles = 400, burn_in = 60;

/// 20 to 30 observations a cycle, slot by slot more precise or less.
Lorenz some_problem() {
  std::array<double, 30> variances{};
  for (std::size_t j = 0; j < 30; ++j) variances[j] = j % 3 == 0 ? 0.25 : (j % 3 == 1 ? 1 : 2.25);
  return {.observe = Operator(20, 30), .noise = DiagonalNoise<30>(variances)};
}

/// A truth, the table of its observations, and no observations in cycles 100 to 104, 200 to 219.
Truths write_table(const std::filesystem::path& path) {
  TwinTruth<Lorenz, 1> twin(some_problem(), {.seed = 12});
  ObservationTable<Grid> table;
  Truths truths{twin.truth()};
  for (std::size_t k = 1; k <= cycles; ++k) {
    twin.next();
    truths.push_back(twin.truth());
    if (k / 5 != 20 && k / 20 != 10)
      add_observations(table, 0.05 * static_cast<double>(k), Operator(), twin.observed());
  }
  save_observations(path, table);
  return truths;
}

/// The mean error after the burn-in of an analysis that is stepped by hand.
template <class Method>
double error_of(const Method& method, const ObservationTable<Grid>& table, const Truths& truths) {
  typename Method::FirstGuessBatch guess;
  for (std::size_t i = 0; i < 40; ++i) guess.at(i, 0) = truths[0].at(i, 0) + (i % 2 == 0 ? 1 : -1);
  auto carried = method.start(guess, 1, {});
  typename Method::Observed observed;
  typename Method::Estimate estimate;
  double sum = 0;
  for (std::size_t k = 1; k <= last_cycle(table, times); ++k) {
    method.forecast(carried);
    set_observations(observed, 0, rows_of(table, times, k));
    method.analyse(carried, observed, {.purpose = Purpose::analysis, .cycle = k});
    method.estimate(carried, estimate);
    if (k > burn_in) sum += rmse(estimate, truths[k], 0) / static_cast<double>(cycles - burn_in);
  }
  return sum;
}
}  // namespace

TEST_CASE("own observations: a file with moving places, errors of their own and gaps") {
  const test::TemporaryFolder folder;
  const auto truths = write_table(folder / "observations.csv");
  const auto table = load_observations<Grid>(folder / "observations.csv");
  CHECK(last_cycle(table, times) == cycles);
  CHECK(most_in_a_cycle(table, times) == 30);
  CHECK(rows_of(table, times, 210).empty());

  const Lorenz problem{.observe = Operator(20, 30)};  // its errors are not those of the file
  const auto climate = climatology_of(problem);
  const double climatology = std::sqrt(climate.covariance(0, 0));
  const double var3d = error_of(Var3d<Lorenz, 1>(problem, climate, 0.1), table, truths);
  const double enkf_n = error_of(EnkfN<Lorenz, 30>(problem), table, truths);
  const double letkf =
      error_of(Letkf<Lorenz, 12>(problem, {.inflation = {.factor = 1.02}}), table, truths);

  Network network;
  scale_inputs(problem, network, 1);
  Trainer<Lorenz, Network, 16, EnsrfTeacher<64>> trainer(
      some_problem(), network,
      {.updates = 200, .groups = 2, .warm_up = 20, .taught = 0.8, .threads = 1, .progress = false});
  const double learned =
      error_of(Learned<Lorenz, Network, 1>(problem, trainer.run()), table, truths);
  CAPTURE(var3d);
  CAPTURE(enkf_n);
  CAPTURE(letkf);
  CAPTURE(learned);
  CHECK(var3d < climatology / 3);
  CHECK(enkf_n < 0.5 * var3d);
  CHECK(letkf < 0.5 * var3d);
  CHECK(learned < var3d);
}

namespace {
/// What an operational run knows after so many cycles that are done in calls of `each` of them.
template <class Method>
std::vector<double> operated(const Method& method, const ObservationTable<Grid>& table,
                             const std::filesystem::path& file, std::size_t to, std::size_t each) {
  for (std::size_t before = 0;;) {
    typename Method::FirstGuessBatch guess;
    guess.fill(2.3);
    OperationalRun<Method> run(method, method.start(guess, 3.6, {.seed = 4}), file, 4);
    CHECK(run.cycle() == before);
    for (std::size_t n = 0; n < each && run.cycle() < to; ++n)
      run.next(rows_of(table, times, run.cycle() + 1));
    run.save();
    before = run.cycle();
    if (before < to) continue;
    const auto estimate = run.estimate();
    std::vector<double> out;
    for (std::size_t i = 0; i < 40; ++i) out.push_back(estimate.at(i, 0));
    out.push_back(run.spread());
    return out;
  }
}
}  // namespace

TEST_CASE("operational run: stopped and gone on with the same bits, as step by step by hand") {
  const test::TemporaryFolder folder;
  write_table(folder / "observations.csv");
  const auto table = load_observations<Grid>(folder / "observations.csv");
  const Lorenz problem{.observe = Operator(20, 30)};
  const Letkf<Lorenz, 12> letkf(problem, {.inflation = {.factor = 1.02}, .rotation = true});
  const auto whole = operated(letkf, table, folder / "whole", 110, 110);
  CHECK(operated(letkf, table, folder / "parts", 110, 37) == whole);
  CHECK(std::isfinite(whole.back()));

  Letkf<Lorenz, 12>::FirstGuessBatch guess;
  guess.fill(2.3);
  auto carried = letkf.start(guess, 3.6, {.seed = 4});
  Letkf<Lorenz, 12>::Observed observed;
  Letkf<Lorenz, 12>::Estimate estimate;
  for (std::size_t k = 1; k <= 110; ++k) {
    letkf.forecast(carried);
    set_observations(observed, 0, rows_of(table, times, k));
    letkf.analyse(carried, observed, {.seed = 4, .cycle = k});
  }
  letkf.estimate(carried, estimate);
  for (std::size_t i = 0; i < 40; ++i) CHECK(estimate.at(i, 0) == whole[i]);

  // Of several runs side by side the first; a spread that no method of this kind knows.
  const auto climate = climatology_of(problem);
  auto one = operated(Var3d<Lorenz, 1>(problem, climate, 0.1), table, folder / "one", 20, 20);
  auto lanes = operated(Var3d<Lorenz, 4>(problem, climate, 0.1), table, folder / "four", 20, 7);
  CHECK(std::isnan(one.back()) == std::isnan(lanes.back()));
  one.pop_back(), lanes.pop_back();
  CHECK(one == lanes);
}

TEST_CASE("operational run: a cycle with too many rows is refused before its forecast") {
  const test::TemporaryFolder folder;
  write_table(folder / "observations.csv");
  const auto table = load_observations<Grid>(folder / "observations.csv");
  using Few = Problem<Rk4<Lorenz96<40>>, ObserveAt<Grid, 10>>;
  const Few problem;
  const Letkf<Few, 12> letkf(problem, {});
  Letkf<Few, 12>::FirstGuessBatch guess;
  guess.fill(2.3);
  OperationalRun run(letkf, letkf.start(guess, 3.6, {}), folder / "state");
  const auto before = run.estimate();
  CHECK_THROWS_AS(run.next(rows_of(table, times, 1)), ConfigError);
  CHECK(run.cycle() == 0);
  CHECK(run.estimate().at(0, 0) == before.at(0, 0));
  run.next(rows_of(table, times, 102));  // a gap
  CHECK(run.cycle() == 1);
}
