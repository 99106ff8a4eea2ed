// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/var3d.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "dan/core/linalg.hpp"
#include "dan/observe/interpolate.hpp"
#include "dan/observe/subset.hpp"
#include "support/ensemble.hpp"

using namespace dan;

namespace {

/// y_i = x_i² / 2: the smallest nonlinear operator.
struct ObserveSquares : ObserveAll<8> {
  static constexpr bool linear = false;
  template <class T>
  void observe(const T* x, T* y) const {
    for (std::size_t i = 0; i < slots; ++i) y[i] = T(0.5) * x[i] * x[i];
  }
  template <class T>
  void observe_tangent(const T* x, const T* dx, T* dy) const {
    for (std::size_t i = 0; i < slots; ++i) dy[i] = x[i] * dx[i];
  }
  template <class T>
  void observe_adjoint(const T* x, const T* d_y, T* d_x) const {
    for (std::size_t i = 0; i < slots; ++i) d_x[i] += x[i] * d_y[i];
  }
};
using Square = Problem<Rk4<Lorenz96<8>>, ObserveSquares>;

/// A climate with a random covariance.
Climate some_climate() {
  auto y = zero_tensor<double>(8, 12);
  fill_normal<double>({.seed = 3}, span_of(y));
  return {zero_tensor<double>(8), matrix_product(y, transpose_of(y))};
}

/// B Hᵀ (H B Hᵀ + R)⁻¹ d with H, R and d of the reporting slots.
Matrix textbook_increment(const Matrix& b, const Matrix& h, const Matrix& r, const Matrix& d) {
  auto innovation = matrix_product(h, matrix_product(b, transpose_of(h)));
  for (std::size_t i = 0; i < innovation.size(); ++i) innovation.data()[i] += r.data()[i];
  return matrix_product(matrix_product(b, transpose_of(h)), solve_linear(innovation, d));
}

Matrix scaled(Matrix a, double factor) {
  for (double& x : span_of(a)) x *= factor;
  return a;
}

}  // namespace

static_assert(Analysis<Var3d<test::Sakov>>);
static_assert(Analysis<Var3d<Square, 1>>);

TEST_CASE("var3d: every lane gets the textbook's increment, whatever its precision") {
  constexpr std::size_t runs = 5;
  const auto climate = some_climate();
  const Var3d<test::Silent, runs> analysis(test::Silent{}, climate, 0.3);
  Var3d<test::Silent, runs>::FirstGuessBatch guess;
  fill_normal<double>({.seed = 1}, guess.numbers());
  auto carried = analysis.start(guess, 1, {});
  Var3d<test::Silent, runs>::Observed observed;
  for (std::uint64_t cycle = 0; cycle < 3; ++cycle) {  // others observed in every cycle
    fill_normal<double>({.seed = 2, .cycle = cycle}, observed.values.numbers());
    for (std::size_t l = 0; l < runs; ++l)
      for (std::size_t j = 0; j < 8; ++j)
        observed.precision.at(j, l) =
            (j + l + cycle) % 3 == 0 ? 0 : 1.0 + static_cast<double>(j + l);
    const auto before = carried.state;
    analysis.analyse(carried, observed, {});
    for (std::size_t l = 0; l < runs; ++l) {
      std::vector<std::size_t> reporting;
      for (std::size_t j = 0; j < 8; ++j)
        if (observed.precision.at(j, l) > 0) reporting.push_back(j);
      const std::size_t count = reporting.size();
      auto h = zero_tensor<double>(count, 8), r = zero_tensor<double>(count, count);
      auto d = zero_tensor<double>(count, 1);
      for (std::size_t k = 0; k < count; ++k) {
        h(k, reporting[k]) = 1;
        r(k, k) = 1 / observed.precision.at(reporting[k], l);
        d(k, 0) = observed.values.at(reporting[k], l) - before.at(reporting[k], l);
      }
      const auto increment = textbook_increment(scaled(climate.covariance, 0.3), h, r, d);
      for (std::size_t i = 0; i < 8; ++i)
        CHECK(std::abs(carried.state.at(i, l) - before.at(i, l) - increment(i, 0)) < 1e-12);
    }
  }
}

TEST_CASE("var3d: a nonlinear operator is linearised at the forecast") {
  const auto climate = some_climate();
  const Var3d<Square, 2> analysis(Square{}, climate, 0.1);
  Var3d<Square, 2>::FirstGuessBatch guess;
  fill_normal<double>({.seed = 1}, guess.numbers());
  auto carried = analysis.start(guess, 1, {});
  Var3d<Square, 2>::Observed observed;
  fill_normal<double>({.seed = 2}, observed.values.numbers());
  observed.precision.fill(4);
  analysis.analyse(carried, observed, {});
  for (std::size_t l = 0; l < 2; ++l) {
    auto h = zero_tensor<double>(8, 8), r = zero_tensor<double>(8, 8),
         d = zero_tensor<double>(8, 1);
    for (std::size_t i = 0; i < 8; ++i) {
      const double x = guess.at(i, l);
      h(i, i) = x, r(i, i) = 0.25, d(i, 0) = observed.values.at(i, l) - x * x / 2;
    }
    const auto increment = textbook_increment(scaled(climate.covariance, 0.1), h, r, d);
    for (std::size_t i = 0; i < 8; ++i)
      CHECK(std::abs(carried.state.at(i, l) - guess.at(i, l) - increment(i, 0)) < 1e-12);
  }
}

