// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/fields.hpp"
#include "dan/core/interrupt.hpp"
#include "dan/core/orthonormalise.hpp"
#include "dan/core/progress.hpp"
#include "dan/core/random.hpp"
#include "dan/core/tensor.hpp"
#include "dan/diagnose/trajectory.hpp"
#include "dan/experiment/score.hpp"

/// \file
/// Lyapunov exponents: how fast small differences grow, of a model and of an assimilation cycle.
///
///     const auto spectrum = lyapunov_spectrum(Rk4<Lorenz96<40>>{}, {.cycles = 20'000});
///     spectrum.exponents[0].mean;  // 1.69 per time unit
///     spectrum.dimension.mean;     // 27.1
/// A filter is stable if the exponents of its cycle, for one sequence of observations, are all
/// negative: two filters that begin differently then end at the same analyses. The leading vectors
/// span what grows, where the errors of a forecast are.

namespace dan {

/// How long, and how many exponents.
struct LyapunovConfig {
  std::size_t exponents = 0;  ///< how many, from the largest; 0: all
  std::size_t spin_up = 500;  ///< cycles in which the vectors turn, not counted
  std::size_t cycles = 10000;
  std::size_t every = 1;   ///< cycles between two orthonormalisations
  std::uint64_t seed = 1;  ///< of the first vectors
  bool progress = true;    ///< show a progress bar if it takes long

  static constexpr auto fields() {
    using C = LyapunovConfig;
    return std::tuple(field("exponents", &C::exponents, Range::from_zero()),
                      field("spin_up", &C::spin_up, Range::from_zero()),
                      field("cycles", &C::cycles, Range::at_least_one()),
                      field("every", &C::every, Range::at_least_one()));
  }
};

/// What `lyapunov_spectrum` found, per unit of time; not a number where nothing was averaged.
struct LyapunovSpectrum {
  /// Descending, but for sampling errors.
  std::vector<ConfidenceInterval> exponents{};
  ConfidenceInterval sum{};        ///< of these exponents; of all: the mean divergence
  ConfidenceInterval dimension{};  ///< Kaplan–Yorke, see `kaplan_yorke`
  std::size_t cycles = 0;          ///< that were averaged
  std::string failure{};           ///< why it ended before `config.cycles`; empty if it did not

  [[nodiscard]] std::vector<double> means() const {
    std::vector<double> out;
    for (const auto& exponent : exponents) out.push_back(exponent.mean);
    return out;
  }
};

/// The Kaplan–Yorke dimension of descending exponents:
///   D = k + (λ_1 + … + λ_k) / |λ_{k+1}|,  k the largest with λ_1 + … + λ_k ≥ 0;
/// zero if λ_1 < 0. Not a number if no partial sum is negative: with more exponents it is larger.
/// Source: Frederickson, Kaplan, Yorke and Yorke, J. Differ. Equ. 49 (1983) 185–207.
[[nodiscard]] inline double kaplan_yorke(std::span<const double> exponents) {
  double sum = 0;
  for (std::size_t k = 0; k < exponents.size(); ++k) {
    if (sum + exponents[k] < 0) return static_cast<double>(k) - sum / exponents[k];
    sum += exponents[k];
  }
  return std::numeric_limits<double>::quiet_NaN();
}

/// `count` random orthonormal vectors of `size` numbers, as columns.
[[nodiscard]] inline Matrix random_vectors(std::size_t size, std::size_t count,
                                           std::uint64_t seed) {
  auto vectors = zero_tensor<double>(size, count);
  fill_normal<double>({seed, Purpose::ensemble}, span_of(vectors));
  orthonormalise(vectors);
  return vectors;
}

/// Advances state and vectors by `cycles` and makes the vectors orthonormal again: V ← Q,
/// Q R = M' V; returns R.
///
/// After a long time Q is the basis of backward Lyapunov vectors, which depends on the past alone:
/// its first n columns span the n directions that have grown most. The logarithms of the diagonal
/// of R are what they grew. Throws NumericalError where a number is not finite.
/// Cost: `cycles` times that of the trajectory, 4 size · n² flops.
/// Source: Benettin, Galgani, Giorgilli and Strelcyn, Meccanica 15 (1980) 9–30; Legras and Vautard,
/// ECMWF seminar on predictability (1996) for the name.
template <TangentTrajectory Trajectory>
Matrix advance_vectors(Trajectory& trajectory, Matrix& vectors, std::size_t cycles = 1) {
  for (std::size_t n = 0; n < cycles; ++n) trajectory.advance(vectors);
  for (const double x : trajectory.state())
    if (!std::isfinite(x))
      throw NumericalError(
          "advance_vectors: the state holds a number that is not finite, expected a bounded "
          "trajectory; take a shorter time step, or a stable cycle");
  for (const double x : span_of(vectors))
    if (!std::isfinite(x))
      throw NumericalError(
          to_text("advance_vectors: a vector holds a number that is not finite after ", cycles,
                  " cycles; make them orthonormal more often, or look for a derivative that is not "
                  "finite"));
  return orthonormalise(vectors);
}

namespace detail {
/// How many vectors a configuration asks for, 0: all.
inline std::size_t number_of_vectors(std::string_view function, std::string_view field,
                                     std::size_t asked, std::size_t size) {
  if (asked > size)
    throw ConfigError(to_text(function, ": ", field, " is ", asked, ", expected at most ", size,
                              ", one per number of the state (0: all)"));
  return asked > 0 ? asked : size;
}

/// Growth rates of vectors: their means, and means over blocks of equal length for the intervals.
class GrowthRates {
 public:
  GrowthRates(std::size_t vectors, std::size_t records)
      : block_(std::max<std::size_t>(1, records / most_blocks)),
        totals_(vectors),
        sums_(vectors),
        series_(vectors) {}

