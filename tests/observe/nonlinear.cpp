// SPDX-License-Identifier: BSD-3-Clause
#include "dan/observe/nonlinear.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "dan/autodiff/dual.hpp"
#include "dan/autodiff/tape.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/random.hpp"
#include "dan/observe/subset.hpp"
#include "support/battery.hpp"

using namespace dan;

namespace {
struct Scaled {
  double by = 1;
  template <class T>
  T value(const T& h) const {
    return by * h * h;
  }
  template <class T>
  T slope(const T& h) const {
    return 2 * by * h;
  }
};
}  // namespace

TEST_CASE_TEMPLATE("nonlinear: battery", Function, Square, Cube, Arctan) {
  test::check_operator(Nonlinear<ObserveAll<9>, Function>{}, test::normal_numbers(9, 1));
  test::check_operator(Nonlinear<ObserveSubset<4, 3, 2>, Function>{}, test::normal_numbers(8, 1));
  test::check_operator(Nonlinear<ObserveRandom<5>, Function>{}, test::normal_numbers(5, 1));
}

TEST_CASE_TEMPLATE("nonlinear: functions for every scalar", Function, Square, Cube, AbsoluteValue,
                   Arctan) {
  const Function function;
  Tape<Dual<double>> tape;
  const auto x = tape.input({0.7, 1.0});
  tape.sweep(function.value(x));
  CHECK(tape.gradient(x).value == doctest::Approx(function.slope(0.7)).epsilon(1e-15));
  const double h = 1e-5, difference = (function.slope(0.7 + h) - function.slope(0.7 - h)) / (2 * h);
  CHECK(std::abs(tape.gradient(x).slope - difference) < 1e-9);
}

TEST_CASE("nonlinear: the absolute value, away from zero where it is linear") {
  using Network = Nonlinear<ObserveSubset<9, 4>, AbsoluteValue>;
  const test::Numbers x{1, 2, -1, 3, -2, 0.5, -0.5, 1, -4};
  const test::ObserveOf<Network> map{Network{}};
  CHECK(test::check_derivatives(map, x).at_round_off);
  test::check_scalars(map, x);
  static_assert(!Network::linear);
}

TEST_CASE("nonlinear: a function of yours, on what the network sees") {
  const std::array<std::size_t, 2> elements{3, 1};
  const Nonlinear<ObserveSubset<5, 2>, Scaled> network{ObserveSubset<5, 2>(elements), {.by = 2}};
  const test::Numbers x{0, 1, 2, 3, 4};
  test::Numbers y(2);
  network.observe(x.data(), y.data());
  CHECK(y == test::Numbers{18, 2});
}

TEST_CASE("nonlinear: the slots that report are those of the network") {
  const Nonlinear<ObserveRandom<10>, Square> network{ObserveRandom<10>(3, 3)};
  std::array<bool, 10> mask{}, expected{};
  network.available({.cycle = 4}, mask.data());
  network.inner.available({.cycle = 4}, expected.data());
  CHECK(mask == expected);
  CHECK(std::ranges::count(mask, true) == 3);
}
