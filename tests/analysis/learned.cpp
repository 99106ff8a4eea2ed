// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/learned.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "../support/map_battery.hpp"
#include "../support/temporary_folder.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/full.hpp"

using namespace dan;

namespace {
using Problem = Setting<Rk4<Lorenz96<12>>, FullNetwork<12>>;
using Network = AnalysisNetwork<NetworkShape{.filters = 4,
                                             .blocks = 1,
                                             .sub_blocks = 1,
                                             .members = 2,
                                             .head = Head::gain,
                                             .memory = 1,
                                             .gain_radius = 2},
                                Ring<12>>;
constexpr std::size_t runs = simd_width<float>;
using Method = Learned<Problem, Network, runs>;
static_assert(Analysis<Method>);
static_assert(Analysis<Learned<Problem, Network, 1>>);

/// An untrained gain of 0.2 on the diagonal: a crude but working analysis.
Trained<Network> some_network() {
  Trained<Network> trained;
  trained.network.input_mean = {2.3};
  trained.network.input_deviation = {3.6};
  Network::initialise(1, span_of(trained.parameters));
  return trained;
}
const TwinConfig config{.runs = 5, .cycles = 60, .burn_in = 20, .threads = 1};
}  // namespace

TEST_CASE("learned: forecast and analysis are the cycle that is trained, bit for bit") {
  const Problem problem;
  const auto trained = some_network();
  const Method method(problem, trained);
  Method::FirstGuessBatch guess;
  Method::Observed observed;
  for (std::size_t l = 0; l < runs; ++l) {
    const auto x = test::normal(12, l, 4), y = test::normal(12, 50 + l, 4);
    guess.set_lane(l, x.data());
    observed.values.set_lane(l, y.data());
  }
  observed.precision.fill(1);
  auto carried = method.start(guess, 1, {});
  const Batch<float, Method::Cycle::carried, 1, runs> before = carried.values;
  method.forecast(carried);
  method.analyse(carried, observed, {});

  const Method::Cycle cycle{problem, trained.network, observed, trained.network.bounds()};
  Batch<float, Method::Cycle::carried, 1, runs> after;
  auto cache = std::make_unique<Method::Cycle::Cache<Method::T>>();
  cycle.forward(trained.parameters.data(), before.data(), after.data(), *cache);
  CHECK(std::ranges::equal(after.numbers(), carried.values.numbers()));
}

TEST_CASE("learned: a number that is missing is refused, or ignored in a silent slot") {
  const Problem problem;
  const Method method(problem, some_network());
  Method::FirstGuessBatch guess;
  Method::Observed observed;
  observed.precision.fill(1);
  observed.precision.at(3, 2) = 0;
  auto silent = method.start(guess, 1, {}), ill = method.start(guess, 1, {});
  method.analyse(silent, observed, {});
  observed.values.at(3, 2) = std::numeric_limits<float>::quiet_NaN();
  method.analyse(ill, observed, {});
  CHECK(std::ranges::equal(ill.values.numbers(), silent.values.numbers()));
  observed.precision.at(3, 2) = 1;
  CHECK_THROWS_WITH_AS(method.analyse(ill, observed, {}),
                       doctest::Contains("Learned::analyse: observation 3 of lane 2 is nan"),
                       NumericalError);
}

TEST_CASE("learned: damaged weights end the runs in the first cycle") {
  const Problem problem;
  auto damaged = some_network();
  damaged.parameters[0] = std::numeric_limits<float>::quiet_NaN();
  const auto scores = run_twin(problem, Method(problem, damaged), config);
  CHECK(scores.failures.size() == config.runs);
  CHECK(scores.failures[0].cycle == 1);
}

TEST_CASE("learned: scores do not depend on how many runs are computed side by side") {
  const Problem problem;
  const auto trained = some_network();
  const auto wide = run_twin(problem, Method(problem, trained), config);
  const auto narrow = run_twin(problem, Learned<Problem, Network, 1>(problem, trained), config);
  CHECK(wide.failures.empty());
  // The same arithmetic, but exp and tanh differ in the last bit between SIMD and libm, and chaos
  // lets that grow within 60 cycles of doubling times of 8 to some 1e-5.
  CHECK(narrow.analysis_rmse == doctest::Approx(wide.analysis_rmse).epsilon(1e-3));

  const test::TemporaryFolder folder;
  save_weights(folder / "net", trained);
  const auto loaded =
      run_twin(problem, Method(problem, load_weights<Network>(folder / "net")), config);
  CHECK(loaded.analysis_rmse == wide.analysis_rmse);
}

TEST_CASE("learned: an analysis that runs away stays within the bounds of the training") {
  const Problem problem;
  auto wild = some_network();
  for (auto& p : wild.parameters) p *= 100;
  const Method method(problem, wild);
  Method::FirstGuessBatch guess;
  guess.fill(3);
  Method::Observed observed;
  observed.values.fill(1e4F);
  observed.precision.fill(1);
  auto carried = method.start(guess, 1, {});
  method.analyse(carried, observed, {});
  const auto bounds = wild.network.bounds();
  CHECK(bounds.low == doctest::Approx(2.3 - 5 * 3.6));
  CHECK(bounds.high == doctest::Approx(2.3 + 5 * 3.6));
  double largest = 0;
  for (std::size_t i = 0; i < Method::Cycle::states; ++i)
    for (std::size_t l = 0; l < runs; ++l) {
      const auto x = static_cast<double>(carried.values.at(i, l));
      CHECK((x >= bounds.low - 1e-5 && x <= bounds.high + 1e-5));  // the bounds rounded to float
      largest = std::max(largest, std::abs(x));
    }
  CHECK(largest > 15);
}

TEST_CASE("learned: an innovation beyond the bounds counts as one at the bounds") {
  const Problem problem;
  const auto trained = some_network();
  const Method method(problem, trained);
  CHECK(trained.network.bounds().uplift == doctest::Approx(8 / trained.network.uplift_scale));
  Method::FirstGuessBatch guess;
  guess.fill(3);
  const auto analysis = [&](double innovation) {
    Method::Observed observed;
    observed.values.fill(static_cast<float>(3 + innovation));
    observed.precision.fill(1);
    auto carried = method.start(guess, 1, {});
    method.analyse(carried, observed, {});
    return carried.values.at(0, 0);
  };
  const double most = trained.network.bounds().uplift;
  CHECK(analysis(2 * most) == analysis(3 * most));
  CHECK(analysis(-2 * most) == analysis(-3 * most));
  CHECK(analysis(0.5 * most) != analysis(2 * most));
}
