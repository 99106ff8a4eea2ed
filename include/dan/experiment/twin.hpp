// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/parallel.hpp"
#include "dan/core/progress.hpp"
#include "dan/experiment/score.hpp"
#include "dan/problem/truth.hpp"

namespace dan {

/// A twin experiment: `runs` independent truths of `cycles` cycles each.
struct TwinConfig {
  std::size_t runs = 8;
  std::size_t cycles = 1300;         ///< cycles of each run, burn-in included
  std::size_t burn_in = 50;          ///< first cycles of each run, not scored
  std::uint64_t seed = 1;            ///< of truths, observations and first guesses
  std::size_t threads = 0;           ///< 0: all cores; changes no bit of the scores
  double first_guess_deviation = 1;  ///< standard deviation of the first guess's error
  bool progress = true;              ///< show a progress bar if it takes long
  std::size_t keep_series = 0;       ///< first cycles, burn-in included, to keep the RMSE of
  std::size_t keep_fields = 0;       ///< first scored cycles of run 0 to keep the states of
};

/// A run that an analysis could not finish; its scores up to there count.
struct TwinFailure {
  std::size_t run, cycle;  ///< cycle: 1 is the first analysis
  std::string reason;
};

/// What a twin experiment found; not a number where there is nothing to average.
struct TwinScores {
  double analysis_rmse = std::numeric_limits<double>::quiet_NaN();  ///< aRMSE
  double forecast_rmse = analysis_rmse;   ///< the same of the forecasts (estimate before `analyse`)
  double spread = analysis_rmse;          ///< time mean of the method's own spread after `analyse`
  Interval interval;                      ///< of the aRMSE, 95 %, see interval_of
  double smoothing_rmse = analysis_rmse;  ///< the same of the oldest state in a smoother's window
  Interval smoothing_interval;            ///< of the smoothing_rmse
  std::vector<double> run_rmse;           ///< the aRMSE of each run that outlived the burn-in
  std::size_t cycles = 0;                 ///< scored cycles, all runs together
  double seconds = 0;                     ///< wall time, truth and observations included
  std::vector<TwinFailure> failures;      ///< in the order of the runs
  std::vector<TwinFailure> lost;          ///< runs that lost the truth, see run_twin
  double went_back = analysis_rmse;       ///< share of scored cycles that `went_back` tells of
  std::vector<double> series;             ///< per cycle: mean over runs of the analysis RMSE
  std::vector<std::vector<double>> truth, analysis;  ///< cycle × state element, run 0
};

namespace detail {

/// What is known of one run, per cycle, and why it ended early. `smoothed`: after the burn-in only.
struct TwinRun {
  std::vector<double> analysis, forecast, spread, smoothed, at_bounds, went_back;
  std::vector<double> origin;        ///< the truth before the first cycle
  std::vector<double> sum, squares;  ///< of each element of truth − origin, over the cycles
  std::string failure;
};

/// The climate's deviation, √(mean over elements of the truth's variance over all runs).
inline double deviation_of_truth(const std::vector<TwinRun>& runs) {
  double variance = 0, cycles = 0;
  for (const TwinRun& run : runs) cycles += static_cast<double>(run.analysis.size());
  const std::size_t size = runs.front().sum.size();
  for (std::size_t i = 0; i < size; ++i) {
    // About the first run's origin, so that nothing is lost where the mean is large.
    double sum = 0, squares = 0;
    for (const TwinRun& run : runs) {
      const auto n = static_cast<double>(run.analysis.size());
      const double shift = run.origin[i] - runs.front().origin[i];
      sum += run.sum[i] + n * shift;
      squares += run.squares[i] + 2 * shift * run.sum[i] + n * shift * shift;
    }
    variance += (squares - sum * sum / cycles) / cycles / static_cast<double>(size);
  }
  return std::sqrt(variance);
}

/// Cycles over which a run's errors are averaged to tell whether it has lost the truth.
inline constexpr std::size_t lost_length = 100;

/// Where a run has lost the truth, see run_twin: the first cycle (from 1) after the burn-in of
/// `lost_length` in which it has, and why; cycle 0: nowhere.
inline std::pair<std::size_t, std::string> first_lost_cycle(const TwinRun& run, std::size_t burn_in,
                                                            double deviation) {
  constexpr std::size_t length = lost_length;
  const std::size_t cycles = run.analysis.size();
  const bool has_spread = run.spread.size() == cycles, has_bounds = run.at_bounds.size() == cycles;
  double error = 0, spread = 0, at_bounds = 0;  // sums over `length` cycles
  for (std::size_t c = burn_in; c < cycles; ++c) {
    error += run.analysis[c];
    if (has_spread) spread += run.spread[c];
    if (has_bounds) at_bounds += run.at_bounds[c];
    if (c + 1 < burn_in + length) continue;
    const auto mean = [&](double sum) { return sum / static_cast<double>(length); };
    const auto because = [&](const auto&... why) {
      return std::pair(c + 2 - length,
                       text("lost the truth: a mean error of ", mean(error), " over ", length,
                            " cycles, ", why..., "; the climatological deviation is ", deviation));
    };
    if (at_bounds > 0.5 * length)
      return because(std::round(100 * mean(at_bounds)),
                     " % of the state at the bounds of the learned analysis: it is outside the "
                     "problem that it was trained for");
    if (!(mean(error) <= 1.2 * deviation))
      return because(
          "more than that of the climatology; an ensemble wants more members, inflation "
          "or localisation");
    if (has_spread && mean(error) > 0.5 * deviation && error > 3 * spread)
      return because("where its own spread is only ", mean(spread),
                     "; an ensemble wants more members, inflation or localisation");
    if (has_spread && !(mean(spread) <= 1.5 * deviation) && !(spread <= 3 * error))
      return because("where its own spread is ", mean(spread),
                     ", more than any state is from another");
    const std::size_t first = c + 1 - length;
    error -= run.analysis[first];
    if (has_spread) spread -= run.spread[first];
    if (has_bounds) at_bounds -= run.at_bounds[first];
  }
  return {};
}

/// Runs the group of `runs.size()` ≤ Method::runs runs that begins with run `first`.
template <class Problem, class Method>
void run_twin_group(const Problem& problem, const Method& analysis, const TwinConfig& config,
                    std::size_t first, std::span<TwinRun> runs, TwinScores& scores,
                    Progress& progress) {
  constexpr std::size_t width = Method::runs, size = Problem::size;
  TwinTruth<Problem, width> twin(problem, {.seed = config.seed, .first_run = first});
  typename Method::FirstGuessBatch guess;
  typename Method::Observed observed;
  typename Method::Estimate estimate;
  std::array<double, size> error;
  for (std::size_t l = 0; l < width; ++l) {
    fill_normal<double>(twin.key(l).with(Purpose::first_guess), error);
    for (std::size_t i = 0; i < size; ++i)
      guess.at(i, l) = twin.truth().at(i, l) + config.first_guess_deviation * error[i];
  }
  guess.repeat_last_lane();

  // Adds the RMSE of every run that is still going to the series that `member` points to.
  const auto score = [&](const auto& carried, std::vector<double> TwinRun::*member) {
    analysis.estimate(carried, estimate);
    for (std::size_t l = 0; l < runs.size(); ++l) {
      if (!runs[l].failure.empty()) continue;
      const double value = rmse(estimate, twin.truth(), l);
      if (std::isfinite(value))
        (runs[l].*member).push_back(value);
      else
        runs[l].failure =
            "the estimate is not finite: the analysis has diverged; shorten the model's time step, "
            "or give the background or ensemble more spread";
    }
    return std::ranges::any_of(runs, [](const TwinRun& run) { return run.failure.empty(); });
  };

  const auto keep = [&](const std::array<double, width>& values,
                        std::vector<double> TwinRun::*member) {
    for (std::size_t l = 0; l < runs.size(); ++l)
      if (runs[l].failure.empty()) (runs[l].*member).push_back(values[l]);
  };

  // The same for a smoother's oldest state, which belongs to a truth of some cycles ago.
  std::deque<typename TwinTruth<Problem, width>::Truth> truths{twin.truth()};
  std::size_t longest = 0;
  const auto score_smoothed = [&](const auto& carried, std::size_t cycle) {
    if constexpr (requires { analysis.smoothed(carried, estimate); }) {
      truths.push_back(twin.truth());
      const std::size_t lag = analysis.smoothed(carried, estimate);
      if (lag >= longest && cycle > config.burn_in)
        for (std::size_t l = 0; l < runs.size(); ++l)
          if (runs[l].failure.empty())
            runs[l].smoothed.push_back(rmse(estimate, truths[truths.size() - 1 - lag], l));
      longest = std::max(longest, lag);
      while (truths.size() > longest + 1) truths.pop_front();
    }
  };

  for (std::size_t l = 0; l < runs.size(); ++l) {
    runs[l].sum.assign(size, 0), runs[l].squares.assign(size, 0);
    for (std::size_t i = 0; i < size; ++i) runs[l].origin.push_back(twin.truth().at(i, l));
  }
  try {
    auto carried = analysis.start(guess, config.first_guess_deviation, twin.key(0));
    std::size_t shown = 0;
    for (std::size_t cycle = 1; cycle <= config.cycles; ++cycle) {
      twin.next();
      convert(twin.observed(), observed);
      analysis.forecast(carried);
      if (!score(carried, &TwinRun::forecast)) break;
      analysis.analyse(carried, observed, twin.key(0).with(Purpose::analysis));
      if (!score(carried, &TwinRun::analysis)) break;
      if constexpr (requires(std::span<double> to) { analysis.spread(carried, to); }) {
        std::array<double, width> spread;
        analysis.spread(carried, spread);
        keep(spread, &TwinRun::spread);
      }
      if constexpr (requires(std::span<double> to) { analysis.at_bounds(carried, to); }) {
        std::array<double, width> share;
        analysis.at_bounds(carried, share);
        keep(share, &TwinRun::at_bounds);
      }
      if constexpr (requires(std::span<double> to) { analysis.went_back(carried, to); }) {
        std::array<double, width> back;
        analysis.went_back(carried, back);
        keep(back, &TwinRun::went_back);
      }
      if (first == 0 && runs[0].failure.empty() && cycle > config.burn_in &&
          cycle <= config.burn_in + config.keep_fields) {
        auto& truth = scores.truth.emplace_back(size);
        auto& field = scores.analysis.emplace_back(size);
        for (std::size_t i = 0; i < size; ++i)
          truth[i] = twin.truth().at(i, 0), field[i] = estimate.at(i, 0);
      }
      for (std::size_t l = 0; l < runs.size(); ++l) {
        if (!runs[l].failure.empty()) continue;
        for (std::size_t i = 0; i < size; ++i) {
          const double x = twin.truth().at(i, l) - runs[l].origin[i];
          runs[l].sum[i] += x, runs[l].squares[i] += x * x;
        }
      }
      score_smoothed(carried, cycle);
      if (cycle % 64 == 0 || cycle == config.cycles)
        progress.advance((cycle - std::exchange(shown, cycle)) * runs.size());
    }
  } catch (const NumericalError& e) {
    for (auto& run : runs)
      if (run.failure.empty()) run.failure = e.what();
  }
}

}  // namespace detail

/// Runs an analysis against known truths and scores it.
///
///   aRMSE = mean over runs and cycles after the burn-in of
///           √(mean over the state of (estimate − truth)²).
/// Run r has the same truth, observations and first guess (truth + N(0, first_guess_deviation²))
/// for every analysis: all are keyed by (seed, r, cycle). Groups of `Analysis::runs` runs are
/// worked off in parallel; `runs` need not be a multiple. `analysis` may hold another model than
/// `problem`: an imperfect one.
/// An analysis with `smoothed(carried, estimate)`, which returns for how many cycles ago its
/// estimate holds, is scored there as well (smoothing_rmse), in the cycles in which its window is
/// full. A run whose estimate is not finite, and all runs of a group whose analysis throws
/// NumericalError, end there and are listed in `failures`; other exceptions pass. A run is
/// listed in `lost` as well, with a reason and the first of 100 scored cycles over which, in the
/// mean,
///  - more than half of its state is at the bounds of a learned analysis (`at_bounds`),
///  - its error is above 1.2 times the truth's own deviation (two unrelated states are √2 times
///    apart), or above half of that and three times its spread (a diverged filter),
///  - its spread is above 1.5 times that deviation and three times its error;
/// it still counts. Throws ConfigError
/// unless runs > 0, burn_in < cycles and the deviation is finite and not negative. Cost: truth and
/// analysis; memory: up to 6 · runs · cycles numbers.
template <class Problem, Analysis Method>
[[nodiscard]] TwinScores run_twin(const Problem& problem, const Method& analysis,
                                  const TwinConfig& config = {}) {
  static_assert(Method::points == Problem::points && Method::channels == Problem::channels &&
                    Method::slots == Problem::slots,
                "run_twin: the analysis must be made for states and slots like the problem's");
  require_at_least("run_twin", "runs", config.runs, 1);
  if (config.burn_in >= config.cycles)
    throw ConfigError(text("run_twin: burn_in is ", config.burn_in,
                           ", expected less than the cycles of a run, ", config.cycles));
  if (!(config.first_guess_deviation >= 0 && std::isfinite(config.first_guess_deviation)))
    throw ConfigError(text("run_twin: first_guess_deviation is ", config.first_guess_deviation,
                           ", expected a finite number, not negative"));

  using detail::TwinRun;
  std::vector<TwinRun> runs(config.runs);
  TwinScores scores;
  const auto begin = std::chrono::steady_clock::now();
  {
    Progress progress("twin experiment", config.runs * config.cycles, config.progress);
    constexpr std::size_t width = Method::runs;
    Workers(config.threads).for_each((config.runs + width - 1) / width, [&](std::size_t group) {
      const std::size_t first = group * width, count = std::min(width, config.runs - first);
      detail::run_twin_group(problem, analysis, config, first,
                             std::span(runs).subspan(first, count), scores, progress);
    });
  }

  // Summed in the order of the runs, whichever thread did them.
  const auto scored = [&](std::vector<double> TwinRun::*member) {
    std::vector<std::span<const double>> out;
    for (const TwinRun& run : runs)
      if ((run.*member).size() > config.burn_in)
        out.push_back(std::span(run.*member).subspan(config.burn_in));
    return out;
  };
  const auto analyses = scored(&TwinRun::analysis);
  for (const auto& run : analyses) {
    scores.cycles += run.size();
    scores.run_rmse.push_back(interval_of({run}).mean);
  }
  scores.interval = interval_of(analyses);
  scores.analysis_rmse = scores.interval.mean;
  std::vector<std::span<const double>> smoothed;
  for (const TwinRun& run : runs) smoothed.emplace_back(run.smoothed);
  scores.smoothing_interval = interval_of(smoothed);
  scores.smoothing_rmse = scores.smoothing_interval.mean;
  scores.forecast_rmse = interval_of(scored(&TwinRun::forecast)).mean;
  scores.spread = interval_of(scored(&TwinRun::spread)).mean;
  scores.went_back = interval_of(scored(&TwinRun::went_back)).mean;
  for (std::size_t r = 0; r < config.runs; ++r)
    if (!runs[r].failure.empty())
      scores.failures.push_back({r, runs[r].analysis.size() + 1, runs[r].failure});
  const double deviation = detail::deviation_of_truth(runs);
  for (std::size_t r = 0; r < config.runs; ++r)
    if (const auto [cycle, reason] = detail::first_lost_cycle(runs[r], config.burn_in, deviation);
        cycle > 0)
      scores.lost.push_back({r, cycle, reason});
  for (std::size_t c = 0; c < std::min(config.keep_series, config.cycles); ++c) {
    double sum = 0, count = 0;
    for (const TwinRun& run : runs)
      if (c < run.analysis.size()) sum += run.analysis[c], ++count;
    scores.series.push_back(sum / count);
  }
  scores.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return scores;
}

}  // namespace dan
