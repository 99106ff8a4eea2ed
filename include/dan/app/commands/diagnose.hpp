// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdio>
#include <string>

#include "dan/app/options.hpp"

namespace dan::app {

/// `diagnose PROBLEM METHOD`: how well what a method believes of its error fits the truth.
struct Diagnose {
  static constexpr const char* word = "diagnose";
  static constexpr const char* about =
      "CRPS, rank histogram, reduced centred variable and spread–skill of a method";

  std::string problem_name, method_name;
  TwinOptions twin;
  Output output;

  void declare(CLI::App& command) {
    add_problem(command, problem_name);
    add_method(command, method_name);
    twin.add_to(command);
    output.add_to(command);
  }
  void act(const Program& program) const {
    const auto [problem, method, choice] = program.menu.choose(problem_name, method_name);
    output.require_writable({choice.weights});
    const auto [scores, beliefs] = method.diagnose(choice, twin.twin);
    auto found = json_of_scores(scores);
    found.update(beliefs);
    if (output.table()) {
      const auto number = [&](const char* name, const nlohmann::ordered_json& value) {
        if (value.is_number()) std::printf("%-30s %10.4f\n", name, value.get<double>());
      };
      number("aRMSE", found["analysis_rmse"]);
      number("CRPS", found["crps"]);
      number("bias, in believed deviations", found["reduced_centred"]["bias"]);
      number("dispersion", found["reduced_centred"]["dispersion"]);
      std::printf("spread and skill:\n");
      for (const auto& bin : found["spread_skill"])
        std::printf("  %8.4f %8.4f\n", bin["spread"].get<double>(), bin["skill"].get<double>());
      std::printf("ranks: %s\n", found["rank_histogram"].dump().c_str());
      print_failures(scores);
    }
    output.write("diagnose", problem_name, twin.json(),
                 nlohmann::ordered_json::array({row_of(method_name, found)}));
    require_a_run("diagnose", scores, twin.twin.runs);
  }
};

}  // namespace dan::app
