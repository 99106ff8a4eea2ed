// SPDX-License-Identifier: BSD-3-Clause
#include "dan/observe/random.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "support/battery.hpp"

using namespace dan;

namespace {
using Mask = std::array<bool, 10>;

Mask mask_of(const ObserveRandom<10>& network, std::uint64_t run, std::uint64_t cycle) {
  Mask mask{};
  network.available({.seed = 9, .run = run, .cycle = cycle}, mask.data());
  return mask;
}
}  // namespace

TEST_CASE("random_network: battery") {
  test::check_operator(ObserveRandom<40>(5, 20), test::normal_numbers(40, 1));
  test::check_operator(ObserveRandom<1, 3>{}, test::normal_numbers(3, 1));
}

TEST_CASE("random_network: every count in the range is equally likely, and so is every slot") {
  constexpr std::size_t least = 2, most = 7, cycles = 12000;
  const ObserveRandom<10> network(least, most);
  std::array<double, 11> counts{};
  std::array<double, 10> slots{};
  for (std::uint64_t cycle = 0; cycle < cycles; ++cycle) {
    const Mask mask = mask_of(network, cycle % 3, cycle);
    ++counts[static_cast<std::size_t>(std::ranges::count(mask, true))];
    for (std::size_t i = 0; i < 10; ++i) slots[i] += mask[i] ? 1 : 0;
  }
  // Five standard deviations of a binomial count.
  const auto check = [&](double found, double p) {
    CHECK(std::abs(found - p * cycles) <= 5 * std::sqrt(p * (1 - p) * cycles));
  };
  for (std::size_t n = 0; n <= 10; ++n) check(counts[n], n >= least && n <= most ? 1.0 / 6 : 0);
  for (const double found : slots) check(found, 4.5 / 10);
}

TEST_CASE("random_network: the subset depends on run and cycle") {
  const ObserveRandom<10> network(5, 5);
  int same_run = 0, same_cycle = 0;
  for (std::uint64_t n = 1; n < 200; ++n) {
    same_run += mask_of(network, 0, 0) == mask_of(network, 0, n) ? 1 : 0;
    same_cycle += mask_of(network, 0, 0) == mask_of(network, n, 0) ? 1 : 0;
  }
  CHECK(same_run < 10);  // expected 199 / 252
  CHECK(same_cycle < 10);
}

TEST_CASE("random_network: ends of the range") {
  for (std::uint64_t cycle = 0; cycle < 50; ++cycle) {
    CHECK(std::ranges::count(mask_of(ObserveRandom<10>(0, 0), 0, cycle), true) == 0);
    CHECK(std::ranges::count(mask_of(ObserveRandom<10>(10, 10), 0, cycle), true) == 10);
  }
  CHECK_THROWS_AS(ObserveRandom<10>(3, 2), ConfigError);
  CHECK_THROWS_AS(ObserveRandom<10>(0, 11), ConfigError);
  CHECK_THROWS_WITH(ObserveRandom<10>(3, 2), doctest::Contains("least is 3 and most is 2"));
}
