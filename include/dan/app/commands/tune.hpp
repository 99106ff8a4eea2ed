// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <memory>
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
inline void add_tune(CLI::App& app, const Program& program) {
  struct Options {
    std::string problem, method, file;
    std::vector<std::string> grid;
    TwinOptions twin;
    Output output;
  };
  const auto o = std::make_shared<Options>();
  o->twin.twin = tuning_twin();
  auto* command = app.add_subcommand(
      "tune", "Finds the parameters of a method with the smallest error, on truths of its own");
  command->add_option("problem", o->problem, "PROBLEM[:PARAMETER=VALUE,…], see list")->required();
  command->add_option("method", o->method, "METHOD[:PARAMETER=VALUE,…]")->required();
  command
      ->add_option("--grid", o->grid,
                   "PARAMETER=VALUE,VALUE,… to try; else what the method's parameters try")
      ->default_str("");
  command->add_option("--keep", o->file, "Keep trials in this file; a search goes on from it")
      ->check(some_text());
  o->twin.add_to(*command);
  o->output.add_to(*command);
  command->callback([=, &menu = program.menu, &action = program.action] {
    action = [o, &menu] {
      if (!o->file.empty()) require_writable_file("--keep", o->file);
      const auto [problem, method, choice] = menu.choose(o->problem, o->method);
      o->output.require_writable({o->file, choice.weights});
      std::vector<TunedParameter> grid;
      for (const auto& text : o->grid) grid.push_back(detail::parse_grid(text));
      const auto given = Name::parse(o->method).given;
      if (grid.empty())
        for (const auto& p : method.parameters)
          if (!p.tried.empty() && !given.contains(p.name)) grid.push_back({p.name, p.tried});
      if (grid.empty())
        throw ConfigError(to_text("tune: ", method.name, " has nothing to tune, expected --grid"));
      std::vector<std::size_t> at;
      for (const auto& g : grid) {
        if (given.contains(g.name) || std::ranges::count(grid, g.name, &TunedParameter::name) > 1)
          throw ConfigError(to_text("--grid: ", g.name, " is given twice"));
        (void)detail::named(method.parameters, g.name, to_text("parameter of ", method.name));
        at.push_back(static_cast<std::size_t>(
            std::ranges::find(method.parameters, g.name, &Parameter::name) -
            method.parameters.begin()));
      }
      const auto score = [&, &one = method, &of = choice](std::span<const double> values,
                                                          const TwinConfig& twin) {
        Choice trial = of;
        for (std::size_t n = 0; n < at.size(); ++n) trial.method[at[n]] = values[n];
        return score_to_tune(one.score(trial, twin));
      };
      const Tuning tuning = tune_experiment(grid, score, o->twin.twin,
                                            {.threads = o->twin.twin.threads,
                                             .progress = true,
                                             .file = o->file,
                                             .problem = to_text(o->problem, " ", o->method)});
      auto rows = nlohmann::ordered_json::array();
      const auto name_of = [&](const std::vector<double>& values) {
        std::string name = o->method + (o->method.find(':') == std::string::npos ? ":" : ",");
        for (std::size_t n = 0; n < values.size(); ++n)
          name += to_text(n > 0 ? "," : "", grid[n].name, "=", detail::text_of_number(values[n]));
        return name;
      };
      for (const auto& trial : tuning.trials) {
        if (o->output.table())
          std::printf("%-50s %8.4f  %s\n", name_of(trial.values).c_str(), trial.score,
                      trial.reason.c_str());
        rows.push_back({{"method", name_of(trial.values)}, {"analysis_rmse", trial.score}});
        if (!trial.reason.empty()) rows.back()["failed"] = trial.reason;
      }
      if (o->output.table()) std::printf("best: %s\n", name_of(tuning.best.values).c_str());
      rows.push_back({{"best", name_of(tuning.best.values)}, {"analysis_rmse", tuning.best.score}});
      o->output.write("tune", o->problem, o->twin.json(), rows);
    };
  });
}

}  // namespace dan::app
