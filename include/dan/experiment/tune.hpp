// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dan/analysis/var3d.hpp"
#include "dan/core/error.hpp"
#include "dan/core/notice.hpp"
#include "dan/core/processes.hpp"
#include "dan/core/progress.hpp"
#include "dan/experiment/trials.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/io/deal_out.hpp"

namespace dan {

/// A parameter to tune and the values to try.
struct TunedParameter {
  std::string name;
  std::vector<double> values;
};

/// The aRMSE: what a search minimises. Throws NumericalError if a run failed, with the first one's
/// reason: a search counts that as lost and goes on.
[[nodiscard]] inline double score_to_tune(const TwinScores& scores) {
  if (scores.failures.empty()) return scores.analysis_rmse;
  const auto& first = scores.failures.front();
  throw NumericalError(to_text("run ", first.run, ", cycle ", first.cycle, ": ", first.reason));
}

namespace detail {

inline void require_best(const Tuning& tuning, std::string_view function) {
  if (std::isfinite(tuning.best.score)) return;
  const auto known =
      std::ranges::find_if(tuning.trials, [](const auto& trial) { return !trial.reason.empty(); });
  const std::string why = known == tuning.trials.end() ? "" : "; one failed: " + known->reason;
  throw NumericalError(to_text(function, ": none of the ", tuning.trials.size(),
                               " values has a finite score", why, "; try others"));
}

/// See tune_on_grid; `check` as in TrialRecord.
template <class Evaluate, class Ranks>
[[nodiscard]] Tuning tune_on_grid(const std::vector<TunedParameter>& grid, const Evaluate& evaluate,
                                  const TuneConfig& config, TrialRecord::Check check,
                                  const Ranks& processes) {
  Tuning tuning;
  std::size_t count = grid.empty() ? 0 : 1;
  for (const auto& parameter : grid) {
    tuning.names.push_back(parameter.name);
    count *= parameter.values.size();
  }
  if (count == 0)
    throw ConfigError("tune_on_grid: values is empty, expected at least one value to try");
  for (const auto& parameter : grid)
    for (const double value : parameter.values)
      if (std::isnan(value) || (!config.file.empty() && std::isinf(value)))
        throw ConfigError(to_text("tune_on_grid: a value of ", parameter.name, " is ", value,
                                  ", expected ", config.file.empty() ? "" : "finite ", "numbers",
                                  config.file.empty() ? "" : ", which a file keeps"));
  const auto point = [&](std::size_t n) {
    std::vector<double> values(grid.size());
    for (std::size_t p = grid.size(); p-- > 0; n /= grid[p].values.size())
      values[p] = grid[p].values[n % grid[p].values.size()];
    return values;
  };
  TrialRecord record(tuning.names, config, std::move(check), processes);
  std::vector<Tuning::Trial> trials(count);
  {
    Progress progress("tuning", count, config.progress && processes.rank() == 0);
    const auto evaluated = [&](std::size_t n) {
      const std::vector<double> values = point(n);
      trials[n] = record.trial(values, [&] { return evaluate(std::span<const double>(values)); });
    };
    const auto settle = [&](std::size_t n, std::size_t owner) {
      broadcast_trial(processes, trials[n], owner);
      record.keep(trials[n]);
      progress.advance();
    };
    if (!deal_out(processes, config.threads, count, evaluated, settle)) record.stop();
  }
  for (auto& trial : trials) tuning.add(std::move(trial));
  require_best(tuning, "tune_on_grid");
  return tuning;
}

}  // namespace detail

/// Evaluates score = evaluate(values) at every point of a grid, the last parameter fastest; the
/// least finite score wins, the first one if equal.
///
/// `values` is a span with one number per parameter. Trials run in parallel, so evaluate must be
/// safe to call from several threads and should itself use one; the table does not depend on the
/// number of threads. With a file, a trial found there (same problem, names and values) is not
/// repeated. A trial that throws NumericalError has lost, with its reason. Throws ConfigError if
/// there is no parameter or one has no value, or one that is not a number (or, with a file,
/// infinite), NumericalError if no score is finite, with the first reason, FileError if the file
/// does not fit, Interrupted when told to stop: with a file the same call goes on after the trials
/// that were finished. `processes`: trials are dealt out among them (`deal_out`), and all have the
/// whole table, with the same bits as of one process; rank 0 has the file and shows progress.
template <class Evaluate, Processes Ranks = OneProcess>
[[nodiscard]] Tuning tune_on_grid(const std::vector<TunedParameter>& grid, const Evaluate& evaluate,
                                  const TuneConfig& config = {}, const Ranks& processes = {}) {
  return detail::tune_on_grid(grid, evaluate, config, nullptr, processes);
}

/// The same for one parameter; evaluate(double).
template <class Values = std::initializer_list<double>, class Evaluate,
          Processes Ranks = OneProcess>
requires requires(const Evaluate& evaluate) { evaluate(1.0); }
[[nodiscard]] Tuning tune_on_grid(const Values& values, const Evaluate& evaluate,
                                  const TuneConfig& config = {}, const Ranks& processes = {}) {
  return tune_on_grid(
      {TunedParameter{"value", {std::begin(values), std::end(values)}}},
      [&](std::span<const double> v) { return evaluate(v[0]); }, config, processes);
}

/// Golden section for one parameter: shrinks [low, high] to 0.618 of it with every trial but the
/// first two, towards the smaller score (a score that is not finite, or a NumericalError, counts as
/// the larger).
///
/// Right for a score with one minimum in the interval; tune a scale by its logarithm. One trial
/// after the other: evaluate(double) may use all threads; config.threads is not used. Throws
/// ConfigError unless low < high and trials ≥ 2, NumericalError if no score is finite.
/// Source: Kiefer, Proc. Amer. Math. Soc. 4 (1953) 502–506.
template <class Evaluate>
[[nodiscard]] Tuning tune_by_golden_section(const std::string& name, double low, double high,
                                            std::size_t trials, const Evaluate& evaluate,
                                            const TuneConfig& config = {}) {
  if (!(low < high && std::isfinite(low) && std::isfinite(high)))
    throw ConfigError(to_text("tune_by_golden_section: the interval is [", low, ", ", high,
                              "], expected finite ends, the lower one first"));
  require_at_least("tune_by_golden_section", "trials", trials, 2);
  Tuning tuning{.names = {name}};
  detail::TrialRecord record(tuning.names, config);
  Progress progress("tuning " + name, trials, config.progress);
  const auto score = [&](double value) {
    const auto trial = record.trial({value}, [&] { return evaluate(value); });
    tuning.add(trial);
    progress.advance();
    return std::isfinite(trial.score) ? trial.score : std::numeric_limits<double>::infinity();
  };
  const double ratio = (std::sqrt(5.0) - 1) / 2;
  double left = high - ratio * (high - low), right = low + ratio * (high - low);
  double at_left = score(left), at_right = score(right);
  for (std::size_t n = 2; n < trials; ++n) {
    if (at_left <= at_right) {
      high = std::exchange(right, left), at_right = at_left;
      left = high - ratio * (high - low), at_left = score(left);
    } else {
      low = std::exchange(left, right), at_left = at_right;
      right = low + ratio * (high - low), at_right = score(right);
    }
  }
  detail::require_best(tuning, "tune_by_golden_section");
  return tuning;
}

/// Short and cheap twin experiments to tune with, on other data than those that score.
[[nodiscard]] inline TwinConfig tuning_twin() {
  return {.runs = 8,
          .cycles = 500,
          .burn_in = 100,
          .seed = 2,
          .first_guess_deviation = 0.3,
          .progress = false};
}

/// Tunes whatever a twin experiment gives a score to, in experiments of one thread each.
///
/// score(values, twin) returns what to minimise. With a file, the experiment's runs, cycles,
/// burn-in, seed and first guess belong to the `problem`, and the first 20 cycles of one run with
/// the values of the first trial must give the same score as when the file began: another problem,
/// analysis or program is refused. Cost: one experiment per point of the grid.
template <class Score, Processes Ranks = OneProcess>
[[nodiscard]] Tuning tune_experiment(const std::vector<TunedParameter>& grid, const Score& score,
                                     TwinConfig twin = tuning_twin(),
                                     TuneConfig config = {.threads = 0},
                                     const Ranks& processes = {}) {
  twin.threads = 1;
  twin.progress = false;
  config.problem +=
      to_text(" (", twin.runs, " runs of ", twin.cycles, " cycles, burn-in ", twin.burn_in,
              ", seed ", twin.seed, ", first guess ", twin.first_guess_deviation, ")");
  TwinConfig brief = twin;
  brief.runs = 1, brief.cycles = 20, brief.burn_in = 0;
  return detail::tune_on_grid(
      grid, [&](std::span<const double> values) { return score(values, twin); }, config,
      [&](std::span<const double> values) { return score(values, brief); }, processes);
}

/// Tunes an analysis on a grid by its aRMSE in twin experiments, see tune_experiment.
///
/// make(values) returns the analysis to try; a trial with a failed run loses.
template <class Problem, class Make, Processes Ranks = OneProcess>
[[nodiscard]] Tuning tune_analysis(const Problem& problem, const std::vector<TunedParameter>& grid,
                                   const Make& make, const TwinConfig& twin = tuning_twin(),
                                   const TuneConfig& config = {.threads = 0},
                                   const Ranks& processes = {}) {
  return tune_experiment(
      grid,
      [&](std::span<const double> values, const TwinConfig& experiment) {
        return score_to_tune(run_twin(problem, make(values), experiment));
      },
      twin, config, processes);
}

/// Tunes the x_B of 3D-Var: the aRMSE of short twin experiments on a grid of values.
///
/// Returns the best x_B; says so (`notice`) where it is an end of the grid, beyond which there may
/// be a better one. Cost: 7 experiments of, by default, 32 runs × 550 cycles: less than a
/// second for Lorenz 96.
template <class Problem>
[[nodiscard]] double tune_var3d(
    const Problem& problem, const Climate& climate,
    const TwinConfig& config = {
        .runs = 32, .cycles = 550, .burn_in = 50, .seed = 2, .progress = false}) {
  const std::vector<double> grid{0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1};
  const double best = tune_analysis(problem, {{"x_B", grid}},
                                    [&](std::span<const double> x) {
                                      return Var3d<Problem>(problem, climate, x[0]);
                                    },
                                    config, {.threads = config.threads})
                          .best.values[0];
  if (best == grid.front() || best == grid.back())
    notice(to_text("tune_var3d: the best x_B is ", best, ", an end of its grid from ", grid.front(),
                   " to ", grid.back(), "; search farther with tune_analysis"));
  return best;
}

}  // namespace dan
