// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <numeric>
#include <utility>
#include <vector>

#include "dan/core/linalg.hpp"
#include "dan/core/random.hpp"
#include "dan/geometry/interval.hpp"
#include "dan/geometry/lat_lon.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/geometry/torus.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/problem/background/dense.hpp"
#include "dan/problem/background/distance.hpp"
#include "dan/problem/background/modes.hpp"
#include "dan/problem/background/spectral.hpp"
#include "dan/problem/climate.hpp"
#include "dan/transform/spherical_harmonics.hpp"

using namespace dan;

namespace {

Matrix random_matrix(std::size_t rows, std::size_t columns) {
  auto y = zero_tensor<double>(rows, columns);
  fill_normal<double>({.seed = 3}, span_of(y));
  return y;
}

/// A climate of 8 numbers with a random covariance.
Climate some_climate() {
  const auto y = random_matrix(8, 12);
  return {zero_tensor<double>(8), matrix_product(y, transpose_of(y))};
}

/// Deviations that differ from element to element.
Vector deviations_of(std::size_t size) {
  auto deviations = zero_tensor<double>(size);
  for (std::size_t i = 0; i < size; ++i) deviations[i] = 0.1 * static_cast<double>(i % 7);
  return deviations;
}

/// L, column by column.
template <class Background>
Matrix root_of(const Background& background) {
  auto root = zero_tensor<double>(background.size(), background.controls());
  std::vector<double> unit(background.controls()), column(background.size(), -1);
  for (std::size_t k = 0; k < background.controls(); ++k) {
    unit[k] = 1;
    background.root(unit.data(), column.data());
    for (std::size_t i = 0; i < background.size(); ++i) root(i, k) = column[i];
    unit[k] = 0;
  }
  return root;
}

/// L Lᵀ.
template <class Background>
Matrix covariance_of(const Background& background) {
  const auto root = root_of(background);
  return matrix_product(root, transpose_of(root));
}

/// ⟨L v, x⟩ = ⟨v, Lᵀ x⟩, the adjoint adds, and lanes compute what a number alone does.
template <BackgroundCovariance Background>
void check_root(const Background& background) {
  using T = lanes_t<double, 3>;
  const std::size_t size = background.size(), controls = background.controls();
  Aligned<T> v(controls), x(size), root(size), adjoint(controls, T(5.0));
  fill_normal<double>({.seed = 1}, std::span(v[0].lanes(), controls * lanes_of<T>));
  fill_normal<double>({.seed = 2}, std::span(x[0].lanes(), size * lanes_of<T>));
  background.root(v.data(), root.data());
  background.root_adjoint(x.data(), adjoint.data());
  for (std::size_t l = 0; l < lanes_of<T>; ++l) {
    double left = 0, right = 0, scale = 0;
    std::vector<double> alone(controls), one(size);
    for (std::size_t i = 0; i < size; ++i) left += root[i][l] * x[i][l];
    for (std::size_t i = 0; i < size; ++i) scale += std::abs(root[i][l] * x[i][l]);
    for (std::size_t k = 0; k < controls; ++k) right += v[k][l] * (adjoint[k][l] - 5);
    CHECK(std::abs(left - right) < 1e-12 * (1 + scale));
    for (std::size_t k = 0; k < controls; ++k) alone[k] = v[k][l];
    background.root(alone.data(), one.data());
    for (std::size_t i = 0; i < size; ++i)
      CHECK(std::abs(one[i] - root[i][l]) < 1e-13 * (1 + std::abs(one[i])));
  }
}

/// The asked variances, no eigenvalue below zero, and no correlation between channels.
template <class Geometry>
void check_distance(double length) {
  CAPTURE(length);
  constexpr std::size_t size = Geometry::points * 2;
  const auto deviations = deviations_of(size);
  const DistanceBackground<Geometry, 2> background(deviations, length, 0.3);
  check_root(background);
  const auto b = covariance_of(background);
  const auto values = symmetric_eigen(b).values;
  CHECK(values[0] > -1e-13 * values[size - 1]);
  for (std::size_t i = 0; i < size; ++i) {
    CHECK(b(i, i) == doctest::Approx(0.3 * deviations[i] * deviations[i]).epsilon(1e-12));
    for (std::size_t j = 0; j < size; ++j)
      if (i % 2 != j % 2) CHECK(b(i, j) == 0);
  }
}

/// Every state returns after eight cycles.
struct Rotating {
  using Geometry = LatLon<4, 8, Latitudes::gaussian>;
  static constexpr std::size_t points = Geometry::points, channels = 1;
  template <class T>
  void step(const T* x, T* y) const {
    for (std::size_t r = 0; r < 4; ++r) {
      const T last = x[8 * r + 7];
      for (std::size_t c = 7; c > 0; --c) y[8 * r + c] = x[8 * r + c - 1];
      y[8 * r] = last;
    }
  }
};
}  // namespace

