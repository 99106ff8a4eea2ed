// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/var4d.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "dan/analysis/var3d.hpp"
#include "dan/autodiff/checks.hpp"
#include "dan/core/linalg.hpp"
#include "dan/problem/background/distance.hpp"
#include "dan/problem/background/modes.hpp"
#include "support/ensemble.hpp"
#include "support/linear.hpp"

using namespace dan;
using test::Advection, test::Linear;

namespace {

using Nonlinear = Problem<Rk4<Lorenz96<8>>, test::Curved>;

/// A climate with a random covariance.
Climate some_climate() {
  auto y = zero_tensor<double>(8, 12);
  fill_normal<double>({.seed = 3}, span_of(y));
  return {zero_tensor<double>(8), matrix_product(y, transpose_of(y))};
}

/// A background of a user's own: a lower triangular root of the climate's covariance.
struct MyBackground {
  Matrix lower;
  explicit MyBackground(const Climate& climate, double scale)
      : lower(cholesky(climate.covariance)) {
    for (double& value : span_of(lower)) value *= std::sqrt(scale);
  }
  [[nodiscard]] std::size_t size() const { return lower.shape()[0]; }
  [[nodiscard]] std::size_t controls() const { return size(); }
  template <class T>
  void root(const T* v, T* x) const {
    for (std::size_t i = 0; i < size(); ++i) {
      x[i] = T(0.0);
      for (std::size_t k = 0; k <= i; ++k) x[i] += T(lower(i, k)) * v[k];
    }
  }
  template <class T>
  void root_adjoint(const T* d_x, T* d_v) const {
    for (std::size_t i = 0; i < size(); ++i)
      for (std::size_t k = 0; k <= i; ++k) d_v[k] += T(lower(i, k)) * d_x[i];
  }
};
static_assert(BackgroundCovariance<MyBackground> && !DenseCovariance<MyBackground>);

/// Random observations with other silent slots in every lane and cycle.
template <class Observed>
Observed some_observations(std::size_t cycle) {
  Observed out;
  fill_normal<double>({.seed = 2, .cycle = cycle}, out.values.numbers());
  for (std::size_t l = 0; l < Observed::lanes; ++l)
    for (std::size_t j = 0; j < Observed::slots; ++j)
      out.precision.at(j, l) = (j + l + cycle) % 3 == 0 ? 0 : 1.0 + static_cast<double>(j);
  out.values.repeat_last_lane(), out.precision.repeat_last_lane();
  return out;
}

template <class Method>
auto some_guess() {
  typename Method::FirstGuessBatch guess;
  fill_normal<double>({.seed = 1}, guess.numbers());
  guess.repeat_last_lane();
  return guess;
}

/// Both methods agree in every cycle, before and after the analysis.
template <class A, class B>
void check_same(const A& a, const B& b, double tolerance = 1e-10) {
  auto x = a.start(some_guess<A>(), 1, {});
  auto y = b.start(some_guess<B>(), 1, {});
  typename A::Estimate left, right;
  const auto distance = [&] {
    a.estimate(x, left), b.estimate(y, right);
    double largest = 0;
    for (std::size_t i = 0; i < left.numbers().size(); ++i)
      largest = std::max(largest, std::abs(left.numbers()[i] - right.numbers()[i]));
    return largest;
  };
  for (std::size_t cycle = 0; cycle < 6; ++cycle) {
    a.forecast(x), b.forecast(y);
    CHECK(distance() < tolerance);
    const auto observed = some_observations<typename A::Observed>(cycle);
    a.analyse(x, observed, {}), b.analyse(y, observed, {});
    CHECK(distance() < tolerance);
  }
}

/// A carried window of full length, filled with observations, before its analysis.
template <class Method>
auto full_window(const Method& analysis, std::size_t lag) {
  auto carried = analysis.start(some_guess<Method>(), 1, {});
  for (std::size_t c = 0; c < lag; ++c) {
    analysis.forecast(carried);
    carried.window.newest() = some_observations<typename Method::Observed>(c);
  }
  return carried;
}

}  // namespace

