// SPDX-License-Identifier: BSD-3-Clause
#include "dan/core/lane_cholesky.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>

#include "dan/core/linalg.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/random.hpp"

using namespace dan;

TEST_CASE("lane Cholesky: LAPACK's factor and solution in every lane") {
  using T = lanes_t<double, 3>;
  constexpr std::size_t n = 7;
  Aligned<T> a(n * n, T(0.0)), x(n, T(0.0));
  Matrix of[3], b[3];
  for (std::size_t l = 0; l < 3; ++l) {
    auto y = zero_tensor<double>(n, n);
    fill_normal<double>({.seed = 3, .run = l}, span_of(y));
    of[l] = matrix_product(y, transpose_of(y));
    b[l] = zero_tensor<double>(n, 1);
    fill_normal<double>({.seed = 4, .run = l}, span_of(b[l]));
    for (std::size_t i = 0; i < n; ++i) {
      of[l](i, i) += 1;
      x[i][l] = b[l](i, 0);
      for (std::size_t j = 0; j <= i; ++j) a[i * n + j][l] = of[l](i, j);
    }
  }
  of[2](4, 4) = -1, a[4 * n + 4][2] = -1;  // of no positive definite matrix
  factorise_lanes(n, a.data());
  divide_by_factor(n, a.data(), x.data());
  divide_by_transposed_factor(n, a.data(), x.data());
  for (std::size_t l = 0; l < 2; ++l) {
    const Matrix factor = cholesky(of[l]);
    for (std::size_t i = 0; i < n; ++i) {
      double back = 0;  // A x
      for (std::size_t j = 0; j < n; ++j) back += of[l](i, j) * x[j][l];
      CHECK(back == doctest::Approx(b[l](i, 0)).epsilon(1e-10));
      for (std::size_t j = 0; j <= i; ++j)
        CHECK(a[i * n + j][l] == doctest::Approx(factor(i, j)).epsilon(1e-12));
    }
  }
  CHECK(std::isnan(x[0][2]));
}
