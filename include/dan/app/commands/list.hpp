// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "dan/app/options.hpp"

namespace dan::app {

/// `list [PROBLEM]`: what is compiled in.
inline void add_list(CLI::App& app, const Program& program) {
  const auto which = std::make_shared<std::string>();
  auto* command = app.add_subcommand("list", "Problems, methods and their parameters");
  command->add_option("problem", *which, "Only this problem");
  command->callback([=, &menu = program.menu, &action = program.action] {
    action = [which, &menu] {
      const auto print = [](const std::vector<Parameter>& parameters) {
        for (const auto& p : parameters)
          std::printf("      %s=%g  %s\n", p.name.c_str(), p.value, p.about.c_str());
      };
      const auto show = [&](const ProblemEntry& problem) {
        std::printf("%s: %s\n", problem.name.c_str(), problem.about.c_str());
        print(problem.parameters);
        for (const auto& method : problem.methods) {
          std::printf("    %s  %s", method.name.c_str(), method.about.c_str());
          if (method.weights > 0) std::printf(" (%zu weights)", method.weights);
          std::printf("\n");
          print(method.parameters);
        }
      };
      if (!which->empty()) return show(menu.problem({*which}));
      for (const auto& problem : menu.problems()) show(problem);
    };
  });
}

}  // namespace dan::app
