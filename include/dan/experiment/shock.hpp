// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "dan/analysis/climatology.hpp"
#include "dan/core/error.hpp"
#include "dan/core/interrupt.hpp"
#include "dan/core/parallel.hpp"
#include "dan/experiment/record.hpp"
#include "dan/experiment/score.hpp"
#include "dan/problem/climate.hpp"
#include "dan/problem/truth.hpp"

/// \file
/// Who finds the truth, or finds it again, and how soon: bad first guesses, jumps, gaps, outliers,
/// a noise that is not what the method believes.

namespace dan {

/// How runs begin; deviations are in units of the norm.
enum class FirstGuess {
  near,       ///< truth + deviation · N(0, 1); no event
  far,        ///< the same as an event: the time to find the truth counts
  climate,    ///< the climatological mean; an event
  elsewhere,  ///< another state of the attractor; an event
  constant    ///< every number is `size`; an event
};

/// What happens to runs again and again; sizes of jump and shift are in units of the norm.
enum class ShockEvent {
  none,
  jump,     ///< size · N(0, 1) is added to the forecast
  shift,    ///< size is added to every number of the forecast
  outlier,  ///< ± size deviations of its error are added to one observation
  gap       ///< nothing is observed for `gap` cycles; the event is their end
};

/// What a method is put through.
struct Shock {
  std::string name{};
  FirstGuess start = FirstGuess::near;
  double deviation = 0.5;  ///< of the first guess's error, also what the method believes
  ShockEvent event = ShockEvent::none;
  double size = 0;
  std::size_t every = 200;  ///< cycles from event to event; the first after twice as many
  std::size_t gap = 0;      ///< cycles
  double noise = 1;         ///< deviation of the observations' errors, in units of what is believed
};

/// How it is measured.
struct ShockConfig {
  std::size_t runs = 64, cycles = 600;
  std::uint64_t seed = 4711;
  std::size_t threads = 0;  ///< 0: all cores; changes no bit
  double found = 0.4;       ///< an analysis with a smaller RMSE has found the truth
};

/// What came of it.
struct ShockOutcome {
  std::size_t events = 0;  ///< bad starts and events, of all runs together
  std::size_t never = 0;   ///< those after which the truth was not found before the next one
  /// Runs whose mean error in the last 50 cycles was not below 2.5 · `found` (where these may be a
  /// gap: that had an event open in the end), and all runs of a group that threw.
  std::size_t lost = 0;
  std::vector<double> cycles{};  ///< from an event to the first analysis at the truth, ascending
  double error = std::numeric_limits<double>::quiet_NaN();  ///< mean RMSE of observed cycles after
                                                            ///< `every`, where finite
  std::string reason{};                                     ///< the last NumericalError

  /// The cycles that at least a share p of the recoveries took at most: of all in their order
  /// number ⌊p n⌋ + 1; NaN if there is none.
  [[nodiscard]] double quantile(double p) const {
    if (cycles.empty()) return std::numeric_limits<double>::quiet_NaN();
    const auto n = static_cast<std::size_t>(p * static_cast<double>(cycles.size()));
    return cycles[std::min(n, cycles.size() - 1)];
  }
};

namespace detail {

/// Adds `d` to number i of the state of run `lane` in what a method carries, of all members.
template <class Method>
void move_carried(typename Method::Carried& carried, std::size_t lane, std::size_t i, double d) {
  if constexpr (HasElements<Method>) {
    std::size_t members = 1;
    if constexpr (requires { Method::members; }) members = Method::members;
    for (std::size_t m = 0; m < members; ++m) {
      auto& number = Method::element(carried, m, i, lane);
      number += static_cast<std::decay_t<decltype(number)>>(d);
    }
  }
}

/// How the runs of a group begin; `other`: truths of other runs.
template <class Method, class Problem, class Twin>
typename Method::FirstGuessBatch shock_guess(const Problem& problem, const Shock& shock,
                                             const Twin& twin, const Twin& other,
                                             std::span<const double> climate) {
  typename Method::FirstGuessBatch guess;
  for (std::size_t l = 0; l < Twin::runs; ++l) {
    const auto error = problem.errors(twin.key(l).with(Purpose::first_guess), shock.deviation);
    for (std::size_t i = 0; i < Twin::size; ++i) switch (shock.start) {
        case FirstGuess::climate:
          guess.at(i, l) = climate[i];
          break;
        case FirstGuess::elsewhere:
          guess.at(i, l) = other.truth().at(i, l);
          break;
        case FirstGuess::constant:
          guess.at(i, l) = shock.size;
          break;
        default:
          guess.at(i, l) = twin.truth().at(i, l) + error[i];
      }
  }
  guess.repeat_last_lane();
  return guess;
}

/// What happens in a cycle.
struct ShockTime {
  bool event, silent;

