// SPDX-License-Identifier: BSD-3-Clause
#include "dan/core/linalg.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "dan/core/random.hpp"
#include "dan/core/symmetric_eigen.hpp"

namespace {

using namespace dan;

Matrix random_matrix(std::size_t rows, std::size_t columns) {
  auto out = zero_tensor<double>(rows, columns);
  fill_normal<double>({.seed = 5, .purpose = Purpose::user}, span_of(out));
  return out;
}

double largest_difference(const Matrix& a, const Matrix& b) {
  REQUIRE(a.shape() == b.shape());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(a.data()[i] - b.data()[i]));
  return largest;
}

Matrix identity(std::size_t n) {
  auto out = zero_tensor<double>(n, n);
  for (std::size_t i = 0; i < n; ++i) out(i, i) = 1;
  return out;
}

/// The small solver against LAPACK on YᵀY, Y with `rank` rows.
template <std::size_t N, std::size_t Stride>
void check_small_eigen(std::size_t rank) {
  CAPTURE(N);
  CAPTURE(rank);
  const auto y = random_matrix(rank, N);
  const auto gram = matrix_product(transpose_of(y), y);
  const auto lapack = symmetric_eigen(gram);
  std::vector<double> a(N * Stride), vectors(N * Stride, 7), values(N);
  for (std::size_t i = 0; i < N; ++i)
    for (std::size_t j = 0; j < N; ++j) a[i * Stride + j] = gram(i, j);
  symmetric_eigen<N, Stride>(a.data(), values.data(), vectors.data());
  auto v = zero_tensor<double>(N, N), scaled = v;
  for (std::size_t k = 0; k < N; ++k) {
    CHECK(std::abs(values[k] - lapack.values[k]) < 1e-13 * lapack.values[N - 1]);
    for (std::size_t j = 0; j < N; ++j)
      v(k, j) = vectors[k * Stride + j], scaled(k, j) = values[k] * v(k, j);
    for (std::size_t j = N; j < Stride; ++j) CHECK(vectors[k * Stride + j] == 0);
  }
  CHECK(largest_difference(matrix_product(v, transpose_of(v)), identity(N)) < 1e-13);
  CHECK(largest_difference(matrix_product(transpose_of(v), scaled), gram) <
        1e-13 * lapack.values[N - 1]);
}

template <class F>
std::string numerical_error(const F& f) {
  try {
    f();
  } catch (const NumericalError& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("linalg: eigenvalues, Cholesky factor, solution and singular values fit the matrix") {
  const auto y = random_matrix(12, 7);
  const auto a = matrix_product(transpose_of(y), y);
  const auto eigen = symmetric_eigen(a);
  auto scaled = eigen.vectors;
  for (std::size_t i = 0; i < 7; ++i)
    for (std::size_t k = 0; k < 7; ++k) scaled(i, k) *= eigen.values[k];
  CHECK(largest_difference(matrix_product(a, eigen.vectors), scaled) < 1e-13);
  CHECK(eigen.values[0] < eigen.values[6]);

  const auto l = cholesky(a);
  CHECK(l(0, 6) == 0);
  CHECK(largest_difference(matrix_product(l, transpose_of(l)), a) < 1e-13);

  const auto b = random_matrix(7, 3);
  CHECK(largest_difference(matrix_product(a, solve_linear(a, b)), b) < 1e-12);

  const auto s = singular_values(y);
  REQUIRE(s.size() == 7);
  for (std::size_t k = 0; k < 7; ++k)
    CHECK(s[k] * s[k] == doctest::Approx(eigen.values[6 - k]).epsilon(1e-12));
}

TEST_CASE("linalg: errors name the function and what is wrong") {
  Matrix bad = identity(3);
  bad(2, 2) = -1;
  CHECK(numerical_error([&] { (void)cholesky(bad); }).find("cholesky: the matrix is not") == 0);
  bad(2, 2) = 0;
  CHECK(numerical_error([&] {
          (void)solve_linear(bad, bad);
        }).find("solve_linear: the matrix is singular") == 0);
  bad(1, 1) = std::numeric_limits<double>::quiet_NaN();
  CHECK(numerical_error([&] { (void)symmetric_eigen(bad); }) ==
        "symmetric_eigen: the matrix holds a number that is not finite");
  CHECK_THROWS_WITH_AS((void)cholesky(random_matrix(3, 2)),
                       "cholesky: matrix has shape (3, 2), expected a square one", ShapeError);
  CHECK_THROWS_AS((void)matrix_product(random_matrix(3, 2), random_matrix(3, 2)), ShapeError);
  CHECK_THROWS_AS((void)solve_linear(identity(3), random_matrix(2, 2)), ShapeError);
}

TEST_CASE("symmetric_eigen: the small solver agrees with LAPACK, for any rank and stride") {
  check_small_eigen<2, 2>(5);
  check_small_eigen<3, 8>(5);
  check_small_eigen<10, 10>(40);
  check_small_eigen<20, 24>(40);
  check_small_eigen<20, 20>(3);
  check_small_eigen<40, 40>(39);
  check_small_eigen<65, 72>(40);
}

TEST_CASE("symmetric_eigen: diagonal, zero and non-finite matrices") {
  double a[3][3]{{3, 0, 0}, {0, 1, 0}, {0, 0, 2}}, values[3], vectors[3][3];
  symmetric_eigen<3>(&a[0][0], values, &vectors[0][0]);
  for (int k = 0; k < 3; ++k) CHECK(values[k] == k + 1);
  double zero[3][3]{};
  symmetric_eigen<3>(&zero[0][0], values, &vectors[0][0]);
  for (int k = 0; k < 3; ++k) CHECK(values[k] == 0);
  double bad[3][3]{{1, 0, 0}, {0, std::numeric_limits<double>::quiet_NaN(), 0}, {0, 0, 1}};
  CHECK_THROWS_AS(symmetric_eigen<3>(&bad[0][0], values, &vectors[0][0]), NumericalError);
}
