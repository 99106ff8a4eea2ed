// SPDX-License-Identifier: BSD-3-Clause
#include "dan/models/lorenz96.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

#include "dan/integrate/rk4.hpp"
#include "dan/io/npy.hpp"
#include "support/battery.hpp"
#include "support/reference.hpp"

using namespace dan;
using test::Numbers;

namespace {
/// A state near the attractor.
Numbers state(std::size_t points) {
  Numbers x = test::normal_numbers(points, 100);
  for (double& value : x) value = 2.3 + 3.6 * value;
  return x;
}

/// Lorenz 96 run around the ring the other way, as it is found in the wild.
struct Mirrored : Lorenz96<40> {
  template <class T>
  void tendency(const T* x, T* dxdt) const {
    std::vector<T> flipped(x, x + 40);
    std::ranges::reverse(flipped);
    Lorenz96<40>::tendency(flipped.data(), dxdt);
    std::reverse(dxdt, dxdt + 40);
  }
};

/// min, max and mean after `steps` steps of 0.0125 from 8 everywhere but `value` at `point`.
template <class Ode>
Numbers oops_forecast(std::size_t point, double value, std::size_t steps) {
  const Rk4<Ode> model{.time_step = 0.0125, .steps = steps};
  Numbers x(40, 8.0);
  x[point] = value;
  model.step(x.data(), x.data());
  return {std::ranges::min(x), std::ranges::max(x), std::accumulate(x.begin(), x.end(), 0.0) / 40};
}

template <class Ode>
void check_oops() {
  const Numbers a = oops_forecast<Ode>(19, 7, 48), b = oops_forecast<Ode>(9, 9, 16);
  const Numbers a_expected{-5.2310406392601312, 15.276437168335866, 6.4563081299850511};
  const Numbers b_expected{6.5589469828665576, 9.2781169031407753, 8.0114870375908573};
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(std::abs(a[i] - a_expected[i]) < 1e-12);
    CHECK(std::abs(b[i] - b_expected[i]) < 1e-12);
  }
}

/// The largest error of one-step forecasts along the reference truth (times × points).
template <class Ode>
double one_step_error(const Matrix& truth) {
  const Rk4<Ode> model;
  double error = 0;
  Numbers y(40);
  for (std::size_t k = 0; k + 1 < truth.shape()[0]; ++k) {
    model.step(&truth(k, 0), y.data());
    for (std::size_t i = 0; i < 40; ++i) error = std::max(error, std::abs(y[i] - truth(k + 1, i)));
  }
  return error;
}

struct OnlyPoints {
  static constexpr std::size_t points = 4, channels = 1;
};
}  // namespace

TEST_CASE("lorenz96: fulfils the contracts, other types do not") {
  static_assert(DifferentialEquation<Lorenz96<40>>);
  static_assert(DifferentiableModel<Rk4<Lorenz96<40>>>);
  static_assert(!DifferentialEquation<OnlyPoints>);
  static_assert(!DynamicalModel<Lorenz96<40>>);
  static_assert(!DynamicalModel<OnlyPoints>);
}

TEST_CASE_TEMPLATE("lorenz96: battery, small, odd and usual sizes", Ode, Lorenz96<4>, Lorenz96<5>,
                   Lorenz96<7>, Lorenz96<40>) {
  const Numbers x = state(Ode::points);
  test::check_equation(Ode{}, x);
  test::check_equation(Ode{.forcing = 5.5}, x);
  test::check_model(Rk4<Ode>{}, x);
  test::check_model(Rk4<Ode>{.time_step = 0.025, .steps = 3}, x);
}

TEST_CASE("lorenz96: the tendency is the equation, for every point") {
  const Numbers x = state(7);
  Numbers f(7);
  Lorenz96<7>{.forcing = 3}.tendency(x.data(), f.data());
  for (std::size_t i = 0; i < 7; ++i)
    CHECK(f[i] == (x[(i + 1) % 7] - x[(i + 5) % 7]) * x[(i + 6) % 7] - x[i] + 3);
}

TEST_CASE("lorenz96: the quadratic terms conserve energy, and the volume shrinks at rate Points") {
  const Lorenz96<40> ode;
  const Numbers x = state(40);
  Numbers f(40);
  ode.tendency(x.data(), f.data());
  double change = 0, size = 0, divergence = 0;
  for (std::size_t i = 0; i < 40; ++i) {
    const double quadratic = x[i] * (f[i] + x[i] - 8);
    change += quadratic;
    size += std::abs(quadratic);
    Numbers unit(40, 0.0), column(40);
    unit[i] = 1;
    ode.tendency_tangent(x.data(), unit.data(), column.data());
    divergence += column[i];
  }
  CHECK(std::abs(change) < 1e-14 * size);
  CHECK(divergence == -40);
}

TEST_CASE("lorenz96: a rotated state stays rotated, bit for bit") {
  const Rk4<Lorenz96<40>> model{.steps = 5};
  Numbers x = state(40), y(40), z(40);
  model.step(x.data(), y.data());
  std::rotate(x.begin(), x.begin() + 13, x.end());
  model.step(x.data(), z.data());
  std::rotate(y.begin(), y.begin() + 13, y.end());
  CHECK(test::all_same_bits(y, z));
}

TEST_CASE("lorenz96: forecasts of the OOPS test") { check_oops<Lorenz96<40>>(); }

TEST_CASE("lorenz96: one step along the DAPPER truth, which a mirrored model fails") {
  check_oops<Mirrored>();  // the numbers above cannot tell the direction of the ring
  const auto folder = test::reference("dapper_l96_n20");
  if (!folder) return;
  const Matrix truth = load_npy<2>(*folder / "truth.npy");
  REQUIRE(truth.shape()[1] == 40);
  CHECK(one_step_error<Lorenz96<40>>(truth) < 1e-13);
  CHECK(one_step_error<Mirrored>(truth) > 0.1);
}