static_assert(Analysis<Var4d<test::Sakov>>);
static_assert(Analysis<Var4d<Nonlinear, 1>>);
static_assert(Analysis<Var4d<Nonlinear, 3, MyBackground>>);

TEST_CASE("var4d: conjugate gradients find the steps of the factorisation") {
  const auto climate = some_climate();
  for (const auto use : {WindowUse::newest, WindowUse::all})
    for (const std::size_t lag : {0U, 1U, 4U}) {
      CAPTURE(lag);
      const Var4dConfig config{.scale = 0.05,
                               .lag = lag,
                               .use = use,
                               .iterations = 4,
                               .tolerance = 1e-12,
                               .inner_iterations = 30,
                               .inner_tolerance = 1e-12};
      check_same(
          Var4d<Nonlinear, 3>(Nonlinear{}, climate, config),
          Var4d<Nonlinear, 3, MyBackground>(Nonlinear{}, MyBackground(climate, 0.05), config),
          1e-8);
    }
}

TEST_CASE("var4d: without matrices on a linear model, 3D-Var with the background M B Mᵀ") {
  const auto climate = some_climate();
  const Matrix m = Advection::matrix();
  const Climate moved{climate.mean,
                      matrix_product(m, matrix_product(climate.covariance, transpose_of(m)))};
  // Types are deduced from what the methods are given; runs side by side are then a register's.
  const Var4d iterated(Linear{}, MyBackground(climate, 0.3), {.inner_tolerance = 1e-13});
  const Var3d expected(Linear{}, DenseBackground(moved, 0.3));
  check_same(iterated, expected);
  check_same(Var3d(Linear{}, MyBackground(moved, 0.3)), expected);
  const Var4d still(Linear{}, MyBackground(climate, 0.3), {.lag = 0, .inner_tolerance = 1e-13});
  check_same(still, Var3d(Linear{}, MyBackground(climate, 0.3)));
}

TEST_CASE("var4d: any background is as good as ours, and one of low rank corrects in its span") {
  using Ringed = Problem<Rk4<Lorenz96<8>>, ObserveSubset<8, 5>>;
  const Ringed problem;
  auto deviations = zero_tensor<double>(8);
  for (std::size_t i = 0; i < 8; ++i) deviations[i] = 0.5 + 0.1 * static_cast<double>(i);
  const DistanceBackground<Ring<8>, 1> by_distance(deviations, 1.5);
  const ModesBackground modes(climate_sample_of(problem, {.cycles = 20}), 3, 0.1);
  const auto check = [&](const auto& background) {
    auto covariance = zero_tensor<double>(8, 8);
    std::vector<double> unit(8), v(background.controls()), column(8);
    for (std::size_t i = 0; i < 8; ++i) {
      std::ranges::fill(unit, 0), std::ranges::fill(v, 0);
      unit[i] = 1;
      background.root_adjoint(unit.data(), v.data());
      background.root(v.data(), column.data());
      for (std::size_t k = 0; k < 8; ++k) covariance(i, k) = column[k];
    }
    const DenseBackground dense({zero_tensor<double>(8), covariance});
    // Roots of B differ, and with them the size of a change of v: none must stop the iteration.
    const Var4dConfig config{
        .lag = 2, .iterations = 4, .tolerance = 1e-12, .inner_tolerance = 1e-13};
    check_same(Var4d(problem, background, config), Var4d(problem, dense, config), 1e-8);
    check_same(Var3d(problem, background), Var3d(problem, dense));
  };
  check(by_distance);
  check(modes);
}

TEST_CASE("var4d: lag 0 is 3D-Var") {
  const auto climate = some_climate();
  check_same(Var4d<test::Silent, 5>(test::Silent{}, climate, {.scale = 0.3, .lag = 0}),
             Var3d<test::Silent, 5>(test::Silent{}, climate, 0.3));
}

