// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <vector>

#include "dan/diagnose/increment.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/network/analysis_network.hpp"
#include "dan/network/weights.hpp"
#include "support/map_battery.hpp"

namespace dan::test {

/// Everything that a network can have.
using RichNetwork = AnalysisNetwork<NetworkShape{.filters = 5,
                                                 .blocks = 1,
                                                 .sub_blocks = 2,
                                                 .kernel = 3,
                                                 .members = 2,
                                                 .head = Head::gain,
                                                 .memory = 1,
                                                 .gain_radius = 2,
                                                 .products = 2,
                                                 .sees_precision = true,
                                                 .sees_scales = true},
                                    Ring<9>>;

/// Weights from N(0, size²).
template <class Network, class Real>
[[nodiscard]] Trained<Network, Real> random_weights(double mean, double deviation, std::size_t seed,
                                                    double size) {
  Trained<Network, Real> trained;
  trained.network.input_mean.fill(mean);
  trained.network.input_deviation.fill(deviation);
  const auto weights = normal(Network::parameters, seed, size);
  for (std::size_t n = 0; n < weights.size(); ++n)
    trained.parameters[n] = static_cast<Real>(weights[n]);
  return trained;
}

/// A strongly nonlinear network, deviations of different sizes, and an input.
template <class Network>
struct SteepNetwork {
  Trained<Network, double> trained = random_weights<Network, double>(0.4, 1.5, 7, 0.4);
  std::vector<double> deviations{}, input = normal(Network::inputs, 8);

  SteepNetwork() {
    for (std::size_t i = 0; i < Network::size; ++i)
      deviations.push_back(0.5 + 0.1 * static_cast<double>(i));
  }
  [[nodiscard]] LearnedIncrement<Network, double> increment() const {
    return {trained, deviations};
  }
};

/// A network of small increments that depend somewhat on the state, for Lorenz 96.
template <class Network>
[[nodiscard]] Trained<Network> small_increments() {
  return random_weights<Network, float>(2.3, 3.6, 3, 0.2);
}

}  // namespace dan::test
