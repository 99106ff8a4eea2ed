// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <exception>
#include <string_view>
#include <tuple>
#include <xtensor-blas/xlinalg.hpp>

#include "dan/core/error.hpp"
#include "dan/core/tensor.hpp"

/// \file
/// Dense linear algebra on `Matrix` and `Vector` through LAPACK.
///
/// This header alone names xtensor-blas. All functions take and return row-major containers, throw
/// ShapeError for shapes that do not fit; those that factorise throw NumericalError, with the
/// function's name, for numbers that are not finite or a factorisation that fails. They allocate:
/// for small matrices in a cycle see core/symmetric_eigen.hpp.

namespace dan {

namespace detail {
inline void require_square(std::string_view function, const Matrix& a) {
  if (a.shape()[0] != a.shape()[1] || a.size() == 0)
    throw ShapeError(to_text(function, ": matrix has shape (", a.shape()[0], ", ", a.shape()[1],
                             "), expected a square one"));
}
/// Runs `call`, with its failures as errors of `function`.
template <class Call>
auto checked(std::string_view function, std::string_view reason, const Matrix& a,
             const Call& call) {
  if (!std::ranges::all_of(span_of(a), [](double x) { return std::isfinite(x); }))
    throw NumericalError(to_text(function, ": the matrix holds a number that is not finite"));
  try {
    return call();
  } catch (const std::exception& e) {
    throw NumericalError(to_text(function, ": ", reason, " (", e.what(), ")"));
  }
}
}  // namespace detail

/// A V = V diag(values).
struct SymmetricEigen {
  Vector values;   ///< ascending
  Matrix vectors;  ///< orthonormal columns, in the order of the values
};

/// Eigenvalues and eigenvectors of a symmetric matrix; its lower triangle is read. LAPACK syevd.
[[nodiscard]] inline SymmetricEigen symmetric_eigen(const Matrix& a) {
  detail::require_square("symmetric_eigen", a);
  return detail::checked("symmetric_eigen", "the iteration does not end", a, [&] {
    const auto [values, vectors] = xt::linalg::eigh(a, 'L');
    return SymmetricEigen{values, vectors};
  });
}

/// The lower triangular L of A = L Lᵀ. LAPACK potrf.
[[nodiscard]] inline Matrix cholesky(const Matrix& a) {
  detail::require_square("cholesky", a);
  return detail::checked("cholesky", "the matrix is not positive definite", a,
                         [&] { return Matrix(xt::linalg::cholesky(a)); });
}

/// X of A X = B for any regular A; B has one column per system. LAPACK gesv.
[[nodiscard]] inline Matrix solve_linear(const Matrix& a, const Matrix& b) {
  detail::require_square("solve_linear", a);
  require_size("solve_linear", "right-hand side", b.shape()[0], a.shape()[0], "row of the matrix");
  return detail::checked("solve_linear", "the matrix is singular", a,
                         [&] { return Matrix(xt::linalg::solve(a, b)); });
}

/// Singular values, descending. LAPACK gesdd.
[[nodiscard]] inline Vector singular_values(const Matrix& a) {
  return detail::checked("singular_values", "the iteration does not end", a,
                         [&] { return Vector(std::get<1>(xt::linalg::svd(a, false, false))); });
}

/// A B.
[[nodiscard]] inline Matrix matrix_product(const Matrix& a, const Matrix& b) {
  require_size("matrix_product", "rows of the second matrix", b.shape()[0], a.shape()[1],
               "column of the first");
  return xt::linalg::dot(a, b);
}

/// Aᵀ.
[[nodiscard]] inline Matrix transpose_of(const Matrix& a) {
  auto out = zero_tensor<double>(a.shape()[1], a.shape()[0]);
  for (std::size_t i = 0; i < a.shape()[0]; ++i)
    for (std::size_t j = 0; j < a.shape()[1]; ++j) out(j, i) = a(i, j);
  return out;
}

}  // namespace dan
