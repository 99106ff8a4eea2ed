// SPDX-License-Identifier: BSD-3-Clause
#include "dan/observe/whitened.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

#include "dan/analysis/enkf_n.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/nonlinear.hpp"
#include "dan/observe/random.hpp"
#include "dan/observe/subset.hpp"
#include "dan/problem/truth.hpp"
#include "support/battery.hpp"

using namespace dan;

namespace {
constexpr double none = std::numeric_limits<double>::quiet_NaN();

/// A dense covariance A Aᵀ + I / 2.
Matrix covariance(std::size_t size) {
  auto a = zeros<double>(size, size);
  const auto numbers = test::normal_numbers(size * size, 77);
  std::ranges::copy(numbers, a.data());
  Matrix r = product(a, transposed(a));
  for (std::size_t i = 0; i < size; ++i) r(i, i) += 0.5;
  return r;
}
/// The columns of a matrix minus their mean; the mean.
Matrix centred(const Matrix& a, Matrix& mean) {
  const std::size_t rows = a.shape()[0], columns = a.shape()[1];
  mean = zeros<double>(rows, 1);
  Matrix out = a;
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t m = 0; m < columns; ++m) mean(i, 0) += a(i, m) / static_cast<double>(columns);
    for (std::size_t m = 0; m < columns; ++m) out(i, m) -= mean(i, 0);
  }
  return out;
}
double largest_difference(const Matrix& a, const Matrix& b) {
  double worst = a.shape() == b.shape() ? 0 : none;
  for (std::size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::abs(a.data()[i] - b.data()[i]));
  return worst;
}
}  // namespace

TEST_CASE("whitened: battery") {
  test::check_network(Whitened(ObserveAll<7>{}, covariance(7)), test::normal_numbers(7, 1));
  test::check_network(Whitened(ObserveSubset<4, 3, 2>{}, covariance(3)),
                      test::normal_numbers(8, 1));
  test::check_network(Whitened(Nonlinear<ObserveAll<5>, Square>{}, covariance(5)),
                      test::normal_numbers(5, 1));
}

TEST_CASE("whitened: the norm of a departure is the one that R gives") {
  const Matrix r = covariance(7);
  const Whitened network(ObserveAll<7>{}, r);
  const auto x = test::normal_numbers(7, 1), y = test::normal_numbers(7, 2);
  auto departure = zeros<double>(7, 1);
  for (std::size_t i = 0; i < 7; ++i) departure(i, 0) = y[i] - x[i];
  const double expected = product(transposed(departure), solve(r, departure))(0, 0);
  test::Numbers z = y, h(7);
  network.whiten(z);
  network.observe(x.data(), h.data());
  double found = 0;
  for (std::size_t i = 0; i < 7; ++i) found += (z[i] - h[i]) * (z[i] - h[i]);
  CHECK(std::abs(found - expected) <= 1e-12 * expected);
}

TEST_CASE("whitened: the errors of a stream have covariance R") {
  const Matrix r = covariance(4), l = cholesky(r);
  using Lorenz = Problem<Rk4<Lorenz96<4>>, Whitened<ObserveAll<4>>>;
  TwinTruth<Lorenz, 1> twin({.observe = Whitened(ObserveAll<4>{}, r)}, {});
  constexpr std::size_t cycles = 20000;
  auto sum = zeros<double>(4, 4);
  for (std::size_t n = 0; n < cycles; ++n) {
    twin.next();
    auto error = zeros<double>(4, 1);
    for (std::size_t i = 0; i < 4; ++i) error(i, 0) = twin.observed().values.at(i, 0);
    error = product(l, error);
    for (std::size_t i = 0; i < 4; ++i) error(i, 0) -= twin.truth().at(i, 0);
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t j = 0; j < 4; ++j) sum(i, j) += error(i, 0) * error(j, 0) / cycles;
  }
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t j = 0; j < 4; ++j)
      CHECK(std::abs(sum(i, j) - r(i, j)) <=
            5 * std::sqrt((r(i, i) * r(j, j) + r(i, j) * r(i, j)) / cycles));
}

