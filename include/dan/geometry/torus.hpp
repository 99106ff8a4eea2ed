// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cmath>
#include <cstddef>

#include "dan/core/error.hpp"
#include "dan/geometry/corner.hpp"
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
  static constexpr bool periodic = true, in_rings = true;

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
    const std::size_t row = p / Columns, column = p % Columns;
    return {static_cast<double>(row), static_cast<double>(column)};
  }
  /// The shortest way around, in grid steps.
  static double distance_between(const std::array<double, 2>& a, const std::array<double, 2>& b) {
    return std::hypot(Ring<Rows>::distance_between({a[0]}, {b[0]}),
                      Ring<Columns>::distance_between({a[1]}, {b[1]}));
  }
  static double distance(std::size_t p, const std::array<double, 2>& to) {
    return distance_between(position(p), to);
  }
  static double area(std::size_t) { return 1; }

  static constexpr std::size_t corners = 4;
  /// Bilinear interpolation; throws ConfigError unless 0 ≤ row < Rows and 0 ≤ column < Columns.
  static std::array<Corner, 4> corners_of(const std::array<double, 2>& position) {
    if (!(position[0] >= 0 && position[0] < Rows && position[1] >= 0 && position[1] < Columns))
      throw ConfigError(to_text("Torus::corners_of: position is (", position[0], ", ", position[1],
                                "), expected numbers from 0 to below (", Rows, ", ", Columns, ")"));
    std::array<Corner, 4> all;
    const auto along = Ring<Rows>::corners_of({position[0]});
    const auto across = Ring<Columns>::corners_of({position[1]});
    for (std::size_t n = 0; n < 4; ++n)
      all[n] = {along[n / 2].point * Columns + across[n % 2].point,
                along[n / 2].weight * across[n % 2].weight};
    return all;
  }
  /// A position that is uniform in the domain where both numbers are in (0, 1).
  static std::array<double, 2> at_random(const std::array<double, 2>& uniform) {
    return {uniform[0] * Rows, uniform[1] * Columns};
  }
};

}  // namespace dan