TEST_CASE("var3d: silent slots equal an operator without them") {
  const auto climate = some_climate();
  const Var3d<test::Half, 1> half(test::Half{}, climate);
  const Var3d<test::Silent, 1> silent(test::Silent{}, climate);
  auto a = half.start({}, 1, {});
  auto b = silent.start({}, 1, {});
  half.analyse(a, test::half_observations(), {});
  silent.analyse(b, test::silent_observations(), {});
  for (std::size_t i = 0; i < 8; ++i)
    CHECK(a.state.at(i, 0) == doctest::Approx(b.state.at(i, 0)).epsilon(1e-12));
}

TEST_CASE("var3d: what is carried may go to another 3D-Var") {
  const Var3d<test::Half, 1> first(test::Half{}, some_climate(), 0.3);
  const Var3d<test::Half, 1> second(test::Half{}, some_climate(), 0.02), same = second;
  const auto observed = test::half_observations();
  auto a = first.start({}, 1, {}), b = a;
  first.analyse(a, observed, {});
  b.state = a.state;
  second.analyse(a, observed, {}), same.analyse(b, observed, {});
  CHECK(std::ranges::equal(a.state.numbers(), b.state.numbers()));
}

TEST_CASE("var3d: a lane that is not finite stays alone") {
  const Var3d<test::Silent, 3> analysis(test::Silent{}, some_climate());
  auto carried = analysis.start({}, 1, {});
  carried.state.at(2, 1) = std::numeric_limits<double>::quiet_NaN();
  Var3d<test::Silent, 3>::Observed observed;
  observed.precision.fill(1);
  observed.values.fill(0.5);
  analysis.analyse(carried, observed, {});
  CHECK(std::isfinite(carried.state.at(2, 0)));
  CHECK(std::isnan(carried.state.at(2, 1)));
  CHECK(carried.state.at(2, 2) == carried.state.at(2, 0));
}

TEST_CASE("var3d: observations that are no numbers") {
  test::check_observations(Var3d<test::Silent, 1>(test::Silent{}, some_climate()),
                           "Var3d::analyse");
  test::check_observations(Var3d<test::Silent, 3>(test::Silent{}, some_climate()),
                           "Var3d::analyse");
  test::check_observations(Var3d<Square, 5>(Square{}, some_climate()), "Var3d::analyse");
}

TEST_CASE("var3d: bad input") {
  CHECK_THROWS_WITH_AS((Var3d<test::Silent>(test::Silent{}, some_climate(), -0.1)),
                       "Var3d: scale is -0.1, expected a finite number greater than zero",
                       ConfigError);
  CHECK_THROWS_AS((Var3d<test::Sakov>(test::Sakov{}, some_climate())), ShapeError);
  auto climate = some_climate();
  climate.covariance = scaled(climate.covariance, -1);
  CHECK_THROWS_WITH_AS((Var3d<test::Silent>(test::Silent{}, climate, 1)),
                       doctest::Contains("Var3d: climate.covariance has the eigenvalue -"),
                       NumericalError);
  CHECK_THROWS_AS((Var3d<Square>(Square{}, climate, 1)), NumericalError);
  climate.covariance(0, 0) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS((Var3d<test::Silent>(test::Silent{}, climate, 1)), NumericalError);

  // Round-off below zero is let through, and then no match for very precise observations.
  climate.covariance = zero_tensor<double>(8, 8);
  for (std::size_t i = 0; i < 8; ++i) climate.covariance(i, i) = i == 3 ? -5e-11 : 1;
  const Var3d<test::Silent> analysis(test::Silent{}, climate, 1);
  auto carried = analysis.start({}, 1, {});
  Var3d<test::Silent>::Observed observed;
  observed.precision.fill(1);
  CHECK_NOTHROW(analysis.analyse(carried, observed, {}));
  observed.precision.fill(1e12);
  CHECK_THROWS_WITH_AS(analysis.analyse(carried, observed, {}),
                       doctest::Contains("Var3d::analyse: I + D H B"), NumericalError);
}

TEST_CASE("var3d: precise observations of the same are refused, wherever their places come from") {
  using Model = Rk4<Lorenz96<8>>;
  const std::vector<double> y{1, 2}, variances{1e-20, 1e-20};
  const std::vector<Place<1>> here{{{0}}, {{0}}};
  const auto refuses = [&](const auto& problem, const auto& set) {
    using Method = Var3d<std::decay_t<decltype(problem)>, 1>;
    Climate climate{zero_tensor<double>(8), zero_tensor<double>(8, 8)};
    for (std::size_t i = 0; i < 8; ++i) climate.covariance(i, i) = 1;
    const Method method(problem, climate, 1);
    auto carried = method.start({}, 1, {});
    typename Method::Observed observed;
    set(observed);
    CHECK_THROWS_WITH_AS(method.analyse(carried, observed, {}),
                         doctest::Contains("has no Cholesky factor"), NumericalError);
  };
  refuses(Problem<Model, ObserveSubset<8, 2>>{.observe = ObserveSubset<8, 2>({0, 0})},
          [&](auto& observed) {
            set_observations(observed, 0, y, std::span<const double>(variances));
          });
  refuses(Problem<Model, ObserveAt<Ring<8>, 2>>{}, [&](auto& observed) {
    set_observations(observed, 0, y, std::span<const double>(variances),
                     std::span<const Place<1>>(here));
  });
}