TEST_CASE("var4d: on a linear model lag 1 is 3D-Var with the background M B Mᵀ") {
  const auto climate = some_climate();
  const Matrix m = Advection::matrix();
  const Climate moved{climate.mean,
                      matrix_product(m, matrix_product(climate.covariance, transpose_of(m)))};
  for (const std::size_t iterations : {1U, 3U})
    for (const auto use : {WindowUse::newest, WindowUse::all})
      check_same(
          Var4d<Linear, 3>(Linear{}, climate, {.scale = 0.3, .use = use, .iterations = iterations}),
          Var3d<Linear, 3>(Linear{}, moved, 0.3));
}

TEST_CASE("var4d: on a linear model a window of all observations is the weighted least squares") {
  const auto climate = some_climate();
  const Var4d<Linear, 1> analysis(Linear{}, climate,
                                  {.scale = 0.3, .lag = 3, .shift = 3, .use = WindowUse::all});
  auto carried = full_window(analysis, 3);
  const auto guess = some_guess<Var4d<Linear, 1>>();
  // (B⁻¹ + Σ Gᵀ R⁻¹ G) dx = Σ Gᵀ R⁻¹ (y − G x_b), G = H Mⁿ.
  auto unit = zero_tensor<double>(8, 8), b = climate.covariance, right = zero_tensor<double>(8, 1);
  for (std::size_t i = 0; i < 8; ++i) unit(i, i) = 1;
  for (double& value : span_of(b)) value *= 0.3;
  auto left = solve_linear(b, unit), power = unit;
  for (std::size_t n = 0; n < 3; ++n) {
    power = matrix_product(Advection::matrix(), power);
    const auto observed = some_observations<Observations<double, 4>>(n);
    for (std::size_t j = 0; j < 4; ++j) {
      double departure = observed.values[j];
      for (std::size_t i = 0; i < 8; ++i) departure -= power(2 * j, i) * guess[i];
      for (std::size_t i = 0; i < 8; ++i) {
        const double weighted = observed.precision[j] * power(2 * j, i);
        right(i, 0) += weighted * departure;
        for (std::size_t k = 0; k < 8; ++k) left(i, k) += weighted * power(2 * j, k);
      }
    }
  }
  const auto increment = solve_linear(left, right);
  const auto newest = matrix_product(power, increment);
  Var4d<Linear, 1>::Estimate before, after, start;
  analysis.estimate(carried, before);
  analysis.analyse(carried, some_observations<Observations<double, 4>>(2), {});
  analysis.estimate(carried, after);
  CHECK(analysis.smoothed(carried, start) == 3);
  for (std::size_t i = 0; i < 8; ++i) {
    CHECK(std::abs(start[i] - guess[i] - increment(i, 0)) < 1e-10);
    CHECK(std::abs(after[i] - before[i] - newest(i, 0)) < 1e-10);
  }
  analysis.forecast(carried);  // the window moves by its whole length
  CHECK(carried.window.length() == 1);
}

TEST_CASE("var4d: the gradient through the whole window passes the Taylor test") {
  for (const auto use : {WindowUse::newest, WindowUse::all})
    for (const std::size_t lag : {0U, 1U, 4U}) {
      const Var4d<Nonlinear, 1> analysis(Nonlinear{}, some_climate(),
                                         {.scale = 0.3, .lag = lag, .use = use});
      const auto carried = full_window(analysis, lag);
      std::vector<double> v(8), direction(8), gradient(8);
      fill_normal<double>({.seed = 6}, std::span(v));
      fill_normal<double>({.seed = 7}, std::span(direction));
      analysis.gradient(carried, v.data(), gradient.data());
      const auto cost = [&](std::span<const double> at) {
        return std::vector<double>{analysis.cost(carried, at.data())};
      };
      const auto tangent = [&](std::span<const double> dv) {
        double sum = 0;
        for (std::size_t i = 0; i < 8; ++i) sum += gradient[i] * dv[i];
        return std::vector<double>{sum};
      };
      const TaylorFit fit = taylor_slope(cost, tangent, v, direction);
      CAPTURE(lag);
      CAPTURE(fit.slope);
      CHECK(fit.passes());
    }
}

