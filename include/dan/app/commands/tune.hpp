// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dan/app/options.hpp"
#include "dan/experiment/tune.hpp"

namespace dan::app {

namespace detail {
/// `name=value,value,…`.
inline TunedParameter parse_grid(const std::string& text) {
  const auto at = text.find('=');
  if (at == std::string::npos || at == 0)
    throw ConfigError(to_text("--grid: '", text, "', expected PARAMETER=VALUE,VALUE,…"));
  TunedParameter grid{text.substr(0, at), {}};
  std::string_view rest = std::string_view(text).substr(at + 1);
  do {
    const std::string part(rest.substr(0, rest.find(',')));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    grid.values.push_back(number_of("--grid: " + grid.name, part));
  } while (!rest.empty());
  return grid;
}
}  // namespace detail

/// `tune PROBLEM METHOD`: the best of a grid of parameters, on other truths than those of `run`.
struct Tune {
  static constexpr const char* word = "tune";
  static constexpr const char* about =
      "Finds the parameters of a method with the smallest error, on truths of its own";

  std::string problem_name, method_name, file;
  std::vector<std::string> grid;
  TwinOptions twin{.twin = tuning_twin()};
  Output output;

  void declare(CLI::App& command) {
    add_problem(command, problem_name);
    add_method(command, method_name);
    command
        .add_option("--grid", grid,
                    "PARAMETER=VALUE,VALUE,… to try; else what the method's parameters try")
        ->default_str("");
    command.add_option("--keep", file, "Keep trials in this file; a search goes on from it")
        ->check(some_text());
    twin.add_to(command);
    output.add_to(command);
  }
  void act(const Program& program) const {
    if (!file.empty()) require_writable_file("--keep", file);
    const auto [problem, method, choice] = program.menu.choose(problem_name, method_name);
    output.require_writable({file, choice.weights});
    const std::vector<TunedParameter> tried = grid_of(method);
    const auto score = [&, &one = method, &of = choice](std::span<const double> values,
                                                        const TwinConfig& config) {
      Choice trial = of;
      for (std::size_t n = 0; n < tried.size(); ++n)
        trial.method[place_of(one, tried[n].name)] = values[n];
      return score_to_tune(one.score(trial, config));
    };
    report(tried, tune_experiment(tried, score, twin.twin,
                                  {.threads = twin.twin.threads,
                                   .progress = true,
                                   .file = file,
                                   .problem = to_text(problem_name, " ", method_name)}));
  }

 private:
  /// What is tried: what was asked for, else what the method's parameters try.
  [[nodiscard]] std::vector<TunedParameter> grid_of(const Method& method) const {
    std::vector<TunedParameter> tried;
    for (const auto& text : grid) tried.push_back(detail::parse_grid(text));
    const auto given = Name::parse(method_name).given;
    if (tried.empty())
      for (const auto& p : method.parameters)
        if (!p.tried.empty() && !given.contains(p.name)) tried.push_back({p.name, p.tried});
    if (tried.empty())
      throw ConfigError(to_text("tune: ", method.name, " has nothing to tune, expected --grid"));
    for (const auto& one : tried) {
      if (given.contains(one.name) ||
          std::ranges::count(tried, one.name, &TunedParameter::name) > 1)
        throw ConfigError(to_text("--grid: ", one.name, " is given twice"));
      (void)detail::named(method.parameters, one.name, to_text("parameter of ", method.name));
    }
    return tried;
  }
  /// Where the method has a parameter.
  static std::size_t place_of(const Method& method, const std::string& parameter) {
    return static_cast<std::size_t>(
        std::ranges::find(method.parameters, parameter, &Parameter::name) -
        method.parameters.begin());
  }
  void report(const std::vector<TunedParameter>& tried, const Tuning& tuning) const {
    const auto name_of = [&](const std::vector<double>& values) {
      std::string text = method_name + (method_name.find(':') == std::string::npos ? ":" : ",");
      for (std::size_t n = 0; n < values.size(); ++n)
        text += to_text(n > 0 ? "," : "", tried[n].name, "=", detail::text_of_number(values[n]));
      return text;
    };
    auto rows = nlohmann::ordered_json::array();
    for (const auto& trial : tuning.trials) {
      if (output.table())
        std::printf("%-50s %8.4f  %s\n", name_of(trial.values).c_str(), trial.score,
                    trial.reason.c_str());
      rows.push_back({{"method", name_of(trial.values)}, {"analysis_rmse", trial.score}});
      if (!trial.reason.empty()) rows.back()["failed"] = trial.reason;
    }
    if (output.table()) std::printf("best: %s\n", name_of(tuning.best.values).c_str());
    rows.push_back({{"best", name_of(tuning.best.values)}, {"analysis_rmse", tuning.best.score}});
    output.write("tune", problem_name, twin.json(), rows);
  }
};

}  // namespace dan::app
