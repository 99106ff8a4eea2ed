// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/ienks.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "dan/analysis/etkf.hpp"
#include "dan/experiment/twin.hpp"
#include "support/ensemble.hpp"
#include "support/linear.hpp"

using namespace dan;

namespace {

using test::Advection, test::Curved, test::Linear;

struct State {
  std::array<double, 8> mean;
  double spread;
};

/// Mean and spread after every cycle.
template <class Filter>
std::vector<State> run(const Filter& filter, std::size_t cycles) {
  typename Filter::FirstGuessBatch guess;
  typename Filter::Estimate estimate;
  auto carried = filter.start(guess, 1.5, {.seed = 6});
  std::vector<State> out(cycles);
  for (std::size_t c = 0; c < cycles; ++c) {
    filter.forecast(carried);
    filter.analyse(carried, test::linear_observations(c), {.seed = 1, .cycle = c});
    filter.estimate(carried, estimate);
    for (std::size_t i = 0; i < 8; ++i) out[c].mean[i] = estimate[i];
    filter.spread(carried, std::span(&out[c].spread, 1));
  }
  return out;
}

double distance(const State& a, const State& b) {
  double largest = std::abs(a.spread - b.spread);
  for (std::size_t i = 0; i < 8; ++i) largest = std::max(largest, std::abs(a.mean[i] - b.mean[i]));
  return largest;
}

template <std::size_t Members>
void check_linear(const IenksConfig& config, double tolerance = 1e-10) {
  CAPTURE(config.lag);
  CAPTURE(config.shift);
  CAPTURE(config.iterations);
  const auto expected = run(Etkf<Linear, Members>(Linear{}), 13);
  const auto found = run(Ienks<Linear, Members>(Linear{}, config), 13);
  double largest = 0;
  for (std::size_t c = 0; c < 13; ++c)
    if ((c + 1) % config.shift == config.lag % config.shift)
      largest = std::max(largest, distance(expected[c], found[c]));
  CHECK(largest < tolerance);
}

constexpr double tiny = 1e-30;  // a tolerance that is never reached

}  // namespace

static_assert(Analysis<Ienks<test::Sakov, 20>>);

TEST_CASE("ienks: six cycles agree with DAPPER") {
  const auto folder = test::reference("dapper_l96_n20");
  if (!folder) return;
  const auto start = load_npy<2>(*folder / "E0.npy");
  const auto observations = load_npy<2>(*folder / "observations.npy");
  const auto expected = load_npy<3>(*folder / "analysis_ienks_lag1_infl1.01.npy");
  // DAPPER stops when the square of the change is below 1e-8 and stores the analysis at the
  // observation's time before inflation.
  const Ienks<test::Sakov, 20> filter(test::Sakov{},
                                      {.tolerance = 1e-4, .inflation = {.factor = 1.01}});
  auto carried = filter.start({}, 1, {});
  for (std::size_t i = 0; i < 40; ++i)
    for (std::size_t m = 0; m < 20; ++m) carried.start.at(i, m) = start(i, m);
  carried.start.repeat_last_lane();
  Ienks<test::Sakov, 20>::Observed observed;
  observed.precision.fill(1);
  for (std::size_t cycle = 0; cycle < 6; ++cycle) {
    for (std::size_t j = 0; j < 40; ++j) observed.values[j] = observations(cycle, j);
    filter.forecast(carried);
    filter.analyse(carried, observed, {});
    double largest = 0;
    for (std::size_t i = 0; i < 40; ++i)
      for (std::size_t m = 0; m < 20; ++m)
        largest = std::max(largest, std::abs(carried.ensemble.at(i, m) - expected(cycle, i, m)));
    CAPTURE(cycle);
    CHECK(largest < 2e-5);
    CHECK(carried.converged);
  }
}

TEST_CASE("ienks: on a linear model an ETKF, for any lag, shift, form and iterations") {
  for (const auto assimilation : {DataAssimilation::single, DataAssimilation::multiple})
    for (const std::size_t lag : {0U, 1U, 2U, 5U})
      for (const std::size_t iterations : {1U, 2U, 4U})
        for (const std::size_t shift : {1U, 2U, 5U}) {
          if (shift > std::max<std::size_t>(lag, 1)) continue;
          CAPTURE(static_cast<int>(assimilation));
          IenksConfig config{.lag = lag,
                             .shift = shift,
                             .iterations = iterations,
                             .tolerance = tiny,
                             .assimilation = assimilation};
          check_linear<5>(config);
          check_linear<12>(config);
          config.form = IenksForm::bundle;
          config.epsilon = 0.5;  // exact for a linear model, and without loss of digits
          check_linear<5>(config);
        }
}

