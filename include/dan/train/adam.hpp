// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <tuple>

#include "dan/core/fields.hpp"
#include "dan/train/gradient.hpp"

namespace dan {

/// Settings of Adam.
struct AdamConfig {
  double beta1 = 0.9;     ///< decay of the mean gradient
  double beta2 = 0.99;    ///< decay of the mean squared gradient
  double epsilon = 1e-8;  ///< added to the root of the mean squared gradient

  static constexpr auto fields() {
    return std::tuple(field("beta1", &AdamConfig::beta1, Range::fraction()),
                      field("beta2", &AdamConfig::beta2, Range::fraction()),
                      field("epsilon", &AdamConfig::epsilon, Range::positive()));
  }
};

/// Adam's step `n` ≥ 1 of `count` parameters, with `scale` times the gradient:
///   m ← β₁ m + (1 − β₁) g,  v ← β₂ v + (1 − β₂) g²,  θ ← θ − rate · m̂ / (√v̂ + ε),
/// with bias correction m̂ = m/(1 − β₁ⁿ), v̂ = v/(1 − β₂ⁿ).
/// `params`, `m`, `v`: updated in place. Source: Kingma and Ba, ICLR 2015, algorithm 1.
template <class Real>
void adam_step(const AdamConfig& config, std::size_t n, double rate, Real scale, std::size_t count,
               const Real* gradient, Real* m, Real* v, Real* params) {
  const auto steps = static_cast<double>(n);
  const auto b1 = static_cast<Real>(config.beta1), b2 = static_cast<Real>(config.beta2);
  const auto step = static_cast<Real>(rate / (1 - std::pow(config.beta1, steps)));
  const auto root = static_cast<Real>(1 / std::sqrt(1 - std::pow(config.beta2, steps)));
  const auto epsilon = static_cast<Real>(config.epsilon);
  detail::for_each_number<Real>(0, count, [&]<class T>(std::size_t i, T) {
    using std::sqrt;
    const T g = scale * detail::load<T>(gradient + i);
    const T mean = b1 * detail::load<T>(m + i) + (Real(1) - b1) * g;
    const T square = b2 * detail::load<T>(v + i) + (Real(1) - b2) * g * g;
    detail::store(mean, m + i);
    detail::store(square, v + i);
    detail::store<T>(detail::load<T>(params + i) - step * mean / (root * sqrt(square) + epsilon),
                     params + i);
  });
}

}  // namespace dan
