// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/window.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <map>

#include "dan/core/error.hpp"

using namespace dan;

namespace {
/// Stands for the observations of one time.
struct Cycle {
  std::size_t time = 0;
};
}  // namespace

TEST_CASE("window: it grows, slides, and keeps its observations in their places") {
  for (std::size_t lag = 0; lag <= 6; ++lag)
    for (std::size_t shift = 1; shift <= std::max<std::size_t>(lag, 1); ++shift) {
      CAPTURE(lag);
      CAPTURE(shift);
      ObservationWindow<Cycle> window(lag, shift);
      std::map<std::size_t, std::size_t> used, expected;
      std::size_t start = 0;
      for (std::size_t time = 1; time <= 40; ++time) {
        start += window.advance();
        window.newest() = {time};
        REQUIRE(start + window.length() == time);
        REQUIRE(window.length() <= lag);
        CHECK(window.due() == (time % shift == lag % shift));
        for (std::size_t b = 0; b < window.batches(); ++b)
          CHECK(window.batch(b).time == start + b + (lag > 0 ? 1 : 0));
        if (!window.due()) continue;
        for (std::size_t b = 0; b < window.batches(); ++b) {
          const std::size_t t = window.batch(b).time;
          CHECK(window.uses_before(b) == used[t]);
          if (used[t]++ == 0) expected[t] = window.uses(b);
          CHECK(window.uses(b) == expected[t]);
        }
      }
      for (const auto& [time, count] : expected)
        if (time <= start) CHECK(used[time] == count);
    }
}

TEST_CASE("window: shift must lie between one and lag") {
  CHECK_THROWS_WITH_AS(
      ObservationWindow<Cycle>::require_valid("Test", 3, 4),
      "Test: shift is 4 with lag 3, expected 1 <= shift <= lag (and shift 1 with lag 0)",
      ConfigError);
  CHECK_THROWS_AS(ObservationWindow<Cycle>::require_valid("Test", 3, 0), ConfigError);
  CHECK_NOTHROW(ObservationWindow<Cycle>::require_valid("Test", 3, 3));
  CHECK_NOTHROW(ObservationWindow<Cycle>::require_valid("Test", 0, 1));
}
