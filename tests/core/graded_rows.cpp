// SPDX-License-Identifier: BSD-3-Clause
#include "dan/core/graded_rows.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "dan/core/linalg.hpp"
#include "dan/core/random.hpp"

using namespace dan;

namespace {

Matrix random_matrix(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  auto out = zero_tensor<double>(rows, columns);
  fill_normal<double>({.seed = seed, .purpose = Purpose::user}, span_of(out));
  return out;
}

/// `rows` with A and C in its rows.
void read(GradedRows& rows, const Matrix& a, const Matrix& c) {
  rows.resize(a.shape()[0], a.shape()[1], c.shape()[1]);
  for (std::size_t i = 0; i < a.shape()[0]; ++i) {
    for (std::size_t k = 0; k < a.shape()[1]; ++k) rows.row(i)[k] = a(i, k);
    for (std::size_t k = 0; k < c.shape()[1]; ++k) rows.row(i)[a.shape()[1] + k] = c(i, k);
  }
}

}  // namespace

TEST_CASE("graded_rows: singular values and vectors of any shape and rank agree with LAPACK") {
  GradedRows rows;
  for (const std::size_t m : {1U, 3U, 7U, 12U, 30U})
    for (const std::size_t n : {2U, 7U, 20U})
      for (const std::size_t middle : {2U, 50U}) {
        CAPTURE(m);
        CAPTURE(n);
        CAPTURE(middle);
        const Matrix a = matrix_product(random_matrix(m, middle, 1), random_matrix(middle, n, 2));
        const Matrix c = random_matrix(m, 3, 3);
        read(rows, a, c);
        const std::size_t rank = rows.reduce();
        REQUIRE(rank == std::min({m, n, middle}));
        const auto expected = singular_values(a);
        auto result = zero_tensor<double>(rank, n), carried = zero_tensor<double>(rank, 3);
        for (std::size_t k = 0; k < rank; ++k) {
          for (std::size_t i = 0; i < n; ++i) result(k, i) = rows.row(k)[i];
          for (std::size_t i = 0; i < 3; ++i) carried(k, i) = rows.row(k)[n + i];
        }
        const Matrix squares = matrix_product(result, transpose_of(result));
        for (std::size_t k = 0; k < rank; ++k)
          for (std::size_t l = 0; l < rank; ++l)
            CHECK(std::abs(squares(k, l) - (k == l ? expected[k] * expected[k] : 0)) <
                  1e-13 * expected[0] * expected[0]);
        // (QA)ᵀ QA = AᵀA and (QA)ᵀ QC = AᵀC
        const Matrix gram = matrix_product(transpose_of(a), a),
                     same = matrix_product(transpose_of(result), result);
        const Matrix mixed = matrix_product(transpose_of(a), c),
                     too = matrix_product(transpose_of(result), carried);
        for (std::size_t i = 0; i < gram.size(); ++i)
          CHECK(std::abs(gram.data()[i] - same.data()[i]) < 1e-13 * expected[0] * expected[0]);
        for (std::size_t i = 0; i < mixed.size(); ++i)
          CHECK(std::abs(mixed.data()[i] - too.data()[i]) < 1e-12 * expected[0]);
      }
}

TEST_CASE("graded_rows: rows of all sizes keep their digits") {
  // The product of the singular values is the volume that the rows span: factors of the rows are
  // factors of it. The smallest value lost would show.
  constexpr std::size_t m = 6, n = 9;
  const Matrix base = random_matrix(m, n, 4);
  const auto s = singular_values(base);
  for (const double step : {1e3, 1e8, 1e20}) {
    Matrix a = base;
    double factor = 1, volume = 0;  // logarithm
    for (std::size_t k = 0; k < m; ++k) volume += std::log(s[k]);
    for (const std::size_t i : {3U, 0U, 5U, 1U, 4U, 2U}) {
      for (std::size_t k = 0; k < n; ++k) a(i, k) *= factor;
      volume += std::log(factor);
      factor *= step;
    }
    GradedRows rows;
    read(rows, a, zero_tensor<double>(m, 0));
    REQUIRE(rows.reduce() == m);
    double found = 0;
    for (std::size_t k = 0; k < m; ++k) {
      double square = 0;
      for (std::size_t i = 0; i < n; ++i) square += rows.row(k)[i] * rows.row(k)[i];
      found += std::log(square) / 2;
    }
    CAPTURE(step);
    CHECK(std::abs(found - volume) < 1e-12);
  }
}

TEST_CASE("graded_rows: what follows from larger rows is dropped, no number is no endless loop") {
  GradedRows rows;
  rows.resize(3, 4, 1);
  for (std::size_t k = 0; k < 4; ++k) {
    const double x = 1 + static_cast<double>(k * k) / 7;
    rows.row(0)[k] = 1e10 * x, rows.row(1)[k] = 1e10 * (x / 3), rows.row(2)[k] = 1 - x;
  }
  CHECK(rows.reduce() == 2);
  rows.resize(3, 4, 1);
  CHECK(rows.reduce() == 0);
  rows.row(1)[2] = std::numeric_limits<double>::quiet_NaN();
  CHECK_NOTHROW((void)rows.reduce());
}
