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
  auto a = zero_tensor<double>(size, size);
  const auto numbers = test::normal_numbers(size * size, 77);
  std::ranges::copy(numbers, a.data());
  Matrix r = matrix_product(a, transpose_of(a));
  for (std::size_t i = 0; i < size; ++i) r(i, i) += 0.5;
  return r;
}
/// The columns of a matrix minus their mean; the mean.
Matrix centred(const Matrix& a, Matrix& mean) {
  const std::size_t rows = a.shape()[0], columns = a.shape()[1];
  mean = zero_tensor<double>(rows, 1);
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
  test::check_operator(Whitened(ObserveAll<7>{}, covariance(7)), test::normal_numbers(7, 1));
  test::check_operator(Whitened(ObserveSubset<4, 3, 2>{}, covariance(3)),
                       test::normal_numbers(8, 1));
  test::check_operator(Whitened(Nonlinear<ObserveAll<5>, Square>{}, covariance(5)),
                       test::normal_numbers(5, 1));
}

TEST_CASE("whitened: the norm of a departure is the one that R gives") {
  const Matrix r = covariance(7);
  const Whitened<ObserveAll<7>> network({}, r);
  const auto x = test::normal_numbers(7, 1), y = test::normal_numbers(7, 2);
  auto departure = zero_tensor<double>(7, 1);
  for (std::size_t i = 0; i < 7; ++i) departure(i, 0) = y[i] - x[i];
  const double expected = matrix_product(transpose_of(departure), solve_linear(r, departure))(0, 0);
  test::Numbers h(7);
  observed_t<decltype(network), double> observed;
  set_observations(observed, 0, y, network);
  network.observe(x.data(), h.data());
  double found = 0;
  for (std::size_t i = 0; i < 7; ++i) found += std::pow(observed.values[i] - h[i], 2);
  CHECK(std::abs(found - expected) <= 1e-12 * expected);
}

