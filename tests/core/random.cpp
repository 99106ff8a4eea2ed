// SPDX-License-Identifier: BSD-3-Clause
#include "dan/core/random.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

using dan::Purpose;
using dan::RandomKey;

namespace {
std::vector<double> normal(const RandomKey& key, std::size_t count) {
  std::vector<double> out(count);
  dan::fill_normal<double>(key, out);
  return out;
}
std::vector<double> uniform(const RandomKey& key, std::size_t count) {
  std::vector<double> out(count);
  dan::fill_uniform<double>(key, out);
  return out;
}
double mean_product(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum / static_cast<double>(a.size());
}
/// Mean of the p-th power.
double moment(const std::vector<double>& a, int p) {
  double sum = 0;
  for (const double x : a) sum += std::pow(x, p);
  return sum / static_cast<double>(a.size());
}
}  // namespace

TEST_CASE("random: Philox gives its published numbers") {
  const std::array<std::uint64_t, 4> expected{0x16554d9eca36314c, 0xdb20fe9d672d0fdc,
                                              0xd7e772cee186176b, 0x7e68b68aec7ba23b};
  const RandomKey zero{.seed = 0, .purpose = Purpose{0}, .run = 0, .cycle = 0};
  dan::detail::random_words(zero, 4, [&](std::size_t first, const auto& words) {
    CHECK(first == 0);
    for (std::size_t i = 0; i < 4; ++i) CHECK(words[i] == expected[i]);
  });
  const auto numbers = uniform(zero, 4);
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(std::abs(numbers[i] - static_cast<double>(expected[i]) * 0x1p-64) < 0x1p-52);
}

TEST_CASE("random: the first numbers do not depend on how many are asked for") {
  const RandomKey key{.seed = 3, .purpose = Purpose::user, .run = 7, .cycle = 11};
  const auto long_normal = normal(key, 41), long_uniform = uniform(key, 41);
  for (const std::size_t count : {0U, 1U, 2U, 3U, 4U, 5U, 40U}) {
    const auto some = normal(key, count), others = uniform(key, count);
    for (std::size_t i = 0; i < count; ++i) {
      CHECK(some[i] == long_normal[i]);
      CHECK(others[i] == long_uniform[i]);
    }
  }
  std::array<float, 5> rounded{};
  dan::fill_normal<float>(key, rounded);
  for (std::size_t i = 0; i < 5; ++i) CHECK(rounded[i] == static_cast<float>(long_normal[i]));
}

TEST_CASE("random: uniform numbers lie inside (0, 1), also at the ends of the words") {
  CHECK(dan::detail::open_unit(0) > 0);
  CHECK(dan::detail::open_unit(~std::uint64_t{0}) < 1);
}

TEST_CASE("random: moments within five times their sampling error") {
  constexpr std::size_t count = 200000;
  const double root = std::sqrt(static_cast<double>(count));
  for (const std::uint64_t seed : {1U, 2U}) {
    const auto z = normal({.seed = seed}, count);
    // The variance of x^p is E x^2p − (E x^p)²; E x^2, 4, 6, 8 = 1, 3, 15, 105.
    CHECK(std::abs(moment(z, 1)) < 5 / root);
    CHECK(std::abs(moment(z, 2) - 1) < 5 * std::sqrt(2.0) / root);
    CHECK(std::abs(moment(z, 3)) < 5 * std::sqrt(15.0) / root);
    CHECK(std::abs(moment(z, 4) - 3) < 5 * std::sqrt(96.0) / root);
    const auto u = uniform({.seed = seed}, count);
    CHECK(std::abs(moment(u, 1) - 0.5) < 5 * std::sqrt(1.0 / 12) / root);
    CHECK(std::abs(moment(u, 2) - 1.0 / 3) < 5 * std::sqrt(1.0 / 5 - 1.0 / 9) / root);
    // Neighbours are uncorrelated, also the two numbers of one Box–Muller pair.
    const std::vector<double> head(z.begin(), z.end() - 1), tail(z.begin() + 1, z.end());
    CHECK(std::abs(mean_product(head, tail)) < 5 / root);
  }
}

TEST_CASE("random: seed, stream, run and cycle each give other, uncorrelated numbers") {
  constexpr std::size_t count = 50000;
  const double band = 5 / std::sqrt(static_cast<double>(count));
  const RandomKey key{.seed = 1, .purpose = Purpose::truth, .run = 1, .cycle = 1};
  const auto z = normal(key, count);
  for (const RandomKey& other :
       {key.with(Purpose::observation), RandomKey{.seed = 2, .run = 1, .cycle = 1},
        RandomKey{.seed = 1, .run = 2, .cycle = 1}, RandomKey{.seed = 1, .run = 1, .cycle = 2}}) {
    const auto w = normal(other, count);
    CHECK(w[0] != z[0]);
    CHECK(std::abs(mean_product(z, w)) < band);
  }
  CHECK(normal(key, count) == z);
}

TEST_CASE("random: with changes the stream only") {
  const RandomKey key{.seed = 1, .purpose = Purpose::truth, .run = 2, .cycle = 3};
  const RandomKey other = key.with(Purpose::available);
  CHECK(other.seed == 1);
  CHECK(other.purpose == Purpose::available);
  CHECK(other.run == 2);
  CHECK(other.cycle == 3);
}
