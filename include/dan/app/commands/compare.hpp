// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "dan/app/options.hpp"

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
      o->output.require_writable();
      for (const auto& name : o->methods) (void)menu.choose(o->problem, name);
      if (o->output.table()) print_scores_heading();
      auto rows = nlohmann::ordered_json::array();
      const auto write = [&] { o->output.write("compare", o->problem, o->twin.json(), rows); };
      try {
        for (const auto& name : o->methods) {
          const auto chosen = menu.choose(o->problem, name);
          const TwinScores scores = chosen.method.score(chosen.choice, o->twin.twin);
          if (o->output.table()) print_scores(name, scores);
          rows.push_back({{"method", name}});
          rows.back().update(json_of_scores(scores));
        }
      } catch (...) {  // Interrupted, too: what was found is worth keeping
        if (!rows.empty()) write();
        throw;
      }
      write();
    };
  });
}

}  // namespace dan::app
