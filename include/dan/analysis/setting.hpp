// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <span>

#include "dan/concepts.hpp"
#include "dan/core/tensor.hpp"
#include "dan/observe/noise.hpp"
#include "dan/observe/observations.hpp"

namespace dan {

/// The problem that all methods are given: a model, an observation network and its errors.
///
///   x(k+1) = M(x(k)),  y(k) = H_k(x(k)) + ε(k),  ε ~ N(0, R).
template <DynamicalModel Model_, ObservationNetwork Network_>
struct Setting {
  using Model = Model_;
  using Network = Network_;
  static constexpr std::size_t points = Model::points, channels = Model::channels;
  static constexpr std::size_t size = points * channels, slots = Network::slots;
  static_assert(Network::points == points && Network::channels == channels,
                "Setting: the observation network must observe states of the model's shape");

  Model model{};
  Network network{};
  DiagonalNoise<Network::slots> noise{};

  /// `Lanes` states of this problem.
  template <class Real, std::size_t Lanes>
  using States = Batch<Real, points, channels, Lanes>;
};

/// The types that every analysis of `Runs` runs side by side in precision `Real` names.
template <class Setting_, class Real_, std::size_t Runs>
struct AnalysisTypes {
  using Setting = Setting_;
  using Real = Real_;
  static constexpr std::size_t points = Setting::points, channels = Setting::channels;
  static constexpr std::size_t size = Setting::size, slots = Setting::slots, runs = Runs;
  using Observed = Observations<Real, slots, Runs>;               ///< what `analyse` reads
  using FirstGuessBatch = Batch<double, points, channels, Runs>;  ///< what `start` reads
  using Estimate = Batch<double, points, channels, Runs>;         ///< what `estimate` writes
};

}  // namespace dan
