// SPDX-License-Identifier: BSD-3-Clause
#include "dan/observe/noise.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

using namespace dan;

TEST_CASE("noise: mean, variance and independence within five times their sampling error") {
  constexpr std::size_t cycles = 40000;
  const std::array<double, 3> variances{0.25, 1, 9};
  const DiagonalNoise<3> noise(variances);
  std::array<double, 3> sum{}, square{}, product{}, errors{};
  for (std::uint64_t cycle = 0; cycle < cycles; ++cycle) {
    noise.sample({.seed = 3, .run = 1, .cycle = cycle}, errors);
    for (std::size_t i = 0; i < 3; ++i) {
      sum[i] += errors[i];
      square[i] += errors[i] * errors[i];
      product[i] += errors[i] * errors[(i + 1) % 3];
    }
  }
  const double n = cycles, root = std::sqrt(n);
  for (std::size_t i = 0; i < 3; ++i) {
    const double v = variances[i], w = variances[(i + 1) % 3];
    CHECK(noise.variance(i) == v);
    CHECK(noise.precision(i) == 1 / v);
    CHECK(std::abs(sum[i] / n) < 5 * std::sqrt(v) / root);
    CHECK(std::abs(square[i] / n - v) < 5 * std::sqrt(2.0) * v / root);
    CHECK(std::abs(product[i] / n) < 5 * std::sqrt(v * w) / root);
  }
}

TEST_CASE("noise: keyed by seed, run and cycle, whatever the stream of the key") {
  const DiagonalNoise<4> noise(2.0);
  std::array<double, 4> a{}, b{}, c{};
  noise.sample({.seed = 1, .purpose = Purpose::truth, .run = 2, .cycle = 3}, a);
  noise.sample({.seed = 1, .purpose = Purpose::available, .run = 2, .cycle = 3}, b);
  noise.sample({.seed = 1, .purpose = Purpose::truth, .run = 2, .cycle = 4}, c);
  CHECK(a == b);
  CHECK(a != c);
}

TEST_CASE("noise: variances that are not positive are refused") {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  for (const double bad : {0.0, -1.0, infinite, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK_THROWS_AS(DiagonalNoise<2>{bad}, ConfigError);
    CHECK_THROWS_AS((DiagonalNoise<2>{std::array{1.0, bad}}), ConfigError);
  }
  // 1 / 1e-310 is infinite.
  CHECK_THROWS_WITH_AS(DiagonalNoise<2>{1e-310}, doctest::Contains("1 / variance is inf"),
                       ConfigError);
  CHECK_THROWS_AS((DiagonalNoise<2>{std::array{1.0, 1e-310}}), ConfigError);
  CHECK_THROWS_WITH(DiagonalNoise<2>{-1.0}, doctest::Contains("variance is -1, expected"));
}
