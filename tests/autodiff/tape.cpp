// SPDX-License-Identifier: BSD-3-Clause
#include "dan/autodiff/tape.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "dan/autodiff/dual.hpp"
#include "support/functions.hpp"

using namespace dan;

TEST_CASE("tape: the gradient of every function is its derivative") {
  Tape<double> tape;
  test::for_each_function([&](const char* name, const auto& f, double at) {
    CAPTURE(name);
    CAPTURE(at);
    tape.clear();
    const auto x = tape.input(at);
    const auto y = f(x);
    tape.sweep(y);
    const double h = 1e-5, difference = (f(at + h) - f(at - h)) / (2 * h);
    CHECK(y.value == doctest::Approx(f(at)).epsilon(1e-15));
    CHECK(std::abs(tape.gradient(x) - difference) < 1e-8 * (1 + std::abs(difference)));
  });
}

TEST_CASE("tape: the example of its documentation") {
  Tape<double> tape;
  const auto x = tape.input(2.0), y = tape.input(3.0);
  const auto f = x * y + sin(x);
  tape.sweep(f);
  CHECK(tape.gradient(x) == 3 + std::cos(2.0));
  CHECK(tape.gradient(y) == 2);
  tape.sweep(f, 2.0);
  CHECK(tape.gradient(y) == 4);
}

TEST_CASE("tape: several results, results that are inputs, constants and nothing at all") {
  Tape<double> tape;
  const auto x = tape.input(2.0), y = tape.input(5.0);
  const std::array<Variable<double>, 5> out{x * y, x, 3 + x, Variable<double>(7), y - y};
  const std::array d{1.0, 10.0, 100.0, 1000.0, 1e4};
  tape.sweep(out, d.data());
  CHECK(tape.gradient(x) == 115);
  CHECK(tape.gradient(y) == 2);
  CHECK(tape.gradient(Variable<double>(7)) == 0);
  const auto constant_only = Variable<double>(2) * 3 - 1;
  CHECK(constant_only.value == 5);
  CHECK(constant_only.tape == nullptr);
}

TEST_CASE("tape: a gradient of zero adds nothing where the derivative is not finite") {
  Tape<double> tape;
  const auto x = tape.input(-1.0), zero = tape.input(0.0);
  const std::array out{log(zero) + sqrt(x) * x, x * 2};
  const std::array d{0.0, 1.0};
  tape.sweep(out, d.data());
  CHECK(tape.gradient(x) == 2);
  CHECK(tape.gradient(zero) == 0);
  tape.sweep(log(zero));
  CHECK(std::isinf(tape.gradient(zero)));
  tape.sweep(out[1], std::numeric_limits<double>::quiet_NaN());
  CHECK(std::isnan(tape.gradient(x)));
}

TEST_CASE_TEMPLATE("tape: a pack has its lanes on one tape", Real, float, double) {
  using T = Pack<Real, 2 * simd_width<Real>>;
  const double tolerance = 64 * static_cast<double>(std::numeric_limits<Real>::epsilon());
  Tape<T> tape;
  test::for_each_function([&](const char* name, const auto& f, double at) {
    CAPTURE(name);
    T value;
    for (std::size_t l = 0; l < lanes_of<T>; ++l)
      value[l] = static_cast<Real>(at + 0.01 * static_cast<double>(l));
    tape.clear();
    const auto x = tape.input(value);
    tape.sweep(f(x));
    double error = 0;
    for (std::size_t l = 0; l < lanes_of<T>; ++l) {
      const double slope = f(Dual<double>(static_cast<double>(value[l]), 1.0)).slope;
      error = std::max(error, std::abs(slope - static_cast<double>(tape.gradient(x)[l])) /
                                  (1 + std::abs(slope)));
    }
    CHECK(error < tolerance);
  });
}

TEST_CASE("tape: over dual numbers it gives second derivatives") {
  using D = Dual<double>;
  Tape<D> tape;
  test::for_each_function([&](const char* name, const auto& f, double at) {
    CAPTURE(name);
    tape.clear();
    const auto x = tape.input(D(at, 1.0));
    tape.sweep(f(x));
    const double second = f(Dual<D>(D(at, 1.0), D(1.0, 0.0))).slope.slope;
    CHECK(tape.gradient(x).slope == doctest::Approx(second).epsilon(1e-12));
  });
}

