// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "dan/core/error.hpp"
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
      throw ShapeError(text(function, ": climate.covariance has shape (", covariance.shape()[0],
                            ", ", covariance.shape()[1], "), expected (", size, ", ", size, ")"));
  }
};

/// The truth runs that a climate is taken from.
struct ClimateConfig {
  std::uint64_t seed = 1;
  std::size_t cycles = 2000;  ///< sampled cycles of each of the 16 runs
};

/// Sample mean and covariance (divisor: samples − 1) of 16 truths, every cycle a sample: model
/// trajectories, with the model's noise if the problem has it.
///
/// Uses run numbers reserved for the climate. Throws ConfigError for no cycle
/// and NumericalError if the model diverges. Cost: 16 (cycles + spin-up) model steps and
/// 16 · cycles · size² flops; memory: size² numbers.
template <class Problem>
[[nodiscard]] Climate climatology_of(const Problem& problem, const ClimateConfig& config = {}) {
  constexpr std::size_t runs = 16, size = Problem::size;
  require_at_least("climatology_of", "cycles", config.cycles, 1);
  typename Problem::template States<double, runs> x;
  std::vector<double> start(size);
  for (std::size_t l = 0; l < runs; ++l) {
    problem.start({config.seed, Purpose::truth, climate_runs + l, 0}, start);
    for (std::size_t i = 0; i < size; ++i) x.at(i, l) = start[i];
  }
  const auto step = [&](std::uint64_t cycle) {
    at_time(problem.model, start_of_cycle(cycle)).step(x.data(), x.data());
    add_noise_to_truth(problem.model_noise, x, [&](std::size_t l) {
      return RandomKey{config.seed, Purpose::truth, climate_runs + l, cycle};
    });
  };
  for (std::size_t n = 0; n < problem.start.spin_up; ++n)
    step(spin_up_cycle(n, problem.start.spin_up));

  // Sums of z = x − (first mean), which keeps them free of cancellation.
  std::vector<double> first(size);
  for (std::size_t i = 0; i < size; ++i) first[i] = sum_lanes(x[i]) / runs;
  typename Problem::template States<double, runs> z;
  Climate climate{zeros<double>(size), zeros<double>(size, size)};
  for (std::size_t n = 1; n <= config.cycles; ++n) {
    step(n);
    for (std::size_t i = 0; i < size; ++i) {
      z[i] = x[i] - first[i];
      climate.mean[i] += sum_lanes(z[i]);
      for (std::size_t j = 0; j <= i; ++j) climate.covariance(i, j) += sum_lanes(z[i] * z[j]);
    }
  }
  const auto count = static_cast<double>(runs * config.cycles);
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      auto& c = climate.covariance;
      c(i, j) = c(j, i) = (c(i, j) - climate.mean[i] * climate.mean[j] / count) / (count - 1);
    }
  for (std::size_t i = 0; i < size; ++i) climate.mean[i] = first[i] + climate.mean[i] / count;
  if (!std::isfinite(climate.covariance(size - 1, size - 1)))
    throw NumericalError(
        "climatology_of: the model run is not finite; give the problem a start in the units of the "
        "model (Problem::start), or take a smaller time step");
  return climate;
}

}  // namespace dan
