// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <string>

#include "dan/core/error.hpp"
#include "dan/core/random.hpp"

namespace dan {

/// Observes every number of the state: H = I.
///
/// States and observations: Points · Channels elements of T, contiguous, slot i sees element i.
template <std::size_t Points, std::size_t Channels = 1>
struct ObserveAll {
  static constexpr std::size_t points = Points, channels = Channels, slots = Points * Channels;
  static constexpr bool linear = true;

  /// In words.
  [[nodiscard]] std::string describe() const { return to_text("all ", slots, " numbers observed"); }

  /// y = x.
  template <class T>
  void observe(const T* x, T* y) const {
    std::copy_n(x, slots, y);
  }
  /// dy = dx.
  template <class T>
  void observe_tangent(const T*, const T* dx, T* dy) const {
    std::copy_n(dx, slots, dy);
  }
  /// d_x += d_y.
  template <class T>
  void observe_adjoint(const T*, const T* d_y, T* d_x) const {
    for (std::size_t i = 0; i < slots; ++i) d_x[i] += d_y[i];
  }
  /// The element that a slot sees.
  [[nodiscard]] std::size_t element(std::size_t slot) const { return slot; }
  /// Every slot reports in every cycle.
  void available(const RandomKey&, bool* mask) const { std::fill_n(mask, slots, true); }
};

}  // namespace dan
