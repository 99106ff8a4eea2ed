// SPDX-License-Identifier: BSD-3-Clause
#include "dan/integrate/rk4.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>

#include "dan/models/lorenz96.hpp"
#include "support/battery.hpp"

using namespace dan;
using test::Numbers;

namespace {
/// dx/dt = −x, whose Runge–Kutta step is known.
struct Decay {
  static constexpr std::size_t points = 3, channels = 1;
  template <class T>
  void tendency(const T* x, T* f) const {
    for (std::size_t i = 0; i < points; ++i) f[i] = -x[i];
  }
  template <class T>
  void tendency_tangent(const T*, const T* dx, T* df) const {
    tendency(dx, df);
  }
  template <class T>
  void tendency_adjoint(const T*, const T* df, T* d_x) const {
    for (std::size_t i = 0; i < points; ++i) d_x[i] -= df[i];
  }
};

template <std::size_t Points>
Numbers forecast(const Numbers& x, double time_step, std::size_t steps) {
  const Rk4<Lorenz96<Points>> model{.time_step = time_step, .steps = steps};
  Numbers y(Points);
  model.step(x.data(), y.data());
  return y;
}

double distance(const Numbers& a, const Numbers& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

Numbers state(std::size_t points) {
  Numbers x = test::normal_numbers(points, 200);
  for (double& value : x) value = 2.3 + 3.6 * value;
  return forecast<40>(x, 0.05, 100);
}
}  // namespace

TEST_CASE("rk4: one step of a linear equation is the Taylor polynomial of order four") {
  const double h = 0.3, growth = 1 - h + h * h / 2 - h * h * h / 6 + h * h * h * h / 24;
  const Rk4<Decay> model{.time_step = h};
  const Numbers x{1, -2, 0.5};
  Numbers y(3);
  model.step(x.data(), y.data());
  for (std::size_t i = 0; i < 3; ++i) CHECK(std::abs(y[i] - growth * x[i]) < 1e-15);
  test::check_model(model, x);
}

TEST_CASE("rk4: a cycle of no steps is the identity, its adjoint too") {
  const Rk4<Decay> model{.steps = 0};
  const Numbers x{1, -2, 0.5}, d_y{3, 4, 5};
  Numbers y(3), d_x{1, 1, 1};
  model.step(x.data(), y.data());
  CHECK(test::all_same_bits(x, y));
  model.step_adjoint(x.data(), d_y.data(), d_x.data());
  CHECK(test::all_same_bits(d_x, Numbers{4, 5, 6}));
}

TEST_CASE("rk4: halving the step divides the error by sixteen") {
  const Numbers x = state(40);
  Numbers coarse = forecast<40>(x, 0.02, 20), middle = forecast<40>(x, 0.01, 40);
  for (std::size_t steps = 80; steps <= 320; steps *= 2) {
    const Numbers fine = forecast<40>(x, 0.4 / static_cast<double>(steps), steps);
    const double order = std::log2(distance(coarse, middle) / distance(middle, fine));
    CHECK(std::abs(order - 4) < 0.15);
    coarse = middle;
    middle = fine;
  }
}

TEST_CASE("rk4: a cycle of steps is the steps one by one, and knows its length") {
  const Numbers x = state(40);
  Numbers y = x;
  for (int n = 0; n < 3; ++n) y = forecast<40>(y, 0.02, 1);
  CHECK(test::all_same_bits(y, forecast<40>(x, 0.02, 3)));
  CHECK(Rk4<Lorenz96<40>>{.time_step = 0.02, .steps = 3}.cycle_length() == doctest::Approx(0.06));
}

TEST_CASE("rk4: states too large for the stack give the same numbers") {
  constexpr std::size_t points = 4000;
  const Numbers x = state(40);
  Numbers many(points);
  for (std::size_t i = 0; i < points; ++i) many[i] = x[i % 40];
  const Numbers y = forecast<40>(x, 0.05, 2), large = forecast<points>(many, 0.05, 2);
  bool same = true;
  for (std::size_t i = 0; i < points; ++i) same = same && test::same_bits(large[i], y[i % 40]);
  CHECK(same);
  test::check_model(Rk4<Lorenz96<points>>{.steps = 2}, many);
}
