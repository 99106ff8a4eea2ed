// SPDX-License-Identifier: BSD-3-Clause
#include "dan/train/schedule.hpp"

#include <doctest/doctest.h>

using namespace dan;

TEST_CASE("schedule: warm-up, peak, cosine to zero") {
  const CosineSchedule schedule{.peak = 2, .warm_up = 10, .updates = 110};
  CHECK(schedule.rate(0) == doctest::Approx(0.2));
  CHECK(schedule.rate(9) == doctest::Approx(2));
  CHECK(schedule.rate(60) == doctest::Approx(1));
  CHECK(schedule.rate(110) == 0);
}
