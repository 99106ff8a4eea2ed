// SPDX-License-Identifier: BSD-3-Clause
#include "dan/diagnose/sampled_ensemble.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "dan/analysis/learned.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/problem/truth.hpp"
#include "support/networks.hpp"

using namespace dan;
using test::normal;

namespace {

/// B Bᵀ of random numbers.
Matrix random_covariance(std::size_t size) {
  const auto b = normal(size * size, 31);
  auto p = zero_tensor<double>(size, size);
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t j = 0; j < size; ++j)
      for (std::size_t k = 0; k < size; ++k) p(i, j) += b[i * size + k] * b[j * size + k];
  return p;
}

Matrix square(const Matrix& a) {
  const std::size_t size = a.shape()[0];
  auto out = zero_tensor<double>(size, size);
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t j = 0; j < size; ++j)
      for (std::size_t k = 0; k < size; ++k) out(i, j) += a(i, k) * a(k, j);
  return out;
}

using Lorenz = Problem<Rk4<Lorenz96<12>>, ObserveAll<12>>;
using Network = AnalysisNetwork<NetworkShape{.filters = 4,
                                             .blocks = 1,
                                             .sub_blocks = 1,
                                             .kernel = 3,
                                             .head = Head::gain,
                                             .memory = 1,
                                             .gain_radius = 2},
                                Ring<12>>;
using Method = Learned<Lorenz, Network, 2>;

/// After some cycles from a first guess with errors of this size.
Method::Carried analysed(const Method& method, double deviation) {
  TwinTruth<Lorenz, 2> twin(Lorenz{}, {});
  Method::FirstGuessBatch guess;
  const auto error = normal(24, 8, deviation);
  for (std::size_t l = 0; l < 2; ++l)
    for (std::size_t i = 0; i < 12; ++i) guess.at(i, l) = twin.truth().at(i, l) + error[12 * l + i];
  guess.repeat_last_lane();
  auto carried = method.start(guess, deviation, {});
  Method::Observed observed;
  twin.next();
  convert_precision(twin.observed(), observed);
  method.forecast(carried);
  method.analyse(carried, observed, {});
  return carried;
}
}  // namespace

TEST_CASE("covariance root: is symmetric and squares to the covariance") {
  const Matrix p = random_covariance(9);
  const auto [root, negative] = covariance_root(p);
  CHECK(negative == 0);
  const Matrix found = square(root);
  for (std::size_t i = 0; i < 9; ++i)
    for (std::size_t j = 0; j < 9; ++j) {
      CHECK(std::abs(root(i, j) - root(j, i)) < 1e-14);
      CHECK(std::abs(found(i, j) - p(i, j)) < 1e-12 * 18);  // the largest
    }
}

TEST_CASE("covariance root: what is no covariance is left out and told") {
  auto p = zero_tensor<double>(2, 2);  // its symmetric part has eigenvalues 3 and −1
  p(0, 0) = p(1, 1) = 1, p(0, 1) = 2.5, p(1, 0) = 1.5;
  const auto [root, negative] = covariance_root(p);
  CHECK(negative == doctest::Approx(1.0 / 3));
  const Matrix found = square(root);
  for (std::size_t n = 0; n < 4; ++n) CHECK(found.data()[n] == doctest::Approx(1.5));
  const auto nothing = covariance_root(zero_tensor<double>(3, 3));
  CHECK(nothing.negative == 0);
  CHECK(std::ranges::all_of(nothing.root, [](double x) { return x == 0; }));
}

TEST_CASE("sampled ensemble: has the mean and the covariance in its sampling band") {
  constexpr std::size_t size = 6, count = 40'000;
  const Matrix p = random_covariance(size);
  const auto mean = normal(size, 3);
  const Matrix x = sampled_ensemble(mean, covariance_root(p).root, count, {.seed = 4});
  for (std::size_t i = 0; i < size; ++i) {
    double sum = 0;
    for (std::size_t m = 0; m < count; ++m) sum += x(i, m) - mean[i];
    CHECK(std::abs(sum / count) < 4 * std::sqrt(p(i, i) / count));
    for (std::size_t j = 0; j <= i; ++j) {
      double product = 0;  // Wick: its variance is P_ii P_jj + P_ij²
      for (std::size_t m = 0; m < count; ++m) product += (x(i, m) - mean[i]) * (x(j, m) - mean[j]);
      const double band = 4 * std::sqrt((p(i, i) * p(j, j) + p(i, j) * p(i, j)) / count);
      CHECK(std::abs(product / count - p(i, j)) < band);
    }
  }
}

TEST_CASE("sampled ensemble: is a function of its key, whatever the number of members") {
  const auto root = covariance_root(random_covariance(5)).root;
  const std::vector<double> mean(5, 1.0);
  const RandomKey key{.seed = 4, .run = 2, .cycle = 7};
  const Matrix few = sampled_ensemble(mean, root, 3, key);
  const Matrix many = sampled_ensemble(mean, root, 50, key);
  const Matrix other = sampled_ensemble(mean, root, 3, {.seed = 4, .run = 2, .cycle = 8});
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t m = 0; m < 3; ++m) {
      CHECK(few(i, m) == many(i, m));
      CHECK(few(i, m) != other(i, m));
    }
}

TEST_CASE("analysis covariance: the variances that the method tells, lane by lane") {
  const Lorenz problem;
  const Method method(problem, test::small_increments<Network>(), {.way_back = false});
  const auto carried = analysed(method, 0.3);
  double largest = 0;
  for (std::size_t run = 0; run < 2; ++run) {
    const Matrix p = analysis_covariance(method, carried, run);
    std::vector<double> variances(12);
    method.variances(carried, run, variances);
    for (std::size_t i = 0; i < 12; ++i) {
      CHECK(std::abs(variances[i] - std::max(p(i, i), 0.0)) < 1e-5);  // in single precision
      largest = std::max(largest, variances[i]);
      for (std::size_t j = 0; j < 12; ++j) CHECK(p(i, j) == p(j, i));
    }
  }
  CHECK(largest > 0);
}

TEST_CASE("analysis covariance: where the analysis was static, its own") {
  const Lorenz problem;
  const Method method(problem, test::small_increments<Network>());
  const auto carried = analysed(method, 6);
  REQUIRE(carried.way_back.variance[1] > 0);
  const Matrix p = analysis_covariance(method, carried, 1);
  std::vector<double> spread(2);
  method.spread(carried, spread);
  for (std::size_t i = 0; i < 12; ++i)
    for (std::size_t j = 0; j < 12; ++j)
      CHECK(p(i, j) == doctest::Approx(i == j ? spread[1] * spread[1] : 0.0));
}

TEST_CASE("sampled ensemble: bad input") {
  CHECK_THROWS_WITH_AS(
      (void)covariance_root(zero_tensor<double>(3, 2)),
      doctest::Contains("covariance_root: columns of P has shape (2), expected (3)"), ShapeError);
  auto p = zero_tensor<double>(2, 2);
  p(1, 0) = std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS((void)covariance_root(p), NumericalError);
  const std::vector<double> mean(3);
  CHECK_THROWS_WITH_AS(
      (void)sampled_ensemble(mean, zero_tensor<double>(2, 2), 4, {}),
      doctest::Contains("sampled_ensemble: rows of the root has shape (2), expected (3)"),
      ShapeError);
}
