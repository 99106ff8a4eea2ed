// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "dan/app/options.hpp"
#include "dan/io/file.hpp"

namespace dan::app {

/// `compare PROBLEM METHOD…`: methods on the same truths and observations.
inline void add_compare(CLI::App& app, const Program& program) {
  struct Options {
    std::string problem;
    std::vector<std::string> methods;
    TwinOptions twin;
    Output output;
  };
  const auto o = std::make_shared<Options>();
  auto* command =
      app.add_subcommand("compare", "Methods side by side on the same truths and observations");
  command->add_option("problem", o->problem, "PROBLEM[:PARAMETER=VALUE,…], see list")->required();
  command->add_option("methods", o->methods, "METHOD[:PARAMETER=VALUE,…,weights=FILE] …")
      ->required()
      ->default_str("");
  o->twin.add_to(*command);
  o->output.add_to(*command);
  command->callback([=, &menu = program.menu, &action = program.action] {
    action = [o, &menu] {
      std::vector<std::filesystem::path> weights;
      for (const auto& name : o->methods) {
        weights.push_back(menu.choose(o->problem, name).choice.weights);
        if (!weights.back().empty()) (void)read_file("compare", weights.back());
      }
      o->output.require_writable(weights);
      auto rows = nlohmann::ordered_json::array();
      std::string failed;  // the first method of which all runs did
      TwinScores of_failed;
      const auto write = [&] { o->output.write("compare", o->problem, o->twin.json(), rows); };
      try {
        for (const auto& name : o->methods) {
          const auto chosen = menu.choose(o->problem, name);
          const TwinScores scores = [&] {
            try {
              return chosen.method.score(chosen.choice, o->twin.twin);
            } catch (const ConfigError& error) {
              throw ConfigError(to_text(name, ": ", error.what()));
            }
          }();
          if (failed.empty() && scores.failures.size() == o->twin.twin.runs)
            failed = name, of_failed = scores;
          if (o->output.table() && rows.empty()) print_scores_heading();
          if (o->output.table()) print_scores(name, scores);
          rows.push_back({{"method", name}});
          rows.back().update(json_of_scores(scores));
        }
      } catch (...) {  // Interrupted, too: what was found is worth keeping
        if (!rows.empty()) write();
        throw;
      }
      write();
      if (!failed.empty())
        require_a_run(to_text("compare: ", failed), of_failed, o->twin.twin.runs);
    };
  });
}

}  // namespace dan::app
