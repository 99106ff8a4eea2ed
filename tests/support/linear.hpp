// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>

#include "dan/core/random.hpp"
#include "dan/core/tensor.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/observations.hpp"
#include "dan/observe/subset.hpp"
#include "dan/problem/problem.hpp"

/// \file
/// A linear model and a nonlinear operator, on which methods can be held against formulas.

namespace dan::test {

/// A wave on a ring of 8 points, carried on and a little changed in every cycle: linear.
struct Advection {
  static constexpr std::size_t points = 8, channels = 1;
  static constexpr double behind = 0.7, here = 0.5, ahead = -0.15;

  template <class T>
  void step(const T* x, T* y) const {
    std::array<T, points> out;
    for (std::size_t i = 0; i < points; ++i)
      out[i] = T(behind) * x[(i + points - 1) % points] + T(here) * x[i] +
               T(ahead) * x[(i + 1) % points];
    std::ranges::copy(out, y);
  }
  template <class T>
  void step_tangent(const T*, const T* dx, T* dy) const {
    step(dx, dy);
  }
  template <class T>
  void step_adjoint(const T*, const T* d_y, T* d_x) const {
    for (std::size_t i = 0; i < points; ++i)
      d_x[i] += T(behind) * d_y[(i + 1) % points] + T(here) * d_y[i] +
                T(ahead) * d_y[(i + points - 1) % points];
  }

  /// M.
  [[nodiscard]] static Matrix matrix() {
    auto m = zero_tensor<double>(points, points);
    for (std::size_t i = 0; i < points; ++i) {
      m(i, (i + points - 1) % points) = behind;
      m(i, i) = here;
      m(i, (i + 1) % points) = ahead;
    }
    return m;
  }
};

/// The linear model with every second point observed.
using Linear = Problem<Advection, ObserveSubset<8, 4>>;

/// Observations of one cycle, with other silent slots in every cycle.
inline Observations<double, 4> linear_observations(std::size_t cycle) {
  Observations<double, 4> out;
  fill_normal<double>({.seed = 8, .cycle = cycle}, out.values.numbers());
  for (std::size_t j = 0; j < 4; ++j)
    out.precision[j] = (j + cycle) % 5 == 0 ? 0 : 1.0 + static_cast<double>(j);
  return out;
}

/// y_i = x_i + x_i² / 20: a nonlinear operator.
struct Curved : ObserveAll<8> {
  static constexpr bool linear = false;
  template <class T>
  void observe(const T* x, T* y) const {
    for (std::size_t i = 0; i < slots; ++i) y[i] = x[i] + T(0.05) * x[i] * x[i];
  }
  template <class T>
  void observe_tangent(const T* x, const T* dx, T* dy) const {
    for (std::size_t i = 0; i < slots; ++i) dy[i] = (T(1.0) + T(0.1) * x[i]) * dx[i];
  }
  template <class T>
  void observe_adjoint(const T* x, const T* d_y, T* d_x) const {
    for (std::size_t i = 0; i < slots; ++i) d_x[i] += (T(1.0) + T(0.1) * x[i]) * d_y[i];
  }
};

}  // namespace dan::test
