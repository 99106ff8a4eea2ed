// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/innovation_test.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "dan/core/random.hpp"

using namespace dan;

namespace {
/// Σ_j min(v z_j², 9) of n normal numbers z.
double limited_squares(std::size_t n, double variance, std::uint64_t cycle) {
  std::vector<double> z(n);
  fill_normal<double>({.seed = 5, .cycle = cycle}, z);
  double sum = 0;
  for (const double one : z) sum += std::min(variance * one * one, 9.0);
  return sum;
}
/// The cycle in which innovations of this variance contradict the forecasts, at most 3,000.
std::size_t first_alarm(std::size_t n, double variance) {
  InnovationTest test;
  for (std::size_t k = 1; k < 3000; ++k)
    if (test.add(static_cast<double>(n), limited_squares(n, variance, k))) return k;
  return 3000;
}
}  // namespace

TEST_CASE("innovation test: the equation by hand") {
  InnovationTest test;
  CHECK_FALSE(test.add(40, 90));  // s = (90 − 60) / (15.2 + 9.34 √40)
  CHECK(test.excess == doctest::Approx(30 / (0.38 * 40 + 9.34 * std::sqrt(40))).epsilon(1e-14));
  CHECK(test.usual == doctest::Approx(1 + (90.0 / 40 - 1) / 200).epsilon(1e-14));
  CHECK_FALSE(test.add(40, 0));
  CHECK(test.excess == 0);         // never below
  CHECK(test.add(3, 9 * 3 + 45));  // of few observations 45 are needed
  CHECK(test.excess == 0);
}

TEST_CASE("innovation test: usual ones never, one and a half times their variance soon") {
  for (const std::size_t n : {1U, 4U, 17U, 40U, 500U}) {
    CAPTURE(n);
    CHECK(first_alarm(n, 1) == 3000);
    CHECK(first_alarm(n, 1.3) == 3000);
  }
  for (const std::size_t n : {17U, 40U, 500U}) {
    CAPTURE(n);
    CHECK(first_alarm(n, 30) == 1);
    CHECK(first_alarm(n, 2.2) < 20);
  }
  // One outlier of 40, of any size, counts as nine.
  InnovationTest test;
  CHECK_FALSE(test.add(40, limited_squares(39, 1, 7) + 9));
}

TEST_CASE("innovation test: where errors are larger than believed it learns what is usual") {
  InnovationTest test;
  std::size_t alarms = 0;
  for (std::size_t k = 1; k <= 5000; ++k)
    if (test.add(40, limited_squares(40, 2.5, k))) alarms += k > 1000;
  CHECK(alarms < 4);  // of 4,000
  CHECK(test.usual > 1.8);
}
