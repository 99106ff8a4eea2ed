// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "dan/core/error.hpp"
#include "dan/geometry/corner.hpp"

namespace dan {

/// Points on a ring, a grid step apart; positions are numbers from 0 to below `Points`.
template <std::size_t Points>
struct Ring {
  static constexpr std::size_t points = Points, dimensions = 1;
  static constexpr bool periodic = true, in_rings = true;

  static constexpr bool fits(std::size_t width) { return width <= Points; }
  static constexpr std::size_t taps(std::size_t width) { return width; }
  /// p + k − (width − 1)/2, modulo Points.
  static constexpr std::size_t tap(std::size_t p, std::size_t k, std::size_t width) {
    const std::size_t shifted = p + k + Points - width / 2;
    return shifted >= 2 * Points ? shifted - 2 * Points
                                 : (shifted >= Points ? shifted - Points : shifted);
  }
  static constexpr std::size_t back(std::size_t, std::size_t k, std::size_t width) {
    return width - 1 - k;
  }

  static std::array<double, 1> position(std::size_t p) { return {static_cast<double>(p)}; }
  /// The shorter way around, in grid steps.
  static double distance_between(const std::array<double, 1>& a, const std::array<double, 1>& b) {
    const double steps = std::abs(a[0] - b[0]);
    return std::min(steps, static_cast<double>(Points) - steps);
  }
  static double distance(std::size_t p, const std::array<double, 1>& to) {
    return distance_between(position(p), to);
  }
  static double area(std::size_t) { return 1; }

  static constexpr std::size_t corners = 2;
  /// Linear interpolation; throws ConfigError unless 0 ≤ position < Points.
  static std::array<Corner, 2> corners_of(const std::array<double, 1>& position) {
    if (!(position[0] >= 0 && position[0] < Points))
      throw ConfigError(to_text("Ring::corners_of: position is ", position[0],
                                ", expected a number from 0 to below ", Points));
    const auto p = static_cast<std::size_t>(position[0]);
    const double part = position[0] - static_cast<double>(p);
    return {Corner{p, 1 - part}, Corner{(p + 1) % Points, part}};
  }
  /// A position that is uniform in the domain where `uniform` is in (0, 1).
  static std::array<double, 1> at_random(const std::array<double, 1>& uniform) {
    return {uniform[0] * Points};
  }
};

}  // namespace dan
