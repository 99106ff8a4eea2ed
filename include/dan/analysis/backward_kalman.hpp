// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>

#include "dan/analysis/ekf.hpp"
#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/problem/problem.hpp"

namespace dan {

/// The options of a `BackwardKalman`.
struct BackwardKalmanConfig {
  std::size_t cycles = 20;       ///< n, of the trajectory that leads to the forecast
  double start_variance = 0.01;  ///< c, of the analysis at its beginning, in units of the norm²
  double inflation = 1.015;      ///< of standard deviations, after each analysis along it
};

/// An analysis without memory and without anything learned: the covariance that a Kalman filter
/// would have by now had it followed the trajectory that leads to the forecast.
///
///   x_0 = x^f,  x_−k = M⁻¹(x_−k+1), k = 1 … n;  P^a_−n = c I,
///   P^f_−k+1 = M'(x_−k) P^a_−k M'(x_−k)ᵀ + Q,  P^a = inflation² (I − K H) P^f with K of P^f, H and
///   R, x^a = x^f + K_0 (y − H(x^f)).
/// Q is the model's noise, if it has any. Only a state is carried from cycle to cycle. Along the
/// trajectory the observation operator, and which slots report, are those of the present cycle; so
/// where none does, the spread is that of n cycles of growth from c and says little. On the
/// attractor of a chaotic system the covariance of a filter depends, after a while, on the
/// trajectory alone: this analysis shows how much of it is in the forecast, with nothing but the
/// equations. The model must have `backward()`: the library's Runge–Kutta integrators do, for an
/// equation that is not told the time and knows of no decay that would explode. The constructor
/// throws ConfigError unless cycles > 0, c > 0 and inflation > 0; `analyse` throws NumericalError
/// as `Ekf::analyse`, and where the trajectory is not finite. Cost per cycle: n cycles of an `Ekf`.
/// Memory: n states, and that of an `Ekf`. Source: after Sakov, arXiv:2411.14809 (2024), a variant.
template <class Problem_>
class BackwardKalman : public AnalysisTypes<Problem_, double, 1> {
 public:
  using Problem = Problem_;
  static_assert(ReversibleModel<typename Problem::Model>,
                "BackwardKalman: the model must have `backward()`, a model in reverse time; write "
                "it, take an integrator of the library, or an Ekf");
  using Types = AnalysisTypes<Problem, double, 1>;
  using typename Types::Estimate, typename Types::FirstGuessBatch, typename Types::Observed;
  using Types::size, Types::slots;

  static constexpr std::string_view method = "BackwardKalman";

  struct Carried {
    Estimate state;
    double spread = 0;  ///< of the last analysis: told, not used
    std::size_t cycle = 0;
  };

  explicit BackwardKalman(const Problem& problem, const BackwardKalmanConfig& config = {})
      : problem_(problem), filter_(problem, {.inflation = config.inflation}), config_(config) {
    require_at_least("BackwardKalman", "cycles", config.cycles, 1);
    require_positive("BackwardKalman", "start_variance", config.start_variance);
  }

  /// The first guess; its deviation is not used.
  [[nodiscard]] Carried start(const FirstGuessBatch& guess, double deviation,
                              const RandomKey& key) const {
    return {guess, deviation, key.cycle};
  }

  void forecast(Carried& carried) const {
    at_time(problem_.model, static_cast<double>(carried.cycle++))
        .step(carried.state.data(), carried.state.data());
  }

  void analyse(Carried& carried, const Observed& observed, const RandomKey& key) const {
    require_valid_observations("BackwardKalman::analyse", observed);
    const std::size_t n = config_.cycles;
    Scratch<double> past((n + 1) * size, Unset{});  // x_0, x_−1, …, x_−n
    std::copy_n(carried.state.data(), size, past.data());
    const auto back = problem_.model.backward();
    for (std::size_t k = 0; k < n; ++k) {
      double* const before = &past[(k + 1) * size];
      back.step(&past[k * size], before);
      if (!std::all_of(before, before + size, [](double x) { return std::isfinite(x); }))
        throw NumericalError(to_text("BackwardKalman::analyse: the state ", k + 1,
                                     " cycles before the forecast is not finite, expected that the "
                                     "model can go back ",
                                     n, "; give fewer `cycles`"));
    }
    auto along = filter_.start(carried.state, std::sqrt(config_.start_variance), {});
    Observed expected = observed;  // what the trajectory itself shows: only P changes
    for (std::size_t k = n; k > 0; --k) {
      along.state.set_lane(0, &past[k * size]);
      filter_.forecast(along);
      along.state.set_lane(0, &past[(k - 1) * size]);
      if (k == 1) break;
      placed(problem_.observe, expected).observe(along.state.data(), expected.values.data());
      filter_.analyse(along, expected, key);
    }
    filter_.analyse(along, observed, key);
    carried.state = along.state;
    filter_.spread(along, std::span(&carried.spread, 1));
  }

  void estimate(const Carried& carried, Estimate& to) const { to = carried.state; }
  /// That of the last analysis, inflated.
  void spread(const Carried& carried, std::span<double> to) const { to[0] = carried.spread; }

  /// What of it outlives a process, see save_carried.
  template <class Archive>
  void transfer(Carried& carried, Archive& archive) const {
    archive.batch("state", carried.state);
    archive.count("time", carried.cycle);
    archive.numbers("spread", std::span(&carried.spread, 1), 1);
  }

 private:
  Problem problem_;
  Ekf<Problem> filter_;
  BackwardKalmanConfig config_;
};

}  // namespace dan
