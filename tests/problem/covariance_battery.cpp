// SPDX-License-Identifier: BSD-3-Clause
#include "dan/problem/covariance_battery.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <string>

#include "dan/geometry/lat_lon.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/problem/background/dense.hpp"
#include "dan/problem/background/distance.hpp"
#include "dan/problem/background/modes.hpp"
#include "dan/problem/background/spectral.hpp"
#include "dan/problem/dense_model_noise.hpp"
#include "dan/transform/spherical_harmonics.hpp"

using namespace dan;

namespace {
enum class Fault { none, adds, not_linear, transpose, overwrites, product };

/// B = L Lᵀ, L with 2^-i on its diagonal and a 1 beside the first: one thing is wrong with each.
template <Fault fault>
struct Background {
  static std::size_t size() { return 4; }
  static std::size_t controls() { return 4; }
  template <class T>
  void root(const T* v, T* x) const {
    for (std::size_t i = 0; i < 4; ++i) {
      const T value = constant<T>(std::pow(2.0, -static_cast<double>(i))) * v[i];
      x[i] = fault == Fault::adds ? T(x[i] + value) : value;
    }
    x[0] += fault == Fault::not_linear ? T(v[1] * v[1]) : v[1];
  }
  template <class T>
  void root_adjoint(const T* d_x, T* d_v) const {
    for (std::size_t i = 0; i < 4; ++i) {
      const T value = constant<T>(std::pow(2.0, -static_cast<double>(i))) * d_x[i];
      d_v[i] = fault == Fault::overwrites ? value : T(d_v[i] + value);
    }
    if (fault != Fault::transpose) d_v[1] += d_x[0];
  }
};
template <Fault fault>
struct Noise {
  static constexpr std::size_t size = 3;
  static std::size_t numbers() { return 2; }
  template <class T>
  void root(const T* white, T* noise) const {
    noise[0] = white[0], noise[1] = white[0] + white[1], noise[2] = 1e-6 * white[1];
  }
  template <class T>
  void multiply(const T* x, T* y) const {
    const T a = x[0] + x[1], b = x[1] + 1e-6 * x[2];
    y[0] = a, y[1] = a + b, y[2] = (fault == Fault::product ? 2e-6 : 1e-6) * b;
  }
};

bool says(const BatteryReport& report, const std::string& words) {
  return report.words().find(words) != std::string::npos;
}
}  // namespace

TEST_CASE("covariance battery: the library's own pass") {
  Vector deviations = zero_tensor<double>(16);
  deviations.fill(0.3);
  for (std::size_t i = 0; i < 16; i += 2) deviations[i] = 300;  // unlike channels
  CHECK(check_background(DistanceBackground<Ring<8>, 2>(deviations, 1.5)).words().empty());
  auto matrix = zero_tensor<double>(3, 3);
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j) matrix(i, j) = i == j ? 1 : 0.25;
  CHECK(check_background(DenseBackground(Climate{zero_tensor<double>(3), matrix})).words().empty());
  auto sample = zero_tensor<double>(5, 3);
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t n = 0; n < 3; ++n) sample(i, n) = std::sin(static_cast<double>(3 * i + n));
  CHECK(check_background(ModesBackground(sample, 2)).words().empty());
  using Harmonics = SphericalHarmonics<3, LatLon<4, 8, Latitudes::gaussian>>;
  CHECK(check_background(SpectralBackground<Harmonics>({0.5, 2, 0, 3}, 0.1)).words().empty());
  CHECK(check_model_noise(DiagonalModelNoise<4>(0.25)).words().empty());
  CHECK(check_model_noise(DenseModelNoise<3>(matrix)).words().empty());
}

TEST_CASE("covariance battery: each fault has its sentence") {
  CHECK(check_background(Background<Fault::none>{}).words().empty());
  CHECK(says(check_background(Background<Fault::adds>{}), "root leaves what stood in element 0"));
  CHECK(says(check_background(Background<Fault::not_linear>{}), "root is not linear"));
  CHECK(
      says(check_background(Background<Fault::transpose>{}), "root_adjoint is not the transpose"));
  CHECK(says(check_background(Background<Fault::overwrites>{}), "root_adjoint must add"));
  CHECK(check_model_noise(Noise<Fault::none>{}).words().empty());
  CHECK(says(check_model_noise(Noise<Fault::product>{}),
             "multiply is not root and its transpose: Q x has"));
}
