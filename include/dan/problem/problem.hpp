// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <span>

#include "dan/concepts.hpp"
#include "dan/core/tensor.hpp"
#include "dan/observe/noise.hpp"
#include "dan/observe/observations.hpp"

namespace dan {

/// The problem that all methods are given: a model, an observation operator and its errors.
///
///   x(k+1) = M(x(k)),  y(k) = H_k(x(k)) + ε(k),  ε ~ N(0, R).
template <DynamicalModel Model_, ObservationOperator Operator_>
struct Problem {
  using Model = Model_;
  using Operator = Operator_;
  static constexpr std::size_t points = Model::points, channels = Model::channels;
  static constexpr std::size_t size = points * channels, slots = Operator::slots;
  static_assert(Operator::points == points && Operator::channels == channels,
                "Problem: the observation operator must observe states of the model's shape");

  Model model{};
  Operator observe{};
  DiagonalNoise<Operator::slots> noise{};

  /// `Lanes` states of this problem.
  template <class Real, std::size_t Lanes>
  using States = Batch<Real, points, channels, Lanes>;
};

/// The types that every analysis of `Runs` runs side by side in precision `Real` names.
template <class Problem_, class Real_, std::size_t Runs>
struct AnalysisTypes {
  using Problem = Problem_;
  using Real = Real_;
  static constexpr std::size_t points = Problem::points, channels = Problem::channels;
  static constexpr std::size_t size = Problem::size, slots = Problem::slots, runs = Runs;
  using Observed = observed_t<typename Problem::Operator, Real, Runs>;  ///< what `analyse` reads
  using FirstGuessBatch = Batch<double, points, channels, Runs>;        ///< what `start` reads
  using Estimate = Batch<double, points, channels, Runs>;               ///< what `estimate` writes
};

}  // namespace dan
