// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "dan/core/error.hpp"
#include "dan/geometry/corner.hpp"

namespace dan {

/// Points on a line between two walls, a grid step apart and half a step from the walls; positions
/// are numbers from −½ to `Points` − ½.
///
/// Stencils are mirrored at the walls: the neighbour beyond the first point is the first point.
template <std::size_t Points>
struct Interval {
  static constexpr std::size_t points = Points, dimensions = 1;

  static constexpr bool fits(std::size_t width) { return width / 2 < Points; }
  static constexpr std::size_t taps(std::size_t width) { return width; }
  static constexpr std::size_t tap(std::size_t p, std::size_t k, std::size_t width) {
    const std::size_t at = p + k, half = width / 2;  // the point is at − half
    if (at < half) return half - 1 - at;
    return at - half < Points ? at - half : 2 * Points - 1 - (at - half);
  }
  /// Across a wall there and back go the same way.
  static constexpr std::size_t back(std::size_t p, std::size_t k, std::size_t width) {
    const std::size_t at = p + k, half = width / 2;
    return at < half || at - half >= Points ? k : width - 1 - k;
  }

  static std::array<double, 1> position(std::size_t p) { return {static_cast<double>(p)}; }
  static double distance_between(const std::array<double, 1>& a, const std::array<double, 1>& b) {
    return std::abs(a[0] - b[0]);
  }
  static double distance(std::size_t p, const std::array<double, 1>& to) {
    return distance_between(position(p), to);
  }
  static double area(std::size_t) { return 1; }

  static constexpr std::size_t corners = 2;
  /// Linear interpolation, constant beyond the outermost points; throws ConfigError unless
  /// −½ ≤ position ≤ Points − ½.
  static std::array<Corner, 2> corners_of(const std::array<double, 1>& position) {
    if (!(position[0] >= -0.5 && position[0] <= Points - 0.5))
      throw ConfigError(to_text("Interval::corners_of: position is ", position[0],
                                ", expected a number from -0.5 to ", Points - 0.5));
    const double inside = std::clamp(position[0], 0.0, static_cast<double>(Points - 1));
    const auto p = static_cast<std::size_t>(inside);
    const double part = inside - static_cast<double>(p);
    return {Corner{p, 1 - part}, Corner{std::min(p + 1, Points - 1), part}};
  }
  /// A position that is uniform in the domain where `uniform` is in (0, 1).
  static std::array<double, 1> at_random(const std::array<double, 1>& uniform) {
    return {uniform[0] * Points - 0.5};
  }
};

}  // namespace dan
