// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>

#include "dan/analysis/inflation.hpp"
#include "dan/core/random.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/io/npy.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/subset.hpp"
#include "dan/problem/problem.hpp"
#include "support/reference.hpp"

/// \file
/// What the tests of ensemble filters share.

namespace dan::test {

using Sakov = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;

/// Six cycles from DAPPER's first ensemble agree with DAPPER's analyses to `tolerance` (absolute).
template <class Filter>
void check_against_dapper(const Filter& filter, const std::string& file, double tolerance) {
  const auto folder = reference("dapper_l96_n20");
  if (!folder) return;
  const auto start = load_npy<2>(*folder / "E0.npy");
  const auto observations = load_npy<2>(*folder / "observations.npy");
  const auto expected = load_npy<3>(*folder / file);
  auto carried = filter.start({}, 1, {});
  for (std::size_t i = 0; i < 40; ++i)
    for (std::size_t m = 0; m < 20; ++m) carried.ensemble.at(i, m) = start(i, m);
  carried.ensemble.repeat_last_lane();
  typename Filter::Observed observed;
  observed.precision.fill(1);
  for (std::size_t cycle = 0; cycle < 6; ++cycle) {
    for (std::size_t j = 0; j < 40; ++j) observed.values[j] = observations(cycle, j);
    filter.forecast(carried);
    filter.analyse(carried, observed, {});
    std::size_t wrong = 0;  // counts NaN as well
    for (std::size_t i = 0; i < 40; ++i)
      for (std::size_t m = 0; m < 20; ++m)
        wrong += !(std::abs(carried.ensemble.at(i, m) - expected(cycle, i, m)) < tolerance);
    CAPTURE(cycle);
    CHECK(wrong == 0);
  }
}

/// No inflation, every part of it alone, and all together.
inline constexpr std::array<Inflation, 6> inflations{{
    {},
    {.before = 1.2},
    {.factor = 1.3},
    {.relax_spread = 0.4},
    {.relax_perturbations = 0.4},
    {.before = 1.2, .relax_perturbations = 0.3, .relax_spread = 0.2, .factor = 1.1},
}};

/// A problem with 8 variables of which every second is observed, and one whose others are silent.
using Half = Problem<Rk4<Lorenz96<8>>, ObserveSubset<8, 4>>;
using Silent = Problem<Rk4<Lorenz96<8>>, ObserveAll<8>>;

/// The same observations for both.
inline Observations<double, 4> half_observations() {
  Observations<double, 4> out;
  fill_normal<double>({.seed = 8}, out.values.numbers());
  for (std::size_t j = 0; j < 4; ++j) out.precision[j] = 1.0 + static_cast<double>(j);
  return out;
}
inline Observations<double, 8> silent_observations() {
  const auto half = half_observations();
  Observations<double, 8> out;
  for (std::size_t j = 0; j < 4; ++j)
    out.values[2 * j] = half.values[j], out.precision[2 * j] = half.precision[j];
  return out;
}

/// A filter with silent slots gives what it gives with an operator that lacks them.
template <class WithHalf, class WithSilent>
void check_silent_slots(const WithHalf& half, const WithSilent& silent) {
  typename WithHalf::FirstGuessBatch guess;
  auto a = half.start(guess, 1, {.seed = 2});
  auto b = silent.start(guess, 1, {.seed = 2});
  half.analyse(a, half_observations(), {});
  silent.analyse(b, silent_observations(), {});
  for (std::size_t i = 0; i < a.ensemble.numbers().size(); ++i)
    CHECK(a.ensemble.numbers()[i] == doctest::Approx(b.ensemble.numbers()[i]).epsilon(1e-12));
}

/// An ensemble with a NaN is an error that names `function`.
template <class Filter>
void check_divergence(const Filter& filter, const std::string& function) {
  auto carried = filter.start({}, 1, {});
  carried.ensemble.at(3, 1) = std::nan("");
  try {
    filter.analyse(carried, {}, {});
    FAIL("no error");
  } catch (const NumericalError& e) {
    CHECK(std::string(e.what()).find(function + ": the forecast ensemble is not finite") == 0);
  }
}

/// Observations that are no numbers are errors that name `function`, slot and lane, but for the
/// value of a silent slot, which nothing depends on.
template <class Method>
void check_observations(const Method& method, const std::string& function) {
  constexpr std::size_t lane = Method::runs - 1;
  constexpr double infinite = std::numeric_limits<double>::infinity();
  const double none = std::nan("");
  typename Method::FirstGuessBatch guess;
  fill_normal<double>({.seed = 9}, guess.numbers());
  const auto analysed = [&](double value, double precision) {
    auto carried = method.start(guess, 1, {});
    typename Method::Observed observed;
    observed.precision.fill(1);
    observed.values.at(2, lane) = value, observed.precision.at(2, lane) = precision;
    method.forecast(carried);
    method.analyse(carried, observed, {});
    typename Method::Estimate estimate;
    method.estimate(carried, estimate);
    return array_of(estimate);
  };
  using Bad = std::pair<double, double>;
  for (const auto& [value, precision] :
       {Bad{none, 1}, Bad{infinite, 1}, Bad{1, -1}, Bad{1, infinite}, Bad{1, none}})
    CHECK_THROWS_WITH_AS(
        analysed(value, precision),
        doctest::Contains((function + ": observation 2" +
                           (Method::runs > 1 ? to_text(" of lane ", lane) : "") + " is " +
                           to_text(value, " with precision ", precision) + ", expected finite")
                              .c_str()),
        NumericalError);
  const auto silent = analysed(0, 0), ignored = analysed(none, 0);
  CHECK(std::ranges::equal(span_of(silent), span_of(ignored)));
}

}  // namespace dan::test
