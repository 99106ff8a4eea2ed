// SPDX-License-Identifier: BSD-3-Clause
#include "dan/train/watch.hpp"

#include <doctest/doctest.h>

using namespace dan;

TEST_CASE("watch: ends a training in which most runs are lost, or most updates left out") {
  Watch watch;
  for (std::size_t n = 1; n <= 400; ++n) {
    watch.add(0.6, false);
    CHECK_THROWS_WITH_AS(watch.require_learning("f", n),
                         doctest::Contains("60 % of the runs lost the truth"), NumericalError);
  }
  std::size_t end = 400;
  for (int n = 0; n < 100; ++n) watch.add(0.1, true), ++end;
  CHECK_THROWS_WITH_AS(watch.require_learning("f", end),
                       doctest::Contains("% of the updates were left out"), NumericalError);
  for (int n = 0; n < 100; ++n) watch.add(0.1, false), ++end;
  CHECK_NOTHROW(watch.require_learning("f", end));
}
