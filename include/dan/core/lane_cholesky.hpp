// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>

/// \file
/// Cholesky's factorisation A = L Lᵀ of a small symmetric positive definite matrix in every lane,
/// and the two solves with it; a lane whose matrix is not positive definite gets NaN.
///
/// Arrays: a and l n × n, row-major, of which only the lower triangle is used; x n elements.
/// Source: Golub and Van Loan, Matrix Computations (4th ed., 2013), sections 3.1 and 4.2.

namespace dan {

/// A ← L. Cost: n³/3 flops per lane.
template <class T>
void factorise_lanes(std::size_t n, T* a) {
  using std::sqrt;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      T sum = a[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
      a[i * n + j] = i == j ? sqrt(sum) : sum / a[j * n + j];
    }
}

/// x ← L⁻¹ x. Cost: n² flops per lane.
template <class T>
void divide_by_factor(std::size_t n, const T* l, T* x) {
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) x[i] -= l[i * n + k] * x[k];
    x[i] /= l[i * n + i];
  }
}

/// x ← L⁻ᵀ x. Cost: n² flops per lane.
template <class T>
void divide_by_transposed_factor(std::size_t n, const T* l, T* x) {
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) x[i] -= l[k * n + i] * x[k];
    x[i] /= l[i * n + i];
  }
}

}  // namespace dan
