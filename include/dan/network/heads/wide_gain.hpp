// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"
#include "dan/core/unrolled.hpp"
#include "dan/geometry/concepts.hpp"
#include "dan/network/heads/gain.hpp"

namespace dan {

/// A gain head that reaches far with few numbers: a sum of local symmetric gains, of which each
/// next one sees twice as far and half as sharp.
///
///   a = b + U_0 ζ + B_1 (U_1 B_1ᵀ ζ + B_2 (U_2 B_2ᵀ B_1ᵀ ζ + …)),
/// with U_s as that of `GainHead`, but with taps 2^s points apart, and B_s the smoothing with
/// weights (1, 2, 1)/4 in every direction, 2^(s−1) points apart: as in a wavelet transform without
/// decimation. Every U_s is symmetric, so the whole is. It reaches Radius · 2^(Levels−1) points
/// and 2^Levels − 2 more by the smoothing. Per point Channels × (1 + Levels × window × Channels)
/// numbers of the last layer, window that of one level. Cost: 2 · points · Channels² · window ·
/// Levels flops; memory: 2 · Levels states. There is no covariance of neighbours to be read from it
/// (`coefficients` is 0): a network with it has no spread, and no teacher of covariances. Source:
/// ours; the smoothing is that of Holschneider et al. (1989), à trous.
template <class Geometry, std::size_t Channels, std::size_t Radius, std::size_t Levels>
struct WideGainHead {
  static constexpr std::size_t points = Geometry::points, size = points * Channels;
  static constexpr std::size_t side = 2 * Radius + 1, window = Geometry::taps(side);
  static constexpr std::size_t per_element = 1 + Levels * window * Channels;
  static constexpr std::size_t per_point = Channels * per_element;
  static constexpr std::size_t coefficients = 0;

  template <std::size_t Level>
  using Gain = detail::Stencil<Geometry, side, (std::size_t{1} << Level)>;
  template <std::size_t Level>  // 1 and more
  using Smoothing = detail::Stencil<Geometry, 3, (std::size_t{1} << (Level - 1))>;
  static_assert(Geometry::fits(Gain<Levels - 1>::width),
                "WideGainHead: the last gain reaches around the domain; lower gain_radius or "
                "gain_levels");

  /// Where u_{p,c,j,c'} of a level stands in point p's numbers.
  static constexpr std::size_t coefficient(std::size_t level, std::size_t c, std::size_t j,
                                           std::size_t of) {
    return c * per_element + 1 + (level * window + j) * Channels + of;
  }

  /// Makes every U symmetric.
  template <class T>
  static void prepare(T* y, std::size_t stride) {
    detail::unrolled<Levels>([&](auto level) {
      detail::make_symmetric<Gain<level>, Channels>(
          y, points, stride, [level](std::size_t c, std::size_t j, std::size_t of) {
            return coefficient(level, c, j, of);
          });
    });
  }

  template <class T>
  static void forward(const T* y, std::size_t stride, const T* zeta, T* increment) {
    const Scratch<T> z = pyramid(zeta);
    sum_up(increment,
           [&](auto level, T* sum) { multiply<level>(y, stride, &z[level * size], sum); });
    add_bias(y, stride, increment);
  }

  template <class T>
  static void backward(const T* y, std::size_t stride, const T* zeta, const T* d_increment, T* d_y,
                       T* d_zeta) {
    const Scratch<T> z = pyramid(zeta), d = pyramid(d_increment);
    for (std::size_t p = 0; p < points; ++p)
      for (std::size_t c = 0; c < Channels; ++c)
        d_y[p * stride + c * per_element] = d_increment[p * Channels + c];
    Scratch<T> sum(size, Unset{});
    sum_up(sum.data(), [&](auto level, T* d_z) {
      for_each_tap<level>([&](std::size_t p, std::size_t c, std::size_t n, std::size_t at) {
        const T& own = d[level * size + p * Channels + c];
        d_y[p * stride + n] = own * z[level * size + at];
        d_z[at] += own * y[p * stride + n];
      });
    });
    for (std::size_t i = 0; i < size; ++i) d_zeta[i] += sum[i];
  }

