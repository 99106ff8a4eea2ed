// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/interrupt.hpp"
#include "dan/core/notice.hpp"
#include "dan/core/parallel.hpp"
#include "dan/core/processes.hpp"
#include "dan/core/progress.hpp"
#include "dan/experiment/loss_of_truth.hpp"
#include "dan/experiment/record.hpp"
#include "dan/experiment/record_climate.hpp"
#include "dan/experiment/record_fields.hpp"
#include "dan/experiment/record_series.hpp"
#include "dan/experiment/score.hpp"
#include "dan/io/deal_out.hpp"
#include "dan/problem/truth.hpp"

namespace dan {

/// A twin experiment: `runs` independent truths of `cycles` cycles each.
struct TwinConfig {
  std::size_t runs = 8;
  std::size_t cycles = 1300;         ///< cycles of each run, burn-in included
  std::size_t burn_in = 50;          ///< first cycles of each run, not scored
  std::uint64_t seed = 1;            ///< of truths, observations and first guesses
  std::size_t threads = 0;           ///< 0: all cores; changes no bit of the scores
  double first_guess_deviation = 1;  ///< of the first guess's error, in units of the norm
  bool progress = true;              ///< show a progress bar if it takes long, and what was lost
  std::size_t keep_series = 0;       ///< first cycles, burn-in included, to keep the RMSE of
  std::size_t keep_fields = 0;       ///< first scored cycles of run 0 to keep the states of

  static constexpr std::size_t most_runs = std::size_t{1} << 32;

