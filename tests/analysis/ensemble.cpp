// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/ensemble.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>

#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"

using namespace dan;

namespace {
using Lorenz = Problem<Rk4<Lorenz96<6>>, ObserveAll<6>>;

template <std::size_t Members>
auto started(std::uint64_t seed = 3) {
  typename EnsembleFilter<Lorenz, Members>::FirstGuessBatch guess;
  guess.fill(2);
  return EnsembleFilter<Lorenz, Members>(Lorenz{}).start(guess, 0.5, {.seed = seed});
}
}  // namespace

TEST_CASE_TEMPLATE("ensemble: mean and spread are those of the members, padding left out", Count,
                   std::integral_constant<std::size_t, 2>, std::integral_constant<std::size_t, 5>,
                   std::integral_constant<std::size_t, 16>) {
  constexpr std::size_t members = Count::value;
  const EnsembleFilter<Lorenz, members> filter(Lorenz{});
  const auto carried = started<members>();
  typename EnsembleFilter<Lorenz, members>::Estimate estimate;
  filter.estimate(carried, estimate);
  double variance = 0;
  for (std::size_t i = 0; i < 6; ++i) {
    double mean = 0, squares = 0;
    for (std::size_t m = 0; m < members; ++m) mean += carried.ensemble.at(i, m) / members;
    for (std::size_t m = 0; m < members; ++m)
      squares += std::pow(carried.ensemble.at(i, m) - mean, 2);
    CHECK(estimate.at(i, 0) == doctest::Approx(mean).epsilon(1e-13));
    variance += squares / (members - 1) / 6;
  }
  std::array<double, 1> spread;
  filter.spread(carried, spread);
  CHECK(spread[0] == doctest::Approx(std::sqrt(variance)).epsilon(1e-13));
}

TEST_CASE("ensemble: a member's first state does not depend on how many there are") {
  const auto few = started<3>(), other = started<3>(4);
  const auto many = started<19>();
  for (std::size_t i = 0; i < 6; ++i) {
    for (std::size_t m = 0; m < 3; ++m) CHECK(few.ensemble.at(i, m) == many.ensemble.at(i, m));
    CHECK(few.ensemble.at(i, 0) != other.ensemble.at(i, 0));
  }
}

TEST_CASE("ensemble: the first deviation must be positive") {
  EnsembleFilter<Lorenz, 3>::FirstGuessBatch guess;
  CHECK_THROWS_WITH_AS(
      (void)(EnsembleFilter<Lorenz, 3>(Lorenz{}).start(guess, 0, {})),
      "EnsembleFilter::start: deviation is 0, expected a finite number greater than zero",
      ConfigError);
}

TEST_CASE("ensemble: a rotation is orthogonal, keeps the mean and depends on its key") {
  constexpr std::size_t n = 11;
  using T = EnsembleSpace<n>::T;
  EnsembleSpace<n> space, other;
  space.find_rotation({.seed = 1, .cycle = 2});
  other.find_rotation({.seed = 1, .cycle = 3});
  const auto unit = [](std::size_t i) {
    T out(0);
    out[i] = 1;
    return out;
  };
  const auto rotation = [&](std::size_t i) { return space.rotated(unit(i)); };
  for (std::size_t i = 0; i < n; ++i) {
    double row = 0, column = 0;
    for (std::size_t j = 0; j < n; ++j) {
      row += rotation(i)[j];
      column += rotation(j)[i];
      const double dot = sum_lanes(rotation(i) * rotation(j));
      CHECK(std::abs(dot - (i == j ? 1 : 0)) < 1e-13);
    }
    CHECK(row == doctest::Approx(1).epsilon(1e-13));
    CHECK(column == doctest::Approx(1).epsilon(1e-13));
  }
  CHECK(rotation(0)[0] != other.rotated(unit(0))[0]);
}
