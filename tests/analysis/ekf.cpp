// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/ekf.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "dan/core/linalg.hpp"
#include "dan/models/lorenz63.hpp"
#include "support/ensemble.hpp"
#include "support/linear.hpp"

using namespace dan;
using test::Advection, test::Linear;

static_assert(Analysis<Ekf<test::Sakov>>);
static_assert(Analysis<Ekf<Problem<Rk4<Lorenz63>, ObserveAll<1, 3>>>>);

TEST_CASE("ekf: on a linear model the Kalman filter") {
  const Ekf<Linear> filter(Linear{}, {.inflation = 1.1});
  Ekf<Linear>::FirstGuessBatch guess;
  fill_normal<double>({.seed = 1}, guess.numbers());
  auto carried = filter.start(guess, 1.5, {});
  const Matrix m = Advection::matrix();
  auto x = zero_tensor<double>(8, 1), p = zero_tensor<double>(8, 8);
  for (std::size_t i = 0; i < 8; ++i) x(i, 0) = guess[i], p(i, i) = 2.25;
  for (std::size_t cycle = 0; cycle < 6; ++cycle) {
    const auto observed = test::linear_observations(cycle);
    filter.forecast(carried);
    filter.analyse(carried, observed, {});
    x = matrix_product(m, x);
    p = matrix_product(m, matrix_product(p, transpose_of(m)));
    std::vector<std::size_t> reporting;
    for (std::size_t j = 0; j < 4; ++j)
      if (observed.precision[j] > 0) reporting.push_back(j);
    const std::size_t count = reporting.size();
    auto h = zero_tensor<double>(count, 8), departure = zero_tensor<double>(count, 1);
    for (std::size_t k = 0; k < count; ++k) {
      h(k, 2 * reporting[k]) = 1;
      departure(k, 0) = observed.values[reporting[k]] - x(2 * reporting[k], 0);
    }
    auto innovation = matrix_product(h, matrix_product(p, transpose_of(h)));
    for (std::size_t k = 0; k < count; ++k)
      innovation(k, k) += 1 / observed.precision[reporting[k]];
    const auto gain = transpose_of(solve_linear(innovation, matrix_product(h, p)));
    const auto increment = matrix_product(gain, departure),
               reduction = matrix_product(gain, matrix_product(h, p));
    double trace = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      x(i, 0) += increment(i, 0);
      CHECK(std::abs(carried.state[i] - x(i, 0)) < 1e-12);
      for (std::size_t j = 0; j < 8; ++j) {
        p(i, j) = 1.21 * (p(i, j) - reduction(i, j));
        CHECK(std::abs(carried.covariance.at(i, j) - p(i, j)) < 1e-12);
      }
      trace += p(i, i);
    }
    double spread = 0;
    filter.spread(carried, std::span(&spread, 1));
    CHECK(spread == doctest::Approx(std::sqrt(trace / 8)));
  }
}

TEST_CASE("ekf: the covariance follows the tangent of a nonlinear model and operator") {
  using Lorenz = Problem<Rk4<Lorenz96<8>>, test::Curved>;
  const Lorenz problem{};
  const Ekf<Lorenz> filter(problem);
  Ekf<Lorenz>::FirstGuessBatch guess;
  fill_normal<double>({.seed = 1}, guess.numbers());
  auto carried = filter.start(guess, 0.5, {});
  filter.forecast(carried);
  auto m = zero_tensor<double>(8, 8), h = zero_tensor<double>(8, 8), p = zero_tensor<double>(8, 8);
  for (std::size_t k = 0; k < 8; ++k) {
    std::array<double, 8> dx{}, dy{};
    dx[k] = 1;
    problem.observe.observe_tangent(carried.state.data(), dx.data(), dy.data());
    for (std::size_t i = 0; i < 8; ++i) h(i, k) = dy[i];
    problem.model.step_tangent(guess.data(), dx.data(), dx.data());
    for (std::size_t i = 0; i < 8; ++i) m(i, k) = dx[i];
    p(k, k) = 0.25;
  }
  p = matrix_product(m, matrix_product(p, transpose_of(m)));
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t j = 0; j < 8; ++j)
      CHECK(std::abs(carried.covariance.at(i, j) - p(i, j)) < 1e-12);
  Ekf<Lorenz>::Observed observed;
  observed.values.fill(1);
  observed.precision.fill(2);
  auto departure = zero_tensor<double>(8, 1);
  const auto before = carried.state;
  problem.observe.observe(before.data(), departure.data());
  for (double& d : span_of(departure)) d = 1 - d;
  filter.analyse(carried, observed, {});
  auto innovation = matrix_product(h, matrix_product(p, transpose_of(h)));
  for (std::size_t k = 0; k < 8; ++k) innovation(k, k) += 0.5;
  const auto increment =
      matrix_product(p, matrix_product(transpose_of(h), solve_linear(innovation, departure)));
  for (std::size_t i = 0; i < 8; ++i)
    CHECK(std::abs(carried.state[i] - before[i] - increment(i, 0)) < 1e-12);
}

TEST_CASE("ekf: bad numbers, a singular innovation covariance and a diverged state are errors") {
  CHECK_THROWS_AS((Ekf<test::Half>(test::Half{}, {.inflation = 0})), ConfigError);
  const Ekf<test::Half> filter(test::Half{});
  CHECK_THROWS_AS((void)filter.start({}, 0, {}), ConfigError);
  const auto message = [&](auto&& spoil) {
    auto carried = filter.start({}, 1, {});
    spoil(carried);
    try {
      filter.analyse(carried, test::half_observations(), {});
    } catch (const NumericalError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(message([](auto& carried) { carried.covariance.at(0, 0) = -1; }) ==
        "Ekf::analyse: the innovation variance of slot 0 is 0 and the departure " +
            to_text(test::half_observations().values[0]) +
            ", expected finite numbers and a variance above zero; the filter has diverged, use "
            "more inflation");
  CHECK_FALSE(message([](auto& carried) { carried.state[2] = std::nan(""); }).empty());
  CHECK_FALSE(message([](auto& carried) {
                carried.covariance.at(4, 4) = std::numeric_limits<double>::infinity();
              }).empty());
  CHECK(message([](auto&) {}).empty());
  test::check_observations(filter, "Ekf::analyse");
}
