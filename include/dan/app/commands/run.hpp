// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "dan/app/options.hpp"
#include "dan/app/tables.hpp"

namespace dan::app {

/// `run PROBLEM METHOD`: a twin experiment, or with `--observations` those of a file.
struct Run {
  static constexpr const char* word = "run";
  static constexpr const char* about =
      "A twin experiment, or the observations of a file; where a run with the same --out "
      "stopped, it goes on";

  std::string problem_name, method_name, observations, out;
  TwinOptions twin;
  Output output;
  double start = 0;
  std::optional<double> interval{};
  std::size_t at_most = 0;

  void declare(CLI::App& command) {
    add_problem(command, problem_name);
    add_method(command, method_name);
    twin.add_to(command);
    output.add_to(command);
    auto* file =
        command
            .add_option("--observations", observations,
                        "Table time,place,value,deviation (.csv, .npy, .nc) instead of a twin")
            ->check(some_text());
    auto* folder =
        command.add_option("--out", out, "Folder for run.json, analyses.csv and state.safetensors")
            ->needs(file)
            ->check(some_text());
    file->needs(folder);
    command
        .add_option("--interval", interval,
                    "Time from analysis to analysis; as long as a forecast unless it is given")
        ->needs(file)
        ->check(any_number());
    command
        .add_option("--start", start,
                    "Time of the first guess, an interval before the first analysis")
        ->needs(file)
        ->check(any_number());
    command.add_option("--at-most", at_most, "Cycles to assimilate now; 0: all")
        ->needs(file)
        ->transform(whole_number(0));
  }
  void act(const Program& program) const {
    const auto [problem, method, choice] = program.menu.choose(problem_name, method_name);
    std::vector<std::filesystem::path> others{choice.weights, observations};
    if (!out.empty())
      for (const auto& own : files_of_assimilation(out)) others.push_back(own);
    output.require_writable(others);
    if (observations.empty())
      run_twin(method, choice);
    else
      assimilate(problem, method, choice);
  }

 private:
  void run_twin(const Method& method, const Choice& choice) const {
    const TwinScores scores = method.score(choice, twin.twin);
    if (output.table()) print_scores_heading(), print_scores(method_name, scores);
    write(twin.json(), json_of_scores(scores));
    require_a_run("run", scores, twin.twin.runs);
  }
  void assimilate(const ProblemEntry& problem, const Method& method, const Choice& choice) const {
    twin.require_untouched("--observations");
    if (!method.assimilate)
      throw ConfigError(to_text("--observations: ", problem.name,
                                " has places of its own, expected a problem that takes them from "
                                "a file, see list"));
    const auto found =
        method.assimilate(choice, {.observations = observations,
                                   .table = load_table("--observations", observations),
                                   .out = out,
                                   .problem = problem_name,
                                   .method = method_name,
                                   .times = cycle_times(problem, choice, start, interval),
                                   .cycles = at_most,
                                   .seed = twin.twin.seed});
    if (output.table()) print(found);
    write({{"observations", observations}}, found);
  }
  void print(const nlohmann::ordered_json& found) const {
    const auto cycles = found["cycles"].get<std::size_t>();
    const auto analyses = (std::filesystem::path(out) / "analyses.csv").string();
    const auto observed = found["observations"].get<std::size_t>();
    if (cycles == 0)
      std::printf("nothing new: %zu cycles were done before; %s\n",
                  found["last_cycle"].get<std::size_t>(), analyses.c_str());
    else if (observed == 0)
      std::printf("%zu cycles without observations; %s\n", cycles, analyses.c_str());
    else
      std::printf("%zu cycles with %zu observations, innovations %.3g, errors %.3g; %s\n", cycles,
                  observed, found["innovation_rms"].get<double>(), found["error_rms"].get<double>(),
                  analyses.c_str());
  }
  void write(const nlohmann::ordered_json& config, const nlohmann::ordered_json& found) const {
    output.write("run", problem_name, config,
                 nlohmann::ordered_json::array({row_of(method_name, found)}));
  }
};

}  // namespace dan::app
