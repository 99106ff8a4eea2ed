// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cmath>
#include <cstddef>

#include "dan/geometry/ring.hpp"

namespace dan {

/// A grid of `Rows` × `Columns` points that is periodic in both directions; point (r, c) is
/// r · Columns + c. Positions are (row, column), in grid steps.
///
/// Tap k of a stencil is row k / width, column k % width of a square around the point.
template <std::size_t Rows, std::size_t Columns>
struct Torus {
  static constexpr std::size_t rows = Rows, columns = Columns;
  static constexpr std::size_t points = Rows * Columns, dimensions = 2;
  static constexpr bool periodic = true;

  static constexpr bool fits(std::size_t width) { return width <= Rows && width <= Columns; }
  static constexpr std::size_t taps(std::size_t width) { return width * width; }
  static constexpr std::size_t tap(std::size_t p, std::size_t k, std::size_t width) {
    return Ring<Rows>::tap(p / Columns, k / width, width) * Columns +
           Ring<Columns>::tap(p % Columns, k % width, width);
  }
  static constexpr std::size_t back(std::size_t, std::size_t k, std::size_t width) {
    return width * width - 1 - k;
  }

  static std::array<double, 2> position(std::size_t p) {
    return {static_cast<double>(p / Columns), static_cast<double>(p % Columns)};
  }
  /// The shortest way around, in grid steps.
  static double distance(std::size_t p, const std::array<double, 2>& position) {
    return std::hypot(Ring<Rows>::distance(p / Columns, {position[0]}),
                      Ring<Columns>::distance(p % Columns, {position[1]}));
  }
  static double area(std::size_t) { return 1; }
};

}  // namespace dan
