// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdio>
#include <string>
#include <vector>

#include "dan/app/options.hpp"

namespace dan::app {

/// `list [PROBLEM]`: what is compiled in.
struct List {
  static constexpr const char* word = "list";
  static constexpr const char* about = "Problems, methods and their parameters";

  std::string problem_name;

  void declare(CLI::App& command) {
    command.add_option("problem", problem_name, "Only this problem");
  }
  void act(const Program& program) const {
    if (!problem_name.empty()) return show(program.menu.problem({problem_name}));
    for (const auto& problem : program.menu.problems()) show(problem);
  }

 private:
  static void show(const ProblemEntry& problem) {
    std::printf("%s: %s\n", problem.name.c_str(), problem.about.c_str());
    show(problem.parameters);
    for (const auto& method : problem.methods) {
      std::printf("    %s  %s", method.name.c_str(), method.about.c_str());
      if (method.weights > 0) std::printf(" (%zu weights)", method.weights);
      std::printf("\n");
      show(method.parameters);
    }
  }
  static void show(const std::vector<Parameter>& parameters) {
    for (const auto& p : parameters)
      std::printf("      %s=%g  %s\n", p.name.c_str(), p.value, p.about.c_str());
  }
};

}  // namespace dan::app
