// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dan/app/options.hpp"
#include "dan/app/tables.hpp"

namespace dan::app {

/// `run PROBLEM METHOD`: a twin experiment, or with `--observations` those of a file.
inline void add_run(CLI::App& app, const Program& program) {
  struct Options {
    std::string problem, method, observations, out;
    TwinOptions twin;
    Output output;
    double start = 0;
    std::optional<double> interval{};
    std::size_t at_most = 0;
  };
  const auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand(
      "run",
      "A twin experiment, or the observations of a file; where a run with the same --out "
      "stopped, it goes on");
  command->add_option("problem", o->problem, "PROBLEM[:PARAMETER=VALUE,…], see list")->required();
  command->add_option("method", o->method, "METHOD[:PARAMETER=VALUE,…,weights=FILE]")->required();
  o->twin.add_to(*command);
  o->output.add_to(*command);
  auto* file =
      command
          ->add_option("--observations", o->observations,
                       "Table time,place,value,deviation (.csv, .npy, .nc) instead of a twin")
          ->check(some_text());
  auto* folder =
      command
          ->add_option("--out", o->out, "Folder for run.json, analyses.csv and state.safetensors")
          ->needs(file)
          ->check(some_text());
  file->needs(folder);
  command
      ->add_option("--interval", o->interval,
                   "Time from analysis to analysis; as long as a forecast unless it is given")
      ->needs(file)
      ->check(any_number());
  command
      ->add_option("--start", o->start,
                   "Time of the first guess, an interval before the first analysis")
      ->needs(file)
      ->check(any_number());
  command->add_option("--at-most", o->at_most, "Cycles to assimilate now; 0: all")
      ->needs(file)
      ->transform(whole_number(0));
  command->callback([=, &menu = program.menu, &action = program.action] {
    action = [o, &menu] {
      const auto [problem, method, choice] = menu.choose(o->problem, o->method);
      std::vector<std::filesystem::path> others{choice.weights, o->observations};
      if (!o->out.empty())
        for (const auto& own : files_of_assimilation(o->out)) others.push_back(own);
      o->output.require_writable(others);
      if (o->observations.empty()) {
        const TwinScores scores = method.score(choice, o->twin.twin);
        if (o->output.table()) print_scores_heading(), print_scores(o->method, scores);
        nlohmann::ordered_json row{{"method", o->method}};
        row.update(json_of_scores(scores));
        o->output.write("run", o->problem, o->twin.json(), nlohmann::ordered_json::array({row}));
        return require_a_run("run", scores, o->twin.twin.runs);
      }
      o->twin.require_untouched("--observations");
      if (!method.assimilate)
        throw ConfigError(to_text("--observations: ", problem.name,
                                  " has places of its own, expected a problem that takes them from "
                                  "a file, see list"));
      const auto found =
          method.assimilate(choice, {.observations = o->observations,
                                     .table = load_table("--observations", o->observations),
                                     .out = o->out,
                                     .problem = o->problem,
                                     .method = o->method,
                                     .times = cycle_times(problem, choice, o->start, o->interval),
                                     .cycles = o->at_most,
                                     .seed = o->twin.twin.seed});
      if (o->output.table()) {
        const auto cycles = found["cycles"].get<std::size_t>();
        const auto analyses = (std::filesystem::path(o->out) / "analyses.csv").string();
        const auto observations = found["observations"].get<std::size_t>();
        if (cycles == 0)
          std::printf("nothing new: %zu cycles were done before; %s\n",
                      found["last_cycle"].get<std::size_t>(), analyses.c_str());
        else if (observations == 0)
          std::printf("%zu cycles without observations; %s\n", cycles, analyses.c_str());
        else
          std::printf("%zu cycles with %zu observations, innovations %.3g, errors %.3g; %s\n",
                      cycles, observations, found["innovation_rms"].get<double>(),
                      found["error_rms"].get<double>(), analyses.c_str());
      }
      nlohmann::ordered_json row{{"method", o->method}};
      row.update(found);
      o->output.write("run", o->problem, {{"observations", o->observations}},
                      nlohmann::ordered_json::array({row}));
    };
  });
}

}  // namespace dan::app
