// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>

#include "dan/core/tensor.hpp"
#include "dan/network/weights.hpp"

namespace dan {

/// A running mean of a network's weights, fast at first, so that it forgets its beginning:
///   w̄ ← w̄ + (1 − min(decay, (1 + n)/(10 + n))) (w − w̄) after update n.
template <class Network, class Real>
struct WeightAverage {
  double decay;  ///< from 0 to below 1
  Trained<Network, Real> mean;

  void update(std::span<const Real> weights, std::size_t n) {
    const auto updates = static_cast<double>(n);
    const auto share = static_cast<Real>(1 - std::min(decay, (1 + updates) / (10 + updates)));
    for (std::size_t i = 0; i < Network::parameters; ++i)
      mean.parameters[i] += share * (weights[i] - mean.parameters[i]);
  }

  /// What a checkpoint must hold, see io/archive.hpp.
  template <class Archive>
  void transfer(Archive& archive) {
    archive.numbers("mean", span_of(mean.parameters), 1);
  }
};

}  // namespace dan
