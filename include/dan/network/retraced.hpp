// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>

#include "dan/network/analysis_network.hpp"
#include "dan/network/weights.hpp"

namespace dan {

namespace detail {
template <class Network, std::size_t Cycles>
struct RetracedOf {
  static constexpr NetworkShape shape = [] {
    NetworkShape shape = Network::shape;
    shape.retrace = Cycles;
    return shape;
  }();
  using type = AnalysisNetwork<shape, typename Network::Grid, Network::channels>;
};
}  // namespace detail

/// The network whose memory is found anew over `Cycles` cycles, see Retrace, or carried (0).
template <class Network, std::size_t Cycles>
using Retraced = typename detail::RetracedOf<Network, Cycles>::type;

/// The same weights for a network whose memory is found anew: the start of its training.
template <std::size_t Cycles, class Network, class Real>
[[nodiscard]] Trained<Retraced<Network, Cycles>, Real> retraced(
    const Trained<Network, Real>& carried) {
  Trained<Retraced<Network, Cycles>, Real> trained(
      {.input_mean = carried.network.input_mean,
       .input_deviation = carried.network.input_deviation});
  trained.parameters = carried.parameters;
  trained.trained_for = carried.trained_for;
  return trained;
}

}  // namespace dan
