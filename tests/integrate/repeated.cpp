// SPDX-License-Identifier: BSD-3-Clause
#include "dan/integrate/repeated.hpp"

#include <doctest/doctest.h>

#include <cstddef>

#include "dan/autodiff/derivatives.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz63.hpp"
#include "support/battery.hpp"

using namespace dan;
using test::Numbers;

namespace {
/// A stepper of the user's own: the logistic map of each of two coupled points.
struct Logistic {
  static constexpr std::size_t points = 2, channels = 1;
  template <class T>
  void step(const T* x, T* y) const {
    const T share = constant<T>(0.1);
    const T a = constant<T>(3.2) * x[0] * (1 - x[0]), b = constant<T>(2.9) * x[1] * (1 - x[1]);
    y[0] = a + share * (b - a);
    y[1] = b + share * (a - b);
  }
};
}  // namespace

TEST_CASE("repeated: is the steps one by one, and those of an integrator of as many steps") {
  const Numbers x{1.5, -1.5, 25.5}, d{1, 2, 3};
  const Repeated<Rk4<Lorenz63>> model{.model = {.time_step = 0.01, .steps = 2}, .count = 5};
  const Rk4<Lorenz63> steps{.time_step = 0.01, .steps = 10};
  Numbers y(3), z(3), d_x(3), d_z(3);
  model.step(x.data(), y.data());
  steps.step(x.data(), z.data());
  CHECK(test::all_same_bits(y, z));
  model.step_tangent(x.data(), d.data(), y.data());
  steps.step_tangent(x.data(), d.data(), z.data());
  CHECK(test::all_same_bits(y, z));
  model.step_adjoint(x.data(), d.data(), d_x.data());
  steps.step_adjoint(x.data(), d.data(), d_z.data());
  CHECK(test::all_same_bits(d_x, d_z));
  CHECK(model.cycle_length() == doctest::Approx(0.1));
  CHECK(model.describe() ==
        "Lorenz 63, sigma 10, rho 28, beta 2.666666667, Runge–Kutta, 2 × 0.01, 5 times");
}

TEST_CASE("repeated: battery, and a count of zero") {
  test::check_model(Repeated<Rk4<Lorenz63>>{{.time_step = 0.01}, 7}, Numbers{1.5, -1.5, 25.5});
  test::check_model(Repeated<Differentiated<Logistic>>{{}, 4}, Numbers{0.3, 0.4});
  const Repeated<Differentiated<Logistic>> none{{}, 0};
  const Numbers x{0.3, 0.4}, d{5, 6};
  Numbers y(2), d_x{1, 1};
  none.step(x.data(), y.data());
  CHECK(y == x);
  none.step_adjoint(x.data(), d.data(), d_x.data());
  CHECK(d_x == Numbers{6, 7});
}

TEST_CASE("repeated: a model without derivatives is repeated without") {
  static_assert(DynamicalModel<Repeated<Logistic>> && !DifferentiableModel<Repeated<Logistic>>);
  const Numbers x{0.3, 0.4};
  Numbers y = x, z(2);
  for (int n = 0; n < 3; ++n) Logistic{}.step(y.data(), y.data());
  Repeated<Logistic>{{}, 3}.step(x.data(), z.data());
  CHECK(test::all_same_bits(y, z));
}
