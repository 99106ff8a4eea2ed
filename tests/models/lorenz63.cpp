// SPDX-License-Identifier: BSD-3-Clause
#include "dan/models/lorenz63.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>

#include "dan/integrate/rk4.hpp"
#include "support/battery.hpp"

using namespace dan;

TEST_CASE("lorenz63: battery") {
  const std::array x{1.508870, -1.531271, 25.46091};
  test::check_equation(Lorenz63{}, x);
  test::check_equation(Lorenz63{.sigma = 9, .rho = 30, .beta = 2}, x);
  test::check_model(Rk4<Lorenz63>{.time_step = 0.01}, x);
  test::check_model(Rk4<Lorenz63>{.time_step = 0.01, .steps = 25}, x);
}

TEST_CASE("lorenz63: its fixed points stay") {
  const Lorenz63 ode;
  const double a = std::sqrt(ode.beta * (ode.rho - 1));
  for (const std::array<double, 3>& x : {std::array{0.0, 0.0, 0.0}, std::array{a, a, ode.rho - 1},
                                         std::array{-a, -a, ode.rho - 1}}) {
    std::array<double, 3> f{};
    ode.tendency(x.data(), f.data());
    for (const double value : f) CHECK(std::abs(value) < 1e-12);
  }
}
