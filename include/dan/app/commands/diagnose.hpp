// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdio>
#include <memory>
#include <string>

#include "dan/app/options.hpp"

namespace dan::app {

/// `diagnose PROBLEM METHOD`: how well what a method believes of its error fits the truth.
inline void add_diagnose(CLI::App& app, const Program& program) {
  struct Options {
    std::string problem, method;
    TwinOptions twin;
    Output output;
  };
  const auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand(
      "diagnose", "CRPS, rank histogram, reduced centred variable and spread–skill of a method");
  command->add_option("problem", o->problem, "PROBLEM[:PARAMETER=VALUE,…], see list")->required();
  command->add_option("method", o->method, "METHOD[:PARAMETER=VALUE,…,weights=FILE]")->required();
  o->twin.add_to(*command);
  o->output.add_to(*command);
  command->callback([=, &menu = program.menu, &action = program.action] {
    action = [o, &menu] {
      const auto [problem, method, choice] = menu.choose(o->problem, o->method);
      o->output.require_writable({choice.weights});
      const auto [scores, beliefs] = method.diagnose(choice, o->twin.twin);
      auto found = json_of_scores(scores);
      found.update(beliefs);
      nlohmann::ordered_json row{{"method", o->method}};
      row.update(found);
      if (o->output.table()) {
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
      o->output.write("diagnose", o->problem, o->twin.json(), nlohmann::ordered_json::array({row}));
      require_a_run("diagnose", scores, o->twin.twin.runs);
    };
  });
}

}  // namespace dan::app