TEST_CASE("whitened: ensemble filters with a dense R and a nonlinear H are the dense formulas") {
  constexpr std::size_t members = 6, slots = 4, size = 7;
  constexpr double n = members;
  using Inner = Nonlinear<ObserveSubset<size, slots>, Square>;
  using Lorenz = Problem<Rk4<Lorenz96<size>>, Whitened<Inner>>;
  const Matrix r = covariance(slots);
  const Lorenz problem{.observe = Whitened(Inner{}, r)};
  const auto y = test::normal_numbers(slots, 5);
  auto z = y;
  problem.observe.whiten(z);
  Observations<double, slots, 1> observed;
  set_observations<double, slots, 1>(observed, 0, z, problem.noise);

  const Etkf<Lorenz, members> etkf(problem);
  Etkf<Lorenz, members>::FirstGuessBatch guess;
  guess.fill(1);
  auto carried = etkf.start(guess, 0.5, {.seed = 2});
  const auto matrix_of = [](const auto& ensemble) {
    auto out = zeros<double>(size, members);
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t m = 0; m < members; ++m) out(i, m) = ensemble.at(i, m);
    return out;
  };
  const Matrix prior = matrix_of(carried.ensemble);
  auto seen = zeros<double>(slots, members);
  for (std::size_t m = 0; m < members; ++m) {
    std::array<double, size> x;
    std::array<double, slots> h;
    for (std::size_t i = 0; i < size; ++i) x[i] = prior(i, m);
    Inner{}.observe(x.data(), h.data());
    for (std::size_t j = 0; j < slots; ++j) seen(j, m) = h[j];
  }
  Matrix mean, seen_mean, mean_after;
  const Matrix x = centred(prior, mean), h = centred(seen, seen_mean);
  auto departure = zeros<double>(slots, 1);
  for (std::size_t j = 0; j < slots; ++j) departure(j, 0) = y[j] - seen_mean(j, 0);

  // ETKF: x̄ + K δ and (I − K H) X Xᵀ with K = X Yᵀ (Y Yᵀ + (N−1) R)⁻¹.
  const Matrix cross = product(x, transposed(h));
  Matrix c = product(h, transposed(h));
  for (std::size_t i = 0; i < c.size(); ++i) c.data()[i] += (n - 1) * r.data()[i];
  const Matrix step = product(cross, solve(c, departure));
  const Matrix removed = product(cross, solve(c, transposed(cross)));
  auto after = carried;
  etkf.analyse(after, observed, {});
  const Matrix anomalies = centred(matrix_of(after.ensemble), mean_after);
  Matrix expected_mean = mean, expected = product(x, transposed(x));
  for (std::size_t i = 0; i < size; ++i) expected_mean(i, 0) += step(i, 0);
  for (std::size_t i = 0; i < expected.size(); ++i) expected.data()[i] -= removed.data()[i];
  CHECK(largest_difference(mean_after, expected_mean) <= 1e-12);
  CHECK(largest_difference(product(anomalies, transposed(anomalies)), expected) <= 1e-12);

  // EnKF-N, plain prior: the fixed point of ζ = (N+1) / (1 + 1/N + wᵀ w),
  // w = Yᵀ (Y Yᵀ + ζ R)⁻¹ δ, has the mean x̄ + X w.
  const EnkfN<Lorenz, members> finite(problem, {.prior = HyperPrior::plain});
  after = carried;
  finite.analyse(after, observed, {});
  (void)centred(matrix_of(after.ensemble), mean_after);
  double zeta = n - 1;
  Matrix w;
  for (int k = 0; k < 1000; ++k) {
    c = product(h, transposed(h));
    for (std::size_t i = 0; i < c.size(); ++i) c.data()[i] += zeta * r.data()[i];
    w = product(transposed(h), solve(c, departure));
    zeta = (zeta + (n + 1) / (1 + 1 / n + product(transposed(w), w)(0, 0))) / 2;
  }
  const Matrix move = product(x, w);
  for (std::size_t i = 0; i < size; ++i) expected_mean(i, 0) = mean(i, 0) + move(i, 0);
  CHECK(largest_difference(mean_after, expected_mean) <= 1e-10);
}

TEST_CASE("whitened: a covariance that cannot be one") {
  const auto make = [](const Matrix& r) { return Whitened(ObserveAll<3>{}, r); };
  CHECK_THROWS_WITH_AS(make(covariance(2)),
                       doctest::Contains("covariance has shape (2, 2), expected (3, 3)"),
                       ShapeError);
  Matrix r = covariance(3);
  r(0, 1) += 0.1;
  CHECK_THROWS_WITH_AS(make(r), doctest::Contains("symmetric and positive definite"),
                       NumericalError);
  r = covariance(3);
  r(2, 2) = -1;
  CHECK_THROWS_WITH_AS(make(r), doctest::Contains("no Cholesky factor"), NumericalError);
  r(2, 2) = none;
  CHECK_THROWS_AS(make(r), NumericalError);
  CHECK_THROWS_AS(make(zeros<double>(3, 3)), NumericalError);
  // Rank two, also where round-off leaves a pivot just above zero.
  for (std::uint64_t run = 0; run < 50; ++run) {
    auto a = zeros<double>(3, 2);
    std::ranges::copy(test::normal_numbers(6, run), a.data());
    Matrix singular = product(a, transposed(a));
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = 0; j < i; ++j) singular(i, j) = singular(j, i);
    CHECK_THROWS_AS(make(singular), NumericalError);
  }
}

TEST_CASE("whitened: missing values cannot be whitened") {
  const Whitened network(ObserveAll<3>{}, covariance(3));
  test::Numbers values{1, none, 3}, short_one{1, 2};
  CHECK_THROWS_WITH_AS(network.whiten(values), doctest::Contains("values[1] is nan"),
                       NumericalError);
  CHECK(values[0] == 1);
  CHECK_THROWS_WITH_AS(network.whiten(short_one), doctest::Contains("shape (2), expected (3)"),
                       ShapeError);
  const Whitened some(ObserveRandom<3>(1, 2), covariance(3));
  std::array<bool, 3> mask{};
  CHECK_THROWS_WITH_AS(some.available({.cycle = 9}, mask.data()),
                       doctest::Contains("does not report in cycle 9"), ConfigError);
  CHECK_NOTHROW(network.available({}, mask.data()));
}