TEST_CASE("whitened: the errors of a stream have covariance R") {
  const Matrix r = covariance(4), l = cholesky(r);
  using Lorenz = Problem<Rk4<Lorenz96<4>>, Whitened<ObserveAll<4>>>;
  TwinTruth<Lorenz, 1> twin({.observe = Whitened(ObserveAll<4>{}, r)}, {});
  constexpr std::size_t cycles = 20000;
  auto sum = zero_tensor<double>(4, 4);
  for (std::size_t n = 0; n < cycles; ++n) {
    twin.next();
    auto error = zero_tensor<double>(4, 1);
    for (std::size_t i = 0; i < 4; ++i) error(i, 0) = twin.observed().values.at(i, 0);
    error = matrix_product(l, error);
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
  Etkf<Lorenz, members>::Observed observed;
  set_observations(observed, 0, y, problem.observe);

  const Etkf<Lorenz, members> etkf(problem);
  Etkf<Lorenz, members>::FirstGuessBatch guess;
  guess.fill(1);
  auto carried = etkf.start(guess, 0.5, {.seed = 2});
  const auto matrix_of = [](const auto& ensemble) {
    auto out = zero_tensor<double>(size, members);
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t m = 0; m < members; ++m) out(i, m) = ensemble.at(i, m);
    return out;
  };
  const Matrix prior = matrix_of(carried.ensemble);
  auto seen = zero_tensor<double>(slots, members);
  for (std::size_t m = 0; m < members; ++m) {
    std::array<double, size> x;
    std::array<double, slots> h;
    for (std::size_t i = 0; i < size; ++i) x[i] = prior(i, m);
    Inner{}.observe(x.data(), h.data());
    for (std::size_t j = 0; j < slots; ++j) seen(j, m) = h[j];
  }
  Matrix mean, seen_mean, mean_after;
  const Matrix x = centred(prior, mean), h = centred(seen, seen_mean);
  auto departure = zero_tensor<double>(slots, 1);
  for (std::size_t j = 0; j < slots; ++j) departure(j, 0) = y[j] - seen_mean(j, 0);

  // ETKF: x̄ + K δ and (I − K H) X Xᵀ with K = X Yᵀ (Y Yᵀ + (N−1) R)⁻¹.
  const Matrix cross = matrix_product(x, transpose_of(h));
  Matrix c = matrix_product(h, transpose_of(h));
  for (std::size_t i = 0; i < c.size(); ++i) c.data()[i] += (n - 1) * r.data()[i];
  const Matrix step = matrix_product(cross, solve_linear(c, departure));
  const Matrix removed = matrix_product(cross, solve_linear(c, transpose_of(cross)));
  auto after = carried;
  etkf.analyse(after, observed, {});
  const Matrix anomalies = centred(matrix_of(after.ensemble), mean_after);
  Matrix expected_mean = mean, expected = matrix_product(x, transpose_of(x));
  for (std::size_t i = 0; i < size; ++i) expected_mean(i, 0) += step(i, 0);
  for (std::size_t i = 0; i < expected.size(); ++i) expected.data()[i] -= removed.data()[i];
  CHECK(largest_difference(mean_after, expected_mean) <= 1e-12);
  CHECK(largest_difference(matrix_product(anomalies, transpose_of(anomalies)), expected) <= 1e-12);

  // EnKF-N, plain prior: the fixed point of ζ = (N+1) / (1 + 1/N + wᵀ w),
  // w = Yᵀ (Y Yᵀ + ζ R)⁻¹ δ, has the mean x̄ + X w.
  const EnkfN<Lorenz, members> finite(problem, {.prior = HyperPrior::plain});
  after = carried;
  finite.analyse(after, observed, {});
  (void)centred(matrix_of(after.ensemble), mean_after);
  double zeta = n - 1;
  Matrix w;
  for (int k = 0; k < 1000; ++k) {
    c = matrix_product(h, transpose_of(h));
    for (std::size_t i = 0; i < c.size(); ++i) c.data()[i] += zeta * r.data()[i];
    w = matrix_product(transpose_of(h), solve_linear(c, departure));
    zeta = (zeta + (n + 1) / (1 + 1 / n + matrix_product(transpose_of(w), w)(0, 0))) / 2;
  }
  const Matrix move = matrix_product(x, w);
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
  CHECK_THROWS_AS(make(zero_tensor<double>(3, 3)), NumericalError);
  // Rank two, also where round-off leaves a pivot just above zero.
  for (std::uint64_t run = 0; run < 50; ++run) {
    auto a = zero_tensor<double>(3, 2);
    std::ranges::copy(test::normal_numbers(6, run), a.data());
    Matrix singular = matrix_product(a, transpose_of(a));
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = 0; j < i; ++j) singular(i, j) = singular(j, i);
    CHECK_THROWS_AS(make(singular), NumericalError);
  }
}

namespace {
/// The whitening for these slots.
template <class Operator>
auto for_slots(const Whitened<Operator>& operation,
               const std::array<bool, Whitened<Operator>::slots>& mask) {
  return operation.whitening(mask);
}
/// L Lᵀ is R where both slots report, elsewhere zero.
template <std::size_t Slots>
double factor_error(const Whitening<Slots>& whitening, const Matrix& r,
                    const std::array<bool, Slots>& mask) {
  const Matrix& l = *whitening.factor(0);
  const Matrix found = matrix_product(l, transpose_of(l));
  double worst = 0;
  for (std::size_t i = 0; i < Slots; ++i)
    for (std::size_t j = 0; j < Slots; ++j)
      worst = std::max(worst, std::abs(found(i, j) - (mask[i] && mask[j] ? r(i, j) : 0)));
  return worst;
}
}  // namespace

