// SPDX-License-Identifier: BSD-3-Clause
#include "dan/integrate/runge_kutta.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>

#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz63.hpp"
#include "dan/models/lorenz96.hpp"
#include "support/battery.hpp"
#include "support/decay.hpp"

using namespace dan;
using test::Decay, test::Numbers;

namespace {
/// Kutta's 3/8 rule, as a user writes it: stages that need several before them, a negative
/// coefficient, weights that are alike.
struct ThreeEighths {
  static constexpr const char* name = "3/8";
  static constexpr std::size_t stages = 4, order = 4;
  static constexpr std::array<std::array<Fraction, 4>, 4> a{
      {{}, {{{1, 3}}}, {{{-1, 3}, {1, 1}}}, {{{1, 1}, {-1, 1}, {1, 1}}}}};
  static constexpr std::array<Fraction, 4> b{{{1, 8}, {3, 8}, {3, 8}, {1, 8}}};
};
/// Of weather models (Wicker and Skamarock, Mon. Weather Rev. 130 (2002) 2088–2097): only the last
/// stage has a weight.
struct ThreeStages {
  static constexpr const char* name = "Wicker–Skamarock";
  static constexpr std::size_t stages = 3, order = 2;
  static constexpr std::array<std::array<Fraction, 3>, 3> a{{{}, {{{1, 3}}}, {{{}, {1, 2}}}}};
  static constexpr std::array<Fraction, 3> b{{{}, {}, {1, 1}}};
};

/// A pendulum: a tendency and nothing else.
struct Pendulum {
  static constexpr std::size_t points = 1, channels = 2;
  template <class T>
  void tendency(const T* x, T* dxdt) const {
    using std::sin;
    dxdt[0] = x[1];
    dxdt[1] = -0.1 * x[1] - sin(x[0]);
  }
};
/// Lorenz 96 without its derivatives.
struct TendencyOnly {
  static constexpr std::size_t points = 40, channels = 1;
  template <class T>
  void tendency(const T* x, T* dxdt) const {
    Lorenz96<40>{}.tendency(x, dxdt);
  }
};

template <class Tableau>
double error(std::size_t steps) {
  const Numbers x{1, 0.5};
  Numbers y(2), exact(2);
  RungeKutta<Pendulum, Tableau>{.time_step = 1.0 / static_cast<double>(steps), .steps = steps}.step(
      x.data(), y.data());
  Rk4<Pendulum>{.time_step = 1.0 / 2048, .steps = 2048}.step(x.data(), exact.data());
  return std::hypot(y[0] - exact[0], y[1] - exact[1]);
}
}  // namespace

TEST_CASE_TEMPLATE("runge_kutta: order, and the derivatives of its discrete step", Tableau,
                   EulerTableau, HeunTableau, MidpointTableau, ClassicalTableau, ThreeEighths,
                   ThreeStages) {
  const double order = std::log2(error<Tableau>(16) / error<Tableau>(32));
  CHECK(std::abs(order - Tableau::order) < 0.2);
  test::check_model(RungeKutta<Lorenz63, Tableau>{.time_step = 0.01, .steps = 3},
                    Numbers{1.5, -1.5, 25.5});
  test::check_derivatives(
      test::StepOf<RungeKutta<Pendulum, Tableau>>{{.time_step = 0.1, .steps = 2}}, Numbers{1, 0.5});
}

TEST_CASE("runge_kutta: one step of a linear equation is the Taylor polynomial of its order") {
  struct Step {
    static double of(double h, double k2) { return 1 - h + k2 * h * h / 2; }
  };
  const Lorenz63 decay{.sigma = 1, .rho = 0, .beta = 1};  // of x alone: dx/dt = −x
  const Numbers x{2, 0, 0};
  Numbers y(3);
  const double h = 0.25;
  RungeKutta<Lorenz63, EulerTableau>{decay, h}.step(x.data(), y.data());
  CHECK(y[0] == 2 * Step::of(h, 0));
  RungeKutta<Lorenz63, HeunTableau>{decay, h}.step(x.data(), y.data());
  CHECK(y[0] == 2 * Step::of(h, 1));
  RungeKutta<Lorenz63, MidpointTableau>{decay, h}.step(x.data(), y.data());
  CHECK(y[0] == 2 * Step::of(h, 1));
}

TEST_CASE("runge_kutta: a tendency alone is a model with the derivatives of those by hand") {
  static_assert(DifferentiableModel<Rk4<TendencyOnly>>);
  Numbers x = test::normal_numbers(40), d = test::normal_numbers(40, 1);
  for (double& value : x) value = 2.3 + 3.6 * value;
  const Rk4<TendencyOnly> machine{.steps = 2};
  const Rk4<Lorenz96<40>> hand{.steps = 2};
  test::check_model(machine, x);
  Numbers a(40), b(40), dy(40), dz(40);
  machine.step_adjoint(x.data(), d.data(), a.data());
  hand.step_adjoint(x.data(), d.data(), b.data());
  machine.step_tangent(x.data(), d.data(), dy.data());
  hand.step_tangent(x.data(), d.data(), dz.data());
  for (std::size_t i = 0; i < 40; ++i) {
    CHECK(std::abs(a[i] - b[i]) < 1e-13);
    CHECK(std::abs(dy[i] - dz[i]) < 1e-13);
  }
}

TEST_CASE("runge_kutta: how long a step may be where something decays") {
  CHECK(longest_decay<EulerTableau> == 2);
  CHECK(longest_decay<HeunTableau> == 2);
  CHECK(longest_decay<MidpointTableau> == 2);
  CHECK(std::abs(longest_decay<ClassicalTableau> - 2.7853) < 1e-3);       // Hairer and Wanner, IV.2
  CHECK(longest_decay<ThreeEighths> == longest_decay<ClassicalTableau>);  // the same polynomial
  const Numbers x{1};
  Numbers y(1);
  RungeKutta<Decay, EulerTableau>{.time_step = 0.2}.step(x.data(), y.data());
  CHECK(y[0] == -1);
  CHECK_THROWS_WITH_AS(
      (RungeKutta<Decay, EulerTableau>{.time_step = 0.25}.step(x.data(), y.data())),
      "Euler: time_step is 0.25, expected at most 0.2, its stability limit for "
      "the fastest decay of the equation, 10 per unit of time; take more and shorter steps a cycle",
      ConfigError);
}

TEST_CASE("runge_kutta: describes itself") {
  CHECK(RungeKutta<Lorenz63, HeunTableau>{}.describe() ==
        "Lorenz 63, sigma 10, rho 28, beta 2.666666667, Heun, 1 × 0.05");
  CHECK(RungeKutta<Lorenz63, ThreeEighths>{.steps = 2}.describe() ==
        "Lorenz 63, sigma 10, rho 28, beta 2.666666667, 3/8, 2 × 0.05");
}
