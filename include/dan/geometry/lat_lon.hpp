// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>

#include "dan/core/error.hpp"
#include "dan/geometry/corner.hpp"

namespace dan {

/// Where the rows of a grid on the sphere are.
enum class Latitudes {
  equidistant,  ///< 90° − (row + ½) 180° / rows
  gaussian      ///< the sines of the latitudes are the zeros of the Legendre polynomial P_rows
};

/// A grid on the sphere of `Rows` latitudes, from north to south, × `Columns` equidistant
/// longitudes from 0° to the east; point (r, c) is r · Columns + c. Positions are (latitude,
/// longitude) in degrees.
///
/// Tap k of a stencil is row k / width, column k % width of a square around the point. Across a
/// pole the neighbour is half a turn of longitude away in the row next to the pole, and what is a
/// component of a vector changes its sign (`crosses` says where). Areas are the integrals over
/// latitude bands, for Gaussian latitudes the quadrature weights. Source of the Gaussian nodes:
/// Newton's method on P_n, Abramowitz and Stegun (1964) 25.4.29.
template <std::size_t Rows, std::size_t Columns, Latitudes Kind = Latitudes::equidistant>
struct LatLon {
  static_assert(Columns % 2 == 0, "LatLon: half a turn must be a whole number of columns");
  static constexpr std::size_t rows = Rows, columns = Columns;
  static constexpr std::size_t points = Rows * Columns, dimensions = 2;
  static constexpr bool in_rings = true;
  /// Whether sums with the areas are the integrals of harmonics of degree below 2 · Rows.
  static constexpr bool quadrature = Kind == Latitudes::gaussian;

  static constexpr bool fits(std::size_t width) { return width <= Columns && width / 2 < Rows; }
  static constexpr std::size_t taps(std::size_t width) { return width * width; }
  static constexpr std::size_t tap(std::size_t p, std::size_t k, std::size_t width) {
    const std::size_t half = width / 2, at = p / Columns + k / width;  // the row is at − half
    std::size_t column = p % Columns + k % width + Columns - half, row = at - half;
    if (at < half) row = half - 1 - at, column += Columns / 2;
    if (at >= half && row >= Rows) row = 2 * Rows - 1 - row, column += Columns / 2;
    return row * Columns + column % Columns;
  }
  /// Whether that tap lies across a pole.
  static constexpr bool crosses(std::size_t p, std::size_t k, std::size_t width) {
    const std::size_t at = p / Columns + k / width;
    return at < width / 2 || at - width / 2 >= Rows;
  }
  /// Across a pole, both ways go towards it; to the east and back is to the west.
  static constexpr std::size_t back(std::size_t p, std::size_t k, std::size_t width) {
    const std::size_t row = k / width, column = width - 1 - k % width;
    return (crosses(p, k, width) ? row : width - 1 - row) * width + column;
  }

  static std::array<double, 2> position(std::size_t p) {
    return {latitude(p / Columns), static_cast<double>(p % Columns) * 360 / Columns};
  }
  /// Of row `row`, in degrees.
  static double latitude(std::size_t row) { return table().latitude[row]; }
  /// The sine of that latitude.
  static double sine(std::size_t row) { return table().sine[row]; }
  /// Along the great circle, in grid steps of the equator.
  static double distance_between(const std::array<double, 2>& from,
                                 const std::array<double, 2>& to) {
    const double a = radians(from[0]), b = radians(to[0]);
    const double c = radians(to[1] - from[1]);
    // The haversine form keeps its digits at small distances.
    const double h = std::pow(std::sin((b - a) / 2), 2) +
                     std::cos(a) * std::cos(b) * std::pow(std::sin(c / 2), 2);
    return 2 * std::asin(std::min(1.0, std::sqrt(h))) * Columns / (2 * std::numbers::pi);
  }
  static double distance(std::size_t p, const std::array<double, 2>& to) {
    return distance_between(position(p), to);
  }
  /// What a network that `sees_place` is shown of a point: the sine of its latitude.
  static std::array<double, 1> marks(std::size_t p) { return {sine(p / Columns)}; }
  static double area(std::size_t p) { return table().weight[p / Columns]; }

