// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/oi.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "dan/core/linalg.hpp"
#include "dan/problem/background/modes.hpp"
#include "support/ensemble.hpp"

using namespace dan;

static_assert(Analysis<Oi<test::Sakov>>);

TEST_CASE("oi: the textbook's estimate from the climate, whatever came before") {
  auto y = zero_tensor<double>(8, 12);
  fill_normal<double>({.seed = 3}, span_of(y));
  Climate climate{zero_tensor<double>(8), matrix_product(y, transpose_of(y))};
  fill_normal<double>({.seed = 4}, span_of(climate.mean));
  const Oi<test::Half, 1> analysis(test::Half{}, climate);
  auto carried = analysis.start({}, 1, {});
  Oi<test::Half, 1>::Estimate before, once, again;
  const auto observed = test::half_observations();
  for (auto* estimate : {&once, &again}) {
    analysis.forecast(carried);
    analysis.estimate(carried, before);
    CHECK(std::ranges::equal(before.numbers(), span_of(climate.mean)));
    analysis.analyse(carried, observed, {});
    analysis.estimate(carried, *estimate);
  }
  CHECK(std::ranges::equal(once.numbers(), again.numbers()));

  auto h = zero_tensor<double>(4, 8), departure = zero_tensor<double>(4, 1);
  for (std::size_t j = 0; j < 4; ++j) {
    h(j, 2 * j) = 1;
    departure(j, 0) = observed.values[j] - climate.mean[2 * j];
  }
  const auto cross = matrix_product(climate.covariance, transpose_of(h));
  auto innovation = matrix_product(h, cross);
  for (std::size_t j = 0; j < 4; ++j) innovation(j, j) += 1 / observed.precision[j];
  const auto increment = matrix_product(cross, solve_linear(innovation, departure));
  for (std::size_t i = 0; i < 8; ++i)
    CHECK(std::abs(once[i] - climate.mean[i] - increment(i, 0)) < 1e-12);

  const Oi by_background(test::Half{}, climate.mean, ModesBackground(y, 12, 11));  // 12 − 1 = 11
  auto other = by_background.start({}, 1, {});
  decltype(by_background)::Observed same;
  for (std::size_t l = 0; l < same.lanes; ++l)
    for (std::size_t j = 0; j < 4; ++j)
      same.values.at(j, l) = observed.values[j], same.precision.at(j, l) = observed.precision[j];
  by_background.analyse(other, same, {});
  for (std::size_t i = 0; i < 8; ++i) CHECK(std::abs(other.state.at(i, 1) - once[i]) < 1e-12);
}

TEST_CASE("oi: observations that are no numbers") {
  Climate climate{zero_tensor<double>(8), zero_tensor<double>(8, 8)};
  for (std::size_t i = 0; i < 8; ++i) climate.covariance(i, i) = 1;
  test::check_observations(Oi<test::Half, 3>(test::Half{}, climate), "Oi::analyse");
}

TEST_CASE("oi: the climate must fit the model") {
  CHECK_THROWS_WITH_AS(
      (Oi<test::Half>(test::Half{}, {zero_tensor<double>(3), zero_tensor<double>(3, 3)})),
      doctest::Contains("Oi: "), ShapeError);
  CHECK_THROWS_WITH_AS(
      (Oi(test::Half{}, zero_tensor<double>(3), ModesBackground(zero_tensor<double>(8, 2), 1))),
      "Oi: mean has shape (3), expected (8), one per state element", ShapeError);
}
