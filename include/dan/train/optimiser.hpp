// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/parallel.hpp"
#include "dan/core/tensor.hpp"

namespace dan {

/// Scales `gradient` down to norm `limit` if it is longer; returns its norm before.
template <class Real>
double clip_norm(std::span<Real> gradient, double limit) {
  double square = 0;
  for (const Real g : gradient) square += static_cast<double>(g) * static_cast<double>(g);
  const double norm = std::sqrt(square);
  if (norm > limit)
    for (auto& g : gradient) g *= static_cast<Real>(limit / norm);
  return norm;
}

/// Settings of Adam.
struct AdamConfig {
  double beta1 = 0.9;     ///< decay of the mean gradient
  double beta2 = 0.99;    ///< decay of the mean squared gradient
  double epsilon = 1e-8;  ///< added to the root of the mean squared gradient
};

/// A matrix inside a flat parameter array: rows × columns, row-major.
struct MatrixPlace {
  std::size_t offset, rows, columns;
};

/// Settings of Muon.
struct MuonConfig {
  double momentum = 0.95;  ///< decay of the summed gradients
  double rate = 3;         ///< learning rate of the matrices in units of Adam's
};

/// The nearest matrix with orthonormal columns, roughly: all singular values between 0.7 and 1.2.
///
/// Five Newton–Schulz iterations X ← X (a + b G + c G²), G = XᵀX, from X = `matrix` over its
/// Frobenius norm; a = 3.4445, b = −4.7750, c = 2.0315. `matrix`: rows × columns with
/// columns ≤ rows, row-major, overwritten. A zero matrix stays zero. Cost: 10 · columns² ·
/// (2 · rows + columns) flops. Source: Jordan et al., "Muon: an optimizer for hidden layers in
/// neural networks" (2024).
template <class Real>
void orthogonalise(std::span<Real> matrix, std::size_t rows, std::size_t columns) {
  constexpr auto a = static_cast<Real>(3.4445), b = static_cast<Real>(-4.7750),
                 c = static_cast<Real>(2.0315);
  require_size("orthogonalise", "matrix", matrix.size(), rows * columns, "element");
  double square = 0;
  for (const Real x : matrix) square += static_cast<double>(x) * static_cast<double>(x);
  if (square == 0) return;
  const auto scale = static_cast<Real>(1 / std::sqrt(square));
  for (auto& x : matrix) x *= scale;
  std::vector<Real, AlignedAllocator<Real>> gram(columns * columns), poly(columns * columns);
  std::vector<Real, AlignedAllocator<Real>> product(columns);
  for (int iteration = 0; iteration < 5; ++iteration) {
    std::fill(gram.begin(), gram.end(), Real(0));
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t i = 0; i < columns; ++i) {
        const Real x = matrix[r * columns + i];
        for (std::size_t j = 0; j < columns; ++j)
          gram[i * columns + j] += x * matrix[r * columns + j];
      }
    for (std::size_t i = 0; i < columns; ++i)
      for (std::size_t j = 0; j < columns; ++j)
        poly[i * columns + j] = b * gram[i * columns + j] + (i == j ? a : Real(0));
    for (std::size_t i = 0; i < columns; ++i)
      for (std::size_t k = 0; k < columns; ++k) {
        const Real g = c * gram[i * columns + k];
        for (std::size_t j = 0; j < columns; ++j)
          poly[i * columns + j] += g * gram[k * columns + j];
      }
    for (std::size_t r = 0; r < rows; ++r) {
      Real* row = matrix.data() + r * columns;
      std::fill(product.begin(), product.end(), Real(0));
      for (std::size_t k = 0; k < columns; ++k)
        for (std::size_t j = 0; j < columns; ++j) product[j] += row[k] * poly[k * columns + j];
      std::copy(product.begin(), product.end(), row);
    }
  }
}