  static constexpr std::size_t corners = 4;
  /// Bilinear interpolation in latitude and longitude, across a pole too; of vectors see
  /// geometry/vector_channels.hpp. Throws ConfigError unless −90 ≤ latitude ≤ 90 and 0 ≤ longitude
  ///  < 360.
  static std::array<Corner, 4> corners_of(const std::array<double, 2>& position) {
    const auto [degrees, longitude] = position;
    if (!(degrees >= -90 && degrees <= 90 && longitude >= 0 && longitude < 360))
      throw ConfigError(to_text("LatLon::corners_of: position is (", degrees, ", ", longitude,
                                "), expected a latitude from -90 to 90 and a longitude from 0 to "
                                "below 360"));
    std::size_t below = 0;  // first row to the south
    while (below < Rows && latitude(below) > degrees) ++below;
    const double column = longitude * Columns / 360;
    // A row is a latitude and a shift of half a turn if it lies across a pole.
    const double north = below == 0 ? 180 - latitude(0) : latitude(below - 1);
    const double south = below == Rows ? -180 - latitude(Rows - 1) : latitude(below);
    const double part = (north - degrees) / (north - south);
    const auto row = [&](std::size_t r, bool across, double weight, Corner* to) {
      const auto first = static_cast<std::size_t>(column);
      const double right = column - static_cast<double>(first);
      const std::size_t shift = across ? Columns / 2 : 0;
      to[0] = {r * Columns + (first + shift) % Columns, weight * (1 - right), across};
      to[1] = {r * Columns + (first + 1 + shift) % Columns, weight * right, across};
    };
    std::array<Corner, 4> all;
    row(below == 0 ? 0 : below - 1, below == 0, 1 - part, &all[0]);
    row(below == Rows ? Rows - 1 : below, below == Rows, part, &all[2]);
    return all;
  }
  /// A position that is uniform on the sphere where both numbers are in (0, 1).
  static std::array<double, 2> at_random(const std::array<double, 2>& uniform) {
    return {std::asin(2 * uniform[0] - 1) * 180 / std::numbers::pi, 360 * uniform[1]};
  }

 private:
  static constexpr double radians(double degrees) { return degrees * std::numbers::pi / 180; }
  struct Table {
    std::array<double, Rows> latitude, sine, weight;  ///< weights: mean one
  };
  static const Table& table() {
    static const Table made = make_table();
    return made;
  }
  static Table make_table() {
    Table t;
    constexpr double pi = std::numbers::pi;
    for (std::size_t r = 0; r < Rows; ++r) {
      if constexpr (Kind == Latitudes::equidistant) {
        const double step = pi / Rows, top = pi / 2 - static_cast<double>(r) * step;
        t.latitude[r] = (top - step / 2) * 180 / pi;
        t.sine[r] = std::sin(top - step / 2);
        t.weight[r] = (std::sin(top) - std::sin(top - step)) * Rows / 2;
      } else {
        double z = std::cos(pi * (static_cast<double>(r) + 0.75) / (Rows + 0.5)), slope = 0;
        for (int iteration = 0; iteration < 100; ++iteration) {
          double p = 1, before = 0;
          for (std::size_t n = 1; n <= Rows; ++n) {
            const auto k = static_cast<double>(n);
            const double next = ((2 * k - 1) * z * p - (k - 1) * before) / k;
            before = p, p = next;
          }
          slope = Rows * (z * p - before) / (z * z - 1);
          const double step = p / slope;
          z -= step;
          if (std::abs(step) < 1e-15) break;
        }
        t.latitude[r] = std::asin(z) * 180 / pi;
        t.sine[r] = z;
        t.weight[r] = Rows / ((1 - z * z) * slope * slope);
      }
    }
    return t;
  }
};

}  // namespace dan
