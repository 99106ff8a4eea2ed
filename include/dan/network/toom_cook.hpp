// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>

#include "dan/core/simd.hpp"
#include "dan/core/unrolled.hpp"

namespace dan::detail {

/// F(M, K): M = 4 outputs of a filter with K = `Taps` taps from M + K − 1 products instead of M K,
///   z = Aᵀ [(G w) ⊙ (Bᵀ x)],
/// by its three matrices: A of outputs, G of taps, B of inputs; a row is a product.
///
/// A filter is the transpose of a product of polynomials, and polynomials are multiplied by their
/// values at points: A and G hold the values of powers, B interpolates between them. The points are
/// 0, ±a_n and ∞, in this order: rows of ±a_n share their sums over even and over odd columns.
/// These a_n have the least round-off of some sets that were tried, in float a relative root mean
/// square error of 2.4e-7 for 3 taps and 4.7e-7 for 5, where direct sums have 1.5e-7 and 2e-7.
/// Sources: Toom (1963) and Cook (1966), values at points; Winograd, Arithmetic complexity of
/// computations (1980), the transpose, and that no fewer products will do; Lavin and Gray, Fast
/// algorithms for convolutional neural networks (2016), the form above. The points are ours.
template <std::size_t Taps>
struct ToomCook {
  static_assert(Taps == 3 || Taps == 5);
  static constexpr std::size_t outputs = 4, taps = Taps, products = outputs + taps - 1;
  static constexpr std::size_t pairs = products / 2 - 1;  ///< of points ±a_n

  /// Values of x^m; at ∞ the leading coefficient.
  struct A {
    static constexpr std::size_t columns = outputs;
    static constexpr double at(std::size_t row, std::size_t m) {
      if (row == 0 || row + 1 == products) return m == (row == 0 ? 0 : columns - 1);
      return power(point(row), m);
    }
  };
  /// Values of x^k over those of ∏ (x − the other points).
  struct G {
    static constexpr std::size_t columns = taps;
    static constexpr double at(std::size_t row, std::size_t k) {
      if (row == 0) return k == 0 ? 1 / without(row)[0] : 0;
      if (row + 1 == products) return k + 1 == columns;
      const double a = point(row);
      double rest = 0;
      for (std::size_t j = pairs; j-- > 0;) rest = rest * a * a + without(row)[j];
      return power(a, k) / (2 * a * a * rest);
    }
  };
  /// Coefficients of ∏ (x − the other points).
  struct B {
    static constexpr std::size_t columns = products;
    static constexpr double at(std::size_t row, std::size_t j) {
      const bool odd = j % 2 == 1;
      if (row == 0) return odd ? 0 : without(row)[j / 2];
      if (row + 1 == products) return odd ? without(row)[j / 2] : 0;
      return j == 0 ? 0 : (odd ? point(row) : 1) * without(row)[(j - 1) / 2];
    }
  };

  /// out = Matrix · in: `products` numbers of `Matrix::columns`.
  template <class Matrix, class Register>
  [[gnu::always_inline]] static void apply(const Register* in, Register* out) {
    constexpr std::size_t last = products - 1;
    out[0] = out[last] = Register(0);
    unrolled<Matrix::columns>([&](auto j) __attribute__((always_inline)) {
      add<Matrix, 0, j>(in[j], out[0]);
      add<Matrix, last, j>(in[j], out[last]);
    });
    unrolled<pairs>([&](auto n) __attribute__((always_inline)) {
      Register even(0), odd(0);
      unrolled<Matrix::columns>([&](auto j) __attribute__((always_inline)) {
        add<Matrix, 1 + 2 * n, j>(in[j], j % 2 == 0 ? even : odd);
      });
      out[1 + 2 * n] = even + odd;
      out[2 + 2 * n] = even - odd;
    });
  }

  /// out = Matrixᵀ · in: `Matrix::columns` numbers of `products`.
  template <class Matrix, class Register>
  [[gnu::always_inline]] static void apply_transposed(const Register* in, Register* out) {
    constexpr std::size_t last = products - 1;
    Register even[pairs], odd[pairs];
    unrolled<pairs>([&](auto n) __attribute__((always_inline)) {
      even[n] = in[1 + 2 * n] + in[2 + 2 * n];
      odd[n] = in[1 + 2 * n] - in[2 + 2 * n];
    });
    unrolled<Matrix::columns>([&](auto j) __attribute__((always_inline)) {
      out[j] = Register(0);
      add<Matrix, 0, j>(in[0], out[j]);
      unrolled<pairs>([&](auto n) __attribute__((always_inline)) {
        add<Matrix, 1 + 2 * n, j>(j % 2 == 0 ? even[n] : odd[n], out[j]);
      });
      add<Matrix, last, j>(in[last], out[j]);
    });
  }

 private:
  /// |a_n| of a row's point.
  static constexpr double point(std::size_t row) {
    const std::size_t n = (row - 1) / 2;
    if constexpr (taps == 3)
      return std::array{5.0 / 8, 3.0 / 2}[n];
    else
      return std::array{1.0 / 2, 1.0, 2.0}[n];
  }
  static constexpr double power(double x, std::size_t n) {
    double result = 1;
    while (n-- > 0) result *= x;
    return result;
  }
  /// Coefficients of ∏ (s − a_n²), s = x², over all pairs but that of this row's point.
  static constexpr std::array<double, pairs + 1> without(std::size_t row) {
    std::array<double, pairs + 1> c{1};
    for (std::size_t other = 1; other < products - 1; other += 2)
      if (row != other && row != other + 1)
        for (std::size_t j = pairs + 1; j-- > 0;)
          c[j] = (j > 0 ? c[j - 1] : 0) - point(other) * point(other) * c[j];
    return c;
  }
  /// to += Matrix[Row, Column] · x, without a product by 0 or 1.
  template <class Matrix, std::size_t Row, std::size_t Column, class Register>
  [[gnu::always_inline]] static void add(const Register& x, Register& to) {
    using Real = decltype(sum_register(x));
    constexpr double c = Matrix::at(Row, Column);
    if constexpr (c == 1)
      to = to + x;
    else if constexpr (c != 0)
      accumulate(to, Register(static_cast<Real>(c)), x);
  }
};

}  // namespace dan::detail