static_assert(DenseCovariance<DenseBackground>);
static_assert(BackgroundCovariance<DistanceBackground<Ring<8>, 1>>);
static_assert(!DenseCovariance<DistanceBackground<Ring<8>, 1>>);
static_assert(BackgroundCovariance<ModesBackground>);
static_assert(!BackgroundCovariance<Climate>);

TEST_CASE("background: the dense one is the climate's covariance, its root is symmetric") {
  const auto climate = some_climate();
  const DenseBackground background(climate, 0.3);
  check_root(background);
  const auto b = covariance_of(background), root = root_of(background);
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t j = 0; j < 8; ++j) {
      CHECK(background.matrix()(i, j) == 0.3 * climate.covariance(i, j));
      CHECK(std::abs(b(i, j) - 0.3 * climate.covariance(i, j)) < 1e-12);
      CHECK(std::abs(root(i, j) - root(j, i)) < 1e-14);
    }
}

TEST_CASE("background: by distance, on every geometry, with the variances asked for") {
  for (const double length : {0.01, 1.0, 3.0}) {
    check_distance<Ring<11>>(length);
    check_distance<Interval<9>>(length);
    check_distance<Torus<5, 6>>(length);
    check_distance<LatLon<5, 8>>(length);
    check_distance<LatLon<6, 10, Latitudes::gaussian>>(length);
  }
}

TEST_CASE("background: by degree on the sphere, the same at every place") {
  using Grid = LatLon<8, 16, Latitudes::gaussian>;
  using Harmonics = SphericalHarmonics<5, Grid>;
  const std::vector<double> variances{0.1, 2, 1, 0.5, 0.25, 0.125};
  const SpectralBackground<Harmonics> background(variances, 0.3);
  check_root(background);
  const auto b = covariance_of(background);
  double variance = 0;  // Σ_m Y_lm² = 2 l + 1 at every place
  for (std::size_t l = 0; l < 6; ++l)
    variance += 0.3 * static_cast<double>(2 * l + 1) * variances[l];
  for (std::size_t p = 0; p < Grid::points; ++p) {
    CHECK(b(p, p) == doctest::Approx(variance).epsilon(1e-12));
    // Legendre's polynomials of the cosine c of the angle between p and q, by recursion.
    for (std::size_t q = 0; q < Grid::points; q += 7) {
      const double c = std::cos(Grid::distance(p, Grid::position(q)) * 2 * std::numbers::pi / 16);
      double before = 0, now = 1, expected = 0;
      for (std::size_t l = 0; l < 6; ++l) {
        const auto n = static_cast<double>(l);
        expected += 0.3 * (2 * n + 1) * variances[l] * now;
        before = std::exchange(now, ((2 * n + 1) * c * now - n * before) / (n + 1));
      }
      CHECK(std::abs(b(p, q) - expected) < 1e-12 * variance);
    }
  }
  CHECK_THROWS_WITH_AS(SpectralBackground<Harmonics>({1, 2}),
                       doctest::Contains("SpectralBackground: variances has shape (2), expected "),
                       ShapeError);
  CHECK_THROWS_AS(SpectralBackground<Harmonics>(variances, 0.0), ConfigError);
  CHECK_THROWS_WITH_AS((SpectralBackground<Harmonics>({1, 1, -2, 1, 1, 1})),
                       doctest::Contains("SpectralBackground: variances[2] is -2"), ConfigError);
}

TEST_CASE("background: the variance of each degree is that of the climate's waves") {
  using Grid = Rotating::Geometry;
  using Harmonics = SphericalHarmonics<3, Grid>;
  const Problem<Rotating, ObserveAll<Grid::points>> problem{
      .start = {.deviation = 2, .spin_up = 0}};
  const auto variances = variances_by_degree<Harmonics>(problem, {.cycles = 64});
  const auto climate = climatology_of(problem, {.cycles = 64});
  double power = 0, trace = 0;  // of what is within the truncation: the sum over the sphere
  for (std::size_t l = 0; l < 4; ++l) power += static_cast<double>(2 * l + 1) * variances[l];
  std::vector<double> row(Grid::points), waves(Harmonics::coefficients);
  auto half = zero_tensor<double>(Harmonics::coefficients, Grid::points);  // A C
  for (std::size_t p = 0; p < Grid::points; ++p) {
    for (std::size_t q = 0; q < Grid::points; ++q) row[q] = climate.covariance(q, p);
    Harmonics::analyse(row.data(), waves.data());
    for (std::size_t i = 0; i < waves.size(); ++i) half(i, p) = waves[i];
  }
  for (std::size_t i = 0; i < waves.size(); ++i) {
    for (std::size_t p = 0; p < Grid::points; ++p) row[p] = half(i, p);
    Harmonics::analyse(row.data(), waves.data());
    trace += waves[i];  // A C Aᵀ
  }
  CHECK(power == doctest::Approx(trace).epsilon(1e-10));
}