// A result that expires gives its place to the next one; what still has a copy must not.
TEST_CASE("tape: results that are used again keep their gradients") {
  using V = Variable<double>;
  Tape<double> tape;
  const auto gradients = [&](const auto& f) {
    std::array<V, 3> in;
    const std::array at{2.0, 3.0, 5.0};
    tape.inputs(at.data(), 3, in.data());
    tape.sweep(f(in[0], in[1], in[2]));
    return std::array{tape.gradient(in[0]), tape.gradient(in[1]), tape.gradient(in[2])};
  };
  using Three = std::array<double, 3>;
  CHECK(gradients([](const V& x, const V& y, const V& z) { return (x - y) * z - x; }) ==
        Three{4, -5, -1});
  CHECK(gradients([](const V& x, const V& y, const V& z) {
          return x - (y + z - 1) * (x - 4 * y);
        }) == Three{-6, 38, 10});
  CHECK(gradients([](const V& x, const V& y, const V& z) {
          const V sum = x + y, copy = sum;  // two of one
          return copy * z + sum;
        }) == Three{6, 6, 5});
  CHECK(gradients([](const V& x, const V& y, const V& z) {
          const V moved = 2 + x;  // an independent variable under another value
          return moved * y + (x - 1) * z;
        }) == Three{8, 4, 1});
  CHECK(gradients([](const V& x, const V& y, const V&) {
          std::array<V, 1> stored;
          const auto store = [&] {
            V product = x * y;
            stored[0] = product;
            return product;
          };
          return (store() - 1) * x + stored[0];
        }) == Three{14, 6, 0});
  CHECK(gradients([](const V& x, const V& y, const V&) {
          const V sum = x + y;
          const V more = (sum + 3) * x;  // sum under another value
          return more + sum;
        }) == Three{11, 3, 0});
  CHECK(gradients([](const V& x, const V& y, const V& z) {
          V sum = x * y;
          const V before = sum;
          sum += z;
          sum -= x * z;
          sum *= sum;
          return sum - before;
        }) == Three{-7, 2, -2});
  CHECK(gradients([](const V& x, const V& y, const V& z) { return -(x * y) * z + -x; }) ==
        Three{-16, -10, -6});
  CHECK(gradients([](const V& x, const V& y, const V&) {
          const V product = x * y, minus = -product;
          return minus * product;
        }) == Three{-36, -24, 0});
  // An operand beside itself: its place is not free.
  const auto beside_itself = [&](const auto& change) {
    return gradients([&](const V& x, const V& y, const V&) {
      V product = x * y;
      change(product);
      return product;
    });
  };
  CHECK(beside_itself([](V& v) { v += v; }) == Three{6, 4, 0});
  CHECK(beside_itself([](V& v) { v -= v; }) == Three{0, 0, 0});
  CHECK(beside_itself([](V& v) { v *= v; }) == Three{36, 24, 0});
}

TEST_CASE("tape: many inputs, one by one and among operations, and many operations") {
  Tape<double> tape;
  for (int again = 0; again < 2; ++again) {
    tape.clear();
    std::vector<Variable<double>> x;
    for (int i = 0; i < 3000; ++i) x.push_back(tape.input(i));
    Variable<double> sum = 0;
    for (const auto& one : x) sum += one * one;
    const auto late = tape.input(7.0);
    for (int i = 0; i < 3000; ++i) sum = sum + late * x[static_cast<std::size_t>(i)];
    tape.sweep(sum);
    CHECK(tape.gradient(late) == 2999 * 1500);
    double error = 0;
    for (int i = 0; i < 3000; ++i)
      error = std::max(error,
                       std::abs(tape.gradient(x[static_cast<std::size_t>(i)]) - (2.0 * i + 7.0)));
    CHECK(error == 0);
  }
  CHECK_THROWS_AS(tape.inputs(nullptr, (std::size_t{1} << 28) + 1, nullptr), ConfigError);
}
