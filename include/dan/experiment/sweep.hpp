// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/interrupt.hpp"
#include "dan/core/processes.hpp"
#include "dan/core/progress.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/io/checksum.hpp"
#include "dan/io/deal_out.hpp"
#include "dan/io/json.hpp"
#include "dan/version.hpp"

namespace dan {

/// What a twin experiment found, for a file: {"analysis_rmse": …, "interval": [low, high], …}.
[[nodiscard]] inline nlohmann::ordered_json json_of_scores(const TwinScores& scores) {
  nlohmann::ordered_json json{{"analysis_rmse", scores.analysis_rmse},
                              {"interval", {scores.interval.low, scores.interval.high}},
                              {"forecast_rmse", scores.forecast_rmse},
                              {"cycles", scores.cycles},
                              {"seconds", scores.seconds}};
  if (std::isfinite(scores.spread)) json["spread"] = scores.spread;
  const auto add = [&](const char* name, const std::vector<TwinFailure>& failures) {
    for (const auto& f : failures)
      json[name].push_back({{"run", f.run}, {"cycle", f.cycle}, {"reason", f.reason}});
  };
  add("failures", scores.failures);
  add("lost", scores.lost);
  return json;
}

/// How a sweep is carried out.
struct SweepConfig {
  std::size_t threads = 0;  ///< settings at a time; 0: one per core; changes no row but its seconds
  bool progress = true;     ///< show how many settings are done
  std::filesystem::path file{};  ///< finished rows are kept here; a sweep that was killed goes on
};

/// An experiment in many settings, which are computed side by side and kept in a file:
///     Sweep sweep("lags", {{"seed", 1}}, {.file = "lags.json"});
///     for (const std::size_t lag : {1, 4})
///       sweep.add("IEnKS", {{"lag", lag}}, [=] {
///         return json_of_scores(run_twin(problem, Ienks<P, 20>(problem, {.lag = lag}), twin));
///       });
///     sweep.run();
///
/// A setting is a method and its parameters, of which one that is not finite stands in the file as
/// "inf", "-inf" or "nan". What it computes is a JSON object, which becomes, with `method`, the
/// parameters under their names, `setting`, these names, and the `seconds` that all of it took (in
/// the place of those that it has), its row in `results`; a result may not have the name of a
/// parameter. Where it throws a NumericalError the row has `failed`, the message, instead. Settings
/// run at the same time, each best with one thread.
class Sweep {
 public:
  using Json = nlohmann::ordered_json;

  /// `about`: what decides about all rows besides their parameters (seed, cycles); a file of
  /// another sweep is refused. Throws FileError then, and if it is damaged.
  Sweep(std::string name, Json about, SweepConfig config = {})
      : name_(std::move(name)), about_(readable(std::move(about))), config_(std::move(config)) {
    if (config_.file.empty() || !std::filesystem::exists(config_.file)) return;
    const auto fail = [&](const auto&... found) {
      throw FileError(to_text("Sweep: ", config_.file.string(), " ", found...,
                              "; nothing of it was changed: remove it, or take another file"));
    };
    const auto json = read_json(config_.file);
    const auto require_same = [&](const char* what, const nlohmann::ordered_json& expected) {
      if (!json.is_object() || !json.contains(what)) fail("is no file of a sweep: no ", what);
      if (const auto list = json_differences(json[what], expected, what); !list.empty())
        fail("holds a sweep with ", list);
    };
    require_same("example", name_);
    require_same("config", about_);
    if (!json.contains("results") || !json["results"].is_array()) fail("is damaged: no results");
    for (const auto& row : json["results"]) {
      if (!row.is_object() || !row.contains("method")) fail("is damaged: a row has no method");
      kept_.emplace_back(row);
    }
    if (json.contains("checksum") && json["checksum"] != detail::checksum_of(json))  // new ones do
      fail("is damaged: it has another checksum than its rows");
  }

  /// One setting more: `compute()` returns a JSON object. Throws ConfigError if there is such a
  /// setting already, and for a parameter with the name of something else in a row.
  template <class Compute>
  void add(std::string method, const Json& parameters, const Compute& compute) {
    Json setting{{"method", std::move(method)}};
    for (const char* taken : {"method", "setting", "seconds", "failed"})
      if (parameters.contains(taken))
        throw ConfigError(to_text("Sweep: a parameter of ", setting["method"].dump(), " is ", taken,
                                  ", expected another name: rows have something else there"));
    setting.update(readable(parameters));
    for (const Setting& other : settings_)
      if (holds(setting, other.setting) || holds(other.setting, setting))
        throw ConfigError(to_text("Sweep: ", setting.dump(), " is added after ",
                                  other.setting.dump(), ", expected another setting"));
    settings_.push_back({std::move(setting), [compute] { return Json(compute()); }, {}});
  }

