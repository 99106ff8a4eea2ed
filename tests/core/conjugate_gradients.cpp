// SPDX-License-Identifier: BSD-3-Clause
#include "dan/core/conjugate_gradients.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>

#include "dan/core/linalg.hpp"
#include "dan/core/random.hpp"

using namespace dan;

namespace {
constexpr std::size_t n = 9;

/// I + Y Yᵀ.
Matrix some_matrix() {
  auto y = zero_tensor<double>(n, 3);
  fill_normal<double>({.seed = 3}, span_of(y));
  auto a = matrix_product(y, transpose_of(y));
  for (std::size_t i = 0; i < n; ++i) a(i, i) += 1;
  return a;
}
}  // namespace

TEST_CASE("conjugate_gradients: LAPACK's solution in every lane, each with its own iteration") {
  using T = lanes_t<double, 4>;
  const auto a = some_matrix();
  const auto apply = [&](const T* p, T* out) {
    for (std::size_t i = 0; i < n; ++i) {
      out[i] = T(0.0);
      for (std::size_t k = 0; k < n; ++k) out[i] += T(a(i, k)) * p[k];
    }
  };
  Aligned<T> b(n), x(n, T(7.0));
  fill_normal<double>({.seed = 4}, std::span(b[0].lanes(), n * lanes_of<T>));
  for (std::size_t i = 0; i < n; ++i) {
    b[i][1] = 0;
    b[i][2] = i == 3 ? std::numeric_limits<double>::quiet_NaN() : 1;
    if (i > 0) b[i][3] = 0;
  }
  const std::size_t used = conjugate_gradients(n, apply, b.data(), x.data(), 30, 1e-13);
  CHECK(used <= 6);  // four different eigenvalues, and round-off
  auto right = zero_tensor<double>(n, 2);
  for (std::size_t i = 0; i < n; ++i) right(i, 0) = b[i][0], right(i, 1) = b[i][3];
  const auto expected = solve_linear(a, right);
  for (std::size_t i = 0; i < n; ++i) {
    CHECK(std::abs(x[i][0] - expected(i, 0)) < 1e-11);
    CHECK(x[i][1] == 0);
    CHECK(std::abs(x[i][3] - expected(i, 1)) < 1e-11);
  }
}

TEST_CASE("conjugate_gradients: ends at the tolerance or after the iterations") {
  // I − the second difference, of nine eigenvalues.
  std::size_t products = 0;
  const auto apply = [&](const double* p, double* out) {
    ++products;
    for (std::size_t i = 0; i < n; ++i)
      out[i] = 3 * p[i] - (i > 0 ? p[i - 1] : 0) - (i + 1 < n ? p[i + 1] : 0);
  };
  std::vector<double> b(n, 1), x(n), left(n);
  CHECK(conjugate_gradients(n, apply, b.data(), x.data(), 2, 1e-30) == 2);
  CHECK(products == 2);
  for (std::size_t i = 0; i < n; ++i) b[i] = static_cast<double>(i);
  std::size_t used = 0;
  const auto residual_after = [&](double tolerance) {
    used = conjugate_gradients(n, apply, b.data(), x.data(), 30, tolerance);
    apply(x.data(), left.data());
    double square = 0, first = 0;
    for (std::size_t i = 0; i < n; ++i) {
      square += (b[i] - left[i]) * (b[i] - left[i]);
      first += b[i] * b[i];
    }
    return std::sqrt(square / first);
  };
  CHECK(residual_after(1) == 1);
  CHECK(used == 0);
  const double soon = residual_after(0.3);
  CHECK(soon <= 0.3);
  CHECK(soon > 1e-3);
  CHECK(used <= 3);
  CHECK(residual_after(1e-10) <= 1e-10);
  CHECK(used > 3);
  CHECK(used <= n);
}
