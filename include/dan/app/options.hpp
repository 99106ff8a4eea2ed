// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dan/app/menu.hpp"
#include "dan/app/writable.hpp"
#include "dan/core/error.hpp"
#include "dan/experiment/sweep.hpp"
#include "dan/io/json.hpp"
#include "dan/version.hpp"

namespace dan::app {

/// What a command does once the whole command line is understood.
using Action = std::function<void()>;

/// What every command line of a program begins with, for messages and metadata.
struct Program {
  const Menu& menu;
  std::string command_line;  ///< as it was given
  Action& action;            ///< set by the command that is asked for
};

/// One command: its options are the members of `Command`, with defaults; `word` calls it, `about`
/// says what it is, `declare(command)` adds its options and `act(program)` does it.
template <class Command>
void add_command(CLI::App& app, const Program& program) {
  const auto command = std::make_shared<Command>();
  CLI::App* const declared = app.add_subcommand(Command::word, Command::about);
  command->declare(*declared);
  declared->callback(
      [command, &program] { program.action = [command, &program] { command->act(program); }; });
}

/// The problem and the method of a command.
inline void add_problem(CLI::App& command, std::string& name) {
  command.add_option("problem", name, "PROBLEM[:PARAMETER=VALUE,…], see list")->required();
}
inline void add_method(CLI::App& command, std::string& name) {
  command.add_option("method", name, "METHOD[:PARAMETER=VALUE,…,weights=FILE]")->required();
}

/// A row of results: the method and what was found.
inline nlohmann::ordered_json row_of(const std::string& method,
                                     const nlohmann::ordered_json& found) {
  nlohmann::ordered_json row{{"method", method}};
  row.update(found);
  return row;
}

/// A whole number from `least` on, for `transform`: zeros before it, which CLI11 takes for the mark
/// of an octal number, go.
inline CLI::Validator whole_number(std::size_t least) {
  return {[least](std::string& value) -> std::string {
            const bool digits = !value.empty() && value.size() < 19 &&
                                value.find_first_not_of("0123456789") == std::string::npos;
            if (digits && std::stoull(value) >= least) {
              value = std::to_string(std::stoull(value));
              return "";
            }
            return to_text("is ", value, ", expected a whole number, at least ", least,
                           value.size() < 19 ? "" : ", of at most 18 digits");
          },
          "NUMBER"};
}

/// A decimal number.
inline CLI::Validator any_number() {
  return {[](const std::string& value) -> std::string {
            double number = 0;
            if (value.find_first_of("xX") == std::string::npos &&
                CLI::detail::lexical_cast(value, number))
              return "";
            return to_text("is ", value, ", expected a number");
          },
          "NUMBER"};
}

/// A text with something in it: an empty path would be taken for none.
inline CLI::Validator some_text() {
  return {[](const std::string& value) -> std::string {
            return value.empty() ? "is empty, expected a path" : "";
          },
          ""};
}

/// The options of a twin experiment.
struct TwinOptions {
  TwinConfig twin{.runs = 16, .cycles = 1450, .burn_in = 200, .first_guess_deviation = 0.3};

  void add_to(CLI::App& command) {
    command.add_option("--runs", twin.runs, "Independent truths")->transform(whole_number(1));
    command.add_option("--cycles", twin.cycles, "Cycles of each run, burn-in included")
        ->transform(whole_number(1));
    command.add_option("--burn-in", twin.burn_in, "First cycles of each run, not scored")
        ->transform(whole_number(0));
    command.add_option("--seed", twin.seed, "Seed of truths, observations and first guesses")
        ->transform(whole_number(0));
    command.add_option("--threads", twin.threads, "Threads; 0: one per core; changes no score")
        ->transform(whole_number(0));
    command
        .add_option("--first-guess", twin.first_guess_deviation,
                    "Deviation of the first guess's error, in units of the norm")
        ->check(any_number());
  }
  [[nodiscard]] nlohmann::ordered_json json() const {
    return {{"runs", twin.runs},
            {"cycles", twin.cycles},
            {"burn_in", twin.burn_in},
            {"seed", twin.seed},
            {"first_guess", twin.first_guess_deviation}};
  }
  /// Throws ConfigError if one but the seed and the threads is not as it was: with `option` they
  /// would be ignored.
  void require_untouched(const char* option) const {
    auto given = json();
    given["seed"] = TwinOptions().twin.seed;
    if (const auto other = json_differences(given, TwinOptions().json()); !other.empty())
      throw ConfigError(to_text(option, ": ", other, "; that is for twin experiments"));
  }
};

/// Where results go: a table on standard output, or JSON into a file ("-": standard output instead
/// of the table).
struct Output {
  std::string json;

