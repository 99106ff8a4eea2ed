// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "dan/core/error.hpp"
#include "dan/core/random.hpp"
#include "dan/problem/problem.hpp"
#include "dan/problem/truth.hpp"

namespace dan {

/// Sets a network's input scaling from the climate of the model: mean and standard deviation per
/// channel over a truth run; a quarter of the largest distance from the mean where that is more
/// than the standard deviation, since a network bounds its analyses by five of them. Throws
/// NumericalError if the model diverges, ConfigError for a channel that does not vary. Cost: 16
/// runs of 1,000 model steps and their spin-up.
template <class Problem, class Network>
void scale_inputs(const Problem& problem, Network& network, std::uint64_t seed = 1) {
  constexpr std::size_t runs = 16, cycles = 1000, channels = Problem::channels;
  TwinTruth<Problem, runs> twin(problem, {.seed = seed, .first_run = climate_runs});
  std::array<double, channels> sum{}, origin{}, shifted{}, square{};
  std::array<double, channels> low, high;
  low.fill(std::numeric_limits<double>::infinity());
  high.fill(-std::numeric_limits<double>::infinity());
  for (std::size_t n = 0; n < cycles; ++n) {
    twin.next();
    // Deviations are taken about a state, so that nothing is lost where the mean is large.
    for (std::size_t c = 0; c < channels && n == 0; ++c) origin[c] = twin.truth().at(c, 0);
    for (std::size_t i = 0; i < Problem::size; ++i)
      for (std::size_t l = 0; l < runs; ++l) {
        const double x = twin.truth().at(i, l);
        const double d = x - origin[i % channels];
        sum[i % channels] += x, shifted[i % channels] += d, square[i % channels] += d * d;
        low[i % channels] = std::min(low[i % channels], x);
        high[i % channels] = std::max(high[i % channels], x);
      }
  }
  const auto count = static_cast<double>(cycles * runs * Problem::points);
  for (std::size_t c = 0; c < channels; ++c) {
    network.input_mean[c] = sum[c] / count;
    network.input_deviation[c] = std::sqrt(square[c] / count - std::pow(shifted[c] / count, 2));
    const double mean = network.input_mean[c];
    network.input_deviation[c] =
        std::max(network.input_deviation[c], std::max(high[c] - mean, mean - low[c]) / 4);
    if (!std::isfinite(network.input_deviation[c]))
      throw NumericalError(
          "scale_inputs: the truth is not finite; give the problem a start in the units of the "
          "model (Problem::start), or take a smaller time step");
    if (low[c] == high[c])
      throw ConfigError(to_text("scale_inputs: channel ", c, " of the truth is ", mean,
                                " at every point and time, expected one that changes; leave it "
                                "out of the state, or give input_mean and input_deviation"));
  }
  notice_of_units(problem.norm, network.input_deviation);
}

}  // namespace dan
