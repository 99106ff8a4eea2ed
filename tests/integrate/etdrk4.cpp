// SPDX-License-Identifier: BSD-3-Clause
#include "dan/integrate/etdrk4.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>

#include "dan/geometry/ring.hpp"
#include "support/battery.hpp"

using namespace dan;
using test::Numbers;

namespace {
/// dU_k/dt = −k U_k + N, N = the wave of `rate` u, linear: known in closed form.
struct LinearWaves {
  using Geometry = Ring<8>;
  static constexpr std::size_t points = 8, channels = 1;
  double rate = 0;
  double linear(std::size_t k) const { return -static_cast<double>(k); }
  template <class T>
  void nonlinear(const T* u, T* n) const {
    RealFourier<8>::forward(u, n);
    for (std::size_t i = 0; i < 10; ++i) n[i] = rate * n[i];
  }
  template <class T>
  void nonlinear_tangent(const T*, const T* du, T* d_n) const {
    nonlinear(du, d_n);
  }
  template <class T>
  void nonlinear_adjoint(const T*, const T* d_n, T* d_u) const {
    T out[8];
    RealFourier<8>::inverse(d_n, out);
    for (std::size_t j = 0; j < 8; ++j) d_u[j] += rate * out[j];
  }
};

/// Error after time one of the wave k, from amplitude one.
double error_of(double rate, double time_step, std::size_t steps, std::size_t k) {
  const Etdrk4<LinearWaves> model({.rate = rate}, time_step);
  Numbers x(8);
  for (std::size_t j = 0; j < 8; ++j)
    x[j] = std::cos(2 * std::numbers::pi * static_cast<double>(j * k) / 8);
  for (std::size_t n = 0; n < steps; ++n) model.step(x.data(), x.data());
  const double time = time_step * static_cast<double>(steps);
  return std::abs(x[0] - std::exp((rate - static_cast<double>(k)) * time));
}
}  // namespace

TEST_CASE("etdrk4: coefficients of an independent implementation, and their limits") {
  // Kuramoto–Sivashinsky on 32π, wave 10, h = 0.5
  const double kappa = 0.625, lambda = kappa * kappa - kappa * kappa * kappa * kappa;
  const auto c = etdrk4_coefficients(lambda, 0.5);
  CHECK(std::abs(c.whole - 1.1263908179240887) < 1e-14);
  CHECK(std::abs(c.half - 1.0613156071235779) < 1e-14);
  CHECK(std::abs(c.q - 0.25758843772120504) < 1e-14);
  CHECK(std::abs(c.f1 - 0.09380199060896639) < 1e-14);
  CHECK(std::abs(c.f2 - 0.08847429200829861) < 1e-14);
  CHECK(std::abs(c.f3 - 0.0832719082471389) < 1e-14);

  const auto still = etdrk4_coefficients(0, 0.3);  // the classical scheme
  CHECK(still.whole == 1);
  CHECK(std::abs(still.q - 0.15) < 1e-15);
  for (const double f : {still.f1, still.f2, still.f3}) CHECK(std::abs(f - 0.05) < 1e-15);

  const auto stiff = etdrk4_coefficients(-50, 1);  // no cancellation there: the formulas
  CHECK(std::abs(stiff.q - (1 - std::exp(-25.0)) / 50) < 1e-15);
  CHECK(std::abs(stiff.f1 - (-4 + 50) / -125000.0) < 1e-15);

  const auto removed = etdrk4_coefficients(-std::numeric_limits<double>::infinity(), 1);
  for (const double number :
       {removed.whole, removed.half, removed.q, removed.f1, removed.f2, removed.f3})
    CHECK(number == 0);
}

TEST_CASE("etdrk4: the linear part is exact, the rest of order four") {
  for (const std::size_t k : {0U, 1U, 3U, 4U}) CHECK(error_of(0, 1, 1, k) < 1e-15);
  for (const std::size_t k : {0U, 1U, 3U}) {
    const double coarse = error_of(0.9, 1.0 / 32, 32, k), fine = error_of(0.9, 1.0 / 64, 64, k);
    CHECK(std::abs(std::log2(coarse / fine) - 4) < 0.25);
  }
}

TEST_CASE("etdrk4: battery of a linear equation") {
  test::check_model(Etdrk4<LinearWaves>({.rate = -0.4}, 0.2), test::normal_numbers(8, 7));
}

TEST_CASE("etdrk4: a step that is not positive is refused") {
  CHECK_THROWS_WITH_AS(Etdrk4<LinearWaves>({}, 0),
                       "Etdrk4: time_step is 0, expected a finite number greater than zero",
                       ConfigError);
  CHECK_THROWS_WITH_AS(Etdrk4<LinearWaves>({}, 1e200),
                       doctest::Contains("Etdrk4: a coefficient of wave 1 for this time_step is "),
                       ConfigError);
  static_assert(SpectralEquation<LinearWaves>);
  static_assert(!SpectralEquation<Ring<8>>);
}
