// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "dan/app/options.hpp"

namespace dan::app {

/// `make PROBLEM --out FOLDER`: a truth and its observations as files, to try `run` with.
struct Make {
  static constexpr const char* word = "make";
  static constexpr const char* about =
      "Writes observations.csv and truth.npy of a truth that nobody has seen";

  std::string problem_name, out;
  std::size_t cycles = 400;
  std::uint64_t seed = 7;

  void declare(CLI::App& command) {
    add_problem(command, problem_name);
    command.add_option("--out", out, "Folder")->required()->check(some_text());
    command.add_option("--cycles", cycles, "Cycles")->transform(whole_number(1));
    command.add_option("--seed", seed, "Seed")->transform(whole_number(0));
  }
  void act(const Program& program) const {
    const Name name = Name::parse(problem_name);
    const ProblemEntry& problem = program.menu.problem(name);
    if (!problem.make)
      throw ConfigError(
          to_text("make: the observations of ", problem.name,
                  " have no table, expected a problem that writes one, see list (one of yours: "
                  "Entry::writes_observations)"));
    const auto values = detail::numbers(problem.name, problem.parameters, name.given);
    problem.make(values, cycles, seed, out);
  }
};

}  // namespace dan::app
