// SPDX-License-Identifier: BSD-3-Clause
#include "dan/train/clip.hpp"

#include <doctest/doctest.h>

using namespace dan;

TEST_CASE("clip: a norm counts for so many times the mean of those before") {
  NormLimit limit{3};
  CHECK(limit.factor(2) == 1);
  CHECK(limit.factor(200) == doctest::Approx(6.0 / 200).epsilon(1e-14).scale(0));
  CHECK(limit.mean == doctest::Approx(2 + 0.02 * 4).epsilon(1e-14));
  CHECK(limit.factor(0) == 1);
}