TEST_CASE("var4d: the analysis of a nonlinear problem is where the adjoint's gradient vanishes") {
  constexpr std::size_t runs = 3;
  const Var4d<Nonlinear, runs> analysis(
      Nonlinear{}, some_climate(),
      {.scale = 0.01, .lag = 3, .use = WindowUse::all, .iterations = 40, .tolerance = 1e-11});
  auto carried = full_window(analysis, 3);
  const auto before = carried;
  const auto observed = some_observations<Var4d<Nonlinear, runs>::Observed>(2);
  analysis.analyse(carried, observed, {});
  REQUIRE(carried.converged);
  CHECK(carried.iterations > 2);
  // v from B^{1/2} v = x^a − x_b, run by run.
  const auto [values, vectors] = symmetric_eigen(some_climate().covariance);
  std::vector<lanes_t<double, runs>, AlignedAllocator<lanes_t<double, runs>>> v(8), gradient(8);
  for (std::size_t l = 0; l < runs; ++l)
    for (std::size_t i = 0; i < 8; ++i) {
      double sum = 0;
      for (std::size_t k = 0; k < 8; ++k)
        for (std::size_t j = 0; j < 8; ++j)
          sum += vectors(i, k) * vectors(j, k) / std::sqrt(0.01 * values[k]) *
                 (carried.start.at(j, l) - before.start.at(j, l));
      lane_of(v[i], l) = sum;
    }
  analysis.gradient(before, v.data(), gradient.data());
  for (std::size_t l = 0; l < runs; ++l)
    for (std::size_t i = 0; i < 8; ++i) {
      CHECK(std::abs(lane_of(v[i], l)) > 0);
      CHECK(std::abs(lane_of(gradient[i], l)) < 1e-9);  // a Hessian of about 10 times 1e-11
    }
}

TEST_CASE("var4d: a run does not depend on its neighbours, nor on one that diverges") {
  using Five = Var4d<Nonlinear, 5>;
  const Five analysis(Nonlinear{}, some_climate(), {.scale = 0.1, .lag = 2});
  auto a = analysis.start(some_guess<Five>(), 1, {}), b = a;
  for (std::size_t i = 0; i < 8; ++i) {
    b.start.at(i, 1) = std::numeric_limits<double>::quiet_NaN();
    b.start.at(i, 4) = 0.5 * b.start.at(i, 0);
  }
  for (std::size_t cycle = 0; cycle < 3; ++cycle) {
    const auto observed = some_observations<Five::Observed>(cycle);
    analysis.forecast(a), analysis.forecast(b);
    analysis.analyse(a, observed, {}), analysis.analyse(b, observed, {});
  }
  for (std::size_t i = 0; i < 8; ++i) {
    for (const std::size_t l : {0U, 2U, 3U}) CHECK(a.state.at(i, l) == b.state.at(i, l));
    CHECK(std::isnan(b.state.at(i, 1)));
  }
  CHECK(a.converged);
  CHECK_FALSE(b.converged);
}

TEST_CASE("var4d: observations as precise as one likes, in some runs only") {
  using Lorenz = Problem<Rk4<Lorenz96<8>>, ObserveSubset<8, 5>>;
  const auto climate = some_climate();
  const Var3d<Lorenz, 5> expected(Lorenz{}, climate, 0.1);
  const Var4d<Lorenz, 5> analysis(Lorenz{}, climate, {.scale = 0.1, .lag = 0, .tolerance = 1e-9});
  const auto guess = some_guess<Var4d<Lorenz, 5>>();
  for (const double precise : {1e4, 1e8, 1e12, 1e16, 1e17, 1e20, 1e30}) {
    CAPTURE(precise);
    auto a = expected.start(guess, 1, {});
    auto b = analysis.start(guess, 1, {});
    auto observed = some_observations<Var4d<Lorenz, 5>::Observed>(0);
    const auto ordinary = observed;
    for (std::size_t j = 0; j < 5; ++j) {
      observed.precision.at(j, 1) = precise;
      observed.precision.at(j, 3) = j == 2 ? precise : 1;
      observed.precision.at(j, 4) = j == 2 ? 0 : precise;
    }
    observed.precision.repeat_last_lane();
    expected.analyse(a, observed, {}), analysis.analyse(b, observed, {});
    CHECK(b.converged);
    for (std::size_t i = 0; i < 8; ++i)
      for (std::size_t l = 0; l < 5; ++l)  // Cholesky's factor: 1e-16 · 1e8
        CHECK(std::abs(a.state.at(i, l) - b.state.at(i, l)) < (precise <= 1e8 ? 1e-8 : 1e-11));
    auto c = analysis.start(guess, 1, {});
    analysis.analyse(c, ordinary, {});
    for (std::size_t i = 0; i < 8; ++i)
      for (const std::size_t l : {0U, 2U}) CHECK(b.state.at(i, l) == c.state.at(i, l));
  }
}