  /// Computes what is not yet in the file and returns {"example", "config", "version", "results"},
  /// rows in the order of `add`; the file holds the same, and a `checksum`. Whatever a setting
  /// throws that is no NumericalError is passed on after the others were computed; when told to
  /// stop, Interrupted. The same call goes on after the rows that were finished.
  ///
  /// `processes`: settings are dealt out among them (`deal_out`), and all have all rows; rank 0
  /// writes the file, also says what was in it, and shows progress.
  template <Processes Ranks = OneProcess>
  Json run(const Ranks& processes = {}) {
    const bool first = processes.rank() == 0;
    broadcast_value(processes, kept_, 0);
    std::vector<Setting*> left;
    for (Setting& setting : settings_) {
      setting.row = kept(setting.setting);
      if (!setting.row) left.push_back(&setting);
    }
    std::atomic<std::size_t> done = settings_.size() - left.size();
    Progress progress(name_, settings_.size(), config_.progress && first, stderr, done);
    const auto stop = [&] {
      throw Interrupted(to_text(
          "Sweep::run: interrupted after ", done.load(), " of ", settings_.size(), " settings; ",
          config_.file.empty() ? "nothing is kept: give a file" : "the same call goes on from ",
          config_.file.string()));
    };
    const auto write = [&] {
      if (!first || config_.file.empty()) return;
      Json all = json();
      all["checksum"] = detail::checksum_of(all);
      write_json(config_.file, all);
    };
    std::vector<Json> rows(left.size());
    const bool all = deal_out(
        processes,
        config_.threads == 0 ? std::min<std::size_t>(left.size(), cores()) : config_.threads,
        left.size(),
        [&](std::size_t n) {
          if (interrupted()) stop();
          rows[n] = computed(*left[n]);
        },
        [&](std::size_t n, std::size_t owner) {
          broadcast_value(processes, rows[n], owner);
          left[n]->row = std::move(rows[n]);
          ++done;
          write();
          progress.advance(1, left[n]->setting.dump());
        });
    if (!all) stop();
    write();
    return json();
  }

 private:
  struct Setting {
    Json setting;  ///< method and parameters
    std::function<Json()> compute;
    std::optional<Json> row;
  };

  [[nodiscard]] static std::size_t cores() {
    return std::max(1U, std::thread::hardware_concurrency());
  }

  /// Numbers that JSON does not have, as texts.
  [[nodiscard]] static Json readable(Json value) {
    if (value.is_number_float() && !std::isfinite(value.get<double>()))
      return to_text(value.get<double>());
    if (value.is_structured())
      for (auto& item : value) item = readable(std::move(item));
    return value;
  }
  [[nodiscard]] static std::vector<std::string> names_of(const Json& setting) {
    std::vector<std::string> names;
    for (const auto& item : setting.items()) names.push_back(item.key());
    return names;
  }
  /// Whether a row is that of a setting, and of no other parameters (which rows of earlier versions
  /// do not tell from results).
  [[nodiscard]] static bool holds(const Json& row, const Json& setting) {
    const auto is_its_own = [&](const Json& name) {
      return name.is_string() && setting.contains(name.get<std::string>());
    };
    return (!row.contains("setting") || (row["setting"].size() == setting.size() &&
                                         std::ranges::all_of(row["setting"], is_its_own))) &&
           std::ranges::all_of(setting.items(), [&](const auto& item) {
             return row.contains(item.key()) && row[item.key()] == item.value();
           });
  }
  [[nodiscard]] std::optional<Json> kept(const Json& setting) const {
    for (const Json& row : kept_)
      if (holds(row, setting)) return row;
    return {};
  }
  [[nodiscard]] static Json computed(const Setting& setting) {
    const auto begin = std::chrono::steady_clock::now();
    Json row = setting.setting;
    try {
      const Json found = setting.compute();
      for (const auto& [name, value] : found.items()) {
        if (row.contains(name) || name == "setting" || name == "failed")
          throw ConfigError(to_text("Sweep: ", setting.setting.dump(), " has the result ", name,
                                    ", expected other names than those of its parameters, setting "
                                    "and failed"));
        row[name] = value;
      }
    } catch (const NumericalError& error) {
      row["failed"] = error.what();
    }
    row["setting"] = names_of(setting.setting);
    row["seconds"] =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return row;
  }

  /// All rows: of the settings in their order, then those of the file that nobody asked for.
  [[nodiscard]] Json json() const {
    Json out{{"example", name_},
             {"config", about_},
             {"version", library_version},
             {"results", Json::array()}};
    for (const Setting& setting : settings_)
      if (setting.row) out["results"].push_back(*setting.row);
    for (const Json& row : kept_)
      if (std::ranges::none_of(settings_, [&](const Setting& s) { return holds(row, s.setting); }))
        out["results"].push_back(row);
    return out;
  }

  std::string name_;
  Json about_;
  SweepConfig config_;
  std::vector<Json> kept_;  ///< rows of the file
  std::vector<Setting> settings_;
};

}  // namespace dan
