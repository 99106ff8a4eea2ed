// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "dan/app/options.hpp"

namespace dan::app {

/// `train PROBLEM NETWORK --out FILE`.
struct Train {
  static constexpr const char* word = "train";
  static constexpr const char* about =
      "Trains a network; checkpoints stand beside --out, and the same command goes on";

  std::string problem_name, method_name;
  Training training;
  std::vector<std::string> fields;
  bool no_finish = false;
  Output output;

  void declare(CLI::App& command) {
    add_problem(command, problem_name);
    command.add_option("network", method_name, "NETWORK, or NETWORK:weights=FILE to start from")
        ->required();
    command.add_option("--out", training.out, "The weights, NAME.safetensors")
        ->required()
        ->check(some_text());
    command.add_option("--updates", training.updates, "Updates; 0: as many as the recipe has")
        ->transform(whole_number(0));
    command.add_option("--seed", training.seed, "Seed of truths and first weights")
        ->transform(whole_number(0));
    command.add_option("--threads", training.threads, "Threads; 0: one per core; changes no bit")
        ->transform(whole_number(0));
    command.add_option("--set", fields, "FIELD=VALUE of the training, see docs/training.md")
        ->default_str("");
    command.add_flag("--no-finish", no_finish, "Without the second, calmer training");
    output.add_to(command);
  }
  void act(const Program& program) const {
    const auto [problem, method, choice] = program.menu.choose(problem_name, method_name);
    std::vector<std::filesystem::path> others{choice.weights};
    for (const auto& own : files_of_training(training.out)) others.push_back(own);
    output.require_writable(others);
    if (!method.train)
      throw ConfigError(
          to_text("train: ", method.name, " has nothing to learn, expected a network, see list"));
    Training as_asked = training;
    for (const auto& text : fields) set_field(as_asked, text);
    as_asked.command = program.command_line;
    as_asked.finish = !no_finish;
    const TrainReport report = method.train(choice, as_asked);
    if (output.table())
      std::printf("%zu updates in %.0f s, %zu restarts; %s\n", report.rmse.size(), report.seconds,
                  report.restarts, training.out.c_str());
    output.write("train", problem_name, {{"seed", training.seed}},
                 {{{"method", method_name},
                   {"weights", training.out.string()},
                   {"updates", report.rmse.size()},
                   {"restarts", report.restarts},
                   {"seconds", report.seconds}}});
  }

 private:
  static void set_field(Training& to, const std::string& text) {
    const auto at = text.find('=');
    if (at == std::string::npos)
      throw ConfigError(to_text("--set: '", text, "', expected FIELD=VALUE"));
    const std::string field = text.substr(0, at);
    if (field == "updates" || field == "seed")
      throw ConfigError(to_text("--set: ", text, ", expected --", field, ", an option of its own"));
    to.fields[field] = text.substr(at + 1);
  }
};

}  // namespace dan::app
