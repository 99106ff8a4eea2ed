// SPDX-License-Identifier: BSD-3-Clause
#include "dan/observe/subset.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "support/battery.hpp"

using namespace dan;

TEST_CASE("subset: battery, also with an element observed twice") {
  test::check_operator(ObserveSubset<40, 20>{}, test::normal_numbers(40, 1));
  test::check_operator(ObserveSubset<40, 7>{}, test::normal_numbers(40, 1));
  test::check_operator(ObserveSubset<1, 2, 3>{}, test::normal_numbers(3, 1));
  test::check_operator(ObserveSubset<5, 3>(std::array<std::size_t, 3>{4, 0, 4}),
                       test::normal_numbers(5, 1));
}

TEST_CASE("subset: the default is evenly spread") {
  using Elements = std::array<std::size_t, 4>;
  CHECK(ObserveSubset<8, 4>{}.elements() == Elements{0, 2, 4, 6});
  CHECK(ObserveSubset<7, 4>{}.elements() == Elements{0, 1, 3, 5});
  CHECK(ObserveSubset<4, 4>{}.elements() == Elements{0, 1, 2, 3});
  CHECK(ObserveSubset<4, 4, 2>{}.elements() == Elements{0, 2, 4, 6});
}

TEST_CASE("subset: slot j sees its element in every cycle") {
  const ObserveSubset<5, 2> network(std::array<std::size_t, 2>{3, 1});
  const test::Numbers x{10, 11, 12, 13, 14};
  test::Numbers y(2);
  network.observe(x.data(), y.data());
  CHECK(y == test::Numbers{13, 11});
  std::array<bool, 2> mask{};
  network.available({}, mask.data());
  CHECK(std::ranges::count(mask, true) == 2);
}

TEST_CASE("subset: an element outside the state is refused") {
  CHECK_THROWS_AS((ObserveSubset<5, 2>(std::array<std::size_t, 2>{0, 5})), ConfigError);
  CHECK_THROWS_WITH((ObserveSubset<5, 2>(std::array<std::size_t, 2>{0, 5})),
                    doctest::Contains("element 5 is outside the state, expected 0 to 4"));
}
