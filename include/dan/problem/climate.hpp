// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/interrupt.hpp"
#include "dan/core/random.hpp"
#include "dan/core/tensor.hpp"
#include "dan/problem/problem.hpp"

namespace dan {

/// Mean and covariance of a model's states on its attractor.
struct Climate {
  Vector mean;        ///< one per state element
  Matrix covariance;  ///< state elements × state elements

  /// Throws ShapeError unless both are for states of `size` elements.
  void require_size_of(std::string_view function, std::size_t size) const {
    require_size(function, "climate.mean", mean.size(), size, "state element");
    if (covariance.shape()[0] != size || covariance.shape()[1] != size)
      throw ShapeError(to_text(function, ": climate.covariance has shape (", covariance.shape()[0],
                               ", ", covariance.shape()[1], "), expected (", size, ", ", size,
                               ")"));
  }
};

/// The truth runs that a climate is taken from.
struct ClimateConfig {
  std::uint64_t seed = 1;
  std::size_t cycles = 2000;  ///< sampled cycles of each of the 16 runs
};

namespace detail {
inline constexpr std::size_t climate_lanes = 16;  ///< runs side by side
}

/// Means and standard deviations of a model's states on its attractor: what is left of a climate
/// without its covariance, for states too large for size² numbers.
struct ClimateMoments {
  Vector mean;       ///< one per state element
  Vector deviation;  ///< one per state element
};

namespace detail {
/// What a climate is taken from: calls sample(z) for the 16 states of every cycle side by side,
/// z = x − first, and returns `first`, their mean at the beginning, which keeps sums free of
/// cancellation.
template <class Problem, class Sample>
[[nodiscard]] Vector sample_climate(std::string_view function, const Problem& problem,
                                    const ClimateConfig& config, const Sample& sample) {
  constexpr std::size_t runs = climate_lanes, size = Problem::size;
  require_at_least(function, "cycles", config.cycles, 1);
  typename Problem::template States<double, runs> x;
  std::vector<double> start(size);
  for (std::size_t l = 0; l < runs; ++l) {
    problem.start({config.seed, Purpose::truth, climate_runs + l, 0}, start);
    for (std::size_t i = 0; i < size; ++i) x.at(i, l) = start[i];
  }
  const bool stopping = interrupted();  // before: the caller says what is kept
  const auto step = [&](std::uint64_t cycle) {
    if (!stopping) throw_if_interrupted(function, "some cycles of the climate; nothing is kept");
    at_time(problem.model, start_of_cycle(cycle)).step(x.data(), x.data());
    add_noise_to_truth(problem.model_noise, x, [&](std::size_t l) {
      return RandomKey{config.seed, Purpose::truth, climate_runs + l, cycle};
    });
  };
  for (std::size_t n = 0; n < problem.start.spin_up; ++n)
    step(spin_up_cycle(n, problem.start.spin_up));

  Vector first = zero_tensor<double>(size);
  for (std::size_t i = 0; i < size; ++i) first[i] = sum_lanes(x[i]) / runs;
  typename Problem::template States<double, runs> z;
  for (std::size_t n = 1; n <= config.cycles; ++n) {
    step(n);
    for (std::size_t i = 0; i < size; ++i) z[i] = x[i] - first[i];
    sample(std::as_const(z));
  }
  if (std::ranges::any_of(x.numbers(), [](double number) { return !std::isfinite(number); }))
    throw NumericalError(
        to_text(function,
                ": the model run is not finite; give the problem a start in the units of the model "
                "(Problem::start), or take a smaller time step"));
  return first;
}
}  // namespace detail

/// Sample mean and covariance (divisor: samples − 1) of 16 truths, every cycle a sample: model
/// trajectories, with the model's noise if the problem has it.
///
/// Uses run numbers reserved for the climate. Throws ConfigError for no cycle and NumericalError if
/// the model diverges. Cost: 16 (cycles + spin-up) model steps and 16 · cycles · size² flops;
/// memory: size² numbers.
template <class Problem>
[[nodiscard]] Climate climatology_of(const Problem& problem, const ClimateConfig& config = {}) {
  constexpr std::size_t size = Problem::size;
  Climate climate{zero_tensor<double>(size), zero_tensor<double>(size, size)};
  const Vector first =
      detail::sample_climate("climatology_of", problem, config, [&](const auto& z) {
        for (std::size_t i = 0; i < size; ++i) {
          climate.mean[i] += sum_lanes(z[i]);
          for (std::size_t j = 0; j <= i; ++j) climate.covariance(i, j) += sum_lanes(z[i] * z[j]);
        }
      });
  const auto count = static_cast<double>(detail::climate_lanes * config.cycles);
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      auto& c = climate.covariance;
      c(i, j) = c(j, i) = (c(i, j) - climate.mean[i] * climate.mean[j] / count) / (count - 1);
    }
  for (std::size_t i = 0; i < size; ++i) climate.mean[i] = first[i] + climate.mean[i] / count;
  return climate;
}

/// Sample mean and standard deviation (divisor: samples − 1) of the same states.
///
/// Throws as climatology_of. Cost: its model steps; memory: a few states.
template <class Problem>
[[nodiscard]] ClimateMoments climate_moments_of(const Problem& problem,
                                                const ClimateConfig& config = {}) {
  constexpr std::size_t size = Problem::size;
  ClimateMoments moments{zero_tensor<double>(size), zero_tensor<double>(size)};
  const Vector first =
      detail::sample_climate("climate_moments_of", problem, config, [&](const auto& z) {
        for (std::size_t i = 0; i < size; ++i) {
          moments.mean[i] += sum_lanes(z[i]);
          moments.deviation[i] += sum_lanes(z[i] * z[i]);
        }
      });
  const auto count = static_cast<double>(detail::climate_lanes * config.cycles);
  for (std::size_t i = 0; i < size; ++i) {
    double &mean = moments.mean[i], &deviation = moments.deviation[i];
    deviation = std::sqrt(std::max(0.0, (deviation - mean * mean / count) / (count - 1)));
    mean = first[i] + mean / count;
  }
  return moments;
}

/// Deviations from their mean of 16 · config.cycles such states: size × samples.
///
/// A sample for `ModesBackground`. Throws as climatology_of. Memory: 16 · cycles · size numbers.
template <class Problem>
[[nodiscard]] Matrix climate_sample_of(const Problem& problem, const ClimateConfig& config = {}) {
  constexpr std::size_t size = Problem::size, runs = detail::climate_lanes;
  auto sample = zero_tensor<double>(size, runs * config.cycles);
  std::size_t n = 0;
  (void)detail::sample_climate("climate_sample_of", problem, config, [&](const auto& z) {
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t l = 0; l < runs; ++l) sample(i, n + l) = z.at(i, l);
    n += runs;
  });
  for (std::size_t i = 0; i < size; ++i) {
    double sum = 0;
    for (std::size_t m = 0; m < n; ++m) sum += sample(i, m);
    for (std::size_t m = 0; m < n; ++m) sample(i, m) -= sum / static_cast<double>(n);
  }
  return sample;
}

}  // namespace dan