  /// One orthonormalisation after `time`.
  void add(const Matrix& r, double time) {
    ++records_;
    for (std::size_t k = 0; k < totals_.size(); ++k) {
      const double rate = std::log(r(k, k)) / time;
      totals_[k] += rate;
      sums_[k] += rate / static_cast<double>(block_);
      if (records_ % block_ == 0) series_[k].push_back(std::exchange(sums_[k], 0.0));
    }
  }

  [[nodiscard]] std::size_t records() const { return records_; }

  /// Exponents, their sum and the dimension. The interval of the dimension D(λ) is that of its
  /// linearisation.
  void summarise(LyapunovSpectrum& to) const {
    const std::size_t count = totals_.size(), blocks = series_[0].size();
    for (std::size_t k = 0; k < count; ++k)
      to.exponents.push_back(about(totals_[k] / static_cast<double>(records_), series_[k]));
    const auto lambda = to.means();
    const double d = kaplan_yorke(lambda);
    const auto whole = std::isnan(d) ? 0 : static_cast<std::size_t>(d);
    std::vector<double> sum(blocks), dimension(blocks);
    for (std::size_t b = 0; b < blocks; ++b)
      for (std::size_t k = 0; k < count; ++k) {
        sum[b] += series_[k][b];
        const double weight = k < whole ? 1 : d - static_cast<double>(whole);
        if (k > whole || weight == 0) continue;  // an exponent may be −∞
        dimension[b] -= weight * (series_[k][b] - lambda[k]) / lambda[whole];
      }
    to.sum = about(std::accumulate(lambda.begin(), lambda.end(), 0.0), sum);
    to.dimension = about(d, dimension);
  }

 private:
  static constexpr std::size_t most_blocks = 1024;

  /// The mean with the interval of the blocks around it.
  static ConfidenceInterval about(double mean, const std::vector<double>& blocks) {
    const auto interval = interval_of({blocks});
    return {mean, mean + (interval.low - interval.mean), mean + (interval.high - interval.mean)};
  }

  std::size_t block_, records_ = 0;
  std::vector<double> totals_, sums_;
  std::vector<std::vector<double>> series_;
};
}  // namespace detail

/// Lyapunov exponents along a trajectory, with 95 % intervals by batch means:
///   λ_k = lim 1/t Σ log R_kk,  Q R = M' V at each orthonormalisation (`advance_vectors`).
///
/// `every` may be as large as rounding allows: exp((λ_1 − λ_n) · every · cycle length) must stay
/// well below 10¹⁵, or what the last vectors do is round-off. Where a direction is forgotten
/// altogether its exponent is −∞. Cycles are rounded up to whole orthonormalisations.
/// A trajectory that becomes unusable (numbers that are not finite, a network at its bounds) ends
/// the run: `failure` says in which cycle and why, and the exponents are those of the cycles
/// before. Throws ConfigError for a field out of its range; Interrupted after Ctrl-C, see
/// InterruptHandler.
/// Cost: spin_up + cycles times that of the trajectory, and 4 size · n² flops per
/// orthonormalisation; memory: three size × n matrices and 2048 n numbers at most.
/// Source: Benettin et al. (1980); Shimada and Nagashima, Prog. Theor. Phys. 61 (1979) 1605–1616.
template <TangentTrajectory Trajectory>
[[nodiscard]] LyapunovSpectrum lyapunov_spectrum(Trajectory& trajectory,
                                                 const LyapunovConfig& config = {}) {
  constexpr std::string_view name = "lyapunov_spectrum";
  require_fields(name, config);
  const std::size_t count =
      detail::number_of_vectors(name, "exponents", config.exponents, Trajectory::size);
  Matrix vectors = random_vectors(Trajectory::size, count, config.seed);
  const std::size_t before = (config.spin_up + config.every - 1) / config.every;
  const std::size_t records = (config.cycles + config.every - 1) / config.every;
  const double time = trajectory.cycle_length() * static_cast<double>(config.every);
  detail::GrowthRates rates(count, records);
  LyapunovSpectrum spectrum;
  Progress progress("Lyapunov exponents", before + records, config.progress);
  for (std::size_t n = 0; n < before + records; ++n, progress.advance()) {
    throw_if_interrupted(name, n * config.every, " cycles; start it again, for fewer cycles");
    try {
      const Matrix r = advance_vectors(trajectory, vectors, config.every);
      if (n >= before) rates.add(r, time);
    } catch (const NumericalError& e) {
      spectrum.failure = to_text(name, ": ended in cycle ", n * config.every + 1,
                                 config.every > 1 ? to_text(" to ", (n + 1) * config.every) : "",
                                 n < before ? " of the spin-up" : "", ": ", e.what());
      break;
    }
  }
  rates.summarise(spectrum);
  spectrum.cycles = rates.records() * config.every;
  return spectrum;
}

/// The same of a model, on a trajectory from the default start.
template <DifferentiableModel Model>
[[nodiscard]] LyapunovSpectrum lyapunov_spectrum(const Model& model,
                                                 const LyapunovConfig& config = {}) {
  ModelTrajectory<Model> trajectory(model);
  return lyapunov_spectrum(trajectory, config);
}

}  // namespace dan
