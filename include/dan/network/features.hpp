// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>
#include <tuple>

#include "dan/core/scalar.hpp"
#include "dan/core/simd.hpp"
#include "dan/network/shape.hpp"

namespace dan {

/// What an analysis network is shown at each point: a scaled copy of its input.
///
/// Input, one contiguous array: x^f (members × points × channels), z (points × channels), with
/// `sees_precision` s² p (points × channels), with `sees_scales` the logarithms of the scales
/// (2 × points × channels: errors of observations, change in one cycle), memory (points × memory).
/// Features: points × `count`; per point (x^f − mean)/deviation of every member and channel (unless
/// not `sees_forecast`), z, s² p, scales, memory, and with `sees_place` the geometry's marks of the
/// point.
template <NetworkShape Shape, class Geometry, std::size_t Channels>
struct Features {
  static constexpr std::size_t points = Geometry::points;
  static constexpr std::size_t members = Shape.members, memory = Shape.memory;
  static constexpr std::size_t size = points * Channels;
  static constexpr std::size_t marks = [] {
    if constexpr (Shape.sees_place) {
      static_assert(
          requires { Geometry::marks(0); },
          "Features: this geometry does not say where its points differ, so sees_place must be "
          "false; or derive one of yours from it, with `static std::array<double, N> marks(p)`");
      return std::tuple_size_v<decltype(Geometry::marks(0))>;
    }
    return std::size_t{0};
  }();
  /// Where ζ, the precision, the scales and the memory begin in the input.
  static constexpr std::size_t zeta_at = members * size, precision_at = zeta_at + size;
  static constexpr std::size_t scales_at = precision_at + (Shape.sees_precision ? size : 0);
  static constexpr std::size_t memory_at = scales_at + (Shape.sees_scales ? 2 * size : 0);
  static constexpr std::size_t inputs = memory_at + points * memory;
  static constexpr std::size_t count =
      ((Shape.sees_forecast ? members : 0) + 1 + (Shape.sees_precision ? 1 : 0) +
       (Shape.sees_scales ? 2 : 0)) *
          Channels +
      memory + marks;
  static constexpr std::size_t outputs = points * count;

  std::array<double, Channels> mean{}, deviation{};  ///< of the state, by channel

  template <class T>
  void forward(const T* in, T* x) const {
    for_each<T>([&](std::size_t feature, std::size_t input, const T& scale) {
      const double origin = input < zeta_at ? mean[input % Channels] : 0;
      x[feature] = scale * (in[input] - T(static_cast<real_t<T>>(origin)));
    });
    for_each_mark([&](std::size_t feature, double mark) { x[feature] = constant<T>(mark); });
  }
  /// d_in += the gradient.
  template <class T>
  void backward(const T* d_x, T* d_in) const {
    for_each<T>([&](std::size_t feature, std::size_t input, const T& scale) {
      d_in[input] += scale * d_x[feature];
    });
  }
  template <class T>
  void tangent(const T* d_in, T* d_x) const {
    for_each<T>([&](std::size_t feature, std::size_t input, const T& scale) {
      d_x[feature] = scale * d_in[input];
    });
    for_each_mark([&](std::size_t feature, double) { d_x[feature] = constant<T>(0); });
  }

 private:
  /// use(feature index, mark) for every mark of every point.
  template <class Use>
  static void for_each_mark(const Use& use) {
    if constexpr (marks > 0)
      for (std::size_t p = 0; p < points; ++p) {
        const auto mark = Geometry::marks(p);
        for (std::size_t n = 0; n < marks; ++n) use((p + 1) * count - marks + n, mark[n]);
      }
  }
  /// use(feature index, input index, scale) for every feature.
  template <class T, class Use>
  void for_each(const Use& use) const {
    using Real = real_t<T>;
    const T one(Real(1));
    for (std::size_t p = 0; p < points; ++p) {
      std::size_t f = p * count;
      if constexpr (Shape.sees_forecast)
        for (std::size_t m = 0; m < members; ++m)
          for (std::size_t c = 0; c < Channels; ++c)
            use(f++, m * size + p * Channels + c, T(static_cast<Real>(1 / deviation[c])));
      for (std::size_t c = 0; c < Channels; ++c) use(f++, zeta_at + p * Channels + c, one);
      for (std::size_t c = 0; c < Channels && Shape.sees_precision; ++c)
        use(f++, precision_at + p * Channels + c, one);
      for (std::size_t n = 0; n < 2 && Shape.sees_scales; ++n)
        for (std::size_t c = 0; c < Channels; ++c)
          use(f++, scales_at + n * size + p * Channels + c, one);
      for (std::size_t j = 0; j < memory; ++j) use(f++, memory_at + p * memory + j, one);
    }
  }
};

}  // namespace dan
