// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/linalg.hpp"
#include "dan/core/random.hpp"
#include "dan/core/tensor.hpp"
#include "dan/diagnose/gain.hpp"

/// \file
/// An ensemble from one state: as many members as wanted of N(x^a, P^a).
///
///     const auto p = analysis_covariance(method, carried, 0);     // a Learned with a gain head
///     const auto [root, negative] = covariance_root(p);
///     const Matrix members = sampled_ensemble(estimate, root, 40, {.seed = 1, .cycle = cycle});

namespace dan {

/// P^a of lane `run`'s last analysis as a network with a gain head believes it (head_covariance
/// there where the innovation was); where that analysis was static, that of its B.
///
/// size × size, in units of the state. It need not be positive: see covariance_root. Cost: one pass
/// of the network.
template <LearnedMethod Method>
[[nodiscard]] Matrix analysis_covariance(const Method& method,
                                         const typename Method::Carried& carried, std::size_t run) {
  static_assert(Method::Network::gain,
                "analysis_covariance: the network has no gain head (NetworkShape::head) of one "
                "level (gain_levels), which gives P^a; train one, or take learned_covariance");
  if constexpr (Method::Network::gain) {
    if (carried.way_back.variance[run] > 0) {
      std::vector<double> variances(Method::Types::size);
      method.variances(carried, run, variances);
      auto p = zero_tensor<double>(variances.size(), variances.size());
      for (std::size_t i = 0; i < variances.size(); ++i) p(i, i) = variances[i];
      return p;
    }
    const LearnedIncrement increment(method);
    return head_covariance(increment, increment.input(carried, run), ExpandedAt::innovation);
  } else {
    return {};
  }
}

/// A symmetric root of a covariance, and what of it was no covariance.
struct CovarianceRoot {
  Matrix root;      ///< size × size, symmetric
  double negative;  ///< Σ |λ| of the eigenvalues below zero / Σ λ of those above
};

/// √P₊ = V √max(λ, 0) Vᵀ of ½ (P + Pᵀ) = V λ Vᵀ, the root of the nearest covariance.
///
/// Throws ShapeError unless P is square, NumericalError if it is not finite. Cost: an eigenproblem,
/// about 10 size³ flops: for states of up to some thousands of elements.
/// Source of the nearest: Higham, Linear Algebra Appl. 103 (1988) 103–118.
[[nodiscard]] inline CovarianceRoot covariance_root(const Matrix& p) {
  const std::size_t size = p.shape()[0];
  require_size("covariance_root", "columns of P", p.shape()[1], size, "row of P");
  auto symmetric = zero_tensor<double>(size, size);
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t j = 0; j < size; ++j) symmetric(i, j) = (p(i, j) + p(j, i)) / 2;
  const auto [values, vectors] = symmetric_eigen(symmetric);
  CovarianceRoot out{zero_tensor<double>(size, size), 0};
  double above = 0, below = 0;
  for (std::size_t k = 0; k < size; ++k) {
    if (!(values(k) > 0)) {
      below -= values(k);
      continue;
    }
    above += values(k);
    const double root = std::sqrt(values(k));
    for (std::size_t i = 0; i < size; ++i) {
      const double factor = root * vectors(i, k);
      for (std::size_t j = 0; j < size; ++j) out.root(i, j) += factor * vectors(j, k);
    }
  }
  out.negative = below > 0 ? below / above : 0;
  return out;
}

/// `count` members mean + root ξ, ξ ~ N(0, I), keyed by `key` (seed, run, cycle).
///
/// `root`: size × any. size × count, members are columns; member m does not depend on `count`.
/// Throws ShapeError unless the root has a row for each element of the mean.
/// Cost: 2 size² flops per member.
[[nodiscard]] inline Matrix sampled_ensemble(std::span<const double> mean, const Matrix& root,
                                             std::size_t count, const RandomKey& key) {
  require_size("sampled_ensemble", "rows of the root", root.shape()[0], mean.size(),
               "element of the mean");
  const std::size_t rank = root.shape()[1];
  std::vector<double> xi(rank * count);
  fill_normal<double>(key.with(Purpose::sample), xi);
  auto out = zero_tensor<double>(mean.size(), count);
  for (std::size_t i = 0; i < mean.size(); ++i)
    for (std::size_t m = 0; m < count; ++m) {
      double sum = mean[i];
      for (std::size_t k = 0; k < rank; ++k) sum += root(i, k) * xi[m * rank + k];
      out(i, m) = sum;
    }
  return out;
}

}  // namespace dan