TEST_CASE("background: correlations by distance are close to a Gaussian of that length") {
  auto ones = zero_tensor<double>(64);
  for (double& one : span_of(ones)) one = 1;
  const auto b = covariance_of(DistanceBackground<Ring<64>, 1>(ones, 3));
  for (std::size_t i = 0; i < 64; ++i)
    for (std::size_t j = 0; j < 64; ++j) {
      const double z = Ring<64>::distance(i, Ring<64>::position(j)) / 3;
      CHECK(std::abs(b(i, j) - std::exp(-z * z / 2)) < 2e-3);
    }
}

TEST_CASE("background: all modes of a sample are its covariance, the leading ones come first") {
  auto sample = random_matrix(9, 6);
  for (std::size_t i = 0; i < 9; ++i) {
    double sum = 0;
    for (std::size_t n = 0; n < 6; ++n) sum += sample(i, n);
    for (std::size_t n = 0; n < 6; ++n) sample(i, n) -= sum / 6;
  }
  auto expected = matrix_product(sample, transpose_of(sample));
  for (double& value : span_of(expected)) value *= 0.4 / 5;
  const auto all = covariance_of(ModesBackground(sample, 6, 0.4));
  for (std::size_t i = 0; i < 9; ++i)
    for (std::size_t j = 0; j < 9; ++j) CHECK(std::abs(all(i, j) - expected(i, j)) < 1e-12);
  const ModesBackground two(sample, 2, 0.4);
  CHECK(two.controls() == 2);
  check_root(two);
  const auto values = symmetric_eigen(expected).values;
  const auto leading = symmetric_eigen(covariance_of(two)).values;
  for (std::size_t k = 7; k < 9; ++k) CHECK(leading[k] == doctest::Approx(values[k]));
  CHECK(std::abs(leading[6]) < 1e-12);
}

TEST_CASE("background: all modes of a climate are the dense one's covariance") {
  const auto climate = some_climate();
  const auto b = covariance_of(ModesBackground(climate, 8, 0.3));
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t j = 0; j < 8; ++j)
      CHECK(std::abs(b(i, j) - 0.3 * climate.covariance(i, j)) < 1e-12);
}

TEST_CASE("background: moments and sample of a climate are those of its covariance") {
  using Small = Problem<Rk4<Lorenz96<8>>, ObserveAll<8>>;
  const ClimateConfig config{.cycles = 40};
  const auto climate = climatology_of(Small{}, config);
  const auto moments = climate_moments_of(Small{}, config);
  const auto sample = climate_sample_of(Small{}, config);
  const auto b = covariance_of(ModesBackground(sample, 640));
  for (std::size_t i = 0; i < 8; ++i) {
    CHECK(moments.mean[i] == doctest::Approx(climate.mean[i]));
    CHECK(moments.deviation[i] == doctest::Approx(std::sqrt(climate.covariance(i, i))));
    for (std::size_t j = 0; j < 8; ++j) CHECK(std::abs(b(i, j) - climate.covariance(i, j)) < 1e-9);
  }
}

TEST_CASE("background: bad input") {
  CHECK_THROWS_WITH_AS(
      (DistanceBackground<Ring<8>, 2>(deviations_of(8), 2)),
      "DistanceBackground: deviations has shape (8), expected (16), one per state element",
      ShapeError);
  CHECK_THROWS_WITH_AS(
      (DistanceBackground<Ring<8>, 1>(deviations_of(8), 0.0)),
      "DistanceBackground: length is 0, expected a finite number greater than zero", ConfigError);
  CHECK_THROWS_AS((DistanceBackground<Ring<8>, 1>(deviations_of(8), 1, -1)), ConfigError);
  auto negative = deviations_of(8);
  negative[3] = -2;
  CHECK_THROWS_WITH_AS((DistanceBackground<Ring<8>, 1>(negative, 1)),
                       "DistanceBackground: deviations[3] is -2, expected a finite number, not "
                       "negative",
                       ConfigError);
  CHECK_THROWS_WITH_AS(ModesBackground(random_matrix(4, 1), 1),
                       "ModesBackground: sample has shape (4, 1), expected state elements × "
                       "samples, at least two of them",
                       ShapeError);
  CHECK_THROWS_WITH_AS(ModesBackground(random_matrix(4, 3), 4),
                       "ModesBackground: modes is 4, expected 1 to 3, the number of samples",
                       ConfigError);
  CHECK_THROWS_AS(ModesBackground(random_matrix(4, 3), 2, 0), ConfigError);
  CHECK_THROWS_WITH_AS(ModesBackground(some_climate(), 9),
                       "ModesBackground: modes is 9, expected 1 to 8, the number of state elements",
                       ConfigError);
  CHECK_THROWS_AS(ModesBackground({zero_tensor<double>(3), zero_tensor<double>(2, 2)}, 1),
                  ShapeError);
  CHECK_THROWS_AS(DenseBackground(some_climate(), -1), ConfigError);
  CHECK_THROWS_AS(DenseBackground({zero_tensor<double>(3), zero_tensor<double>(2, 2)}), ShapeError);
  auto climate = some_climate();
  for (double& value : span_of(climate.covariance)) value *= -1;
  CHECK_THROWS_AS(DenseBackground{climate}, NumericalError);
}
