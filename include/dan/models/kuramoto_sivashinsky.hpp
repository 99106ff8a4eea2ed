// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <numeric>
#include <span>
#include <string>

#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/random.hpp"
#include "dan/core/scalar.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/transform/real_fourier.hpp"

namespace dan {

/// The Kuramoto–Sivashinsky equation at `Points` points of a ring: flames, falling films.
///
///   u_t = −u u_x − u_xx − u_xxxx on a domain of `length` L; in waves of κ_k = 2πk/L
///   dU_k/dt = (κ² − κ⁴) U_k − i κ/2 F(u²)_k, without de-aliasing, and κ = 0 at k = Points/2 in
///   the second term.
/// The wave of Points/2 would be a constant of motion then: what an analysis writes there would
/// never decay. It is removed (λ = −∞) unless `keeps_shortest_wave` (λ = 0), as in DAPPER. The mean
/// is conserved. States: Points elements of T, contiguous, nondimensional. L = 32π with 128 points
/// has 11 positive exponents, L = 22 with 64 a few.
///
///     const Etdrk4<KuramotoSivashinsky<64>> model({.length = 22}, 0.25);
///
/// Cost: a transform and 2 flops per point for each term.
/// Source: Kassam and Trefethen, SIAM J. Sci. Comput. 26 (2005) 1214–1233, section 4.
template <std::size_t Points>
struct KuramotoSivashinsky {
  using Geometry = Ring<Points>;
  static_assert(Points >= 4 && Points % 2 == 0,
                "KuramotoSivashinsky: it needs an even number of points, at least 4");
  static constexpr std::size_t points = Points, channels = 1;

  double length = 32 * std::numbers::pi;
  bool keeps_shortest_wave = false;

  /// In words.
  [[nodiscard]] std::string describe() const {
    return to_text("Kuramoto–Sivashinsky at ", Points, " points, length ", length,
                   keeps_shortest_wave ? ", with the shortest wave" : "");
  }

  /// λ_k = κ² − κ⁴. Throws ConfigError unless the length is positive.
  [[nodiscard]] double linear(std::size_t k) const {
    require_positive("KuramotoSivashinsky", "length", length);
    if (k == Points / 2) return keeps_shortest_wave ? 0 : -std::numeric_limits<double>::infinity();
    const double square = wave_number(k) * wave_number(k);
    return square - square * square;
  }

  /// n = −i κ/2 F(u²).
  template <class T>
  void nonlinear(const T* u, T* n) const {
    Scratch<T> square(Points, Unset{});
    for (std::size_t j = 0; j < Points; ++j) square[j] = u[j] * u[j];
    Fourier::forward(square.data(), n);
    times_i_kappa(-0.5, n, n);
  }

  /// d_n = −i κ F(u du).
  template <class T>
  void nonlinear_tangent(const T* u, const T* du, T* d_n) const {
    Scratch<T> product(Points, Unset{});
    for (std::size_t j = 0; j < Points; ++j) product[j] = u[j] * du[j];
    Fourier::forward(product.data(), d_n);
    times_i_kappa(-1, d_n, d_n);
  }

  /// d_u += u · F⁻¹(i κ d_n), since a derivative in space is antisymmetric.
  template <class T>
  void nonlinear_adjoint(const T* u, const T* d_n, T* d_u) const {
    Scratch<T> slope(Points, Unset{}), waves(Fourier::coefficients, Unset{});
    times_i_kappa(1, d_n, waves.data());
    Fourier::inverse(waves.data(), slope.data());
    for (std::size_t j = 0; j < Points; ++j) d_u[j] += u[j] * slope[j];
  }

 private:
  using Fourier = RealFourier<Points>;

  /// κ of wave k; zero for the shortest one, whose derivative vanishes at the points.
  [[nodiscard]] double wave_number(std::size_t k) const {
    return k == Points / 2 ? 0 : 2 * std::numbers::pi * static_cast<double>(k) / length;
  }
  /// out = factor i κ in; out may be in.
  template <class T>
  void times_i_kappa(double factor, const T* in, T* out) const {
    for (std::size_t k = 0; k < Fourier::waves; ++k) {
      const auto kappa = static_cast<real_t<T>>(factor * wave_number(k));
      const T re = in[2 * k];
      out[2 * k] = -kappa * in[2 * k + 1];
      out[2 * k + 1] = kappa * re;
    }
  }
};

/// How a truth of Kuramoto–Sivashinsky begins: cos ξ (1 + sin ξ) with ξ = 2π (j + 1)/Points, once
/// around the ring, plus independent normal numbers without their mean, so that all truths have
/// mean zero.
///
/// Without them it is odd about a point, and a field that is odd stays so.
/// Source: Kassam and Trefethen (2005), section 4, for the waves.
struct KuramotoSivashinskyStart {
  double deviation = 0.1;
  std::size_t spin_up = 300;

  void operator()(const RandomKey& key, std::span<double> x) const {
    fill_normal<double>(key, x);
    const auto n = static_cast<double>(x.size());
    const double mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
    for (std::size_t j = 0; j < x.size(); ++j) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(j + 1) / n;
      x[j] = std::cos(angle) * (1 + std::sin(angle)) + deviation * (x[j] - mean);
    }
  }
};

}  // namespace dan
