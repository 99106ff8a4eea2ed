// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "dan/app/options.hpp"
#include "dan/io/file.hpp"

namespace dan::app {

/// `compare PROBLEM METHOD…`: methods on the same truths and observations.
struct Compare {
  static constexpr const char* word = "compare";
  static constexpr const char* about = "Methods side by side on the same truths and observations";

  std::string problem_name;
  std::vector<std::string> methods;
  TwinOptions twin;
  Output output;

  void declare(CLI::App& command) {
    add_problem(command, problem_name);
    command.add_option("methods", methods, "METHOD[:PARAMETER=VALUE,…,weights=FILE] …")
        ->required()
        ->default_str("");
    twin.add_to(command);
    output.add_to(command);
  }
  void act(const Program& program) const {
    std::vector<std::filesystem::path> weights;
    for (const auto& name : methods) {
      weights.push_back(program.menu.choose(problem_name, name).choice.weights);
      if (!weights.back().empty()) (void)read_file("compare", weights.back());
    }
    output.require_writable(weights);
    auto rows = nlohmann::ordered_json::array();
    std::string failed;  // the first method of which all runs did
    TwinScores of_failed;
    const auto write = [&] { output.write("compare", problem_name, twin.json(), rows); };
    try {
      for (const auto& name : methods) {
        const auto chosen = program.menu.choose(problem_name, name);
        const TwinScores scores = [&] {
          try {
            return chosen.method.score(chosen.choice, twin.twin);
          } catch (const ConfigError& error) {
            throw ConfigError(to_text(name, ": ", error.what()));
          }
        }();
        if (failed.empty() && scores.failures.size() == twin.twin.runs)
          failed = name, of_failed = scores;
        if (output.table() && rows.empty()) print_scores_heading();
        if (output.table()) print_scores(name, scores);
        rows.push_back(row_of(name, json_of_scores(scores)));
      }
    } catch (...) {  // Interrupted, too: what was found is worth keeping
      if (!rows.empty()) write();
      throw;
    }
    write();
    if (!failed.empty()) require_a_run(to_text("compare: ", failed), of_failed, twin.twin.runs);
  }
};

}  // namespace dan::app