TEST_CASE("var4d: a precisely observed window of a nonlinear model") {
  for (const double precision : {1e9, 1e13, 1e17, 1e20}) {
    CAPTURE(precision);
    using Lorenz = Problem<Rk4<Lorenz96<8>>, ObserveSubset<8, 5>>;
    const Var4d<Lorenz, 1> analysis(Lorenz{}, some_climate(),
                                    {.iterations = 100, .tolerance = 1e-9});
    Var4d<Lorenz, 1>::Observed observed;
    for (std::size_t j = 0; j < 5; ++j)
      observed.values[j] = 3 + 0.1 * static_cast<double>(j), observed.precision[j] = precision;
    Var4d<Lorenz, 1>::FirstGuessBatch guess;
    for (std::size_t i = 0; i < 8; ++i) guess[i] = 2 + std::sin(static_cast<double>(i));
    auto carried = analysis.start(guess, 1, {});
    analysis.forecast(carried);
    analysis.analyse(carried, observed, {});
    CHECK(carried.converged);
    const Lorenz problem;
    for (std::size_t j = 0; j < 5; ++j)
      CHECK(std::abs(carried.state[problem.observe.elements()[j]] - observed.values[j]) < 1e-8);
    auto start = carried.start;  // the trajectory from there
    problem.model.step(start.data(), start.data());
    for (std::size_t i = 0; i < 8; ++i) CHECK(std::abs(start[i] - carried.state[i]) < 1e-8);
  }
}

TEST_CASE("var4d: observations that are no numbers") {
  for (const auto use : {WindowUse::newest, WindowUse::all}) {
    const Var4dConfig config{.lag = 2, .use = use};
    test::check_observations(Var4d<Nonlinear, 1>(Nonlinear{}, some_climate(), config),
                             "Var4d::analyse");
    test::check_observations(Var4d<Nonlinear, 3>(Nonlinear{}, some_climate(), config),
                             "Var4d::analyse");
  }
}

TEST_CASE("var4d: bad input") {
  const auto make = [](const Var4dConfig& config) {
    (Var4d<test::Silent>(test::Silent{}, some_climate(), config));
  };
  CHECK_THROWS_WITH_AS(make({.scale = -0.1}),
                       "Var4d: scale is -0.1, expected a finite number greater than zero",
                       ConfigError);
  CHECK_THROWS_AS(make({.lag = 1, .shift = 2}), ConfigError);
  CHECK_THROWS_AS(make({.iterations = 0}), ConfigError);
  CHECK_THROWS_AS(make({.tolerance = std::nan("")}), ConfigError);
  CHECK_THROWS_AS(make({.inner_iterations = 0}), ConfigError);
  CHECK_THROWS_AS(make({.inner_tolerance = 0}), ConfigError);
  CHECK_THROWS_AS((Var4d<test::Sakov>(test::Sakov{}, some_climate())), ShapeError);
  CHECK_THROWS_WITH_AS((Var4d(test::Sakov{}, MyBackground(some_climate(), 1))),
                       "Var4d: background is one of 8 numbers, expected 40, those of a state",
                       ShapeError);
  CHECK_THROWS_WITH_AS((Var3d(test::Sakov{}, MyBackground(some_climate(), 1))),
                       "Var3d: background is one of 8 numbers, expected 40, those of a state",
                       ShapeError);
  auto climate = some_climate();
  for (double& value : span_of(climate.covariance)) value *= -1;
  CHECK_THROWS_AS((Var4d<test::Silent>(test::Silent{}, climate)), NumericalError);
}
