// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>

#include "dan/core/simd.hpp"

namespace dan {

/// The plain head: the last layer's output is the increment.
///
///   a_{p,c} = y_{p,c}.
/// A head is a type with static functions. `y` is the part of the last layer's output that is its
/// own: `per_point` numbers at every `stride`-th place, a point after the other; ζ and increments
/// are points × channels. `prepare` is a linear projection of y that is its own adjoint (here
/// none); `backward` overwrites d_y and accumulates into d_zeta. A new head is one file with these
/// functions and one line in `HeadOf` (analysis_network.hpp).
template <class Geometry, std::size_t Channels>
struct IncrementHead {
  static constexpr std::size_t points = Geometry::points;
  static constexpr std::size_t per_point = Channels;
  static constexpr std::size_t coefficients = 0;

  template <class T>
  static void prepare(T*, std::size_t) {}

  template <class T>
  static void forward(const T* y, std::size_t stride, const T*, T* increment) {
    for (std::size_t p = 0; p < points; ++p)
      for (std::size_t c = 0; c < Channels; ++c) increment[p * Channels + c] = y[p * stride + c];
  }

  template <class T>
  static void backward(const T*, std::size_t stride, const T*, const T* d_increment, T* d_y, T*) {
    for (std::size_t p = 0; p < points; ++p)
      for (std::size_t c = 0; c < Channels; ++c)
        d_y[p * stride + c] = d_increment[p * Channels + c];
  }

  template <class T>
  static void tangent(const T*, const T* d_y, std::size_t stride, const T*, const T*,
                      T* d_increment) {
    for (std::size_t p = 0; p < points; ++p)
      for (std::size_t c = 0; c < Channels; ++c)
        d_increment[p * Channels + c] = d_y[p * stride + c];
  }

  /// Initial biases: none.
  template <class Real>
  static void initialise(Real*) {}
};

}  // namespace dan