TEST_CASE("whitened: battery where slots are silent") {
  const Whitened all(ObserveAll<7>{}, covariance(7));
  const std::array<bool, 7> mask{true, false, true, true, false, false, true};
  const auto some = for_slots(all, mask);
  CHECK(factor_error(some, covariance(7), mask) <= 1e-14);
  test::check_operator(all.at(some), test::normal_numbers(7, 1));
  const Whitened squared(Nonlinear<ObserveAll<7>, Square>{}, covariance(7));
  test::check_operator(squared.at(some), test::normal_numbers(7, 1));
  // Of a silent slot nothing is left, whatever H is there; restored is what was whitened.
  auto y = test::normal_numbers(7, 2);
  const auto before = y;
  y[1] = none;
  all.at(some).divide(y.data());
  CHECK(y[1] == 0);
  all.at(some).restore(y.data());
  for (std::size_t i = 0; i < 7; ++i) CHECK(std::abs(y[i] - (mask[i] ? before[i] : 0)) <= 1e-14);
  auto d_x = test::normal_numbers(7, 3);
  const auto d_before = d_x;
  const std::array<double, 7> d_z{0, none, 0, 0, 1, 2, 0};
  all.at(some).observe_adjoint(y.data(), d_z.data(), d_x.data());
  CHECK(d_x == d_before);
  CHECK(for_slots(all, {true, true, true, true, true, true, true}).whole());
}

TEST_CASE("whitened: every run with silent slots of its own, as if it were alone") {
  constexpr std::size_t runs = 3;
  const Whitened all(ObserveAll<5>{}, covariance(5));
  Whitening<5, runs> together;
  std::array<Whitening<5>, runs> alone;
  alone[0] = for_slots(all, {true, false, true, true, true});
  alone[2] = for_slots(all, {false, true, true, false, true});
  for (std::size_t l = 0; l < runs; ++l) together.set_lane(l, alone[l]);
  CHECK_FALSE(together.whole());
  CHECK_FALSE(together.reports(2, 3));
  CHECK(together.reports(1, 3));
  Batch<double, 5, 1, runs> x, z, d_z, d_x;
  fill_normal<double>({.seed = 1}, x.numbers());
  fill_normal<double>({.seed = 2}, d_z.numbers());
  all.at(together).observe(x.data(), z.data());
  all.at(together).observe_adjoint(x.data(), d_z.data(), d_x.data());
  for (std::size_t l = 0; l < runs; ++l) {
    std::array<double, 5> one, seen, d_seen, d_one{};
    for (std::size_t i = 0; i < 5; ++i) one[i] = x.at(i, l), d_seen[i] = d_z.at(i, l);
    const auto own = together.of_lane(l);
    all.at(own).observe(one.data(), seen.data());
    all.at(own).observe_adjoint(one.data(), d_seen.data(), d_one.data());
    for (std::size_t i = 0; i < 5; ++i) {
      CHECK(z.at(i, l) == seen[i]);
      CHECK(d_x.at(i, l) == d_one[i]);
    }
  }
}

TEST_CASE("whitened: the errors of a stream with silent slots have their part of R") {
  constexpr std::size_t runs = 2;
  const Matrix r = covariance(4);
  using Some = Whitened<ObserveRandom<4>>;
  using Lorenz = Problem<Rk4<Lorenz96<4>>, Some>;
  const Lorenz problem{.observe = Some(ObserveRandom<4>(1, 4), r)};
  TwinTruth<Lorenz, runs> twin(problem, {});
  TwinTruth<Lorenz, 1> second(problem, {.first_run = 1});
  auto sum = zero_tensor<double>(4, 4), count = sum;
  for (std::size_t n = 0; n < 20000; ++n) {
    twin.next();
    if (n < 20) {
      second.next();
      for (std::size_t i = 0; i < 4; ++i)
        CHECK(second.observed().values[i] == twin.observed().values.at(i, 1));
    }
    const auto& observed = twin.observed();
    std::array<double, 4> error;
    for (std::size_t i = 0; i < 4; ++i) error[i] = observed.values.at(i, 0);
    const auto whitening = observed.places.of_lane(0);
    problem.observe.at(whitening).restore(error.data());
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(observed.places.reports(0, i) == (observed.precision.at(i, 0) == 1));
      error[i] -= twin.truth().at(i, 0);
    }
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t j = 0; j < 4; ++j)
        if (observed.precision.at(i, 0) * observed.precision.at(j, 0) > 0)
          sum(i, j) += error[i] * error[j], ++count(i, j);
  }
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t j = 0; j < 4; ++j) {
      CHECK(count(i, j) > 5000);
      CHECK(std::abs(sum(i, j) / count(i, j) - r(i, j)) <=
            5 * std::sqrt((r(i, i) * r(j, j) + r(i, j) * r(i, j)) / count(i, j)));
    }
}

