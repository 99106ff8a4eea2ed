// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <string>

#include "dan/core/error.hpp"
#include "dan/core/simd.hpp"
#include "dan/geometry/ring.hpp"

namespace dan {

/// The Lorenz 63 model: three variables, the smallest chaotic benchmark.
///
/// dx/dt = σ (y − x), dy/dt = x (ρ − z) − y, dz/dt = x y − β z.
/// States: one point with the channels (x, y, z), contiguous, nondimensional.
/// Source: Lorenz, J. Atmos. Sci. 20 (1963) 130–141, equations 25–27.
struct Lorenz63 {
  using Geometry = Ring<1>;
  static constexpr std::size_t points = 1, channels = 3;

  double sigma = 10, rho = 28, beta = 8.0 / 3.0;

  /// In words.
  [[nodiscard]] std::string describe() const {
    return to_text("Lorenz 63, sigma ", sigma, ", rho ", rho, ", beta ", beta);
  }

  /// dxdt = f(x); the arrays must not overlap.
  template <class T>
  void tendency(const T* x, T* dxdt) const {
    using Real = real_t<T>;
    const Real s = static_cast<Real>(sigma), r = static_cast<Real>(rho),
               b = static_cast<Real>(beta);
    dxdt[0] = s * (x[1] - x[0]);
    dxdt[1] = x[0] * (r - x[2]) - x[1];
    dxdt[2] = x[0] * x[1] - b * x[2];
  }

  /// d_tendency = f'(x) dx.
  template <class T>
  void tendency_tangent(const T* x, const T* dx, T* d_tendency) const {
    using Real = real_t<T>;
    const Real s = static_cast<Real>(sigma), r = static_cast<Real>(rho),
               b = static_cast<Real>(beta);
    d_tendency[0] = s * (dx[1] - dx[0]);
    d_tendency[1] = dx[0] * (r - x[2]) - x[0] * dx[2] - dx[1];
    d_tendency[2] = dx[0] * x[1] + x[0] * dx[1] - b * dx[2];
  }

  /// d_x += f'(x)ᵀ d_tendency.
  template <class T>
  void tendency_adjoint(const T* x, const T* d_tendency, T* d_x) const {
    using Real = real_t<T>;
    const Real s = static_cast<Real>(sigma), r = static_cast<Real>(rho),
               b = static_cast<Real>(beta);
    const T d0 = d_tendency[0], d1 = d_tendency[1], d2 = d_tendency[2];
    d_x[0] += (r - x[2]) * d1 + x[1] * d2 - s * d0;
    d_x[1] += s * d0 - d1 + x[0] * d2;
    d_x[2] -= x[0] * d1 + b * d2;
  }
};

}  // namespace dan
