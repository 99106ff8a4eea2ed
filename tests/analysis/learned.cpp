// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/learned.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "../support/map_battery.hpp"
#include "../support/temporary_folder.hpp"
#include "dan/analysis/carried.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/interpolate.hpp"
#include "dan/observe/subset.hpp"

using namespace dan;

namespace {
using Lorenz = Problem<Rk4<Lorenz96<12>>, ObserveAll<12>>;
using Network = AnalysisNetwork<NetworkShape{.filters = 4,
                                             .blocks = 1,
                                             .sub_blocks = 1,
                                             .members = 2,
                                             .head = Head::gain,
                                             .memory = 1,
                                             .gain_radius = 2},
                                Ring<12>>;
constexpr std::size_t runs = simd_width<float>;
using Method = Learned<Lorenz, Network, runs>;
static_assert(Analysis<Method>);
static_assert(Analysis<Learned<Lorenz, Network, 1>>);

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
  const Lorenz problem;
  const auto trained = some_network();
  const Method method(problem, trained, {.way_back = false});
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

  const auto cycle = method.cycle(observed);
  Batch<float, Method::Cycle::carried, 1, runs> after;
  auto cache = std::make_unique<Method::Cycle::Cache<Method::T>>();
  cycle.forward(trained.parameters.data(), before.data(), after.data(), *cache);
  CHECK(std::ranges::equal(after.numbers(), carried.values.numbers()));
}

TEST_CASE("learned: a number that is missing is refused, or ignored in a silent slot") {
  const Lorenz problem;
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
  const Lorenz problem;
  auto damaged = some_network();
  damaged.parameters[0] = std::numeric_limits<float>::quiet_NaN();
  const auto scores = run_twin(problem, Method(problem, damaged), config);
  CHECK(scores.failures.size() == config.runs);
  CHECK(scores.failures[0].cycle == 1);
}

TEST_CASE("learned: scores do not depend on how many runs are computed side by side") {
  const Lorenz problem;
  const auto trained = some_network();
  const auto wide = run_twin(problem, Method(problem, trained), config);
  const auto narrow = run_twin(problem, Learned<Lorenz, Network, 1>(problem, trained), config);
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
  const Lorenz problem;
  auto wild = some_network();
  for (auto& p : wild.parameters) p *= 100;
  const Method method(problem, wild, {.way_back = false});
  Method::FirstGuessBatch guess;
  guess.fill(3);
  Method::Observed observed;
  observed.values.fill(1e4F);
  observed.precision.fill(1);
  auto carried = method.start(guess, 1, {});
  method.analyse(carried, observed, {});
  const auto bounds = wild.network.bounds();
  CHECK(bounds.low[0] == doctest::Approx(2.3 - 5 * 3.6));
  CHECK(bounds.high[0] == doctest::Approx(2.3 + 5 * 3.6));
  std::array<double, runs> share;
  method.at_bounds(carried, share);
  CHECK(share[0] > 0.4);
  double largest = 0;
  for (std::size_t i = 0; i < Method::Cycle::states; ++i)
    for (std::size_t l = 0; l < runs; ++l) {
      const auto x = static_cast<double>(carried.values.at(i, l));
      CHECK((x >= bounds.low[0] - 1e-5 &&
             x <= bounds.high[0] + 1e-5));  // the bounds rounded to float
      largest = std::max(largest, std::abs(x));
    }
  CHECK(largest > 15);
}

TEST_CASE("learned: a departure of more than 8 standard deviations counts as one of 8") {
  Lorenz problem;
  std::array<double, 12> variances;
  for (std::size_t j = 0; j < 12; ++j) variances[j] = j % 2 == 0 ? 1 : 1e-4;
  problem.noise = DiagonalNoise<12>(variances);
  const auto trained = some_network();
  const Method method(problem, trained, {.way_back = false});
  Method::FirstGuessBatch guess;
  guess.fill(3);
  const auto analysis = [&](double innovation) {
    Method::Observed observed;
    for (std::size_t j = 0; j < 12; ++j)
      for (std::size_t l = 0; l < runs; ++l) {
        observed.values.at(j, l) = static_cast<float>(3 + innovation * std::sqrt(variances[j]));
        observed.precision.at(j, l) = static_cast<float>(1 / variances[j]);
      }
    auto carried = method.start(guess, 0, {});
    method.analyse(carried, observed, {});
    return carried.values.at(0, 0) + carried.values.at(1, 0);
  };
  constexpr double most = 8;
  CHECK(analysis(2 * most) == analysis(3 * most));
  CHECK(analysis(-2 * most) == analysis(-3 * most));
  CHECK(analysis(0.5 * most) != analysis(2 * most));
}