/// Adam, and Muon for those parameters that form matrices.
///
/// Adam: m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², with bias correction m̂, v̂;
/// θ ← θ − rate · m̂ / (√v̂ + ε). Muon, for a matrix W with gradient G: M ← μ M + G,
/// W ← W − rate · factor · orthogonalised(G + μ M). Without matrices it is plain Adam.
/// Memory: two numbers per parameter. Matrices are updated in parallel; the number of threads
/// changes no bit. Sources: Kingma and Ba, ICLR 2015, algorithm 1; Jordan et al. (2024), with
/// Nesterov momentum.
template <class Real>
class Optimiser {
 public:
  /// `matrices` must be in order of their offsets and must not overlap.
  explicit Optimiser(std::size_t parameters, const AdamConfig& adam = {},
                     std::vector<MatrixPlace> matrices = {}, const MuonConfig& muon = {})
      : adam_(adam),
        muon_(muon),
        matrices_(std::move(matrices)),
        first_(parameters),
        second_(parameters) {}

  /// One update of `params` in place.
  void update(std::span<Real> params, std::span<const Real> gradient, double rate,
              Workers& workers) {
    require_size("Optimiser::update", "params", params.size(), first_.size(), "parameter");
    require_size("Optimiser::update", "gradient", gradient.size(), first_.size(), "parameter");
    ++updates_;
    std::size_t begin = 0;
    for (const auto& [offset, rows, columns] : matrices_) {
      adam(params, gradient, begin, offset, rate);
      begin = offset + rows * columns;
    }
    adam(params, gradient, begin, params.size(), rate);
    workers.for_each(matrices_.size(),
                     [&](std::size_t n) { muon(params, gradient, matrices_[n], rate); });
  }

  /// What a checkpoint must hold: two moments per parameter and the number of updates.
  [[nodiscard]] std::span<Real> first() { return first_; }
  [[nodiscard]] std::span<Real> second() { return second_; }
  [[nodiscard]] std::size_t& updates() { return updates_; }

 private:
  void adam(std::span<Real> params, std::span<const Real> gradient, std::size_t begin,
            std::size_t end, double rate) {
    const auto n = static_cast<double>(updates_);
    const auto b1 = static_cast<Real>(adam_.beta1), b2 = static_cast<Real>(adam_.beta2);
    const auto step = static_cast<Real>(rate / (1 - std::pow(adam_.beta1, n)));
    const auto scale = static_cast<Real>(1 / std::sqrt(1 - std::pow(adam_.beta2, n)));
    const auto epsilon = static_cast<Real>(adam_.epsilon);
    for (std::size_t i = begin; i < end; ++i) {
      const Real g = gradient[i];
      first_[i] = b1 * first_[i] + (Real(1) - b1) * g;
      second_[i] = b2 * second_[i] + (Real(1) - b2) * g * g;
      params[i] -= step * first_[i] / (scale * std::sqrt(second_[i]) + epsilon);
    }
  }

  void muon(std::span<Real> params, std::span<const Real> gradient, const MatrixPlace& place,
            double rate) {
    const auto mu = static_cast<Real>(muon_.momentum), step = static_cast<Real>(rate * muon_.rate);
    const std::size_t size = place.rows * place.columns;
    Real *sum = &first_[place.offset], *direction = &second_[place.offset];
    for (std::size_t i = 0; i < size; ++i) {
      sum[i] = mu * sum[i] + gradient[place.offset + i];
      direction[i] = gradient[place.offset + i] + mu * sum[i];
    }
    orthogonalise(std::span<Real>(direction, size), place.rows, place.columns);
    for (std::size_t i = 0; i < size; ++i) params[place.offset + i] -= step * direction[i];
  }

  AdamConfig adam_;
  MuonConfig muon_;
  std::vector<MatrixPlace> matrices_;
  std::vector<Real, AlignedAllocator<Real>> first_, second_;  ///< Adam's m and v; Muon's M
  std::size_t updates_ = 0;
};

}  // namespace dan
