// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

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
  std::size_t cycles = 2000;   ///< sampled cycles of each of the 16 runs
  std::size_t spin_up = 400;   ///< cycles from the random start to the attractor, not sampled
  double start_mean = 2;       ///< mean of the random start, each element
  double start_deviation = 3;  ///< standard deviation of the random start
};

/// Sample mean and covariance (divisor: samples − 1) of 16 model trajectories, every cycle a
/// sample.
///
/// Its runs are never those of an experiment, whatever the seeds. Throws ConfigError for no cycle
/// and NumericalError if the model diverges. Cost: 16 (cycles + spin_up) model steps and
/// 16 · cycles · size² flops; memory: size² numbers.
template <class Problem>
[[nodiscard]] Climate climatology_of(const Problem& problem, const ClimateConfig& config = {}) {
  constexpr std::size_t runs = 16, size = Problem::size;
  require_at_least("climatology_of", "cycles", config.cycles, 1);
  typename Problem::template States<double, runs> x;
  std::array<double, size> start;
  for (std::size_t l = 0; l < runs; ++l) {
    fill_normal<double>({config.seed, Purpose::truth, (std::uint64_t{1} << 32) + l, 0}, start);
    for (std::size_t i = 0; i < size; ++i)
      x.at(i, l) = config.start_mean + config.start_deviation * start[i];
  }
  for (std::size_t n = 0; n < config.spin_up; ++n) problem.model.step(x.data(), x.data());

  // Sums of z = x − (first mean), which keeps them free of cancellation.
  std::array<double, size> first;
  for (std::size_t i = 0; i < size; ++i) first[i] = sum_lanes(x[i]) / runs;
  typename Problem::template States<double, runs> z;
  Climate climate{zeros<double>(size), zeros<double>(size, size)};
  for (std::size_t n = 0; n < config.cycles; ++n) {
    problem.model.step(x.data(), x.data());
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
    throw NumericalError("climatology_of: the model run is not finite; take a smaller time step");
  return climate;
}

/// The analysis that always returns the climatological mean: what any other has to beat.
///
/// Carries nothing; ignores first guess and observations. Cost: none.
template <class Problem_, std::size_t Runs = simd_width<double>>
class Climatology : public AnalysisTypes<Problem_, double, Runs> {
 public:
  using Types = AnalysisTypes<Problem_, double, Runs>;
  using typename Types::Estimate, typename Types::FirstGuessBatch, typename Types::Observed;

  static constexpr std::string_view method = "Climatology";

  struct Carried {};

  /// Throws ShapeError unless the climate is of states of the problem's model.
  explicit Climatology(const Climate& climate) : mean_(climate.mean) {
    climate.require_size_of("Climatology", Types::size);
  }

  [[nodiscard]] Carried start(const FirstGuessBatch&, double, const RandomKey&) const { return {}; }
  void forecast(Carried&) const {}
  void analyse(Carried&, const Observed&, const RandomKey&) const {}
  void estimate(const Carried&, Estimate& to) const {
    for (std::size_t i = 0; i < Types::size; ++i) to[i] = mean_[i];
  }
  template <class Archive>
  void transfer(Carried&, Archive&) const {}

 private:
  Vector mean_;
};

}  // namespace dan
