// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "dan/core/error.hpp"

namespace dan {

/// Eigenvalues and eigenvectors of a small symmetric matrix: A = Vᵀ diag(λ) V, with the
/// eigenvectors as the rows of V.
///
/// `a`: N × N, row-major with rows of Stride numbers, destroyed. `values`: N, ascending.
/// `vectors`: N × N with rows of Stride. What `a` holds beyond the N columns must be zero and is
/// zero in `vectors`; with Stride a multiple of the SIMD width the loops have no remainders.
/// Throws NumericalError if the iteration does not end, which means that A is not finite.
/// Cost: about 9 N³ flops; nothing is allocated and no thread is started. For the ensemble sizes
/// of filters faster than LAPACK, which in OpenBLAS also wakes its threads for matrices this small.
/// Source: Golub and Van Loan, Matrix Computations (2013), algorithms 8.3.1 (Householder
/// tridiagonalisation) and 8.3.3 (implicit QR with Wilkinson's shift).
template <std::size_t N, std::size_t Stride = N>
void symmetric_eigen(double* a, double* values, double* vectors) {
  static_assert(N >= 2 && Stride >= N, "symmetric_eigen: needs N >= 2 and Stride >= N");
  using Row = std::array<double, Stride>;
  const auto add = [](double factor, const double* x, double* y) {  // y += factor x
    for (std::size_t j = 0; j < Stride; ++j) y[j] += factor * x[j];
  };
  const auto dot = [](const Row& x, const Row& y) {
    double sum = 0;
    for (std::size_t j = 0; j < N; ++j) sum += x[j] * y[j];
    return sum;
  };
  double* d = values;         // diagonal of the tridiagonal matrix
  std::array<double, N> e{};  // e[k] couples k and k + 1
  std::fill_n(vectors, N * Stride, 0.0);
  for (std::size_t k = 0; k < N; ++k) vectors[k * Stride + k] = 1;

  // Householder reflections I − β v vᵀ from both sides make column k zero below the subdiagonal.
  for (std::size_t k = 0; k + 2 < N; ++k) {
    d[k] = a[k * Stride + k];
    Row v{}, q{}, u{};
    std::copy_n(a + k * Stride + k + 1, N - k - 1, &v[k + 1]);
    const double first = v[k + 1], norm = std::sqrt(dot(v, v));
    e[k] = norm == std::abs(first) ? first : -std::copysign(norm, first);
    if (e[k] == first) continue;
    v[k + 1] = first - e[k];
    const double beta = 1 / (norm * (norm + std::abs(first)));
    for (std::size_t i = k + 1; i < N; ++i) {  // q = β A v, u = β Vᵀ v
      add(beta * v[i], a + i * Stride, q.data());
      add(beta * v[i], vectors + i * Stride, u.data());
    }
    std::fill_n(q.begin(), k + 1, 0.0);
    add(-0.5 * beta * dot(q, v), v.data(), q.data());
    for (std::size_t i = k + 1; i < N; ++i) {
      add(-v[i], q.data(), a + i * Stride);
      add(-q[i], v.data(), a + i * Stride);
      add(-v[i], u.data(), vectors + i * Stride);
    }
  }
  d[N - 2] = a[(N - 2) * Stride + N - 2];
  d[N - 1] = a[(N - 1) * Stride + N - 1];
  e[N - 2] = a[(N - 1) * Stride + N - 2];

  double size = 0;
  for (std::size_t k = 0; k < N; ++k) size += (std::abs(d[k]) + std::abs(e[k])) / N;
  const double negligible = std::numeric_limits<double>::epsilon() * size;
  std::size_t high = N - 1;  // the block [low, high] is still coupled
  for (std::size_t steps = 0; high > 0; ++steps) {
    if (steps == 40 * N || !std::isfinite(size))
      throw NumericalError(
          "symmetric_eigen: the iteration does not end, the matrix holds a "
          "number that is not finite");
    if (!(std::abs(e[high - 1]) > negligible)) {
      --high;
      continue;
    }
    std::size_t low = high - 1;
    while (low > 0 && std::abs(e[low - 1]) > negligible) --low;
    const double half = (d[high - 1] - d[high]) / 2, last = e[high - 1];
    const double shift =
        d[high] - last * last / (half + std::copysign(std::sqrt(half * half + last * last), half));
    double x = d[low] - shift, z = e[low];  // chase the bulge z down with rotations
    for (std::size_t k = low; k < high; ++k) {
      const double r = std::sqrt(x * x + z * z), inverse = r > 0 ? 1 / r : 0;
      const double c = r > 0 ? x * inverse : 1, s = z * inverse;
      if (k > low) e[k - 1] = r;
      const double d0 = d[k], d1 = d[k + 1], b = e[k];
      d[k] = c * c * d0 + 2 * c * s * b + s * s * d1;
      d[k + 1] = s * s * d0 - 2 * c * s * b + c * c * d1;
      x = e[k] = c * s * (d1 - d0) + (c * c - s * s) * b;
      if (k + 1 < high) z = s * e[k + 1], e[k + 1] *= c;
      double *upper = vectors + k * Stride, *lower = upper + Stride;
      for (std::size_t j = 0; j < Stride; ++j) {
        const double was = upper[j];
        upper[j] = c * was + s * lower[j];
        lower[j] = c * lower[j] - s * was;
      }
    }
  }

  for (std::size_t k = 0; k + 1 < N; ++k) {
    const auto least = static_cast<std::size_t>(std::min_element(d + k, d + N) - d);
    if (least == k) continue;
    std::swap(d[k], d[least]);
    std::swap_ranges(vectors + k * Stride, vectors + (k + 1) * Stride, vectors + least * Stride);
  }
}

}  // namespace dan
