// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "dan/app/options.hpp"

namespace dan::app {

/// `make PROBLEM --out FOLDER`: a truth and its observations as files, to try `run` with.
inline void add_make(CLI::App& app, const Program& program) {
  struct Options {
    std::string problem, out;
    std::size_t cycles = 400;
    std::uint64_t seed = 7;
  };
  const auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand(
      "make", "Writes observations.csv and truth.npy of a truth that nobody has seen");
  command->add_option("problem", o->problem, "PROBLEM[:PARAMETER=VALUE,…], see list")->required();
  command->add_option("--out", o->out, "Folder")->required()->check(some_text());
  command->add_option("--cycles", o->cycles, "Cycles")->transform(whole_number(1));
  command->add_option("--seed", o->seed, "Seed")->transform(whole_number(0));
  command->callback([=, &menu = program.menu, &action = program.action] {
    action = [o, &menu] {
      const Name name = Name::parse(o->problem);
      const ProblemEntry& problem = menu.problem(name);
      if (!problem.make)
        throw ConfigError(
            to_text("make: the observations of ", problem.name,
                    " have no table, expected a problem that takes them from a file"));
      const auto values = detail::numbers(problem.name, problem.parameters, name.given);
      problem.make(values, o->cycles, o->seed, o->out);
    };
  });
}

}  // namespace dan::app
