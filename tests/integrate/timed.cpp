// SPDX-License-Identifier: BSD-3-Clause
// Models that are told the time.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "dan/autodiff/battery.hpp"
#include "dan/autodiff/derivatives.hpp"
#include "dan/core/at_time.hpp"
#include "dan/integrate/repeated.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/integrate/runge_kutta.hpp"
#include "dan/integrate/tableau.hpp"
#include "dan/models/black_box.hpp"
#include "dan/models/lorenz96.hpp"

using namespace dan;

namespace {
/// dx/dt = x cos t, x = x(0) exp(sin t); and a second variable that grows with t x.
struct Swing {
  static constexpr std::size_t points = 2, channels = 1;
  template <class T>
  void tendency(const T* x, T* dxdt, double time) const {
    dxdt[0] = std::cos(time) * x[0];
    dxdt[1] = time * x[0] * x[0] - 0.1 * x[1];
  }
};
static_assert(Timed<Swing> && Timed<Rk4<Swing>> && !Timed<Rk4<Lorenz96<40>>>);
static_assert(DifferentialEquation<Swing> && DynamicalModel<Rk4<Swing>>);
static_assert(DifferentiableModel<Rk4<Swing>>);

/// A step of one's own, and the same in plain double.
struct Season {
  static constexpr std::size_t points = 3, channels = 1;
  template <class T>
  void step(const T* x, T* y, double time) const {
    const T first = x[0];
    y[0] = sin(x[1]) + 0.1 * time;
    y[1] = x[2] * first;
    y[2] = first + time;
  }
};
struct PlainSeason {
  static constexpr std::size_t points = 3, channels = 1;
  void step(const double* x, double* y, double time) const {
    y[0] = std::sin(x[1]) + 0.1 * time;
    y[1] = x[2] * x[0];
    y[2] = x[0] + time;
  }
};

/// The error of x at the end of cycles 0 and 1, each 0.5 long.
template <class Tableau>
double error(std::size_t steps) {
  const RungeKutta<Swing, Tableau> model{.time_step = 0.5 / static_cast<double>(steps),
                                         .steps = steps};
  std::array<double, 2> x{1, 0};
  model.step(x.data(), x.data(), 0);
  model.step(x.data(), x.data(), 1);
  return std::abs(x[0] - std::exp(std::sin(1.0)));
}
}  // namespace

TEST_CASE("timed: Runge-Kutta schemes have their order where the tendency depends on the time") {
  CHECK(error<ClassicalTableau>(8) / error<ClassicalTableau>(16) ==
        doctest::Approx(16).epsilon(0.1));
  CHECK(error<MidpointTableau>(64) / error<MidpointTableau>(128) ==
        doctest::Approx(4).epsilon(0.1));
  CHECK(error<HeunTableau>(64) / error<HeunTableau>(128) == doctest::Approx(4).epsilon(0.1));
  CHECK(error<ClassicalTableau>(16) < 1e-6);
}

TEST_CASE("timed: tangents and adjoints at a time") {
  CHECK(check_equation(Swing{}, std::vector<double>{1, 2}).words() == "");
  const Rk4<Swing> model{.time_step = 0.1, .steps = 3};
  const Repeated<Rk4<Swing>> repeated{.model = model, .count = 2};
  const std::vector<double> x{1.2, -0.4}, y{0.3, 1.1, -0.7};
  for (const double time : {0.0, 2.5}) {
    CHECK(check_model(at_time(model, time), x).words() == "");
    CHECK(check_model(model, x).words() == "");
    CHECK(check_model(at_time(repeated, time), x).words() == "");
    CHECK(check_model(at_time(Differentiated<Season>{}, time), y).words() == "");
  }
}

TEST_CASE("timed: repeated cycles and black boxes go on in time") {
  const Rk4<Swing> model{.time_step = 0.1, .steps = 3};
  const Repeated<Rk4<Swing>> repeated{.model = model, .count = 2};
  std::array<double, 2> once{1.2, -0.4}, twice = once;
  model.step(once.data(), once.data(), 6);
  model.step(once.data(), once.data(), 7);
  repeated.step(twice.data(), twice.data(), 3);
  CHECK(once == twice);

  std::array<double, 3> mine{0.3, 1.1, -0.7}, boxed = mine;
  Season{}.step(mine.data(), mine.data(), 1.5);
  BlackBox<PlainSeason>{}.step(boxed.data(), boxed.data(), 1.5);
  for (std::size_t i = 0; i < 3; ++i) CHECK(mine[i] == doctest::Approx(boxed[i]).epsilon(1e-15));
}
