// SPDX-License-Identifier: BSD-3-Clause
#include "dan/observe/observations.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <limits>

#include "dan/observe/all.hpp"
#include "dan/observe/subset.hpp"
#include "support/battery.hpp"

using namespace dan;
using test::Numbers;

namespace {
constexpr double none = std::numeric_limits<double>::quiet_NaN();
constexpr double infinite = std::numeric_limits<double>::infinity();
}  // namespace

TEST_CASE_TEMPLATE("observations: values and precisions arrive in their lane", Real, float,
                   double) {
  Observations<Real, 3, 5> observed;
  const DiagonalNoise<3> noise(std::array{0.5, 1.0, 4.0});
  set_observations<Real, 3, 5>(observed, 2, Numbers{1, 2, 3}, noise);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(observed.values.at(i, 2) == static_cast<Real>(i + 1));
    CHECK(observed.precision.at(i, 2) == static_cast<Real>(noise.precision(i)));
    CHECK(observed.values.at(i, 1) == 0);
    CHECK(observed.precision.at(i, 1) == 0);
  }
}

TEST_CASE("observations: missing values are refused, or silent where that is asked for") {
  Observations<double, 3, 1> observed;
  const DiagonalNoise<3> noise(2.0);
  set_observations<double, 3, 1>(observed, 0, Numbers{1, 2, 3}, noise);
  const auto set = [&](const Numbers& values, MissingValues missing) {
    set_observations<double, 3, 1>(observed, 0, values, noise, missing);
  };
  CHECK_THROWS_WITH_AS(set({7, none, 9}, MissingValues::refuse), doctest::Contains("values[1]"),
                       NumericalError);
  CHECK_THROWS_AS(set({7, 8, infinite}, MissingValues::refuse), NumericalError);
  CHECK_THROWS_AS(set({7, 8, -infinite}, MissingValues::unobserved), NumericalError);
  CHECK_THROWS_WITH_AS(set({7, 8}, MissingValues::refuse),
                       doctest::Contains("shape (2), expected (3)"), ShapeError);
  CHECK(observed.values.at(0, 0) == 1);  // unchanged by what was refused
  CHECK(observed.values.at(2, 0) == 3);

  set({7, none, 9}, MissingValues::unobserved);
  CHECK(observed.values.at(1, 0) == 0);
  CHECK(observed.precision.at(1, 0) == 0);
  CHECK(observed.values.at(2, 0) == 9);
  CHECK(observed.precision.at(2, 0) == 0.5);
}

TEST_CASE("observations: what is no number in the type of the analysis, and a wrong lane") {
  Observations<float, 2, 3> observed;
  const auto set = [&](std::size_t lane, const Numbers& values, double variance) {
    set_observations<float, 2, 3>(observed, lane, values, DiagonalNoise<2>(variance),
                                  MissingValues::unobserved);
  };
  CHECK_THROWS_WITH_AS(set(0, {1, 1e39}, 1), doctest::Contains("values[1] is 1e+39, expected"),
                       NumericalError);
  CHECK_THROWS_WITH_AS(set(0, {none, 1}, 1e-39), doctest::Contains("precision of slot 1 is"),
                       NumericalError);
  CHECK_THROWS_WITH_AS(set(3, {1, 2}, 1), doctest::Contains("lane is 3, expected less than 3"),
                       ShapeError);
  for (const float number : observed.values.numbers()) CHECK(number == 0);
  CHECK_NOTHROW(set(2, {none, none}, 1e-39));  // no slot reports
}

TEST_CASE("observations: invalid ones are named by function, slot and lane") {
  Observations<double, 2, 3> observed;
  const auto check = [&] { require_valid_observations("here", observed); };
  CHECK_NOTHROW(check());
  observed.values.at(1, 2) = none;
  CHECK_NOTHROW(check());  // a silent slot
  observed.precision.at(1, 2) = 0.5;
  CHECK_THROWS_WITH_AS(check(), doctest::Contains("here: observation 1 of lane 2 is nan with "),
                       NumericalError);
  Observations<float, 2> one;
  one.precision[0] = -1;
  CHECK_THROWS_WITH_AS(require_valid_observations("here", one),
                       doctest::Contains("here: observation 0 is 0 with precision -1, expected"),
                       NumericalError);
}

TEST_CASE("uplift: the weighted departure where it was observed, zero elsewhere") {
  const ObserveSubset<4, 2> network(std::array<std::size_t, 2>{3, 1});
  Observations<double, 2, 1> observed;
  set_observations<double, 2, 1>(observed, 0, Numbers{5, none}, DiagonalNoise<2>(0.5),
                                 MissingValues::unobserved);
  const Numbers x{1, 2, 3, 4};
  Numbers zeta(4, none);
  uplift(network, observed, x.data(), zeta.data());
  CHECK(zeta == Numbers{0, 0, 0, 2 * (5 - 4)});
}

TEST_CASE("uplift: each lane is that of its run alone") {
  constexpr std::size_t lanes = simd_width<double> + 1;
  const ObserveAll<5> network;
  const DiagonalNoise<5> noise(std::array{1.0, 2.0, 3.0, 4.0, 5.0});
  Batch<double, 5, 1, lanes> x, zeta;
  Observations<double, 5, lanes> observed;
  for (std::size_t l = 0; l < lanes; ++l) {
    x.set_lane(l, test::normal_numbers(5, l).data());
    set_observations<double, 5, lanes>(observed, l, test::normal_numbers(5, 50 + l), noise);
  }
  uplift(network, observed, x.data(), zeta.data());
  for (std::size_t l = 0; l < lanes; ++l) {
    const Numbers state = test::normal_numbers(5, l), y = test::normal_numbers(5, 50 + l);
    for (std::size_t i = 0; i < 5; ++i)
      CHECK(zeta.at(i, l) == noise.precision(i) * (y[i] - state[i]));
  }
}

TEST_CASE("observations: where_reporting gives zero for silent slots, whatever is there") {
  constexpr std::size_t lanes = 2 * simd_width<float>;
  Observations<float, 2, lanes> observed;
  Batch<float, 2, 1, lanes> seen;
  for (std::size_t l = 0; l < lanes; ++l)
    for (std::size_t j = 0; j < 2; ++j) {
      const bool reports = (j + l) % 3 == 0;
      observed.precision.at(j, l) = reports ? 2.0f : 0.0f;
      seen.at(j, l) = reports ? 5.0f : std::numeric_limits<float>::quiet_NaN();
    }
  for (std::size_t j = 0; j < 2; ++j) {
    const auto found = where_reporting(observed, j, seen[j]);
    const auto departure = departure_of(observed, j, seen[j]);
    for (std::size_t l = 0; l < lanes; ++l) {
      CHECK(found[l] == ((j + l) % 3 == 0 ? 5 : 0));
      CHECK(departure[l] == ((j + l) % 3 == 0 ? -5 : 0));
    }
  }
}
