// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/random.hpp"
#include "dan/network/trained_for.hpp"
#include "dan/observe/places.hpp"
#include "dan/problem/observation_deviations.hpp"
#include "dan/problem/problem.hpp"

namespace dan {

/// A problem in words: what the `describe()` of its parts say, else their sizes.
template <class Problem>
[[nodiscard]] std::string describe(const Problem& problem) {
  const auto words = [](const auto& part, const std::string& otherwise) {
    if constexpr (requires { std::string(part.describe()); })
      return std::string(part.describe());
    else
      return otherwise;
  };
  return words(problem.model, to_text("a model of ", Problem::size, " numbers")) + "; " +
         words(problem.observe, to_text("observed in ", Problem::slots, " slots")) +
         (Problem::perfect_model ? "" : "; with model noise");
}

/// Means and standard deviations of what one cycle adds to numbers; NaN where they are not finite.
template <std::size_t Channels>
struct CycleChange {
  static constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
  double mean = unknown, deviation = unknown;  ///< of all; of several channels in their deviations
  std::array<double, Channels> by_channel{};   ///< deviations of those of each channel
};

/// What one cycle does to 128 states of independent normal numbers with the network's input
/// scaling. Cost: 128 model steps.
template <class Problem, class Network>
[[nodiscard]] CycleChange<Problem::channels> change_of_a_cycle(const Problem& problem,
                                                               const Network& network) {
  constexpr std::size_t states = 128, lanes = 16, size = Problem::size;
  constexpr std::size_t channels = Problem::channels;
  std::vector<double> changes, state(size);
  typename Problem::template States<double, lanes> x;
  for (std::size_t first = 0; first < states; first += lanes) {
    for (std::size_t l = 0; l < lanes; ++l) {
      fill_normal<double>({1, Purpose::fingerprint, first + l, 0}, state);
      for (std::size_t i = 0; i < size; ++i) {
        const std::size_t c = i % Problem::channels;
        x.at(i, l) = network.input_mean[c] + network.input_deviation[c] * state[i];
      }
    }
    auto y = x;
    // Of a model that is told the time at many of them.
    constexpr std::array<double, states / lanes> times{0, 13, 101, 337, 733, 1009, 2003, 5003};
    at_time(problem.model, times[first / lanes]).step(y.data(), y.data());
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t l = 0; l < lanes; ++l) changes.push_back(y.at(i, l) - x.at(i, l));
  }
  const auto channel = [](std::size_t n) { return n / lanes % channels; };
  CycleChange<channels> change;
  double mean = 0, variance = 0;
  const auto count = static_cast<double>(changes.size());
  // Of several channels in units of each; of one as it is, which files of weights have.
  const auto in_units = [&](std::size_t n) {
    return channels > 1 ? changes[n] / network.input_deviation[channel(n)] : changes[n];
  };
  for (std::size_t n = 0; n < changes.size(); ++n) mean += in_units(n) / count;
  for (std::size_t n = 0; n < changes.size(); ++n)
    variance += (in_units(n) - mean) * (in_units(n) - mean) / count;
  if (std::isfinite(variance)) change.mean = mean, change.deviation = std::sqrt(variance);
  std::array<double, channels> means{};
  for (std::size_t n = 0; n < changes.size(); ++n)
    means[channel(n)] += changes[n] * channels / count;
  for (std::size_t n = 0; n < changes.size(); ++n)
    change.by_channel[channel(n)] += std::pow(changes[n] - means[channel(n)], 2) * channels / count;
  for (double& deviation : change.by_channel)
    deviation = std::isfinite(deviation) ? std::sqrt(deviation) : change.unknown;
  return change;
}

/// What a network that `sees_scales` is shown of a problem:
///   ln(s_i/deviation_c), then ln(change_c/deviation_c), for every element i, c its channel,
/// with s the `deviations` of the observations' errors, `change` that of `change_of_a_cycle`, both
/// fractions kept within 1/50 and 50, and 50 where a change is not finite. 2 · size numbers; none
/// for other networks.
template <class Problem, class Network>
[[nodiscard]] std::vector<double> scales_shown(const Problem& problem, const Network& network,
                                               std::span<const double> deviations) {
  if constexpr (!Network::shape.sees_scales) return {};
  constexpr std::size_t size = Problem::size;
  const auto change = change_of_a_cycle(problem, network).by_channel;
  std::vector<double> scales(2 * size);
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t c = i % Problem::channels;
    const auto logarithm = [&](double value) {  // min(50, NaN) is 50
      return std::log(std::max(1 / 50.0, std::min(50.0, value / network.input_deviation[c])));
    };
    scales[i] = logarithm(deviations[i]), scales[size + i] = logarithm(change[c]);
  }
  return scales;
}

/// The record of a problem for a network with this input scaling; `innovation` stays 1.
/// Cost: 128 model steps and slots · size flops.
template <class Problem, class Network>
[[nodiscard]] TrainedFor trained_for(const Problem& problem, const Network& network) {
  constexpr std::size_t keys = 64, size = Problem::size;
  const auto change = change_of_a_cycle(problem, network);
  TrainedFor record{.problem = describe(problem),
                    .points = Problem::points,
                    .mean_change = change.mean,
                    .change = change.deviation,
                    .most_mean_change = change.mean,
                    .most_change = change.deviation,
                    .between_points = MovingOperator<typename Problem::Operator>};
  record.least_variance = record.most_variance = problem.noise.variance(0);
  for (std::size_t j = 1; j < Problem::slots; ++j) {
    record.least_variance = std::min(record.least_variance, problem.noise.variance(j));
    record.most_variance = std::max(record.most_variance, problem.noise.variance(j));
  }
  const auto deviations = observation_deviations(problem, network);
  record.deviations.assign(deviations.begin(), deviations.begin() + Problem::channels);
  for (std::size_t i = 0; i < size; ++i) {
    double& least = record.deviations[i % Problem::channels];
    least = std::min(least, deviations[i]);
  }
  std::array<bool, Problem::slots> mask;
  for (std::size_t n = 0; n < keys; ++n) {
    problem.observe.available({1, Purpose::fingerprint, n, n}, mask.data());
    const auto seen = static_cast<double>(std::ranges::count(mask, true)) / size;
    record.least_observed = n == 0 ? seen : std::min(record.least_observed, seen);
    record.most_observed = n == 0 ? seen : std::max(record.most_observed, seen);
  }
  return record;
}

}  // namespace dan
