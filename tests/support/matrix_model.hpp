// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>

#include "dan/core/tensor.hpp"

namespace dan::test {

/// x(k + 1) = A x(k): a model whose exponents and vectors are known.
template <std::size_t N>
struct MatrixModel {
  static constexpr std::size_t points = N, channels = 1;
  std::array<std::array<double, N>, N> a{};

  template <class T>
  void step(const T* x, T* y) const {
    std::array<T, N> out;
    for (std::size_t i = 0; i < N; ++i) {
      out[i] = T(0.0);
      for (std::size_t j = 0; j < N; ++j) out[i] += T(a[i][j]) * x[j];
    }
    for (std::size_t i = 0; i < N; ++i) y[i] = out[i];
  }
  template <class T>
  void step_tangent(const T*, const T* dx, T* dy) const {
    step(dx, dy);
  }
  template <class T>
  void step_adjoint(const T*, const T* d_y, T* d_x) const {
    for (std::size_t i = 0; i < N; ++i)
      for (std::size_t j = 0; j < N; ++j) d_x[j] += T(a[i][j]) * d_y[i];
  }
};

}  // namespace dan::test
