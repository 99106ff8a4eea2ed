// SPDX-License-Identifier: BSD-3-Clause
#include "dan/train/upsets.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>

using namespace dan;

TEST_CASE("upsets: they happen as often as told, each kind as often as another") {
  const Upsets upsets{.first = 0.2, .last = 0.6, .farthest = 5, .longest_gap = 20};
  constexpr std::size_t draws = 6000;
  for (const double progress : {0.0, 0.5, 1.0}) {
    std::array<std::size_t, 7> count{};
    bool within = true;
    std::size_t longest = 0, shortest = 99;
    for (std::size_t n = 0; n < draws; ++n) {
      const auto draw = upsets.draw({1, Purpose::truth, n, 3}, progress);
      ++count[static_cast<std::size_t>(draw.kind)];
      if (draw.kind == Upset::far || draw.kind == Upset::jump)
        within = within && draw.size >= 1 && draw.size <= 5;
      if (draw.kind == Upset::gap) {
        longest = std::max(longest, draw.gap), shortest = std::min(shortest, draw.gap);
      } else {
        within = within && draw.gap == 0;
      }
    }
    CHECK(within);
    CHECK(longest == 20);
    CHECK(shortest == 1);
    const double share = 0.2 + 0.4 * progress, each = share / 6 * draws;
    // Five standard deviations.
    CHECK(std::abs(static_cast<double>(count[0]) - (1 - share) * draws) <
          5 * std::sqrt(share * (1 - share) * draws));
    for (std::size_t kind = 1; kind < 7; ++kind)
      CHECK(std::abs(static_cast<double>(count[kind]) - each) < 5 * std::sqrt(each));
  }
  CHECK(Upsets{}.draw({1, Purpose::truth, 1, 1}, 1).kind == Upset::none);
}
