// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

#include "dan/core/error.hpp"
#include "dan/core/random.hpp"

namespace dan {

/// Observes a fixed subset of the state: y_j = x_{elements[j]}.
///
/// States: Points · Channels elements of T; observations: Slots elements of T.
template <std::size_t Points, std::size_t Slots, std::size_t Channels = 1>
class ObserveSubset {
 public:
  static_assert(Slots > 0 && Slots <= Points * Channels,
                "ObserveSubset: Slots must lie between 1 and the number of state elements");
  static constexpr std::size_t points = Points, channels = Channels, slots = Slots;
  static constexpr bool linear = true;

  /// Every (Points · Channels / Slots)-th element, from the first one.
  ObserveSubset() {
    for (std::size_t j = 0; j < Slots; ++j) elements_[j] = j * (Points * Channels) / Slots;
  }
  /// The given elements p · Channels + c; throws ConfigError if one is out of range.
  explicit ObserveSubset(const std::array<std::size_t, Slots>& elements) : elements_(elements) {
    for (const auto e : elements)
      if (e >= Points * Channels)
        throw ConfigError(to_text("ObserveSubset: element ", e,
                                  " is outside the state, expected 0 to ", Points * Channels - 1));
  }

  /// In words.
  [[nodiscard]] std::string describe() const {
    return to_text(Slots, " of ", Points * Channels, " numbers observed, always the same");
  }
  [[nodiscard]] const std::array<std::size_t, Slots>& elements() const { return elements_; }
  [[nodiscard]] std::size_t element(std::size_t slot) const { return elements_[slot]; }

  /// y_j = x_{elements[j]}.
  template <class T>
  void observe(const T* x, T* y) const {
    for (std::size_t j = 0; j < Slots; ++j) y[j] = x[elements_[j]];
  }
  /// dy_j = dx_{elements[j]}.
  template <class T>
  void observe_tangent(const T*, const T* dx, T* dy) const {
    observe(dx, dy);
  }
  /// d_x_{elements[j]} += d_y_j.
  template <class T>
  void observe_adjoint(const T*, const T* d_y, T* d_x) const {
    for (std::size_t j = 0; j < Slots; ++j) d_x[elements_[j]] += d_y[j];
  }
  /// Every slot reports in every cycle.
  void available(const RandomKey&, bool* mask) const { std::fill_n(mask, Slots, true); }

 private:
  std::array<std::size_t, Slots> elements_{};
};

}  // namespace dan