TEST_CASE("ienks: with inflation and rotation an ETKF, on a linear model") {
  for (const Inflation& inflation : test::inflations)
    for (const std::size_t lag : {0U, 1U, 3U}) {
      // RTPS scales row by row, which commutes with no model: the same for lag 0 only.
      if (inflation.relax_spread > 0 && lag > 0) continue;
      const auto expected =
          run(Etkf<Linear, 5>(Linear{}, {.inflation = inflation, .rotation = true}), 9);
      const auto found = run(
          Ienks<Linear, 5>(Linear{}, {.lag = lag, .inflation = inflation, .rotation = true}), 9);
      for (std::size_t c = 0; c < 9; ++c)  // the spread is that before inflation
        CHECK(distance({expected[c].mean, 0}, {found[c].mean, 0}) < 1e-10);
    }
}

TEST_CASE("ienks: with the finite-size prior an EnKF-N, on a linear model") {
  for (const auto prior : {HyperPrior::plain, HyperPrior::mode_corrected}) {
    const auto expected = run(EnkfN<Linear, 5>(Linear{}, {.prior = prior}), 9);
    for (const std::size_t lag : {0U, 1U, 3U}) {
      const Ienks<Linear, 5> filter(
          Linear{},
          {.lag = lag, .iterations = 500, .tolerance = 1e-13, .finite_size = true, .prior = prior});
      const auto found = run(filter, 9);
      for (std::size_t c = 0; c < 9; ++c) CHECK(distance(expected[c], found[c]) < 1e-10);
    }
  }
}

TEST_CASE("ienks: a linear model brings the smoothed mean to the filter's") {
  for (const auto assimilation : {DataAssimilation::single, DataAssimilation::multiple}) {
    const Ienks<Linear, 5> filter(
        Linear{}, {.lag = 5, .shift = 2, .tolerance = tiny, .assimilation = assimilation});
    auto carried = filter.start({}, 1.5, {.seed = 6});
    Ienks<Linear, 5>::Estimate late, now;
    for (std::size_t c = 0; c < 13; ++c) {
      filter.forecast(carried);
      filter.analyse(carried, test::linear_observations(c), {});
      const std::size_t age = filter.smoothed(carried, late);
      if (c % 2 == 0) CHECK(age == std::min<std::size_t>(c + 1, 5));
      for (std::size_t n = 0; n < age; ++n) Advection{}.step(late.data(), late.data());
      filter.estimate(carried, now);
      if (c % 2 == 0 || assimilation == DataAssimilation::single)
        for (std::size_t i = 0; i < 8; ++i) CHECK(std::abs(late[i] - now[i]) < 1e-10);
    }
  }
}

TEST_CASE("ienks: bundle and transform agree for a small ensemble of a nonlinear model") {
  using Lorenz = Problem<Rk4<Lorenz96<8>>, Curved>;
  Ienks<Lorenz, 5>::FirstGuessBatch guess;
  fill_normal<double>({.seed = 3}, guess.numbers());
  Ienks<Lorenz, 5>::Observed observed;
  fill_normal<double>({.seed = 4}, observed.values.numbers());
  observed.precision.fill(1e6);
  std::array<Ienks<Lorenz, 5>::Ensemble, 2> found;
  for (const auto form : {IenksForm::transform, IenksForm::bundle}) {
    // The bundle's members differ by ε · 1e-4 = 1e-8, of which round-off leaves eight digits: w
    // cannot settle to much better than 1e-8. An error of 1e-6 in w moves a member by 1e-10.
    const Ienks<Lorenz, 5> filter(Lorenz{}, {.lag = 3, .tolerance = 1e-6, .form = form});
    auto carried = filter.start(guess, 1e-4, {.seed = 5});
    for (int c = 0; c < 3; ++c) {
      filter.forecast(carried);
      auto near = observed;  // observations a little off the forecast
      Ienks<Lorenz, 5>::Estimate estimate;
      filter.estimate(carried, estimate);
      Lorenz{}.observe.observe(estimate.data(), near.values.data());
      for (std::size_t j = 0; j < 8; ++j) near.values[j] += 1e-3 * observed.values[j];
      filter.analyse(carried, near, {});
      CHECK(carried.converged);
    }
    found[static_cast<std::size_t>(form)] = carried.ensemble;
  }
  double largest = 0;
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t m = 0; m < 5; ++m)
      largest = std::max(largest, std::abs(found[0].at(i, m) - found[1].at(i, m)));
  CHECK(largest < 1e-7);  // the anomalies are of size 1e-4
}

