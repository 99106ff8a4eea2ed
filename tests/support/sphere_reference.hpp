// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "dan/geometry/lat_lon.hpp"
#include "dan/io/npy.hpp"
#include "dan/transform/spherical_harmonics.hpp"

namespace dan::test {

/// The reference arrays of quasi-geostrophic flow at T21 on 32 × 64 points, in our order.
///
/// They are (time,) level, (part,) row or degree, column or order. Their row 0 is the south, and
/// their degrees are those of the sphere seen in a mirror: the coefficient of degree l and order m
/// has the sign (−1)^{l+m}. Ours of m > 0 are √2 as large.
class SphereReference {
 public:
  using Harmonics = SphericalHarmonics<21, LatLon<32, 64, Latitudes::gaussian>>;
  static constexpr std::size_t degrees = 22, rows = 32, columns = 64;

  explicit SphereReference(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Coefficients of `name`: block `time` · 3 + `level` of it.
  template <std::size_t Rank = 5>
  [[nodiscard]] std::vector<double> spectral(const std::string& name, std::size_t time,
                                             std::size_t level) const {
    const auto all = numbers<Rank>(name);
    const std::size_t block = degrees * degrees, at = (time * 3 + level) * 2 * block;
    std::vector<double> out(Harmonics::coefficients);
    for (std::size_t l = 0; l < degrees; ++l)
      for (std::size_t m = 0; m <= l; ++m) {
        const double sign = (l + m) % 2 == 0 ? 1 : -1, scale = m == 0 ? 1 : std::numbers::sqrt2;
        out[Harmonics::index(l, m)] = sign * scale * all[at + l * degrees + m];
        if (m > 0)
          out[Harmonics::index(l, m, true)] = sign * scale * all[at + block + l * degrees + m];
      }
    return out;
  }
  /// A field of `name`, from north to south: block `block` of it.
  template <std::size_t Rank = 4>
  [[nodiscard]] std::vector<double> field(const std::string& name, std::size_t block) const {
    const auto all = numbers<Rank>(name);
    std::vector<double> out(rows * columns);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < columns; ++c)
        out[r * columns + c] = all[(block * rows + rows - 1 - r) * columns + c];
    return out;
  }
  template <std::size_t Rank>
  [[nodiscard]] std::vector<double> numbers(const std::string& name) const {
    const auto array = load_npy<Rank>(folder_ / (name + ".npy"));
    return {array.begin(), array.end()};
  }

  /// The largest difference between a field and that of the reference, as a share of the largest
  /// number of the latter.
  [[nodiscard]] double difference(const std::vector<double>& found, const std::string& name,
                                  std::size_t time, std::size_t level) const {
    return relative(found, field(name, time * 3 + level));
  }
  [[nodiscard]] static double relative(const std::vector<double>& found,
                                       const std::vector<double>& expected) {
    double most = 0, scale = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      most = std::max(most, std::abs(found[i] - expected[i]));
      scale = std::max(scale, std::abs(expected[i]));
    }
    return most / scale;
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace dan::test
