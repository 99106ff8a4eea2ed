// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/tensor.hpp"

namespace dan {

/// Makes the columns of A orthonormal, each within the span of itself and those before it:
/// A = Q R, A becomes Q, and the upper triangular R with a diagonal from zero is returned.
///
/// `a`: m × n, n ≤ m, overwritten. A column that depends on those before it has R_kk of zero (or
/// of the size of round-off), and Q completes the basis with some direction; the columns of Q are
/// orthonormal to round-off always. Throws ShapeError if n > m and NumericalError for a number
/// that is not finite. Cost: 4 m n² − 4/3 n³ flops, along rows. Memory: two matrices more.
/// Source: Golub and Van Loan, Matrix Computations (2013), algorithms 5.1.1, 5.2.1 and section
/// 5.1.6 (Householder).
inline Matrix orthonormalise(Matrix& a) {
  const std::size_t m = a.shape()[0], n = a.shape()[1];
  if (n > m)
    throw ShapeError(to_text("orthonormalise: the matrix has shape (", m, ", ", n,
                             "), expected at most as many columns as rows"));
  for (const double x : span_of(a))
    if (!std::isfinite(x))
      throw NumericalError("orthonormalise: the matrix holds a number that is not finite");
  auto r = zero_tensor<double>(n, n), q = zero_tensor<double>(m, n);
  std::vector<double> beta(n), row(n);
  const auto reflect = [&](std::size_t k, double* target, std::size_t from) {  // (I − β v vᵀ) of it
    std::fill(row.begin(), row.end(), 0.0);
    for (std::size_t i = k; i < m; ++i)
      for (std::size_t j = from; j < n; ++j) row[j] += a(i, k) * target[i * n + j];
    for (std::size_t i = k; i < m; ++i) {
      const double v = beta[k] * a(i, k);
      for (std::size_t j = from; j < n; ++j) target[i * n + j] -= v * row[j];
    }
  };
  for (std::size_t k = 0; k < n; ++k) {  // v of each reflection replaces its column
    double largest = 0, squares = 0;
    for (std::size_t i = k; i < m; ++i) largest = std::max(largest, std::abs(a(i, k)));
    if (largest == 0) continue;
    for (std::size_t i = k; i < m; ++i) squares += std::pow(a(i, k) / largest, 2);
    const double first = a(k, k) / largest, norm = std::copysign(std::sqrt(squares), first);
    for (std::size_t i = k; i < m; ++i) a(i, k) /= largest;
    a(k, k) += norm;
    beta[k] = 1 / (norm * (norm + first));
    r(k, k) = -norm * largest;
    reflect(k, a.data(), k + 1);
  }
  for (std::size_t k = 0; k < n; ++k)
    for (std::size_t j = k + 1; j < n; ++j) r(k, j) = a(k, j);
  for (std::size_t k = n; k-- > 0;) {
    q(k, k) = 1;
    reflect(k, q.data(), k);
  }
  for (std::size_t k = 0; k < n; ++k) {
    if (r(k, k) >= 0) continue;
    for (std::size_t j = k; j < n; ++j) r(k, j) = -r(k, j);
    for (std::size_t i = 0; i < m; ++i) q(i, k) = -q(i, k);
  }
  a = q;
  return r;
}

}  // namespace dan