  template <class T>
  static void tangent(const T* y, const T* d_y, std::size_t stride, const T* zeta, const T* d_zeta,
                      T* d_increment) {
    const Scratch<T> z = pyramid(zeta), d_z = pyramid(d_zeta);
    sum_up(d_increment, [&](auto level, T* sum) {
      multiply<level>(d_y, stride, &z[level * size], sum);
      multiply<level>(y, stride, &d_z[level * size], sum);
    });
    add_bias(d_y, stride, d_increment);
  }

  /// Initial biases: 0.2 on the diagonal of U_0.
  template <class Real>
  static void initialise(Real* bias) {
    for (std::size_t c = 0; c < Channels; ++c) bias[coefficient(0, c, window / 2, c)] = Real(0.2);
  }

 private:
  /// use(p, c, where u stands, element of ζ) for all of one level.
  template <std::size_t Level, class Use>
  static void for_each_tap(const Use& use) {
    const auto tap = Gain<Level>::tap();
    for (std::size_t p = 0; p < points; ++p)
      for (std::size_t j = 0; j < window; ++j) {
        const std::size_t q = tap(p, j);
        for (std::size_t c = 0; c < Channels; ++c)
          for (std::size_t of = 0; of < Channels; ++of)
            use(p, c, coefficient(Level, c, j, of), q * Channels + of);
      }
  }
  /// sum += U z.
  template <std::size_t Level, class T>
  static void multiply(const T* y, std::size_t stride, const T* z, T* sum) {
    for_each_tap<Level>([&](std::size_t p, std::size_t c, std::size_t n, std::size_t at) {
      sum[p * Channels + c] += y[p * stride + n] * z[at];
    });
  }
  template <class T>
  static void add_bias(const T* y, std::size_t stride, T* increment) {
    for (std::size_t p = 0; p < points; ++p)
      for (std::size_t c = 0; c < Channels; ++c)
        increment[p * Channels + c] += y[p * stride + c * per_element];
  }

  /// use(p, q, weight) for all taps of B.
  template <std::size_t Level, class Use>
  static void for_each_weight(const Use& use) {
    const auto tap = Smoothing<Level>::tap();
    constexpr double one_way[] = {0.25, 0.5, 0.25};
    for (std::size_t p = 0; p < points; ++p)
      for (std::size_t j = 0; j < Smoothing<Level>::taps; ++j)
        use(p, tap(p, j), Geometry::dimensions == 2 ? one_way[j / 3] * one_way[j % 3] : one_way[j]);
  }
  /// ζ, B_1ᵀ ζ, B_2ᵀ B_1ᵀ ζ, …
  template <class T>
  static Scratch<T> pyramid(const T* zeta) {
    Scratch<T> z(Levels * size);
    std::copy_n(zeta, size, z.data());
    detail::unrolled<Levels>([&](auto level) {
      if constexpr (level > 0)
        for_each_weight<level>([&](std::size_t p, std::size_t q, double w) {
          for (std::size_t c = 0; c < Channels; ++c)
            z[level * size + q * Channels + c] +=
                T(static_cast<real_t<T>>(w)) * z[(level - 1) * size + p * Channels + c];
        });
    });
    return z;
  }
  /// sum = r_0 + B_1 (r_1 + B_2 (r_2 + …)); add(level, r) adds r_level to what is there.
  template <class T, class Add>
  static void sum_up(T* sum, const Add& add) {
    Scratch<T> below(size, Unset{});
    std::fill_n(sum, size, constant<T>(0));
    detail::unrolled<Levels>([&](auto from_below) {
      constexpr std::integral_constant<std::size_t, Levels - 1 - from_below> level;
      add(level, sum);
      if constexpr (level > 0) {
        std::copy_n(sum, size, below.data());
        std::fill_n(sum, size, constant<T>(0));
        for_each_weight<level>([&](std::size_t p, std::size_t q, double w) {
          for (std::size_t c = 0; c < Channels; ++c)
            sum[p * Channels + c] += T(static_cast<real_t<T>>(w)) * below[q * Channels + c];
        });
      }
    });
  }
};

}  // namespace dan
