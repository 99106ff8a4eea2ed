// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <limits>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dan/analysis/var3d.hpp"
#include "dan/core/error.hpp"
#include "dan/core/parallel.hpp"
#include "dan/core/progress.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/io/json.hpp"

namespace dan {

/// A parameter to tune and the values to try.
struct TunedParameter {
  std::string name;
  std::vector<double> values;
};

/// How a search is carried out.
struct TuneConfig {
  std::size_t threads = 1;       ///< trials at a time; 0: one per core; changes no bit of the table
  bool progress = false;         ///< show a progress bar if it takes long
  std::filesystem::path file{};  ///< trials are kept here; a search that was killed goes on from it
  /// What is tuned on what; a file of another one is refused. `tune_analysis` sees itself whether
  /// problem and analysis are those of the file, the others know this text only.
  std::string problem{};
};

/// What a search for the best parameters tried, in the order of the grid or of the search.
struct Tuning {
  struct Trial {
    std::vector<double> values;  ///< one per name
    double score;                ///< not finite if it failed
  };
  std::vector<std::string> names{};
  std::vector<Trial> trials{};
  Trial best{{}, std::numeric_limits<double>::infinity()};  ///< least finite score, the first such

  void add(Trial trial) {
    if (trial.score < best.score) best = trial;
    trials.push_back(std::move(trial));
  }
};

/// The aRMSE, or infinity if a run failed: what a search minimises.
[[nodiscard]] inline double score_to_tune(const TwinScores& scores) {
  return scores.failures.empty() ? scores.analysis_rmse : std::numeric_limits<double>::infinity();
}

namespace detail {

/// Finished trials of a search, in memory and in a file that every new one rewrites as a whole.
///
/// `check(values)` is a cheap number that changes with all that a score depends on; it is kept for
/// the first trial and must be the same, bit for bit, when a search goes on.
class TrialRecord {
 public:
  using Check = std::function<double(std::span<const double>)>;

  /// Throws FileError if the file is damaged or holds trials of other parameters, another problem,
  /// or other than `check` tells.
  TrialRecord(std::vector<std::string> names, const TuneConfig& config, Check check = nullptr)
      : names_(std::move(names)),
        file_(config.file),
        problem_(config.problem),
        check_(std::move(check)) {
    if (file_.empty() || !std::filesystem::exists(file_)) return;
    const auto json = read_json(file_);
    const auto fail = [&](const auto&... found) {
      throw FileError(text("tune: ", file_.string(), " ", found..., "; remove it"));
    };
    const auto number = [&](const nlohmann::json& value) {
      if (!value.is_number()) fail("is damaged: it has ", value.dump(), " for a number");
      return value.get<double>();
    };
    const auto score = [&](const nlohmann::json& value) {
      return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : number(value);
    };
    try {
      if (json.at("names").get<std::vector<std::string>>() != names_)
        fail("holds trials of ", json.at("names").dump(), ", expected ",
             nlohmann::json(names_).dump());
      if (json.at("problem").get<std::string>() != problem_)
        fail("holds trials of the problem ", json.at("problem").dump(), ", expected \"", problem_,
             "\"");
      if (!json.at("trials").is_array()) fail("is damaged: its trials are no list");
      for (const auto& trial : json.at("trials")) {
        std::vector<double> values;
        for (const auto& value : trial.at("values")) values.push_back(number(value));
        if (!trial.at("values").is_array() || values.size() != names_.size())
          fail("is damaged: it has a trial with ", trial.at("values").dump(), ", expected ",
               names_.size(), " numbers");
        if (find(values)) fail("is damaged: it has ", trial.at("values").dump(), " twice");
        trials_.push_back({values, score(trial.at("score"))});
      }
      if (!check_ || trials_.empty()) return;
      first_ = score(json.at("check"));
      const double now = check_(trials_.front().values);
      if (now != first_ && (std::isfinite(now) || std::isfinite(first_)))
        fail("holds trials of another problem or analysis, or of a program built in another way");
    } catch (const nlohmann::json::exception& e) {
      throw FileError(text("tune: ", file_.string(), " is no table of trials: ", e.what()));
    }
  }

  [[nodiscard]] std::optional<double> find(const std::vector<double>& values) {
    const std::lock_guard lock(mutex_);
    for (const auto& trial : trials_)
      if (trial.values == values) return trial.score;
    return std::nullopt;
  }

  /// Throws ConfigError if a value is not finite and is to be kept in a file.
  void add(const std::vector<double>& values, double score) {
    const std::lock_guard lock(mutex_);
    if (!file_.empty())
      for (const double value : values)
        if (!std::isfinite(value))
          throw ConfigError(text("tune: a value to try is ", value,
                                 ", which no file keeps, expected finite values"));
    trials_.push_back({values, score});
    if (file_.empty()) return;
    if (check_ && trials_.size() == 1) first_ = check_(values);
    nlohmann::json json{
        {"problem", problem_}, {"names", names_}, {"trials", nlohmann::json::array()}};
    if (check_) json["check"] = first_;
    for (const auto& trial : trials_)
      json["trials"].push_back({{"values", trial.values}, {"score", trial.score}});
    write_json(file_, json);
  }

