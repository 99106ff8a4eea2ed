// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>

#include "dan/core/simd.hpp"
#include "dan/network/shape.hpp"

namespace dan {

/// What an analysis network is shown at each point: a scaled copy of its input.
///
/// Input, one contiguous array: x^f (members × points × channels), z (points × channels), with
/// `sees_precision` s² p (points × channels), memory (points × memory). Features: points × `count`;
/// per point (x^f − mean)/deviation of every member and channel (unless not `sees_forecast`), z,
/// s² p, memory.
template <NetworkShape Shape, std::size_t Points, std::size_t Channels>
struct Features {
  static constexpr std::size_t points = Points, members = Shape.members, memory = Shape.memory;
  static constexpr std::size_t size = Points * Channels;
  /// Where ζ, the precision and the memory begin in the input.
  static constexpr std::size_t zeta_at = members * size, precision_at = zeta_at + size;
  static constexpr std::size_t memory_at = precision_at + (Shape.sees_precision ? size : 0);
  static constexpr std::size_t inputs = memory_at + points * memory;
  static constexpr std::size_t count =
      ((Shape.sees_forecast ? members : 0) + (Shape.sees_precision ? 2 : 1)) * Channels + memory;
  static constexpr std::size_t outputs = points * count;

  std::array<double, Channels> mean{}, deviation{};  ///< of the state, by channel

  template <class T>
  void forward(const T* in, T* x) const {
    for_each<T>([&](std::size_t feature, std::size_t input, const T& scale) {
      const double origin = input < zeta_at ? mean[input % Channels] : 0;
      x[feature] = scale * (in[input] - T(static_cast<real_t<T>>(origin)));
    });
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
  }

 private:
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
      for (std::size_t j = 0; j < memory; ++j) use(f++, memory_at + p * memory + j, one);
    }
  }
};

}  // namespace dan