TEST_CASE("learned: without any observation the analysis is the forecast, and the memory stays") {
  const Lorenz problem;
  const Method method(problem, some_network());
  Method::FirstGuessBatch guess;
  guess.fill(3);
  guess.at(4, 1) = 5;
  Method::Observed observed;
  observed.values.fill(4);
  observed.precision.fill(1);
  for (std::size_t j = 0; j < 12; ++j) observed.precision.at(j, 1) = 0;  // one lane sees nothing
  auto carried = method.start(guess, 1, {});
  method.analyse(carried, observed, {});  // a memory that is not empty
  const auto before = carried.values;
  method.analyse(carried, observed, {});
  bool same = true, moved = false;
  for (std::size_t i = 0; i < Method::Cycle::carried; ++i) {
    same = same && carried.values.at(i, 1) == before.at(i, 1);
    moved = moved || carried.values.at(i, 0) != before.at(i, 0);
  }
  CHECK(same);
  CHECK(moved);
}

TEST_CASE("learned: the way back is 3D-Var with the variance that the innovations show") {
  // Run 0 is lost by 6 and sees all, run 1 is near, run 2 is lost but for one silent slot.
  Lorenz problem;
  const auto trained = some_network();
  const Method method(problem, trained), alone(problem, trained, {.way_back = false});
  Method::FirstGuessBatch guess;
  guess.fill(3);
  Method::Observed observed;
  observed.values.fill(3.4F);
  observed.precision.fill(1);
  std::array<double, 12> y;
  for (std::size_t j = 0; j < 12; ++j) {
    y[j] = j % 2 == 0 ? 7 : -0.5;
    observed.values.at(j, 0) = observed.values.at(j, 2) = static_cast<float>(y[j]);
  }
  observed.precision.at(5, 2) = 0;
  auto carried = method.start(guess, 1, {}), other = alone.start(guess, 1, {});
  method.analyse(carried, observed, {}), alone.analyse(other, observed, {});
  std::array<double, runs> back;
  method.went_back(carried, back);
  CHECK(back[0] == 1);
  CHECK(back[1] == 0);
  CHECK(back[2] == 1);
  const auto begun = method.start(guess, 1, {});
  for (const std::size_t l : {std::size_t{0}, std::size_t{2}}) {
    double squares = 0, n = 0;  // of the innovations of the members' mean
    for (std::size_t i = 0; i < 12; ++i) {
      const double mean = (begun.values.at(i, l) + begun.values.at(12 + i, l)) / 2;
      if (observed.precision.at(i, l) > 0) squares += std::pow(y[i] - mean, 2), ++n;
    }
    const double v = (squares - n) / n;
    CHECK(v < 2 * 3.6 * 3.6);  // its limit
    for (std::size_t i = 0; i < 12; ++i) {
      const double p = observed.precision.at(i, l);
      for (std::size_t m = 0; m < 2; ++m) {
        const auto start = static_cast<double>(begun.values.at(m * 12 + i, l));
        CHECK(static_cast<double>(carried.values.at(m * 12 + i, l)) - start ==
              doctest::Approx(p * (y[i] - start) * v / (v + 1)).epsilon(1e-4));
      }
    }
    for (std::size_t i = Method::Cycle::states; i < Method::Cycle::carried; ++i)
      CHECK(carried.values.at(i, l) == 0);
  }
  for (std::size_t i = 0; i < Method::Cycle::carried; ++i)
    CHECK(carried.values.at(i, 1) == other.values.at(i, 1));
  std::array<double, runs> spread;
  method.spread(carried, spread);
  CHECK(spread[0] > 3);
  CHECK(spread[1] < 1);
  method.spread(method.start(guess, 1, {}), spread);  // nothing was analysed yet
  CHECK(std::isnan(spread[0]));
}

