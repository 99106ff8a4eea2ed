// SPDX-License-Identifier: BSD-3-Clause
#include "dan/autodiff/derivatives.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>

#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz63.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "support/battery.hpp"

using namespace dan;
using test::Numbers;

namespace {
/// A tendency and nothing else.
template <class Ode>
struct TendencyOnly {
  static constexpr std::size_t points = Ode::points, channels = Ode::channels;
  Ode ode{};
  template <class T>
  void tendency(const T* x, T* dxdt) const {
    ode.tendency(x, dxdt);
  }
};

/// Every kind of formula: branches, functions, constants, variables that stay.
struct Everything {
  static constexpr std::size_t points = 5, channels = 1;
  double rate = 0.7;
  template <class T>
  void tendency(const T* x, T* dxdt) const {
    using std::sin, std::exp, std::pow, std::sqrt, std::max;
    T sum = constant<T>(0);
    for (std::size_t i = 0; i < points; ++i) sum += x[i];
    for (std::size_t i = 0; i < 4; ++i)
      dxdt[i] = rate * sin(x[i]) * exp(-0.1 * x[i + 1]) - x[i] / 3 + 2 +
                0.01 * sum * sqrt(1 + pow(x[i], 2)) + where_less(x[i], 0, -0.1 * x[i], x[i] * x[i]);
    dxdt[4] = x[4];
  }
};

/// A model with a step of its own; operators with an observe alone.
struct Map {
  static constexpr std::size_t points = 5, channels = 1;
  template <class T>
  void step(const T* x, T* y) const {
    T f[5];
    Everything{}.tendency(x, f);
    for (std::size_t i = 0; i < 5; ++i) y[i] = x[i] + 0.1 * f[i];
  }
};
struct Wrong : Map {
  template <class T>
  void step_tangent(const T*, const T*, T* dy) const {
    for (std::size_t i = 0; i < 5; ++i) dy[i] = constant<T>(42);
  }
};
struct Products {
  static constexpr std::size_t points = 5, channels = 1, slots = 4;
  template <class T>
  void observe(const T* x, T* y) const {
    using std::sqrt;
    for (std::size_t j = 0; j < slots; ++j) y[j] = x[j] * x[j + 1] + sqrt(9 + x[j]);
  }
  void available(const RandomKey&, bool* mask) const {
    for (std::size_t j = 0; j < slots; ++j) mask[j] = j != 2;
  }
};
struct Root {
  static constexpr std::size_t points = 2, channels = 1, slots = 2;
  template <class T>
  void observe(const T* x, T* y) const {
    using std::sqrt;
    for (std::size_t j = 0; j < slots; ++j) y[j] = sqrt(x[j]);
  }
  void available(const RandomKey&, bool* mask) const { mask[0] = mask[1] = true; }
};

/// The largest relative difference of derivatives by hand and by machine, over all lanes.
template <class Ode, class T>
double difference(const Ode& ode) {
  constexpr std::size_t n = Ode::points * Ode::channels, lanes = lanes_of<T>;
  const TendencyOnly<Ode> only{ode};
  const Numbers noise = test::normal_numbers(4 * n * lanes);
  Aligned<T> x(n), d(n), by_hand(n), by_machine(n), a_hand(n), a_machine(n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t l = 0; l < lanes; ++l) {
      const auto number = [&](std::size_t k) {
        return static_cast<real_t<T>>(noise[(k * n + i) * lanes + l]);
      };
      lane_of(x[i], l) = 3 * number(0);
      lane_of(d[i], l) = number(1);
      lane_of(a_hand[i], l) = lane_of(a_machine[i], l) = number(2);
    }
  ode.tendency_tangent(x.data(), d.data(), by_hand.data());
  tendency_tangent(only, x.data(), d.data(), by_machine.data());
  ode.tendency_adjoint(x.data(), d.data(), a_hand.data());
  tendency_adjoint(only, x.data(), d.data(), a_machine.data());
  double error = 0, size = 0;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t l = 0; l < lanes; ++l) {
      const auto far = [&](const Aligned<T>& a, const Aligned<T>& b) {
        size = std::max(size, std::abs(static_cast<double>(lane_of(a[i], l))));
        return std::abs(static_cast<double>(lane_of(a[i], l) - lane_of(b[i], l)));
      };
      error = std::max({error, far(by_hand, by_machine), far(a_hand, a_machine)});
    }
  return error / size;
}
}  // namespace

TEST_CASE_TEMPLATE("derivatives: by dual numbers and tape they are those by hand", T, float, double,
                   Pack<float, 2 * simd_width<float>>, Pack<double, 3 * simd_width<double>>) {
  static_assert(DifferentiableEquation<Lorenz63>);
  static_assert(!DifferentiableEquation<TendencyOnly<Lorenz63>>);
  const double tolerance = 8 * static_cast<double>(std::numeric_limits<real_t<T>>::epsilon());
  CHECK(difference<Lorenz96<40>, T>({}) < tolerance);
  CHECK(difference<Lorenz96<4>, T>({}) < tolerance);
  CHECK(difference<Lorenz63, T>({}) < tolerance);
}

TEST_CASE("derivatives: battery of an equation, a model and an operator without derivatives") {
  const Numbers x{0.3, -0.7, 1.1, -0.2, 0.9};
  static_assert(!DifferentiableModel<Map> && DifferentiableModel<Differentiated<Map>>);
  static_assert(!DifferentiableOperator<Products>);
  static_assert(DifferentiableOperator<Differentiated<Products>>);
  static_assert(!Differentiated<Products>::linear && Differentiated<ObserveAll<3>>::linear);
  test::check_derivatives(test::TendencyOf<Differentiated<Everything>>{{}}, x);
  test::check_derivatives(test::StepOf<Differentiated<Map>>{{}}, x);
  test::check_derivatives(test::ObserveOf<Differentiated<Products>>{{}}, x);
  test::check_model(Differentiated<Rk4<Lorenz63>>{}, Numbers{1.5, -1.5, 25.5});
  test::check_operator(Differentiated<Products>{}, Numbers{0.3, -0.7, 1.1, -0.2, 0.9});
}

TEST_CASE("derivatives: what Differentiated is given by hand it takes") {
  const Numbers x(5), dx(5);
  Numbers dy(5);
  Differentiated<Wrong>{}.step_tangent(x.data(), dx.data(), dy.data());
  CHECK(dy[3] == 42);
}

TEST_CASE("derivatives: an observation without gradient adds nothing, whatever its slope") {
  const Differentiated<Root> root;
  const Numbers x{0, 4}, d_y{0, 1};
  Numbers d_x{1, 1};
  root.observe_adjoint(x.data(), d_y.data(), d_x.data());
  CHECK(d_x == Numbers{1, 1.25});
}

TEST_CASE("derivatives: the same bits again, with memory that was used before") {
  ReverseMode<double> reverse;
  const auto f = [](const auto* x, auto* y) { Everything{}.tendency(x, y); };
  const Numbers x{0.3, -0.7, 1.1, -0.2, 0.9}, d{1, 2, 3, 4, 5};
  Numbers first(5), again(5);
  reverse(f, 5, x.data(), 5, d.data(), first.data());
  reverse([](const auto* a, auto* b) { b[0] = a[0] * a[1]; }, 2, x.data(), 1, d.data(),
          Numbers(2).data());
  reverse(f, 5, x.data(), 5, d.data(), again.data());
  CHECK(test::all_same_bits(first, again));
}
