// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// What the figures over a parameter share: options, the twin experiment in which a row is scored,
// the sweep and its table.
#include <cctype>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "recipes.hpp"

namespace example {

/// Options of a figure over a parameter, besides those of every example.
struct SweepOptions {
  std::string weights = "weights";  ///< folder of the shipped weights
  std::size_t cycles = 20'000;      ///< scored per row, all runs together
  double training = 1;              ///< length of the trainings, a factor of the figure's own

  void add_to(CLI::App& app, bool trains) {
    app.add_option("--weights", weights, "Folder of the shipped weights");
    app.add_option("--cycles", cycles, "Scored cycles per row, all runs together")
        ->check(CLI::Range(std::size_t{16}, std::size_t{100'000'000}));
    if (trains)
      app.add_option("--training", training, "Length of the trainings, a factor")
          ->check(CLI::Range(0.001, 1000.0));
  }
};

/// What is measured unless a figure says otherwise.
struct Scores {
  nlohmann::ordered_json operator()(const auto& problem, const auto& method,
                                    const dan::TwinConfig& twin) const {
    return dan::json_of_scores(run_twin(problem, method, twin));
  }
};

/// For `add_tuned`: a 3D-Var with the share values[0] of the climate, which is found when it is
/// first asked for.
inline auto var3d_of_climate() {
  return [climate = std::make_shared<std::optional<dan::Climate>>()]<class Problem>(
             const Problem& problem, std::span<const double> values) {
    if (!*climate) *climate = dan::climatology_of(problem);
    return dan::Var3d<Problem>(problem, **climate, values[0]);
  };
}

/// A figure over a parameter: rows are computed side by side and kept in the file of `--out`, from
/// which the same command goes on.
class SweepFigure {
 public:
  SweepFigure(const std::string& name, const Options& options, const SweepOptions& more)
      : name_(name),
        options_(options),
        more_(more),
        sweep_(name,
               {{"seed", options.seed},
                {"quick", options.quick},
                {"cycles", more.cycles},
                {"training", more.training}},
               {.threads = options.threads,
                .file = options.out.empty()
                            ? std::filesystem::path()
                            : std::filesystem::path(options.out) / (name + ".json")}) {}

  [[nodiscard]] bool quick() const { return options_.quick; }

  /// The values that are shown; with --quick every `step`-th of them, from the first on.
  template <class Value>
  [[nodiscard]] std::vector<Value> values(const std::vector<Value>& all,
                                          std::size_t step = 3) const {
    std::vector<Value> some;
    for (std::size_t n = 0; n < all.size(); n += quick() ? step : 1) some.push_back(all[n]);
    return some;
  }

  /// The experiment in which rows are scored: 16 runs.
  [[nodiscard]] dan::TwinConfig unseen() const {
    const std::size_t burn_in = quick() ? 20 : 200;
    return {.runs = quick() ? 4U : 16U,
            .cycles = burn_in + (quick() ? 40 : (more_.cycles + 15) / 16),
            .burn_in = burn_in,
            .seed = options_.seed + 4000,
            .threads = 1,
            .first_guess_deviation = 0.3,
            .progress = false};
  }
  /// Another one, in which methods are tuned; `factor` times as many runs, where the best of a
  /// short one is close to losing the truth.
  [[nodiscard]] dan::TwinConfig tuning(std::size_t factor = 1) const {
    dan::TwinConfig twin = dan::tuning_twin();
    twin.runs *= factor;
    twin.seed = options_.seed + 2000;
    if (quick()) twin.runs = 2, twin.cycles = 30, twin.burn_in = 10;
    return twin;
  }