  ShockTime(const Shock& shock, std::size_t cycle, std::size_t cycles) {
    const bool quiet = shock.event == ShockEvent::none || cycle <= shock.every;
    const std::size_t after = cycle % shock.every;
    event = !quiet && after == 0 && cycle + shock.every <= cycles + 1;
    silent =
        shock.event == ShockEvent::gap && !quiet && after != 0 && after >= shock.every - shock.gap;
  }
};

/// Gives the observations the precision that is believed, or none of them any if it is `silent`.
template <class Problem, class Observed>
void believe(const Problem& problem, bool silent, Observed& observed) {
  for (std::size_t j = 0; j < Observed::slots; ++j)
    for (std::size_t l = 0; l < Observed::lanes; ++l) {
      auto& precision = observed.precision.at(j, l);
      if (precision > 0)
        precision = static_cast<std::decay_t<decltype(precision)>>(problem.noise.precision(j));
      if (silent) observed.values.at(j, l) = precision = 0;
    }
}

/// The event of lane l, with the chances of `key`; false where an outlier finds no observation.
template <class Method, class Problem>
bool strike(const Problem& problem, const Shock& shock, const RandomKey& key, std::size_t l,
            typename Method::Carried& carried, typename Method::Observed& observed) {
  constexpr std::size_t size = Problem::size, slots = Problem::slots;
  std::vector<double> normal(size + 2);
  fill_normal<double>(key.with(Purpose::upset), normal);
  for (std::size_t i = 0; i < size; ++i) {
    if (shock.event == ShockEvent::jump)
      move_carried<Method>(carried, l, i, shock.size * problem.unit(i) * normal[i]);
    if (shock.event == ShockEvent::shift)
      move_carried<Method>(carried, l, i, shock.size * problem.unit(i));
  }
  if (shock.event != ShockEvent::outlier) return true;
  std::vector<std::size_t> reporting;
  for (std::size_t j = 0; j < slots; ++j)
    if (observed.precision.at(j, l) > 0) reporting.push_back(j);
  if (reporting.empty()) return false;
  const double place = 0.5 * std::erfc(normal[size] / std::sqrt(2.0));  // uniform
  const auto n = static_cast<std::size_t>(place * static_cast<double>(reporting.size()));
  const std::size_t j = reporting[std::min(n, reporting.size() - 1)];
  auto& y = observed.values.at(j, l);
  y += static_cast<std::decay_t<decltype(y)>>(std::copysign(shock.size, normal[size + 1]) *
                                              std::sqrt(problem.noise.variance(j)));
  return true;
}

/// Puts the runs from number `first` through it. Sums the errors into `errors`, over the
/// `counted` cycles that were observed.
template <class Problem, class Method>
void run_shock_group(const Problem& problem, const Method& method, const Shock& shock,
                     const ShockConfig& config, std::span<const double> climate, std::size_t first,
                     std::size_t runs, ShockOutcome& out, double& errors, double& counted) {
  constexpr std::size_t width = Method::runs, slots = Problem::slots;
  Problem truth = problem;
  std::array<double, slots> variances;
  for (std::size_t j = 0; j < slots; ++j)
    variances[j] = shock.noise * shock.noise * problem.noise.variance(j);
  truth.noise = DiagonalNoise<slots>(variances);
  TwinTruth<Problem, width> twin(truth, {.seed = config.seed, .first_run = first});
  const TwinTruth<Problem, width> other(truth, {.seed = config.seed + 1, .first_run = first});
  typename Method::Observed observed;
  typename Method::Estimate estimate;
  const std::vector<double> weights = problem.weights();
  const auto guess = shock_guess<Method>(problem, shock, twin, other, climate);
  const bool bad_start = shock.start != FirstGuess::near;
  std::vector<std::size_t> since(runs);
  std::vector<bool> open(runs, bad_start);
  std::vector<double> late(runs);
  constexpr std::size_t last_cycles = 50;
  if (bad_start) out.events += runs;
  try {
    auto carried = method.start(guess, shock.deviation, twin.key(0));
    for (std::size_t k = 1; k <= config.cycles; ++k) {
      throw_if_interrupted("run_shock", k - 1, " of ", config.cycles,
                           " cycles; nothing is kept, run it again");
      twin.next();
      convert_precision(twin.observed(), observed);
      const ShockTime now(shock, k, config.cycles);
      believe(problem, now.silent, observed);
      method.forecast(carried);
      for (std::size_t l = 0; l < runs && now.event; ++l) {
        if (!strike<Method>(problem, shock, twin.key(l), l, carried, observed)) continue;
        out.never += open[l];
        ++out.events;
        open[l] = true;
        since[l] = k;
      }
      observed.values.repeat_last_lane();
      observed.precision.repeat_last_lane();
      method.analyse(carried, observed, twin.key(0).with(Purpose::analysis));
      method.estimate(carried, estimate);
      for (std::size_t l = 0; l < runs; ++l) {
        const double error = rmse(estimate, twin.truth(), l, weights);
        if (k > config.cycles - last_cycles) late[l] += error / last_cycles;
        if (now.silent) continue;
        if (k > shock.every && std::isfinite(error)) errors += error, ++counted;
        if (!open[l] || !(error < config.found)) continue;
        out.cycles.push_back(static_cast<double>(k - since[l]));
        open[l] = false;
      }
    }
    for (std::size_t l = 0; l < runs; ++l) {
      out.never += open[l];
      const bool ends_in_gap = shock.event == ShockEvent::gap;
      out.lost += open[l] || (!ends_in_gap && !(late[l] < 2.5 * config.found));
    }
  } catch (const NumericalError& e) {
    out.reason = e.what();
    out.lost += runs;
    for (std::size_t l = 0; l < runs; ++l) out.never += open[l];
  }
}

}  // namespace detail

/// Puts a method through a shock and measures how soon it finds the truth again.
///
/// Truth and observations are those of `problem`, but for `Shock::noise`; the method may hold
/// another model. Runs and chances are the same for every method: keyed by (seed, run, cycle). A
/// jump or shift is added to what the method carries after its forecast: to all members, to the
/// state and not the memory of a network. Throws ConfigError for no runs, too few cycles, and a
/// jump or shift of a method that does not say where its states are (HasElements) or never sees it
/// (IEnKS, 4D-Var), Interrupted when told to stop. Cost: truth and analysis.
template <class Problem, class Method>
[[nodiscard]] ShockOutcome run_shock(const Problem& problem, const Method& method,
                                     const Shock& shock, const ShockConfig& config = {}) {
  require_at_least("run_shock", "runs", config.runs, 1);
  require_at_least("run_shock", "cycles", config.cycles, 50);
  require_at_least("run_shock", "shock.every", shock.every, shock.gap + 1);
  require_positive("run_shock", "shock.noise", shock.noise);
  if (shock.event == ShockEvent::jump || shock.event == ShockEvent::shift) {
    if (!HasElements<Method>)
      throw ConfigError(
          "run_shock: a jump or shift needs to know where the states of the method stand, expected "
          "one with element(carried, member, i, run)");
    if (Smoother<Method> && requires { Method::keeps_past; })
      throw ConfigError(
          "run_shock: a jump or shift does nothing to a method that forecasts anew from the start "
          "of its window, expected another event");
  }
  if (shock.event != ShockEvent::none)  // the first in cycle 2 · every, with as many after it
    require_at_least("run_shock", "cycles", config.cycles, 3 * shock.every - 1);
  std::vector<double> climate;
  if (shock.start == FirstGuess::climate) {
    const auto mean = climate_moments_of(problem).mean;
    climate.assign(mean.begin(), mean.end());
  }
  constexpr std::size_t width = Method::runs;
  const std::size_t groups = (config.runs + width - 1) / width;
  std::vector<ShockOutcome> parts(groups);
  std::vector<double> errors(groups), counted(groups);
  Threads(config.threads).for_each(groups, [&](std::size_t g) {
    detail::run_shock_group(problem, method, shock, config, climate, g * width,
                            std::min(width, config.runs - g * width), parts[g], errors[g],
                            counted[g]);
  });
  ShockOutcome all;
  double error = 0, count = 0;
  for (std::size_t g = 0; g < groups; ++g) {
    const ShockOutcome& part = parts[g];
    all.events += part.events, all.never += part.never, all.lost += part.lost;
    all.cycles.insert(all.cycles.end(), part.cycles.begin(), part.cycles.end());
    if (!part.reason.empty()) all.reason = part.reason;
    error += errors[g], count += counted[g];
  }
  std::ranges::sort(all.cycles);
  if (count > 0) all.error = error / count;
  return all;
}

}  // namespace dan
