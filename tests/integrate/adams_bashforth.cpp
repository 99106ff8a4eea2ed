// SPDX-License-Identifier: BSD-3-Clause
#include "dan/integrate/adams_bashforth.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>

#include "dan/models/lorenz63.hpp"
#include "dan/models/lorenz96.hpp"
#include "support/battery.hpp"
#include "support/decay.hpp"

using namespace dan;
using test::Decay, test::Numbers;

namespace {
/// dx/dt = −x²: x(t) = x(0)/(1 + x(0) t). A tendency and nothing else.
struct Square {
  static constexpr std::size_t points = 1, channels = 1;
  template <class T>
  void tendency(const T* x, T* dxdt) const {
    dxdt[0] = -x[0] * x[0];
  }
};
double error(std::size_t steps) {
  const Numbers x{1};
  Numbers y(1);
  AdamsBashforth<Square>{.time_step = 1.0 / static_cast<double>(steps), .steps = steps}.step(
      x.data(), y.data());
  return std::abs(y[0] - 0.5);
}
}  // namespace

TEST_CASE("adams_bashforth: order three") {
  CHECK(std::abs(std::log2(error(128) / error(256)) - 3) < 0.1);
}

TEST_CASE("adams_bashforth: the third step is the formula") {
  const Lorenz63 decay{.sigma = 1, .rho = 0, .beta = 1};  // of x alone: dx/dt = −x
  const Rk4<Lorenz63> starter{decay, 0.25};
  const Numbers x{2, 0, 0};
  Numbers first(3), second(3), y(3);
  starter.step(x.data(), first.data());
  starter.step(first.data(), second.data());
  AdamsBashforth<Lorenz63>{decay, 0.25, 3}.step(x.data(), y.data());
  const double expected = second[0] - 0.25 * (23 * second[0] - 16 * first[0] + 5 * x[0]) / 12;
  CHECK(y[0] == doctest::Approx(expected).epsilon(1e-14));
}

TEST_CASE("adams_bashforth: battery, with derivatives by hand and by machine") {
  Numbers x = test::normal_numbers(40);
  for (double& value : x) value = 2.3 + 3.6 * value;
  for (const std::size_t steps : {3U, 4U, 7U})
    test::check_model(AdamsBashforth<Lorenz96<40>>{.time_step = 0.01, .steps = steps}, x);
  test::check_model(AdamsBashforth<Square>{.time_step = 0.1, .steps = 5}, Numbers{1.5});
}

TEST_CASE("adams_bashforth: a step beyond the stability limit is refused") {
  Numbers x{1};
  const AdamsBashforth<Decay> stable{.time_step = 0.0545, .steps = 2000};
  stable.step(x.data(), x.data());
  CHECK(std::abs(x[0]) < 0.1);
  const AdamsBashforth<Decay> unstable{.time_step = 0.06};
  CHECK_THROWS_WITH_AS(unstable.step(x.data(), x.data()),
                       "AdamsBashforth: time_step is 0.06, expected at most 0.05454545455, its "
                       "stability limit for the fastest decay of the equation, 10 per unit of "
                       "time; take more and shorter steps a cycle",
                       ConfigError);
  const AdamsBashforth<Decay> back{.time_step = -0.01};
  CHECK_THROWS_WITH_AS(back.step(x.data(), x.data()),
                       "AdamsBashforth: time_step is -0.01, expected a finite number greater than "
                       "zero",
                       ConfigError);
  const AdamsBashforth<Lorenz96<40>> still{.time_step = 0};  // what a truth asks for
  CHECK_THROWS_AS(still.require_valid(), ConfigError);
}

TEST_CASE("adams_bashforth: too few steps are refused; it describes itself") {
  Numbers x(40, 8.0);
  const AdamsBashforth<Lorenz96<40>> two{.steps = 2};
  const char* const message = "AdamsBashforth: steps is 2, expected at least 3";
  CHECK_THROWS_WITH_AS(two.step(x.data(), x.data()), message, ConfigError);
  CHECK_THROWS_WITH_AS(two.step_tangent(x.data(), x.data(), x.data()), message, ConfigError);
  CHECK(AdamsBashforth<Lorenz96<40>>{}.describe() ==
        "Lorenz 96 of 40 variables, forcing 8, Adams–Bashforth, 12 × 0.05");
}
