// SPDX-License-Identifier: BSD-3-Clause
#include "dan/observe/all.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>

#include "support/battery.hpp"

using namespace dan;

TEST_CASE("full: battery") {
  test::check_operator(ObserveAll<40>{}, test::normal_numbers(40, 1));
  test::check_operator(ObserveAll<1, 3>{}, test::normal_numbers(3, 1));
}

TEST_CASE("full: every element is observed in every cycle") {
  const ObserveAll<5, 2> operation;
  static_assert(operation.slots == 10);
  const auto x = test::normal_numbers(10, 2);
  test::Numbers y(10);
  operation.observe(x.data(), y.data());
  CHECK(y == x);
  std::array<bool, 10> mask{};
  operation.available({}, mask.data());
  CHECK(std::ranges::count(mask, true) == 10);
}