 private:
  std::vector<std::string> names_;
  std::filesystem::path file_;
  std::string problem_;
  Check check_;
  double first_ = 0;  ///< check_ of the first trial
  std::vector<Tuning::Trial> trials_;
  std::mutex mutex_;
};

inline void require_best(const Tuning& tuning, std::string_view function) {
  if (!std::isfinite(tuning.best.score))
    throw NumericalError(text(function, ": none of the ", tuning.trials.size(),
                              " values has a finite score; try others"));
}

/// See tune_on_grid; `check` as in TrialRecord.
template <class Evaluate>
[[nodiscard]] Tuning tune_on_grid(const std::vector<TunedParameter>& grid, const Evaluate& evaluate,
                                  const TuneConfig& config, TrialRecord::Check check) {
  Tuning tuning;
  std::size_t count = grid.empty() ? 0 : 1;
  for (const auto& parameter : grid) {
    tuning.names.push_back(parameter.name);
    count *= parameter.values.size();
  }
  if (count == 0)
    throw ConfigError("tune_on_grid: values is empty, expected at least one value to try");
  const auto point = [&](std::size_t n) {
    std::vector<double> values(grid.size());
    for (std::size_t p = grid.size(); p-- > 0; n /= grid[p].values.size())
      values[p] = grid[p].values[n % grid[p].values.size()];
    return values;
  };
  TrialRecord record(tuning.names, config, std::move(check));
  std::vector<double> scores(count);
  {
    Progress progress("tuning", count, config.progress);
    Workers(config.threads).for_each(count, [&](std::size_t n) {
      const std::vector<double> values = point(n);
      const auto known = record.find(values);
      scores[n] = known ? *known : evaluate(std::span<const double>(values));
      if (!known) record.add(values, scores[n]);
      progress.advance();
    });
  }
  for (std::size_t n = 0; n < count; ++n) tuning.add({point(n), scores[n]});
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
/// repeated. Throws ConfigError if there is no parameter or one has no
/// value, NumericalError if no score is finite, FileError if the file does not fit.
template <class Evaluate>
[[nodiscard]] Tuning tune_on_grid(const std::vector<TunedParameter>& grid, const Evaluate& evaluate,
                                  const TuneConfig& config = {}) {
  return detail::tune_on_grid(grid, evaluate, config, nullptr);
}

/// The same for one parameter; evaluate(double).
template <class Values = std::initializer_list<double>, class Evaluate>
requires requires(const Evaluate& evaluate) { evaluate(1.0); }
[[nodiscard]] Tuning tune_on_grid(const Values& values, const Evaluate& evaluate,
                                  const TuneConfig& config = {}) {
  return tune_on_grid(
      {TunedParameter{"value", {std::begin(values), std::end(values)}}},
      [&](std::span<const double> v) { return evaluate(v[0]); }, config);
}

/// Golden section for one parameter: shrinks [low, high] to 0.618 of it with every trial but the
/// first two, towards the smaller score (a score that is not finite counts as the larger).
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
    throw ConfigError(text("tune_by_golden_section: the interval is [", low, ", ", high,
                           "], expected finite ends, the lower one first"));
  require_at_least("tune_by_golden_section", "trials", trials, 2);
  Tuning tuning{.names = {name}};
  detail::TrialRecord record(tuning.names, config);
  Progress progress("tuning " + name, trials, config.progress);
  const auto score = [&](double value) {
    const auto known = record.find({value});
    const double found = known ? *known : evaluate(value);
    if (!known) record.add({value}, found);
    tuning.add({{value}, found});
    progress.advance();
    return std::isfinite(found) ? found : std::numeric_limits<double>::infinity();
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

/// Tunes an analysis on a grid by its aRMSE in twin experiments of one thread each.
///
/// make(values) returns the analysis to try; a trial with a failed run loses. With a file, the
/// experiment's runs, cycles, burn-in, seed and first guess belong to the `problem`, and the first
/// 20 cycles of one run with the values of the first trial must give the same score as when the
/// file began: another problem, analysis or program is refused. Cost: one twin experiment per point
/// of the grid.
template <class Problem, class Make>
[[nodiscard]] Tuning tune_analysis(const Problem& problem, const std::vector<TunedParameter>& grid,
                                   const Make& make, TwinConfig twin = tuning_twin(),
                                   TuneConfig config = {.threads = 0}) {
  twin.threads = 1;
  twin.progress = false;
  config.problem +=
      text(" (", twin.runs, " runs of ", twin.cycles, " cycles, burn-in ", twin.burn_in, ", seed ",
           twin.seed, ", first guess ", twin.first_guess_deviation, ")");
  TwinConfig brief = twin;
  brief.runs = 1, brief.cycles = 20, brief.burn_in = 0;
  const auto score = [&](std::span<const double> values, const TwinConfig& experiment) {
    return score_to_tune(run_twin(problem, make(values), experiment));
  };
  return detail::tune_on_grid(
      grid, [&](std::span<const double> values) { return score(values, twin); }, config,
      [&](std::span<const double> values) { return score(values, brief); });
}

/// Tunes the x_B of 3D-Var: the aRMSE of short twin experiments on a grid of values.
///
/// Returns the best x_B. Cost: 7 experiments of, by default, 32 runs × 550 cycles: less than a
/// second for Lorenz 96.
template <class Problem>
[[nodiscard]] double tune_var3d(
    const Problem& problem, const Climate& climate,
    const TwinConfig& config = {
        .runs = 32, .cycles = 550, .burn_in = 50, .seed = 2, .progress = false}) {
  return tune_analysis(
             problem, {{"x_B", {0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1}}},
             [&](std::span<const double> x) { return Var3d<Problem>(problem, climate, x[0]); },
             config, {.threads = config.threads})
      .best.values[0];
}

}  // namespace dan