namespace {
/// A network and its runs under innovations of given r = δ²/R.
struct Excess {
  Lorenz problem{};
  Method method;
  Method::Carried carried;

  Excess() : method(problem, some_network()), carried(method.start(guess(), 0, {})) {}
  static Method::FirstGuessBatch guess() {
    Method::FirstGuessBatch guess;
    guess.fill(3);
    return guess;
  }
  /// A cycle with δ_j² = r(lane, j) R_jj, none where that is negative; which lanes took the way
  /// back.
  template <class R>
  std::array<double, runs> cycle(const R& r) {
    Method::Observed observed;
    for (std::size_t j = 0; j < 12; ++j)
      for (std::size_t l = 0; l < runs; ++l) {
        double mean = 0;
        for (std::size_t m = 0; m < 2; ++m)
          mean += static_cast<double>(carried.values.at(m * 12 + j, l)) / 2;
        const double square = r(l, j);
        observed.precision.at(j, l) = square < 0 ? 0 : 1;
        observed.values.at(j, l) = static_cast<float>(mean + std::sqrt(std::max(square, 0.0)));
      }
    method.analyse(carried, observed, {});
    std::array<double, runs> back;
    method.went_back(carried, back);
    return back;
  }
};
}  // namespace

TEST_CASE("learned: innovations too large for long take the way back") {
  // r = 2.9 adds 1.4 · 12/45 = 0.37 to the excess, so that the third such cycle goes back; r = 1
  // takes 0.13 of it away, down to zero.
  Excess runs_of;
  std::array<std::vector<std::size_t>, 4> gone;
  for (std::size_t k = 1; k <= 24; ++k) {
    const auto back = runs_of.cycle([&](std::size_t l, std::size_t) {
      if (l == 0) return 2.9;
      if (l == 1) return k <= 20 ? 1 : 2.9;    // as usual before: no credit
      if (l == 2) return k % 8 < 2 ? 2.9 : 1;  // it is forgotten
      return k % 2 == 0 ? -1 : 2.9;            // silent cycles change nothing
    });
    for (std::size_t l = 0; l < 4; ++l) {
      if (back[l] == 0) continue;
      gone[l].push_back(k);
      for (std::size_t i = Method::Cycle::states; i < Method::Cycle::carried; ++i)
        CHECK(runs_of.carried.values.at(i, l) == 0);
    }
  }
  REQUIRE(gone[0].size() > 5);
  CHECK(gone[0][0] == 3);
  CHECK(gone[0][1] == 6);
  CHECK(gone[1] == std::vector<std::size_t>{23});
  CHECK(gone[2].empty());
  CHECK(gone[3] == std::vector<std::size_t>{5, 11, 17, 23});
}

TEST_CASE("learned: few observations with usual innovations take no way back") {
  Excess runs_of;
  double gone = 0;
  for (std::size_t k = 0; k < 3000; ++k) {
    const auto normal = test::normal(12 * runs, k);
    const auto back = runs_of.cycle([&](std::size_t l, std::size_t j) {
      const double d = normal[l * 12 + j];
      return j <= l ? d * d : -1;  // a slot in the first lane, two in the second, …
    });
    for (const double one : back) gone += one;
  }
  CHECK(gone == 0);
}

TEST_CASE("learned: the excess of innovations outlives a process") {
  const test::TemporaryFolder folder;
  const auto large = [](std::size_t, std::size_t) { return 2.9; };
  Excess runs_of;
  for (std::size_t k = 0; k < 2; ++k) CHECK(runs_of.cycle(large)[0] == 0);
  save_carried(runs_of.method, runs_of.carried, 2, folder / "carried.safetensors");
  runs_of.carried = load_carried(runs_of.method, folder / "carried.safetensors").carried;
  CHECK(runs_of.cycle(large)[0] == 1);
}

