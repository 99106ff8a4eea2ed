// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/fields.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"
#include "dan/core/unrolled.hpp"

namespace dan {

/// A matrix inside a flat parameter array: rows × columns, row-major.
struct MatrixPlace {
  std::size_t offset, rows, columns;
};

/// The weights of a network's hidden layers as (kernel · in) × out matrices, in order.
template <class Network>
[[nodiscard]] std::vector<MatrixPlace> hidden_matrices() {
  std::vector<MatrixPlace> matrices;
  for (const auto& place : Network::places())
    if (place.kind == decltype(place.kind)::hidden)
      matrices.push_back({place.offset, place.kernel * place.in, place.out});
  return matrices;
}

/// Settings of Muon.
struct MuonConfig {
  double momentum = 0.95;  ///< decay of the summed gradients
  double rate = 3;         ///< learning rate of the matrices in units of Adam's

  static constexpr auto fields() {
    return std::tuple(field("momentum", &MuonConfig::momentum, Range::fraction()),
                      field("rate", &MuonConfig::rate, Range::positive()));
  }
};

namespace detail {
/// The height of a register tile of `product`.
inline constexpr std::size_t product_rows = 8;

/// out[i, j] = Σ_k a[i · StepI + k · StepK] b[k, j] for i < rows, j < columns, k < depth.
///
/// `b`, `out`: row-major and aligned; rows a multiple of `product_rows`, columns of the SIMD width.
/// A tile of rows × one register of columns stays in registers while the sum runs.
template <class Real>
void product(const Real* a, std::size_t step_i, std::size_t step_k, const Real* b, Real* out,
             std::size_t rows, std::size_t columns, std::size_t depth) {
  using Register = register_t<Pack<Real, simd_width<Real>>>;
  for (std::size_t i0 = 0; i0 < rows; i0 += product_rows)
    for (std::size_t j = 0; j < columns; j += simd_width<Real>) {
      Register acc[product_rows];
      unrolled<product_rows>([&](auto i)
                                 __attribute__((always_inline)) { acc[i] = Register(Real(0)); });
      const Real* from = a + i0 * step_i;
      for (std::size_t k = 0; k < depth; ++k, from += step_k) {
        const Register row = load_once(reinterpret_cast<const Register*>(b + k * columns + j));
        unrolled<product_rows>([&](auto i) __attribute__((always_inline)) {
          accumulate(acc[i], Register(from[i * step_i]), row);
        });
      }
      unrolled<product_rows>([&](auto i) __attribute__((always_inline)) {
        *reinterpret_cast<Register*>(out + (i0 + i) * columns + j) = acc[i];
      });
    }
}
}  // namespace detail

/// The nearest matrix with orthonormal columns (a wide one: rows), roughly: all singular values
/// between 0.6 and 1.3.
///
/// Five Newton–Schulz iterations X ← X (a + b G + c G²), G = XᵀX, from X = `matrix` over its
/// Frobenius norm; a = 3.4445, b = −4.7750, c = 2.0315. `matrix`: rows × columns,
/// row-major, overwritten; cheaper with columns ≤ rows, of which those of products may have more. A
/// matrix with a norm below 1e-30 becomes zero. Cost: 10 · columns² · (2 · rows + columns) flops,
/// with rows and columns rounded up to whole tiles; memory: two copies. Source: Jordan et al.,
/// "Muon: an optimizer for hidden layers in neural networks" (2024).
template <class Real>
void orthogonalise(std::span<Real> matrix, std::size_t rows, std::size_t columns) {
  constexpr auto a = static_cast<Real>(3.4445), b = static_cast<Real>(-4.7750),
                 c = static_cast<Real>(2.0315);
  require_size("orthogonalise", "matrix", matrix.size(), rows * columns, "element");
  double square = 0;
  for (const Real x : matrix) square += static_cast<double>(x) * static_cast<double>(x);
  if (square < 1e-60) {  // whose inverse a float could not hold
    std::ranges::fill(matrix, Real(0));
    return;
  }
  const auto scale = static_cast<Real>(1 / std::sqrt(square));
  // Padded with zeros, which stay zeros.
  const auto padded = [](std::size_t n, std::size_t to) { return (n + to - 1) / to * to; };
  const std::size_t m = padded(rows, detail::product_rows),
                    n = padded(columns, std::max(detail::product_rows, simd_width<Real>));
  Aligned<Real> x(m * n), y(m * n), gram(n * n), poly(n * n);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t j = 0; j < columns; ++j) x[r * n + j] = scale * matrix[r * columns + j];
  for (int iteration = 0; iteration < 5; ++iteration) {
    detail::product(x.data(), 1, n, x.data(), gram.data(), n, n, m);
    detail::product(gram.data(), n, 1, gram.data(), poly.data(), n, n, n);
    for (std::size_t i = 0; i < n * n; ++i) poly[i] = c * poly[i] + b * gram[i];
    for (std::size_t i = 0; i < n; ++i) poly[i * n + i] += a;
    detail::product(x.data(), n, 1, poly.data(), y.data(), m, n, n);
    std::swap(x, y);
  }
  for (std::size_t r = 0; r < rows; ++r) std::copy_n(&x[r * n], columns, &matrix[r * columns]);
}

/// Muon's step of one matrix W, with `scale` times the gradient G:
///   M ← μ M + G,  W ← W − rate · factor · orthogonalised(G + μ M), factor = `MuonConfig::rate`.
/// A matrix whose gradient is zero (no run left to learn from, a layer that is dead) keeps its
/// weights: its direction would be of full size as long as anything is left of M.
/// All arrays: rows × columns; `sum` M and `params` W are updated in place, `direction` is
/// overwritten. Source: Jordan et al. (2024), with Nesterov momentum.
template <class Real>
void muon_step(const MuonConfig& config, double rate, Real scale, const MatrixPlace& place,
               const Real* gradient, Real* sum, Real* direction, Real* params) {
  const auto mu = static_cast<Real>(config.momentum), step = static_cast<Real>(rate * config.rate);
  const std::size_t size = place.rows * place.columns;
  bool learns = false;
  for (std::size_t i = 0; i < size; ++i) {
    const Real g = scale * gradient[i];
    sum[i] = mu * sum[i] + g;
    direction[i] = g + mu * sum[i];
    learns = learns || g != 0;
  }
  if (!learns) return;
  orthogonalise(std::span<Real>(direction, size), place.rows, place.columns);
  for (std::size_t i = 0; i < size; ++i) params[i] -= step * direction[i];
}

}  // namespace dan
