// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/interrupt.hpp"
#include "dan/io/checksum.hpp"
#include "dan/io/deal_out.hpp"
#include "dan/io/json.hpp"

namespace dan {

/// How a search is carried out.
struct TuneConfig {
  std::size_t threads = 1;       ///< trials at a time; 0: one per core; changes no bit of the table
  bool progress = false;         ///< show a progress bar if it takes long
  std::filesystem::path file{};  ///< trials are kept here; a search that was killed goes on from it
  /// What is tuned on what; a file of another one is refused. `tune_experiment` sees itself whether
  /// problem and analysis are those of the file, the others know this text only.
  std::string problem{};
};

/// What a search for the best parameters tried, in the order of the grid or of the search.
struct Tuning {
  struct Trial {
    std::vector<double> values;  ///< one per name
    double score;                ///< not finite if it failed
    std::string reason{};        ///< of the failure, what the NumericalError said
  };
  std::vector<std::string> names{};
  std::vector<Trial> trials{};
  Trial best{{}, std::numeric_limits<double>::infinity()};  ///< least finite score, the first such

  void add(Trial trial) {
    if (trial.score < best.score) best = trial;
    trials.push_back(std::move(trial));
  }
};

namespace detail {

/// Everyone has the trial of rank `from`.
template <class Ranks>
void broadcast_trial(const Ranks& processes, Tuning::Trial& trial, std::size_t from) {
  broadcast_value(processes, trial.values, from);
  broadcast_value(processes, trial.score, from);
  broadcast_value(processes, trial.reason, from);
}

/// Finished trials of a search, in memory and in a file that every new one rewrites as a whole,
/// with a checksum.
///
/// `check(values)` is a cheap number that changes with all that a score depends on; it is kept for
/// the first trial of which it is finite and must be the same, bit for bit, when a search goes on.
class TrialRecord {
 public:
  using Check = std::function<double(std::span<const double>)>;

  /// Of several processes rank 0 has the file, and all have its trials. Throws FileError if the
  /// file is damaged or holds trials of other parameters, another problem, or other than `check`
  /// tells.
  template <Processes Ranks = OneProcess>
  TrialRecord(std::vector<std::string> names, const TuneConfig& config, Check check = nullptr,
              const Ranks& processes = {})
      : names_(std::move(names)),
        file_(config.file),
        writes_(!file_.empty() && processes.rank() == 0),
        problem_(config.problem),
        check_(std::move(check)) {
    if (writes_ && std::filesystem::exists(file_)) read();
    std::size_t count = trials_.size();
    broadcast_value(processes, count, 0);
    trials_.resize(count);
    for (auto& trial : trials_) broadcast_trial(processes, trial, 0);
  }

  /// The trial of `values`, from the file or with the score evaluate(): infinity and the reason
  /// where that throws a NumericalError. Throws Interrupted, and keeps nothing, when told to stop
  /// before or during a trial.
  template <class Evaluate>
  [[nodiscard]] Tuning::Trial trial(const std::vector<double>& values, const Evaluate& evaluate) {
    if (auto known = find(values)) return *std::move(known);
    if (interrupted()) stop();
    Tuning::Trial trial{values, std::numeric_limits<double>::infinity()};
    try {
      try {
        trial.score = evaluate();
      } catch (const NumericalError& e) {
        trial.reason = e.what();
      }
      keep(trial);
    } catch (const Interrupted&) {
      stop();
    }
    return trial;
  }

  /// Keeps a trial that this or another process made, if it is new.
  void keep(const Tuning::Trial& trial) {
    const std::lock_guard lock(mutex_);
    if (find_locked(trial.values)) return;
    if (writes_ && check_ && !std::isfinite(first_)) first_ = checked(trial.values);
    trials_.push_back(trial);
    if (!writes_) return;
    nlohmann::ordered_json json{
        {"problem", problem_}, {"names", names_}, {"trials", nlohmann::ordered_json::array()}};
    if (check_) json["check"] = first_;
    for (const auto& one : trials_) {
      json["trials"].push_back({{"values", one.values}, {"score", one.score}});
      if (!one.reason.empty()) json["trials"].back()["reason"] = one.reason;
    }
    json["checksum"] = checksum_of(json);
    write_json(file_, json);
  }

  /// Throws Interrupted.
  [[noreturn]] void stop() {
    throw Interrupted(
        to_text("tune: interrupted after ", finished(), " trials; ",
                file_.empty() ? "nothing is kept: give a file" : "the same call goes on from ",
                file_.string()));
  }

 private:
  void read() {
    const auto json = read_json(file_);
    const auto fail = [&](const auto&... found) {
      throw FileError(to_text("tune: ", file_.string(), " ", found..., "; remove it"));
    };
    const auto number = [&](const nlohmann::ordered_json& value) {
      if (!value.is_number()) fail("is damaged: it has ", value.dump(), " for a number");
      return value.get<double>();
    };
    const auto score = [&](const nlohmann::ordered_json& value) {
      return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : number(value);
    };
    constexpr double infinity = std::numeric_limits<double>::infinity();
    for (const char* name : {"names", "problem", "trials", "checksum"})
      if (!json.is_object() || !json.contains(name))
        throw FileError(to_text("tune: ", file_.string(), " is no table of trials: it has no ",
                                name, "; take another file"));
    try {
      if (json.at("names").get<std::vector<std::string>>() != names_)
        fail("holds trials of ", json.at("names").dump(), ", expected ",
             nlohmann::ordered_json(names_).dump());
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
        const auto reason = trial.value("reason", std::string());
        trials_.push_back({values, reason.empty() ? score(trial.at("score")) : infinity, reason});
      }
      if (json.at("checksum") != checksum_of(json))
        fail("is damaged: it has another checksum than its trials");
      if (!check_ || trials_.empty()) return;
      // Of the first trial that has one here; null where none had.
      first_ = score(json.at("check"));
      double now = std::numeric_limits<double>::quiet_NaN();
      for (std::size_t n = 0; n < trials_.size() && !std::isfinite(now); ++n)
        now = checked(trials_[n].values);
      if (now != first_ && (std::isfinite(now) || std::isfinite(first_)))
        fail("holds trials of another problem or analysis, or of a program built in another way");
    } catch (const nlohmann::json::exception& e) {
      throw FileError(to_text("tune: ", file_.string(), " is no table of trials: ", e.what()));
    }
  }

  [[nodiscard]] std::size_t finished() {
    const std::lock_guard lock(mutex_);
    return trials_.size();
  }

  [[nodiscard]] std::optional<Tuning::Trial> find(const std::vector<double>& values) {
    const std::lock_guard lock(mutex_);
    return find_locked(values);
  }
  [[nodiscard]] std::optional<Tuning::Trial> find_locked(const std::vector<double>& values) const {
    for (const auto& trial : trials_)
      if (trial.values == values) return trial;
    return std::nullopt;
  }

  [[nodiscard]] double checked(const std::vector<double>& values) const {
    try {
      return check_(values);
    } catch (const NumericalError&) {
      return std::numeric_limits<double>::infinity();
    }
  }

  std::vector<std::string> names_;
  std::filesystem::path file_;
  bool writes_;
  std::string problem_;
  Check check_;
  double first_ = std::numeric_limits<double>::quiet_NaN();  ///< check_ of the first trial
  std::vector<Tuning::Trial> trials_;
  std::mutex mutex_;
};

}  // namespace detail

}  // namespace dan
