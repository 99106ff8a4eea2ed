// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"

namespace dan {

/// A matrix whose rows may differ by many orders of magnitude, and its singular values.
///
/// `reduce` turns [A | C] into Q [A | C], Q orthogonal, with the thin A = U diag(σ) Vᵀ in
///   Q A = diag(σ) Vᵀ,  Q C = Uᵀ C.
/// Rounding changes each row of [A | C] by parts of that row, as if it had been read with an error
/// of a few N ε: a row of size 1 keeps its digits beside one of size 1e10, which the eigenvalues of
/// AᵀA do not give it (they are right to ε of the largest). A row that follows from the larger
/// ones to N ε of its own size is taken to follow from them exactly.
/// Cost for N columns and more rows: 6 N² flops per row, and sweeps of about 6 N³, some six of
/// them. Memory: the matrix, allocated when it grows. Source: Powell and Reid, Proc. IFIP Congress
/// (1968) 122–126, and Cox and Higham, BIT 38 (1998) 60–84 (Householder's QR with rows and columns
/// exchanged); Demmel and Veselić, SIAM J. Matrix Anal. Appl. 13 (1992) 1204–1245 (one-sided
/// Jacobi).
class GradedRows {
 public:
  /// rows × (columns of A + columns of C) zeros.
  void resize(std::size_t rows, std::size_t columns, std::size_t carried) {
    rows_ = rows, columns_ = columns, width_ = columns + carried;
    matrix_.assign(rows_ * width_, 0.0);
    negligible_.resize(rows_);
    sum_.resize(width_);
  }

  /// Row i of [A | C].
  [[nodiscard]] double* row(std::size_t i) { return &matrix_[i * width_]; }

  /// See above; returns the rank of A: so many first rows, σ descending, are the result, the others
  /// nothing. Throws NumericalError if the iteration does not end.
  std::size_t reduce() {
    const std::size_t rank = eliminate();
    orthogonalise(rank);
    return rank;
  }

 private:
  static constexpr double epsilon = std::numeric_limits<double>::epsilon();

  /// x·y of the columns of A.
  [[nodiscard]] double dot(const double* x, const double* y) const {
    double sum = 0;
    for (std::size_t c = 0; c < columns_; ++c) sum += x[c] * y[c];
    return sum;
  }

  void exchange(std::size_t i, std::size_t j) {
    if (i != j) std::swap_ranges(row(i), row(i) + width_, row(j));
  }

  /// The column in which the rows from `first` on have the largest norm; the norm.
  [[nodiscard]] std::size_t pivot(std::size_t first, double& norm) {
    std::fill_n(sum_.begin(), columns_, 0.0);
    for (std::size_t j = first; j < rows_; ++j)
      for (std::size_t c = 0; c < columns_; ++c) sum_[c] += row(j)[c] * row(j)[c];
    const auto largest = std::max_element(sum_.begin(), sum_.begin() + std::ptrdiff_t(columns_));
    norm = std::sqrt(*largest);
    return static_cast<std::size_t>(largest - sum_.begin());
  }

  /// Householder reflections I − β v vᵀ from the left, until only `rank` rows are left.
  std::size_t eliminate() {
    for (std::size_t j = 0; j < rows_; ++j)
      negligible_[j] = static_cast<double>(columns_) * epsilon * std::sqrt(dot(row(j), row(j)));
    for (std::size_t k = 0; k < std::min(rows_, columns_); ++k) {
      double norm = 0;
      const std::size_t column = pivot(k, norm);
      if (!(norm > 0)) return k;
      std::size_t top = k;
      for (std::size_t j = k; j < rows_; ++j)
        if (std::abs(row(j)[column]) > std::abs(row(top)[column])) top = j;
      exchange(k, top);
      std::swap(negligible_[k], negligible_[top]);
      const double first = row(k)[column], head = first + std::copysign(norm, first);
      const double beta = 1 / (norm * std::abs(head));
      std::ranges::fill(sum_, 0.0);  // β vᵀ [A | C]
      for (std::size_t j = k; j < rows_; ++j) {
        const double v = beta * (j == k ? head : row(j)[column]);
        for (std::size_t c = 0; c < width_; ++c) sum_[c] += v * row(j)[c];
      }
      for (std::size_t j = k; j < rows_; ++j) {
        const double v = j == k ? head : row(j)[column];
        for (std::size_t c = 0; c < width_; ++c) row(j)[c] -= v * sum_[c];
        row(j)[column] = j == k ? first - head : 0;
        if (j > k && !(std::sqrt(dot(row(j), row(j))) > negligible_[j]))
          std::fill_n(row(j), columns_, 0.0);
      }
    }
    return std::min(rows_, columns_);
  }

  /// Rotations of two rows at a time, until all are orthogonal.
  void orthogonalise(std::size_t rank) {
    const double tolerance = static_cast<double>(columns_) * epsilon;
    bool rotated = true;
    for (int sweeps = 0; rotated; ++sweeps) {
      if (sweeps == 60) throw NumericalError("GradedRows::reduce: the iteration does not end");
      rotated = false;
      for (std::size_t i = 0; i < rank; ++i)
        for (std::size_t j = i + 1; j < rank; ++j) {
          if (dot(row(j), row(j)) > dot(row(i), row(i))) exchange(i, j);
          double *const x = row(i), *const y = row(j);
          const double xx = dot(x, x), yy = dot(y, y), xy = dot(x, y);
          if (!(std::abs(xy) > tolerance * std::sqrt(xx) * std::sqrt(yy))) continue;
          rotated = true;
          const double cotangent = (xx - yy) / (2 * xy);  // of twice the angle
          const double t =
              std::copysign(1.0, cotangent) / (std::abs(cotangent) + std::hypot(1.0, cotangent));
          const double cosine = 1 / std::sqrt(1 + t * t), sine = cosine * t;
          for (std::size_t c = 0; c < width_; ++c) {
            const double was = x[c];
            x[c] = cosine * was + sine * y[c];
            y[c] = cosine * y[c] - sine * was;
          }
        }
    }
  }

  std::size_t rows_ = 0, columns_ = 0, width_ = 0;
  std::vector<double> matrix_, sum_, negligible_;
};

}  // namespace dan
