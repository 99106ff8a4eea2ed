// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <string>

#include "dan/core/error.hpp"
#include "dan/core/simd.hpp"
#include "dan/geometry/ring.hpp"

namespace dan {

/// The Lorenz 96 model on a ring of `Points` variables.
///
/// dx_i/dt = (x_{i+1} − x_{i−2}) x_{i−1} − x_i + F, indices modulo Points.
/// States: Points elements of T, contiguous, nondimensional (a time unit is often read as 5 days).
/// Cost: 4 flops per point. `forcing` F = 8 is chaotic.
/// Source: Lorenz and Emanuel, J. Atmos. Sci. 55 (1998) 399–414, equation 1.
template <std::size_t Points>
struct Lorenz96 {
  using Geometry = Ring<Points>;
  static_assert(Points >= 4, "Lorenz96: its stencil needs at least 4 points");
  static constexpr std::size_t points = Points, channels = 1;

  double forcing = 8;

  /// In words.
  [[nodiscard]] std::string describe() const {
    return to_text("Lorenz 96 of ", Points, " variables, forcing ", forcing);
  }

  /// dxdt = f(x); the arrays must not overlap.
  template <class T>
  void tendency(const T* x, T* dxdt) const {
    const T f(static_cast<real_t<T>>(forcing));
    on_ring([&](std::size_t i, std::size_t m2, std::size_t m1, std::size_t p1) {
      dxdt[i] = (x[p1] - x[m2]) * x[m1] - x[i] + f;
    });
  }

  /// d_tendency = f'(x) dx.
  template <class T>
  void tendency_tangent(const T* x, const T* dx, T* d_tendency) const {
    on_ring([&](std::size_t i, std::size_t m2, std::size_t m1, std::size_t p1) {
      d_tendency[i] = (dx[p1] - dx[m2]) * x[m1] + (x[p1] - x[m2]) * dx[m1] - dx[i];
    });
  }

  /// d_x += f'(x)ᵀ d_tendency.
  template <class T>
  void tendency_adjoint(const T* x, const T* d_tendency, T* d_x) const {
    on_ring([&](std::size_t i, std::size_t m2, std::size_t m1, std::size_t p1) {
      const T d = d_tendency[i];
      d_x[p1] += x[m1] * d;
      d_x[m2] -= x[m1] * d;
      d_x[m1] += (x[p1] - x[m2]) * d;
      d_x[i] -= d;
    });
  }

 private:
  /// use(i, i−2, i−1, i+1) for every point; the wrapped indices apart, so that the rest is a
  /// plain loop.
  template <class Use>
  static void on_ring(const Use& use) {
    use(0, Points - 2, Points - 1, 1);
    use(1, Points - 1, 0, 2);
    for (std::size_t i = 2; i + 1 < Points; ++i) use(i, i - 2, i - 1, i + 1);
    use(Points - 1, Points - 3, Points - 2, 0);
  }
};

}  // namespace dan