TEST_CASE("ienks: very precise observations of a nonlinear model, in both forms") {
  using Lorenz = Problem<Rk4<Lorenz96<8>>, ObserveSubset<8, 5>>;
  const Lorenz problem;
  for (const bool finite_size : {false, true})
    for (const double precision : {1e9, 1e12, 1e16, 1e20}) {
      CAPTURE(finite_size);
      CAPTURE(precision);
      std::array<Ienks<Lorenz, 12>::Estimate, 2> found;
      for (const auto form : {IenksForm::transform, IenksForm::bundle}) {
        const Ienks<Lorenz, 12> filter(
            Lorenz{},
            {.iterations = 100, .tolerance = 1e-8, .form = form, .finite_size = finite_size});
        Ienks<Lorenz, 12>::FirstGuessBatch guess;
        Ienks<Lorenz, 12>::Observed observed;
        for (std::size_t i = 0; i < 8; ++i) guess[i] = 2 + std::sin(static_cast<double>(i));
        for (std::size_t j = 0; j < 5; ++j)
          observed.values[j] = 3 + 0.1 * static_cast<double>(j), observed.precision[j] = precision;
        auto carried = filter.start(guess, 1, {.seed = 1});
        filter.forecast(carried);
        filter.analyse(carried, observed, {});
        CHECK(carried.converged);
        auto& estimate = found[static_cast<std::size_t>(form)];
        filter.estimate(carried, estimate);
        for (std::size_t j = 0; j < 5; ++j)
          CHECK(std::abs(estimate[problem.observe.elements()[j]] - observed.values[j]) < 1e-6);
      }
      for (std::size_t i = 0; i < 8; ++i) CHECK(std::abs(found[0][i] - found[1][i]) < 1e-6);
    }
}

TEST_CASE("ienks: a finite-size smoother follows a truth that is observed to 1e-6") {
  using Lorenz = Problem<Rk4<Lorenz96<8>>, ObserveAll<8>>;
  const Lorenz problem{.noise = DiagonalNoise<8>(1e-12)};
  const auto score =
      run_twin(problem, Ienks<Lorenz, 10>(problem, {.lag = 2, .finite_size = true}),
               {.runs = 4, .cycles = 100, .burn_in = 20, .threads = 1, .progress = false});
  CHECK(score.failures.empty());
  CHECK(score.analysis_rmse < 1e-6);
}

TEST_CASE("ienks: with lag 0 the weights minimise the cost function of a nonlinear operator") {
  using Lorenz = Problem<Rk4<Lorenz96<8>>, Curved>;
  constexpr std::size_t members = 5;
  const Ienks<Lorenz, members> filter(  // the bundle's derivative is known to about 1e-11
      Lorenz{}, {.lag = 0, .iterations = 30, .tolerance = 1e-8, .form = IenksForm::bundle});
  auto carried = filter.start({}, 1, {.seed = 5});
  filter.forecast(carried);
  const auto prior = carried.ensemble;
  Ienks<Lorenz, members>::Observed observed;
  fill_normal<double>({.seed = 4}, observed.values.numbers());
  observed.precision.fill(2);
  filter.analyse(carried, observed, {});
  REQUIRE(carried.converged);
  CHECK(carried.iterations > 2);
  const auto& w = carried.space.weights();
  std::array<double, 8> x{}, h{};
  for (std::size_t i = 0; i < 8; ++i) {
    double mean = 0;
    for (std::size_t m = 0; m < members; ++m) mean += prior.at(i, m) / members;
    x[i] = mean;
    for (std::size_t m = 0; m < members; ++m) x[i] += (prior.at(i, m) - mean) * w[m];
  }
  Curved{}.observe(x.data(), h.data());
  for (std::size_t m = 0; m < members; ++m) {
    double gradient = (members - 1) * w[m];
    for (std::size_t i = 0; i < 8; ++i) {
      double mean = 0;
      for (std::size_t k = 0; k < members; ++k) mean += prior.at(i, k) / members;
      gradient -= 2 * (observed.values[i] - h[i]) * (1 + 0.1 * x[i]) * (prior.at(i, m) - mean);
    }
    CHECK(std::abs(gradient) < 1e-4);  // the bundle's derivative is of first order in epsilon
  }
}