TEST_CASE("whitened: given values, some of them missing, and bad input") {
  const Whitened network(ObserveAll<3>{}, covariance(3));
  observed_t<decltype(network), float, 2> observed;
  const test::Numbers values{1, none, 3}, short_one{1, 2};
  CHECK_THROWS_WITH_AS(set_observations(observed, 0, values, network),
                       doctest::Contains("values[1] is nan"), NumericalError);
  CHECK_THROWS_WITH_AS(set_observations(observed, 0, short_one, network),
                       doctest::Contains("shape (2), expected (3)"), ShapeError);
  CHECK_THROWS_WITH_AS(set_observations(observed, 2, values, network, MissingValues::unobserved),
                       doctest::Contains("lane is 2"), ShapeError);
  CHECK(observed.places.whole());
  CHECK_FALSE(reports(observed));
  set_observations(observed, 1, values, network, MissingValues::unobserved);
  // z = L⁻¹ y of the first and the last row of R.
  const Matrix r = covariance(3);
  const double l0 = std::sqrt(r(0, 0)), l20 = r(2, 0) / l0, l2 = std::sqrt(r(2, 2) - l20 * l20);
  CHECK(std::abs(observed.values.at(0, 1) - 1 / l0) <= 1e-6);
  CHECK(std::abs(observed.values.at(2, 1) - (3 - l20 / l0) / l2) <= 1e-6);
  CHECK(observed.precision.at(2, 1) == 1);
  CHECK(observed.precision.at(1, 1) == 0);
  CHECK(observed.precision.at(0, 0) == 0);
  CHECK_NOTHROW(require_valid_observations("here", observed));
  observed.precision.at(1, 1) = 1;
  CHECK_THROWS_WITH_AS(require_valid_observations("here", observed),
                       doctest::Contains("here: observation 1 of lane 1 reports, but was left out"),
                       ConfigError);
  // What counts is z: precise errors of a small number are no fault, and z must be finite.
  Matrix tiny = covariance(3);
  for (double& number : span_of(tiny)) number *= 1e-39;
  const Whitened precise(ObserveAll<3>{}, tiny);
  CHECK_NOTHROW(set_observations(observed, 0, test::Numbers{0, 0, 0}, precise));
  observed_t<decltype(network), float, 2> untouched = observed;
  CHECK_THROWS_WITH_AS(set_observations(observed, 0, test::Numbers{1e30, 0, 0}, precise),
                       doctest::Contains("values[0] is "), NumericalError);
  CHECK(observed.values.at(0, 0) == untouched.values.at(0, 0));
  // Later everything reports again.
  set_observations(observed, 1, test::Numbers{1, 2, 3}, network);
  CHECK(observed.places.whole());
  const Whitened some(ObserveRandom<3>(1, 2), covariance(3));
  std::array<bool, 3> mask{};
  some.available({.cycle = 9}, mask.data());
  const auto drawn = some.draw({.cycle = 9});
  for (std::size_t j = 0; j < 3; ++j) CHECK(drawn.reports(0, j) == mask[j]);
}