  void add_to(CLI::App& command) {
    command.add_option("--json", json, "Write the results to this JSON file; -: print them")
        ->check(some_text());
  }
  [[nodiscard]] bool table() const { return json != "-"; }
  /// Throws FileError unless its file can be written, and ConfigError where it is one of `others`,
  /// which the command reads or writes; an empty path is none.
  void require_writable(const std::vector<std::filesystem::path>& others = {}) const {
    if (json.empty() || !table()) return;
    require_writable_file("--json", json);
    for (const auto& other : others)
      if (!other.empty() && is_same_file(other, json))
        throw ConfigError(to_text("--json: ", json, " is ", other.string(),
                                  ", which the command reads or writes, expected another file"));
  }
  /// The results of a command with the configuration that they belong to.
  void write(const std::string& command, const std::string& problem,
             const nlohmann::ordered_json& config, const nlohmann::ordered_json& results) const {
    if (json.empty()) return;
    const nlohmann::ordered_json all{{"command", command},
                                     {"problem", problem},
                                     {"config", config},
                                     {"version", library_version},
                                     {"results", results}};
    if (table())
      write_json(json, all);
    else
      std::printf("%s\n", all.dump(2).c_str());
  }
};

/// The lines of a table of scores, methods in so many columns.
inline void print_scores_heading(int width = 40) {
  std::printf("%-*s %8s  %-18s %9s %8s %8s %8s\n", width, "method", "aRMSE", "95 % interval",
              "forecast", "spread", "cycles", "seconds");
}
/// The runs that failed or lost the truth, if any.
inline void print_failures(const TwinScores& s) {
  for (const auto& [run, cycle, reason] : s.failures)
    std::printf("  run %zu failed at cycle %zu: %s\n", run, cycle, reason.c_str());
  for (const auto& [run, cycle, reason] : s.lost)
    std::printf("  run %zu from cycle %zu: %s\n", run, cycle, reason.c_str());
  if (s.went_back > 0)
    std::printf("  the way back was taken in %.3f %% of the cycles\n", 100 * s.went_back);
  std::fflush(stdout);
}
inline void print_scores(const std::string& method, const TwinScores& s, int width = 40) {
  char spread[16] = "-", interval[48];
  if (std::isfinite(s.spread)) std::snprintf(spread, sizeof spread, "%.4f", s.spread);
  std::snprintf(interval, sizeof interval, "[%.4f, %.4f]", s.interval.low, s.interval.high);
  std::printf("%-*s %8.4f  %-18s %9.4f %8s %8zu %8.1f\n", width, method.c_str(), s.analysis_rmse,
              interval, s.forecast_rmse, spread, s.cycles, s.seconds);
  print_failures(s);
}

/// Throws NumericalError, in the name of `command`, if all of `runs` runs failed, for a script: the
/// results are written.
inline void require_a_run(const std::string& command, const TwinScores& s, std::size_t runs) {
  if (s.failures.size() == runs)
    throw NumericalError(to_text(command, ": all ", runs, " runs failed; the first at cycle ",
                                 s.failures.front().cycle, ": ", s.failures.front().reason));
}

}  // namespace dan::app