TEST_CASE("ienks: inflation before the analysis is the analysis of the inflated start") {
  using Lorenz = Problem<Rk4<Lorenz96<8>>, Curved>;
  using Smoother = Ienks<Lorenz, 5>;
  for (const auto form : {IenksForm::transform, IenksForm::bundle}) {
    IenksConfig config{.lag = 2, .iterations = 50, .tolerance = 1e-9, .form = form};
    const Smoother plain(Lorenz{}, config);
    config.inflation.before = 1.3;
    const Smoother filter(Lorenz{}, config);
    auto carried = filter.start({}, 0.3, {.seed = 5}), other = carried;
    for (std::size_t i = 0; i < 8; ++i)
      for (std::size_t m = 0; m < 5; ++m)
        other.start.at(i, m) =
            carried.smoothed[i] + 1.3 * (carried.start.at(i, m) - carried.smoothed[i]);
    other.start.repeat_last_lane();
    Smoother::Observed observed;
    observed.precision.fill(2);
    filter.forecast(carried), plain.forecast(other);
    filter.analyse(carried, observed, {}), plain.analyse(other, observed, {});
    REQUIRE(carried.iterations > 2);
    for (std::size_t i = 0; i < 8; ++i)
      for (std::size_t m = 0; m < 5; ++m)
        CHECK(std::abs(carried.start.at(i, m) - other.start.at(i, m)) < 1e-7);
  }
}

TEST_CASE("ienks: silent slots, observations before the first forecast, and no observations") {
  test::check_silent_slots(Ienks<test::Half, 5>(test::Half{}),
                           Ienks<test::Silent, 5>(test::Silent{}));
  const Ienks<test::Half, 5> filter(test::Half{}, {.lag = 2});
  const Etkf<test::Half, 5> etkf(test::Half{});
  auto a = filter.start({}, 1, {});
  auto b = etkf.start({}, 1, {});
  filter.analyse(a, test::half_observations(), {});
  etkf.analyse(b, test::half_observations(), {});
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t m = 0; m < 5; ++m)
      CHECK(std::abs(a.ensemble.at(i, m) - b.ensemble.at(i, m)) < 1e-12);
  filter.forecast(a);
  const auto before = array_of(a.ensemble);
  filter.analyse(a, {}, {});
  const auto after = array_of(a.ensemble);
  CHECK(a.converged);
  for (std::size_t i = 0; i < before.size(); ++i)
    CHECK(std::abs(after.data()[i] - before.data()[i]) < 1e-12);
}

TEST_CASE("ienks: rotation keeps the analysis and moves the members of the next cycle") {
  const Ienks<test::Half, 5> plain(test::Half{}), turned(test::Half{}, {.rotation = true});
  auto a = plain.start({}, 1, {}), b = turned.start({}, 1, {});
  plain.forecast(a), turned.forecast(b);
  plain.analyse(a, test::half_observations(), {}), turned.analyse(b, test::half_observations(), {});
  CHECK(std::ranges::equal(a.ensemble.numbers(), b.ensemble.numbers()));
  CHECK(a.start.at(0, 0) != b.start.at(0, 0));
  for (std::size_t i = 0; i < 8; ++i) {
    double difference = 0;
    for (std::size_t m = 0; m < 5; ++m) difference += a.start.at(i, m) - b.start.at(i, m);
    CHECK(std::abs(difference) < 1e-12);
  }
}

TEST_CASE("ienks: too few iterations are a status, bad numbers and divergence errors") {
  const Ienks<test::Half, 5> once(test::Half{}, {.iterations = 1});
  auto carried = once.start({}, 1, {});
  once.forecast(carried);
  once.analyse(carried, test::half_observations(), {});
  CHECK(carried.iterations == 1);
  CHECK_FALSE(carried.converged);

  const auto make = [](const IenksConfig& config) { (Ienks<test::Half, 5>(test::Half{}, config)); };
  CHECK_THROWS_WITH_AS(make({.lag = 2, .shift = 3}),
                       "Ienks: shift is 3 with lag 2, expected 1 <= shift <= lag (and shift 1 "
                       "with lag 0)",
                       ConfigError);
  CHECK_THROWS_AS(make({.lag = 2, .shift = 0}), ConfigError);
  CHECK_THROWS_AS(make({.lag = 0, .shift = 2}), ConfigError);
  CHECK_NOTHROW(make({.lag = 0}));
  CHECK_THROWS_AS(make({.iterations = 0}), ConfigError);
  CHECK_THROWS_AS(make({.tolerance = 0}), ConfigError);
  CHECK_THROWS_AS(make({.epsilon = -1}), ConfigError);
  CHECK_THROWS_AS(make({.xn = 0}), ConfigError);
  CHECK_THROWS_AS(make({.inflation = {.factor = 0}}), ConfigError);
  test::check_divergence(Ienks<test::Half, 5>(test::Half{}), "Ienks::analyse");
  test::check_observations(Ienks<test::Half, 5>(test::Half{}, {.lag = 2, .shift = 2}),
                           "Ienks::analyse");
}
