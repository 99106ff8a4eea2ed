// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dan/core/error.hpp"
#include "dan/core/tensor.hpp"
#include "dan/network/weights.hpp"

namespace dan {

/// A network with random weights.
template <class Real, class Network>
[[nodiscard]] Trained<Network, Real> random_start(const Network& network, std::uint64_t seed) {
  Trained<Network, Real> start(network);
  Network::initialise(seed, span_of(start.parameters));
  return start;
}

/// Throws ConfigError, in the name of `function`, unless weights and input scaling are finite and
/// the deviations positive.
template <class Network, class Real>
void require_usable(std::string_view function, const Trained<Network, Real>& start) {
  for (const Real weight : start.parameters)
    if (!std::isfinite(weight))
      throw ConfigError(to_text(function, ": start has a weight ", weight, ", expected finite"));
  for (std::size_t c = 0; c < Network::channels; ++c) {
    require_positive(function, "network.input_deviation", start.network.input_deviation[c]);
    if (const double mean = start.network.input_mean[c]; !std::isfinite(mean))
      throw ConfigError(to_text(function, ": network.input_mean is ", mean, ", expected finite"));
  }
}

}  // namespace dan