  /// A training of `updates`, which is shorter with --quick; the seed and one thread.
  [[nodiscard]] dan::TrainConfig training(dan::TrainConfig config) const {
    const double updates = static_cast<double>(config.updates) * (quick() ? 0.005 : more_.training);
    config.updates = std::max<std::size_t>(10, static_cast<std::size_t>(updates));
    config.seed = options_.seed;
    config.threads = 1;
    config.progress = false;
    return config;
  }
  /// Name of a training's checkpoints; none without --out.
  [[nodiscard]] std::filesystem::path checkpoint(const std::string& name) const {
    if (options_.out.empty()) return {};
    return std::filesystem::path(options_.out) / "checkpoints" / name;
  }
  /// A file of shipped weights.
  [[nodiscard]] std::filesystem::path shipped(const std::string& name) const {
    return std::filesystem::path(more_.weights) / (name + ".safetensors");
  }

  /// A row: `compute()` returns its TwinScores or what else shall be in it.
  template <class Compute>
  void add(const std::string& method, const nlohmann::ordered_json& parameters,
           const Compute& compute) {
    sweep_.add(method, parameters, [compute]() -> nlohmann::ordered_json {
      if constexpr (std::is_same_v<decltype(compute()), dan::TwinScores>)
        return dan::json_of_scores(compute());
      else
        return compute();
    });
  }

  /// A row of an analysis that is made and perhaps tuned when it is its turn.
  template <class Problem, class Make>
  void add(const std::string& method, const nlohmann::ordered_json& parameters,
           const Problem& problem, const Make& make) {
    add(method, parameters,
        [problem, make, twin = unseen()] { return run_twin(problem, make(), twin); });
  }

  /// A row of the method that make(problem, values) is at the best point of a grid, found in the
  /// experiment `trial`; the row says which. `measure`: as of `add_trained`.
  template <class Problem, class Make, class Measure = Scores>
  void add_tuned(const std::string& method, const nlohmann::ordered_json& parameters,
                 const Problem& problem, const std::vector<dan::TunedParameter>& grid,
                 const dan::TwinConfig& trial, const Make& make, const Measure& measure = {}) {
    add(method, parameters, [=, twin = unseen()] {
      const auto at = [&](std::span<const double> values) { return make(problem, values); };
      const auto best = dan::tune_analysis(problem, grid, at, trial, {.threads = 1}).best.values;
      auto row = measure(problem, at(best), twin);
      for (std::size_t n = 0; n < grid.size(); ++n) row["tuned"][grid[n].name] = best[n];
      return row;
    });
  }

  /// A row of a network that is trained first, in `runs` runs side by side, and goes on from its
  /// checkpoints; with `--training` and `--quick` its training is another length. It begins with
  /// random weights, or with those of the shipped file `from`, on which the page must say a word.
  /// `measure(problem, analysis, twin)`: the row, if there is more to it than scores.
  template <class Network, std::size_t Runs, class Problem, class Teacher = dan::NoTeacher,
            class Measure = Scores>
  void add_trained(const std::string& method, const nlohmann::ordered_json& parameters,
                   const Problem& problem, dan::Recipe<Teacher> recipe,
                   const std::string& from = "", const Measure& measure = {}) {
    shorten(recipe);
    const auto start = from.empty() ? std::filesystem::path() : shipped(from);
    const std::string name = name_of(method, parameters);
    add(method, parameters, [=, twin = unseen(), file = checkpoint(name)] {
      const auto [trained, report] =
          start.empty()
              ? dan::train<Network, Runs>(problem, recipe, file)
              : dan::train<Runs>(problem, dan::load_weights<Network>(start), recipe, file);
      auto row = measure(problem, dan::Learned<Problem, Network, 16>(problem, trained), twin);
      add_training<Network>(row, recipe, report);
      return row;
    });
  }
  /// The same of a network with the weights of the shipped file NAME; where there is none, one that
  /// is trained from random weights, which then stand beside its checkpoints, to be shipped.
  template <class Network, std::size_t Runs, class Problem, class Teacher, class Measure = Scores>
  void add_shipped(const std::string& method, const nlohmann::ordered_json& parameters,
                   const Problem& problem, dan::Recipe<Teacher> recipe, const std::string& name,
                   const Measure& measure = {}) {
    shorten(recipe);
    add(method, parameters,
        [=, twin = unseen(), ready = shipped(name), file = checkpoint(name), quick = quick(),
         command = dan::to_text(name_, " --seed ", options_.seed, " --training ", more_.training)] {
          using Analysis = dan::Learned<Problem, Network, 16>;
          if (std::filesystem::exists(ready)) {
            auto row = measure(problem, Analysis(problem, dan::load_weights<Network>(ready)), twin);
            row["weights"] = Network::parameters;
            return row;
          }
          const auto [trained, report] = dan::train<Network, Runs>(problem, recipe, file);
          if (!file.empty() && !quick)
            dan::save_weights(
                std::filesystem::path(file.string() + ".safetensors"), trained,
                {{"command", command},
                 {"training", dan::json_of_fields(recipe.training.shortened()).dump()},
                 {"training_seconds", dan::to_text(std::round(report.seconds))}});
          auto row = measure(problem, Analysis(problem, trained), twin);
          add_training<Network>(row, recipe, report);
          return row;
        });
  }

