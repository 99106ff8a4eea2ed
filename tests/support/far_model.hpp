// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>

#include "dan/core/simd.hpp"

namespace dan::test {

/// Points in pairs on circles far from the origin: every element has the mean 10⁸ and the standard
/// deviation 1. Any state is moved to the circle of its pair by the first step.
struct FarModel {
  static constexpr std::size_t points = 4, channels = 1;
  static constexpr double mean = 1e8;

  template <class T>
  void step(const T* x, T* y) const {
    for (std::size_t i = 0; i < points; i += 2)
      for (std::size_t l = 0; l < lanes_of<T>; ++l) {
        double a = static_cast<double>(lane_of(x[i], l));
        double b = static_cast<double>(lane_of(x[i + 1], l));
        if (a > mean / 2) a -= mean, b -= mean;
        const double angle = std::atan2(b, a) + 1;  // in radians: never the same again
        lane_of(y[i], l) = static_cast<real_t<T>>(mean + std::sqrt(2.0) * std::cos(angle));
        lane_of(y[i + 1], l) = static_cast<real_t<T>>(mean + std::sqrt(2.0) * std::sin(angle));
      }
  }
};

}  // namespace dan::test
