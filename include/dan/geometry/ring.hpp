// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>

namespace dan {

/// Points on a ring: the neighbours of a convolution wrap around.
///
/// A geometry says which points are the taps of point p: `tap(p, k, kernel)` for k < kernel, and
/// the reverse, `tap_source(q, k, kernel)`: the point whose k-th tap is q. The gain head needs the
/// tap kernel − 1 − k of the k-th tap of p to be p.
template <std::size_t Points>
struct Ring {
  static constexpr std::size_t points = Points;

  /// p + k − (kernel − 1)/2, modulo Points.
  static constexpr std::size_t tap(std::size_t p, std::size_t k, std::size_t kernel) {
    const std::size_t shifted = p + k + Points - kernel / 2;
    return shifted >= 2 * Points ? shifted - 2 * Points
                                 : (shifted >= Points ? shifted - Points : shifted);
  }
  /// q − k + (kernel − 1)/2, modulo Points.
  static constexpr std::size_t tap_source(std::size_t q, std::size_t k, std::size_t kernel) {
    return tap(q, kernel - 1 - k, kernel);
  }
};

}  // namespace dan