TEST_CASE("learned: where the way back does not help it is given up") {
  // Errors of the observations of 1.5 times the believed deviation, in every cycle.
  Excess runs_of;
  std::array<double, 3> gone{};
  for (std::size_t k = 0; k < 600; ++k)
    gone[k / 200] += runs_of.cycle([](std::size_t, std::size_t) { return 2.25; })[0];
  CHECK(gone[0] > 5);
  CHECK(gone[2] == 0);
  // A truth that is lost is known as before.
  CHECK(runs_of.cycle([](std::size_t l, std::size_t) { return l == 0 ? 100.0 : 2.25; })[0] == 1);
}

TEST_CASE("learned: one outlier takes no way back, nor do innovations as usual in training") {
  const Lorenz problem;
  auto trained = some_network();
  Method::FirstGuessBatch guess;
  guess.fill(3);
  Method::Observed observed;
  observed.values.fill(3.5F);
  observed.precision.fill(1);
  observed.values.at(3, 0) = 1e6F;
  const auto goes_back = [&](std::size_t lane) {
    const Method method(problem, trained);
    auto carried = method.start(guess, 0.1, {});
    method.analyse(carried, observed, {});
    std::array<double, runs> back;
    method.went_back(carried, back);
    return back[lane] == 1;
  };
  CHECK_FALSE(goes_back(0));
  for (std::size_t j = 0; j < 12; ++j) observed.values.at(j, 2) = j % 2 == 0 ? 8 : -2;
  CHECK(goes_back(2));
  trained.trained_for = trained_for(problem, trained.network);
  trained.trained_for->innovation = 25;  // forecast errors of five times those of observations
  CHECK_FALSE(goes_back(2));
}

TEST_CASE("learned: a problem outside that of the training is told, once") {
  std::vector<std::string> said;
  const auto before = set_notice_handler([&](const std::string& what) { said.push_back(what); });
  const Lorenz problem;
  auto trained = some_network();
  (void)Method(problem, trained);  // not known what for: nothing to say
  trained.trained_for = trained_for(problem, trained.network);
  (void)Method(problem, trained);
  CHECK(said.empty());

  const auto says = [&](const auto& other, const std::string& part) {
    said.clear();
    using S = std::decay_t<decltype(other)>;
    (void)Learned<S, Network, runs>(other, trained);
    (void)Learned<S, Network, runs>(other, trained);
    REQUIRE(said.size() == 1);
    CHECK_MESSAGE(said[0].find(part) != std::string::npos, said[0]);
    CHECK(said[0].find("trained for: Lorenz 96 of 12 variables, forcing 8") != std::string::npos);
  };
  says(Lorenz{.noise = DiagonalNoise<12>(0.25)},
       "variances from 0.25 to 0.25, in training from 1 to 1");
  says(Lorenz{.model = {.time_step = 0.07}}, "the model, or the interval");
  says(Lorenz{.model = {.ode = {.forcing = 8.5}}}, "the model, or the interval");
  says(Problem<Rk4<Lorenz96<12>>, ObserveSubset<12, 4>>{}, "observations per number of the state");
  says(
      Problem<Rk4<Lorenz96<12>>, ObserveRandomPlaces<Ring<12>, 12>>{
          .observe = ObserveRandomPlaces<Ring<12>, 12>(12, 12)},
      "may lie between the points of the grid");
  set_notice_handler(before);

  // Another number of points alone is no difference, another interval is.
  using Larger = Problem<Rk4<Lorenz96<30>>, ObserveAll<30>>;
  using On30 = AnalysisNetwork<Network::shape, Ring<30>>;
  On30 on30;
  on30.input_mean = trained.network.input_mean;
  on30.input_deviation = trained.network.input_deviation;
  CHECK(differences(*trained.trained_for, trained_for(Larger{}, on30)).empty());
  CHECK(differences(*trained.trained_for, trained_for(Larger{.model = {.time_step = 0.1}}, on30))
            .size() == 1);
}
