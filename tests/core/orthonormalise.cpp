// SPDX-License-Identifier: BSD-3-Clause
#include "dan/core/orthonormalise.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "dan/core/linalg.hpp"
#include "dan/core/random.hpp"

using namespace dan;

namespace {
Matrix random_matrix(std::size_t rows, std::size_t columns, double scale = 1) {
  auto out = zero_tensor<double>(rows, columns);
  fill_normal<double>({.seed = rows, .purpose = Purpose::user, .run = columns}, span_of(out));
  for (double& x : span_of(out)) x *= scale;
  return out;
}

double distance(const Matrix& a, const Matrix& b) {
  double largest = 0;
  for (std::size_t n = 0; n < a.size(); ++n)
    largest = std::max(largest, std::abs(a.data()[n] - b.data()[n]));
  return largest;
}

Matrix identity(std::size_t n) {
  auto out = zero_tensor<double>(n, n);
  for (std::size_t i = 0; i < n; ++i) out(i, i) = 1;
  return out;
}

void check_orthonormal(const Matrix& q) {
  CHECK(distance(matrix_product(transpose_of(q), q), identity(q.shape()[1])) < 1e-14);
}
}  // namespace

TEST_CASE("orthonormalise: A = Q R, with the R of LAPACK's Cholesky factor of AᵀA") {
  for (const std::size_t m : {1U, 2U, 7U, 40U})
    for (const std::size_t n : {0U, 1U, 2U, 5U, 7U, 40U})
      for (const double scale : {1.0, 1e-130, 1e130}) {
        if (n > m) continue;
        const Matrix a = random_matrix(m, n, scale);
        Matrix q = a;
        const Matrix r = orthonormalise(q);
        if (n == 0) continue;
        check_orthonormal(q);
        CHECK(distance(matrix_product(q, r), a) < 3e-14 * scale);
        for (std::size_t i = 0; i < n; ++i) {
          CHECK(r(i, i) > 0);
          for (std::size_t j = 0; j < i; ++j) CHECK(r(i, j) == 0);
        }
        if (m > n)
          CHECK(distance(transpose_of(cholesky(matrix_product(transpose_of(a), a))), r) <
                1e-12 * scale);
      }
}

TEST_CASE("orthonormalise: columns that depend on others leave an orthonormal basis") {
  Matrix a = random_matrix(9, 6);
  for (std::size_t i = 0; i < 9; ++i) {
    a(i, 1) = 0;
    a(i, 3) = 2 * a(i, 0) - a(i, 2);
    a(i, 5) = 1e-200 * a(i, 5);
  }
  Matrix q = a;
  const Matrix r = orthonormalise(q);
  check_orthonormal(q);
  CHECK(distance(matrix_product(q, r), a) < 1e-14);
  CHECK(r(1, 1) == 0);
  CHECK(r(3, 3) < 1e-14);
  CHECK(r(5, 5) > 0);
}

TEST_CASE("orthonormalise: graded columns keep their directions") {
  Matrix a = random_matrix(12, 12), scaled = a;
  for (std::size_t i = 0; i < 12; ++i)
    for (std::size_t j = 0; j < 12; ++j)
      scaled(i, j) *= std::pow(10.0, -8.0 * static_cast<double>(j));
  orthonormalise(a);
  orthonormalise(scaled);
  CHECK(distance(a, scaled) < 1e-12);
}

TEST_CASE("orthonormalise: bad input") {
  Matrix wide = random_matrix(2, 3);
  CHECK_THROWS_WITH_AS(
      orthonormalise(wide),
      "orthonormalise: the matrix has shape (2, 3), expected at most as many columns as rows",
      ShapeError);
  Matrix holed = random_matrix(3, 2);
  holed(1, 1) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH_AS(orthonormalise(holed),
                       "orthonormalise: the matrix holds a number that is not finite",
                       NumericalError);
}
