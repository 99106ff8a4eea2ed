// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "dan/app/options.hpp"

namespace dan::app {

/// `train PROBLEM NETWORK --out FILE`.
inline void add_train(CLI::App& app, const Program& program) {
  struct Options {
    std::string problem, network;
    Training training;
    std::vector<std::string> fields;
    bool no_finish = false;
    Output output;
  };
  const auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand(
      "train", "Trains a network; checkpoints stand beside --out, and the same command goes on");
  command->add_option("problem", o->problem, "PROBLEM[:PARAMETER=VALUE,…], see list")->required();
  command->add_option("network", o->network, "NETWORK, or NETWORK:weights=FILE to start from")
      ->required();
  command->add_option("--out", o->training.out, "The weights, NAME.safetensors")
      ->required()
      ->check(some_text());
  command->add_option("--updates", o->training.updates, "Updates; 0: as many as the recipe has")
      ->transform(whole_number(0));
  command->add_option("--seed", o->training.seed, "Seed of truths and first weights")
      ->transform(whole_number(0));
  command->add_option("--threads", o->training.threads, "Threads; 0: one per core; changes no bit")
      ->transform(whole_number(0));
  command->add_option("--set", o->fields, "FIELD=VALUE of the training, see docs/training.md")
      ->default_str("");
  command->add_flag("--no-finish", o->no_finish, "Without the second, calmer training");
  o->output.add_to(*command);
  command->callback(
      [=, line = program.command_line, &menu = program.menu, &action = program.action] {
        action = [o, line, &menu] {
          const auto [problem, method, choice] = menu.choose(o->problem, o->network);
          std::vector<std::filesystem::path> others{choice.weights};
          for (const auto& own : files_of_training(o->training.out)) others.push_back(own);
          o->output.require_writable(others);
          if (!method.train)
            throw ConfigError(to_text("train: ", method.name,
                                      " has nothing to learn, expected a "
                                      "network, see list"));
          for (const auto& field : o->fields) {
            const auto at = field.find('=');
            if (at == std::string::npos)
              throw ConfigError(to_text("--set: '", field, "', expected FIELD=VALUE"));
            const std::string name = field.substr(0, at);
            if (name == "updates" || name == "seed")
              throw ConfigError(
                  to_text("--set: ", field, ", expected --", name, ", an option of its own"));
            o->training.fields[name] = field.substr(at + 1);
          }
          o->training.command = line;
          o->training.finish = !o->no_finish;
          const TrainReport report = method.train(choice, o->training);
          if (o->output.table())
            std::printf("%zu updates in %.0f s, %zu restarts; %s\n", report.rmse.size(),
                        report.seconds, report.restarts, o->training.out.c_str());
          o->output.write("train", o->problem, {{"seed", o->training.seed}},
                          {{{"method", o->network},
                            {"weights", o->training.out.string()},
                            {"updates", report.rmse.size()},
                            {"restarts", report.restarts},
                            {"seconds", report.seconds}}});
        };
      });
}

}  // namespace dan::app