  /// Computes all rows, prints them and writes the file of `--json`.
  nlohmann::ordered_json run(const std::string& parameter) {
    const auto json = sweep_.run();
    std::printf("%-40s %10s %8s  %-18s %8s %9s\n", "method", parameter.c_str(), "aRMSE",
                "95 % interval", "cycles", "seconds");
    for (const auto& row : json["results"]) {
      const auto varied = row.contains(parameter) ? row[parameter].dump() : "-";
      const auto method = row["method"].get<std::string>();
      if (row.contains("failed") || row["analysis_rmse"].is_null()) {
        std::printf("%-40s %10s        -  %s\n", method.c_str(), varied.c_str(),
                    row.value("failed", "all runs failed").c_str());
        continue;
      }
      const auto number = [](const nlohmann::ordered_json& value) {
        return value.is_null() ? std::nan("") : value.get<double>();
      };
      const dan::ConfidenceInterval interval{.low = number(row["interval"][0]),
                                             .high = number(row["interval"][1])};
      std::printf("%-40s %10s %8.4f  %-18s %8zu %9.1f%s\n", method.c_str(), varied.c_str(),
                  row["analysis_rmse"].get<double>(), text_of(interval).c_str(),
                  row["cycles"].get<std::size_t>(), row["seconds"].get<double>(),
                  row.contains("lost") || row.contains("failures") ? "  some runs lost" : "");
    }
    if (!options_.json.empty()) dan::write_json(options_.json, json);
    return json;
  }

 private:
  /// The training at its length here; with --quick there is nothing to finish.
  template <class Teacher>
  void shorten(dan::Recipe<Teacher>& recipe) const {
    recipe.training = training(recipe.training);
    if (quick()) recipe.finish.share = 0;
  }
  /// A name for files.
  static std::string name_of(std::string name, const nlohmann::ordered_json& parameters) {
    for (const auto& [key, value] : parameters.items()) name += "_" + key + "_" + value.dump();
    for (char& c : name)
      if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' && c != '.') c = '-';
    return name;
  }
  template <class Network, class Teacher>
  static void add_training(nlohmann::ordered_json& row, const dan::Recipe<Teacher>& recipe,
                           const dan::TrainReport& report) {
    row["weights"] = Network::parameters;
    row["updates"] = recipe.training.updates;
    row["training_seconds"] = report.seconds;
    row["restarts"] = report.restarts;
  }

  std::string name_;
  Options options_;
  SweepOptions more_;
  dan::Sweep sweep_;
};

/// main of a figure over a parameter: `body(figure)` adds rows and runs.
template <class Body>
int run_sweep(int argc, char** argv, const std::string& name, const std::string& about, bool trains,
              const Body& body, const SweepOptions& defaults = {}) {
  SweepOptions more = defaults;
  return run(
      argc, argv, about, {},
      [&](const Options& options) {
        SweepFigure figure(name, options, more);
        body(figure);
      },
      [&](CLI::App& app) { more.add_to(app, trains); });
}

}  // namespace example