  /// Throws ConfigError, in the name of `function`, for a number out of its range.
  void require_valid(std::string_view function) const {
    require_at_least(function, "runs", runs, 1);
    if (runs > most_runs)
      throw ConfigError(to_text(function, ": runs is ", runs, ", expected at most ", most_runs));
    if (burn_in >= cycles)
      throw ConfigError(to_text(function, ": burn_in is ", burn_in,
                                ", expected less than the cycles of a run, ", cycles));
    if (!(first_guess_deviation >= 0 && std::isfinite(first_guess_deviation)))
      throw ConfigError(to_text(function, ": first_guess_deviation is ", first_guess_deviation,
                                ", expected a finite number, not negative"));
  }
};

/// A run that an analysis could not finish; its scores up to there count.
struct TwinFailure {
  std::size_t run, cycle;  ///< cycle: 1 is the first analysis
  std::string reason;
};

/// What a twin experiment found; not a number where there is nothing to average.
struct TwinScores {
  double analysis_rmse = std::numeric_limits<double>::quiet_NaN();  ///< aRMSE
  double forecast_rmse = analysis_rmse;  ///< the same of the forecasts (estimate before `analyse`)
  double spread = analysis_rmse;  ///< mean of the method's own spread after `analyse`, where known
  ConfidenceInterval interval;    ///< of the aRMSE, 95 %, see interval_of
  double smoothing_rmse = analysis_rmse;  ///< the same of the oldest state in a smoother's window
  ConfidenceInterval smoothing_interval;  ///< of the smoothing_rmse
  std::vector<double> run_rmse;           ///< the aRMSE of each run that outlived the burn-in
  std::size_t cycles = 0;                 ///< scored cycles, all runs together
  double seconds = 0;                     ///< wall time, truth and observations included
  std::vector<TwinFailure> failures;      ///< in the order of the runs
  std::vector<TwinFailure> lost;          ///< runs that lost the truth, see run_twin
  double went_back = analysis_rmse;       ///< share of scored cycles that `went_back` tells of
  double replaced = analysis_rmse;        ///< share of the members that failed and were replaced
  std::vector<double> series;             ///< per cycle: mean over runs of the analysis RMSE
  std::vector<std::vector<double>> truth, analysis;  ///< cycle × state element, run 0
};

namespace detail {

/// Truth + deviation · N(0, 1) units of the norm, keyed by the run.
template <class Method, class Problem, class Twin>
typename Method::FirstGuessBatch first_guess(const Problem& problem, const Twin& twin,
                                             double deviation) {
  typename Method::FirstGuessBatch guess;
  for (std::size_t l = 0; l < Twin::runs; ++l) {
    const auto error = problem.errors(twin.key(l).with(Purpose::first_guess), deviation);
    for (std::size_t i = 0; i < Twin::size; ++i) guess.at(i, l) = twin.truth().at(i, l) + error[i];
  }
  guess.repeat_last_lane();
  return guess;
}

/// Whether all numbers of a lane are.
[[nodiscard]] bool is_finite(const auto& batch, std::size_t lane) {
  for (std::size_t i = 0; i < std::decay_t<decltype(batch)>::size; ++i)
    if (!std::isfinite(batch.at(i, lane))) return false;
  return true;
}

/// Runs the group of `runs` ≤ Method::runs runs that begins with run `first`; returns why each
/// ended early, with the model in words where it has some; nothing if it did not.
template <class Problem, class Method, class... R>
std::vector<std::string> run_twin_group(const Problem& problem, const Method& analysis,
                                        const TwinConfig& config, std::span<const double> weights,
                                        std::size_t first, std::size_t runs, Progress& progress,
                                        Recorders<R...>& recorders) {
  constexpr std::size_t width = Method::runs;
  const auto stop_if_told = [&](std::size_t done) {
    throw_if_interrupted("run_twin", done, " of ", config.cycles,
                         " cycles; nothing is kept, run it again");
  };
  stop_if_told(0);
  TwinTruth<Problem, width> twin(problem, {.seed = config.seed, .first_run = first});
  typename Method::Observed observed;
  typename Method::Estimate estimate;
  std::vector<std::string> failures(runs);
  std::array<double, width> errors{};
  const TwinGroup<Problem, Method> group{analysis,      twin,           first,    runs,
                                         config.cycles, config.burn_in, failures, weights};
  // Finds estimate and errors; returns whether a run is still going.
  const auto score = [&](const auto& carried) {
    analysis.estimate(carried, estimate);
    bool any = false;
    for (std::size_t l = 0; l < runs; ++l) {
      if (!group.going(l)) continue;
      errors[l] = rmse(estimate, twin.truth(), l, weights);
      if (std::isfinite(errors[l]))
        any = true;
      else if (!is_finite(twin.truth(), l))
        failures[l] =
            "the truth is not finite: the problem's own model has diverged; take a smaller time "
            "step, or a start and parameters that it can go on from";
      else
        failures[l] =
            "the estimate is not finite: the analysis has diverged, or has left the states that "
            "the model can step from; shorten the model's time step, tune the background's or "
            "ensemble's spread, or bound what the model cannot step from (where_less)";
    }
    return any;
  };
  if (first == 0 && config.progress) notice_of_units(problem.norm, deviations_of(twin.truth()));
  recorders.begin(group);
  try {
    const auto guess = first_guess<Method>(problem, twin, config.first_guess_deviation);
    auto carried = analysis.start(guess, config.first_guess_deviation, twin.key(0));
    const TwinView<Problem, Method> view{group, carried, observed, estimate, errors};
    std::size_t shown = 0;
    for (std::size_t cycle = 1; cycle <= config.cycles; ++cycle) {
      stop_if_told(cycle - 1);
      twin.next();
      convert_precision(twin.observed(), observed);
      analysis.forecast(carried);
      if (!score(carried)) break;
      recorders.after_forecast(view);
      analysis.analyse(carried, observed, twin.key(0).with(Purpose::analysis));
      if (!score(carried)) break;
      recorders.after_analysis(view);
      if (cycle % 64 == 0 || cycle == config.cycles)
        progress.advance((cycle - std::exchange(shown, cycle)) * runs);
    }
  } catch (const NumericalError& e) {
    for (auto& failure : failures)
      if (failure.empty()) failure = e.what();
  }
  if constexpr (requires { std::string(problem.model.describe()); })
    for (auto& failure : failures)
      if (!failure.empty()) failure += to_text(" (", problem.model.describe(), ")");
  return failures;
}

template <class Ranks>
inline constexpr bool alone = std::is_same_v<std::remove_const_t<Ranks>, OneProcess>;

/// Runs all groups in parallel, dealt out among processes, and merges their recorders in the order
/// of the runs; returns why each run ended early.
template <class Problem, class Method, class Ranks, class... R>
std::vector<std::string> run_twin_groups(const Problem& problem, const Method& analysis,
                                         const TwinConfig& config, std::span<const double> weights,
                                         Ranks& processes, Recorders<R&...> recorders) {
  constexpr std::size_t width = Method::runs;
  const std::size_t groups = (config.runs + width - 1) / width;
  std::vector<std::optional<Recorders<R...>>> copies(groups);
  for (auto& copy : copies) copy.emplace(Recorders<R...>{recorders.all});
  std::vector<std::vector<std::string>> failures(groups);
  Progress progress("twin experiment", config.runs * config.cycles,
                    config.progress && processes.rank() == 0);
  const auto first = [](std::size_t g) { return g * width; };
  const auto runs = [&](std::size_t g) { return std::min(width, config.runs - first(g)); };
  const auto run = [&](std::size_t g) {
    failures[g] =
        run_twin_group(problem, analysis, config, weights, first(g), runs(g), progress, *copies[g]);
  };
  const auto settle = [&](std::size_t g, std::size_t owner) {
    if constexpr (!alone<Ranks>) broadcast_value(processes, *copies[g], owner);
    broadcast_value(processes, failures[g], owner);
    if (owner != processes.rank()) progress.advance(runs(g) * config.cycles);
  };
  if (!deal_out(processes, config.threads, groups, run, settle))
    throw Interrupted("run_twin: interrupted; nothing is kept, run it again");
  std::vector<std::string> all;
  for (std::size_t g = 0; g < groups; ++g) {
    recorders.merge(*copies[g]);
    copies[g].reset();  // not all twice in memory
    for (auto& reason : failures[g]) all.push_back(std::move(reason));
  }
  return all;
}

/// Per cycle, of the first `keep`: the mean over the runs that came that far.
inline std::vector<double> mean_over_runs(const RunSeries& series, std::size_t keep) {
  std::vector<double> means;
  for (std::size_t c = 0; c < keep; ++c) {
    double sum = 0, count = 0;
    for (const auto& run : series.runs)
      if (c < run.size()) sum += run[c], ++count;
    means.push_back(sum / count);
  }
  return means;
}

/// The recorders of TwinScores, as one.
template <class Problem, class Method>
using SmootherRecorderFor =
    std::conditional_t<Smoother<Method>,
                       SmootherRecorder<typename TwinTruth<Problem, Method::runs>::Truth>,
                       NoSmootherRecorder>;
template <class Problem, class Method>
struct Scoring : Recorders<SeriesRecorder, ClimateRecorder, FieldRecorder,
                           SmootherRecorderFor<Problem, Method>> {
  explicit Scoring(std::size_t keep_fields) {
    std::get<FieldRecorder>(this->all) = FieldRecorder(keep_fields);
  }

  /// `failures`: why each run ended early, empty if it did not.
  [[nodiscard, gnu::cold]] TwinScores scores(const TwinConfig& config,
                                             const std::vector<std::string>& failures) const {
    TwinScores out;
    const auto& [series, climate, fields, smoother] = this->all;
    const auto mean_of = [&](const RunSeries& one) {
      return interval_of(one.after(config.burn_in)).mean;
    };
    const auto analyses = series.analysis.after(config.burn_in);
    for (const auto& run : analyses) {
      out.cycles += run.size();
      out.run_rmse.push_back(interval_of({run}).mean);
    }
    out.interval = interval_of(analyses);
    out.analysis_rmse = out.interval.mean;
    out.smoothing_interval = interval_of(smoother.series.after(0));
    out.smoothing_rmse = out.smoothing_interval.mean;
    out.forecast_rmse = mean_of(series.forecast);
    out.spread = series.spread.mean_known(config.burn_in);
    out.went_back = mean_of(series.went_back);
    out.replaced = mean_of(series.replaced);
    const double deviation = climate.deviation();
    constexpr bool can_lose = !requires { requires !Method::follows_truth; };
    for (std::size_t r = 0; r < config.runs; ++r) {
      const auto& error = series.analysis.runs[r];
      if (!failures[r].empty()) out.failures.push_back({r, error.size() + 1, failures[r]});
      const auto [cycle, reason] = first_lost_cycle(
          {error, series.spread.runs[r], series.at_bounds.runs[r]}, config.burn_in, deviation);
      if (can_lose && cycle > 0) out.lost.push_back({r, cycle, reason});
    }
    out.series = mean_over_runs(series.analysis, std::min(config.keep_series, config.cycles));
    out.truth = fields.truth;
    out.analysis = fields.analysis;
    return out;
  }
};

}  // namespace detail

/// Runs an analysis against known truths and scores it.
///
///   aRMSE = mean over runs and cycles after the burn-in of
///           √(mean over the state of w (estimate − truth)²), w the weights of the problem's norm.
/// Run r has the same truth, observations and first guess (truth + N(0, first_guess_deviation²)
/// units of the norm) for every analysis: all are keyed by (seed, r, cycle). Groups of
/// `Analysis::runs` runs are worked off in parallel; `runs` need not be a multiple. `analysis` may
/// hold another model than `problem`, or no model noise: an imperfect one. An analysis with
/// `smoothed(carried, estimate)`, which returns for how many cycles ago its estimate holds, is
/// scored there as well (smoothing_rmse), in the cycles in which its window is full. A run whose
/// estimate is not finite, and all runs of a group whose analysis throws NumericalError, end there
/// and are listed in `failures`; other exceptions pass. A run that has lost the truth still counts;
/// it is listed in `lost`, of which a `notice` tells where progress is shown, with a reason and the
/// first of 100 scored cycles over which, in the mean,
///  - more than half of its state is at the bounds of a learned analysis (`at_bounds`),
///  - its error is above 1.2 times the truth's own deviation (two unrelated states are √2 times
///    apart), or above half of that and three times its spread (a diverged filter),
///  - its spread is above 1.5 times that deviation and three times its error.
///
/// `recorders` measure what else is wanted, see Recorder. Throws ConfigError unless runs > 0,
/// burn_in < cycles and the deviation is finite and not negative, and Interrupted when told to
/// stop. Cost: truth and analysis; memory: up to 7 · runs · cycles numbers. `processes`: groups are
/// dealt out among them (`deal_out`), and all have the scores and what the recorders found, with
/// the same bits as of one process; rank 0 shows progress.
template <class Problem, Analysis Method, Processes Ranks, Recorder<Problem, Method>... Own>
TwinScores run_twin(const Problem& problem, const Method& analysis, const TwinConfig& config,
                    Ranks& processes, Own&... recorders) {
  static_assert(Method::points == Problem::points && Method::channels == Problem::channels &&
                    Method::slots == Problem::slots,
                "run_twin: the analysis must be made for states and slots like the problem's: its "
                "model may be another, but of the same points and channels");
  static_assert(
      detail::alone<Ranks> || (Transferred<Own> && ...),
      "run_twin: among processes every recorder needs `transfer(archive)` of what it found "
      "(io/archive.hpp)");
  config.require_valid("run_twin");
  const auto begin = std::chrono::steady_clock::now();
  const std::vector<double> weights = problem.weights();
  detail::Scoring<Problem, Method> scoring(config.keep_fields);
  using All = Recorders<detail::Scoring<Problem, Method>&, Own&...>;
  const auto failures = detail::run_twin_groups(problem, analysis, config, weights, processes,
                                                All{std::tie(scoring, recorders...)});
  TwinScores scores = scoring.scores(config, failures);
  scores.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (config.progress && processes.rank() == 0 && !scores.lost.empty())
    notice(to_text("run_twin: ", scores.lost.size(), " of ", config.runs,
                   " runs lost the truth, and count: see TwinScores::lost; the first one, run ",
                   scores.lost[0].run, ", from cycle ", scores.lost[0].cycle, ": ",
                   scores.lost[0].reason));
  return scores;
}

template <class Problem, Analysis Method, class... Own>
TwinScores run_twin(const Problem& problem, const Method& analysis, const TwinConfig& config = {},
                    Own&... recorders) {
  constexpr OneProcess alone;
  (detail::require_recorder<Own, Problem, Method>(), ...);
  if constexpr ((Recorder<Own, Problem, Method> && ...))
    return run_twin(problem, analysis, config, alone, recorders...);
}

}  // namespace dan
