// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <limits>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/tensor.hpp"

namespace dan {

/// Which share of what the columns of A hold lies in the span of the first n columns of Q:
///   share(n) = ‖Q_nᵀ A‖² / ‖A‖²  (Frobenius), n = 0 … columns of Q.
///
/// `basis` Q: size × N with orthonormal columns, backward Lyapunov vectors say; with n the number
/// of exponents from zero it is the share in the unstable and neutral subspace, which covariant
/// vectors span as well. `columns` A: size × any: an increment, an error, the anomalies X of an
/// ensemble; of these it is tr(Q_nᵀ P Q_n) / tr P, P = X Xᵀ. A random direction has n / size.
/// N + 1 numbers, ascending from 0, in A's units; not a number if A is zero. Throws ShapeError if
/// the rows differ. Cost: 2 size · N flops per column.
/// Source of the use: Bocquet and Carrassi, Tellus A 69 (2017) 1304504.
[[nodiscard]] inline std::vector<double> alignment(const Matrix& basis, const Matrix& columns) {
  const std::size_t size = basis.shape()[0], count = basis.shape()[1];
  require_size("alignment", "columns", columns.shape()[0], size, "row of the basis");
  std::vector<double> share(count + 1);
  double energy = 0;
  for (std::size_t j = 0; j < columns.shape()[1]; ++j) {
    std::vector<double> part(count);
    for (std::size_t i = 0; i < size; ++i) {
      const double a = columns(i, j);
      energy += a * a;
      for (std::size_t k = 0; k < count; ++k) part[k] += basis(i, k) * a;
    }
    for (std::size_t k = 0; k < count; ++k) share[k + 1] += part[k] * part[k];
  }
  for (std::size_t k = 0; k < count; ++k) share[k + 1] += share[k];
  for (double& s : share) s = energy > 0 ? s / energy : std::numeric_limits<double>::quiet_NaN();
  return share;
}

/// The same of a covariance P (size × size): share(n) = tr(Q_nᵀ P Q_n) / tr P.
[[nodiscard]] inline std::vector<double> alignment_of_covariance(const Matrix& basis,
                                                                 const Matrix& covariance) {
  const std::size_t size = basis.shape()[0], count = basis.shape()[1];
  for (const std::size_t side : covariance.shape())
    require_size("alignment_of_covariance", "covariance", side, size, "row of the basis");
  std::vector<double> share(count + 1);
  double trace = 0;
  for (std::size_t i = 0; i < size; ++i) {
    trace += covariance(i, i);
    for (std::size_t j = 0; j < size; ++j)
      for (std::size_t k = 0; k < count; ++k)
        share[k + 1] += basis(i, k) * covariance(i, j) * basis(j, k);
  }
  for (std::size_t k = 0; k < count; ++k) share[k + 1] += share[k];
  for (double& s : share) s = trace > 0 ? s / trace : std::numeric_limits<double>::quiet_NaN();
  return share;
}

}  // namespace dan
