// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>

#include "dan/core/simd.hpp"
#include "dan/geometry/concepts.hpp"

namespace dan {

namespace detail {
/// A gain on a stencil of taps becomes the mean of itself and its transpose; at(c, j, c') is where
/// u_{p,c,j,c'} stands in point p's numbers, which begin at y + p · stride.
template <class Taps, std::size_t Channels, class T, class At>
void make_symmetric(T* y, std::size_t points, std::size_t stride, const At& at) {
  const auto tap = Taps::tap();
  const auto back_of = Taps::back();
  const T half(real_t<T>(0.5));
  for (std::size_t p = 0; p < points; ++p)
    for (std::size_t j = 0; j < Taps::taps; ++j) {
      const std::size_t q = tap(p, j), back = back_of(p, j);
      if (back * points + q > j * points + p) continue;  // each pair once
      T *here = y + p * stride, *there = y + q * stride;
      for (std::size_t c = 0; c < Channels; ++c)
        for (std::size_t of = 0; of < Channels; ++of) {
          T& one = here[at(c, j, of)];
          T& other = there[at(of, back, c)];
          one = other = half * (one + other);
        }
    }
}
}  // namespace detail

/// The gain head: an increment and a local symmetric gain that multiplies the uplifted innovation.
///
///   a_{p,c} = y_{p,c,0} + Σ_j Σ_c' u_{p,c,j,c'} ζ_{q,c'},  q = tap(p, j),
///   u_{p,c,j,c'} = (y_{p,c,j,c'} + y_{q,c',j',c})/2,  j' the tap of q that is p:
/// U is symmetric as a covariance is, for a Kalman filter's increment is P^a ζ. The gain reaches
/// `Radius` points in every direction: `window` taps. Per point Channels × (1 + window × Channels)
/// numbers of the last layer. Cost: 2 · points · Channels² · window flops.
/// Source: after Bocquet et al., Chaos 34 (2024) 091104, a_θ(x, ζ) ≈ P^a(x) ζ.
template <class Geometry, std::size_t Channels, std::size_t Radius>
struct GainHead {
  static constexpr std::size_t width = 2 * Radius + 1;
  static_assert(Geometry::fits(width),
                "GainHead: the gain reaches around the domain; lower gain_radius");
  using Taps = detail::Stencil<Geometry, width>;
  static constexpr std::size_t points = Geometry::points, window = Taps::taps;
  static constexpr std::size_t per_element = 1 + window * Channels;
  static constexpr std::size_t per_point = Channels * per_element;
  /// Numbers of a gain: points × Channels × window × Channels.
  static constexpr std::size_t coefficients = points * Channels * window * Channels;

  /// Where u_{p,c,j,c'} stands in point p's numbers.
  static constexpr std::size_t coefficient(std::size_t c, std::size_t j, std::size_t of) {
    return c * per_element + 1 + j * Channels + of;
  }

  /// Makes U symmetric.
  template <class T>
  static void prepare(T* y, std::size_t stride) {
    detail::make_symmetric<Taps, Channels>(y, points, stride, coefficient);
  }

  template <class T>
  static void forward(const T* y, std::size_t stride, const T* zeta, T* increment) {
    for (std::size_t p = 0; p < points; ++p)
      for (std::size_t c = 0; c < Channels; ++c) {
        const T* const u = y + p * stride + coefficient(c, 0, 0);
        T sum = u[-1];
        for_each(p, [&](std::size_t n, std::size_t at) { sum += u[n] * zeta[at]; });
        increment[p * Channels + c] = sum;
      }
  }

  template <class T>
  static void backward(const T* y, std::size_t stride, const T* zeta, const T* d_increment, T* d_y,
                       T* d_zeta) {
    for (std::size_t p = 0; p < points; ++p)
      for (std::size_t c = 0; c < Channels; ++c) {
        const T* const u = y + p * stride + coefficient(c, 0, 0);
        T* const d_u = d_y + p * stride + coefficient(c, 0, 0);
        const T d = d_increment[p * Channels + c];
        d_u[-1] = d;
        for_each(p, [&](std::size_t n, std::size_t at) {
          d_u[n] = d * zeta[at];
          d_zeta[at] += d * u[n];
        });
      }
  }

  template <class T>
  static void tangent(const T* y, const T* d_y, std::size_t stride, const T* zeta, const T* d_zeta,
                      T* d_increment) {
    for (std::size_t p = 0; p < points; ++p)
      for (std::size_t c = 0; c < Channels; ++c) {
        const T* const u = y + p * stride + coefficient(c, 0, 0);
        const T* const d_u = d_y + p * stride + coefficient(c, 0, 0);
        T sum = d_u[-1];
        for_each(p, [&](std::size_t n, std::size_t at) {
          sum += d_u[n] * zeta[at] + u[n] * d_zeta[at];
        });
        d_increment[p * Channels + c] = sum;
      }
  }

  /// Initial biases: 0.2 on the diagonal of U.
  template <class Real>
  static void initialise(Real* bias) {
    for (std::size_t c = 0; c < Channels; ++c) bias[coefficient(c, window / 2, c)] = Real(0.2);
  }

 private:
  /// use(j · Channels + c', tap(p, j) · Channels + c') for all j and c'.
  template <class Use>
  static void for_each(std::size_t p, const Use& use) {
    const auto tap = Taps::tap();
    for (std::size_t j = 0; j < window; ++j) {
      const std::size_t q = tap(p, j);
      for (std::size_t of = 0; of < Channels; ++of) use(j * Channels + of, q * Channels + of);
    }
  }
};

}  // namespace dan
