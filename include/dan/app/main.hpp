// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "dan/app/commands/compare.hpp"
#include "dan/app/commands/completion.hpp"
#include "dan/app/commands/convert.hpp"
#include "dan/app/commands/diagnose.hpp"
#include "dan/app/commands/info.hpp"
#include "dan/app/commands/list.hpp"
#include "dan/app/commands/make.hpp"
#include "dan/app/commands/run.hpp"
#include "dan/app/commands/train.hpp"
#include "dan/app/commands/tune.hpp"
#include "dan/app/configuration.hpp"
#include "dan/app/menu.hpp"
#include "dan/app/options.hpp"
#include "dan/core/blas.hpp"
#include "dan/core/error.hpp"
#include "dan/core/interrupt.hpp"

/// \file
/// A command line for what a menu has:
///     int main(int argc, char** argv) {
///       dan::app::Menu menu;
///       menu.add(…);
///       return dan::app::main(argc, argv, menu);
///     }
/// Not in dan.hpp, because it needs CLI11 and toml++.

namespace dan::app {

namespace detail {
/// A text as it stands in JSON, which is UTF-8; other bytes are replaced.
inline std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}
inline bool is_utf8(const std::string& text) {
  return nlohmann::json::parse(quoted(text)).get<std::string>() == text;
}

/// A command line, or its configuration file, that cannot be understood.
struct Misunderstood : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The command that the line begins with; throws Misunderstood.
inline const CLI::App* command_of(const CLI::App& app, std::span<char* const> words) {
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  const auto named = [&](const char* word) -> const CLI::App* {
    const auto found = std::ranges::find(commands, word, &CLI::App::get_name);
    return found == commands.end() ? nullptr : *found;
  };
  for (std::size_t n = 0; n < words.size(); ++n)
    if (!is_utf8(words[n]))
      throw Misunderstood(to_text("argument ", n + 1, " is not UTF-8: ", quoted(words[n]),
                                  "; results keep names and the command line"));
  if (words[0][0] != '-' && named(words[0]) == nullptr)
    throw Misunderstood(to_text("there is no command '", words[0],
                                "', expected one of: ", joined(commands, ", ", [](const auto* c) {
                                  return c->get_name();
                                })));
  for (std::size_t n = 0; n < words.size(); ++n)
    if (std::string_view(words[n]) == "--config")
      ++n;
    else if (const auto* command = named(words[n]))
      return command;
  return nullptr;
}

/// Parses the command line; throws Misunderstood. False where that was all (help, version).
inline bool understand(CLI::App& app, int argc, char** argv) {
  const std::span<char* const> words(argv + 1, argv + argc);
  const auto is_config = [](const std::string_view word) {
    return word == "--config" || word.starts_with("--config=");
  };
  if (const auto* command = command_of(app, words))
    app.config_formatter(std::make_shared<SectionOf>(app, *command));  // whose section counts
  else if (std::ranges::any_of(words, is_config))
    throw Misunderstood(to_text("--config: there is no command, expected one, as in ",
                                app.get_name(), " run --config FILE"));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ConfigError& error) {
    throw Misunderstood(to_text(app["--config"]->as<std::string>(), ": ", error.what()));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error), false;
    throw Misunderstood(error.what());
  }
  return true;
}
}  // namespace detail

/// Understands the command line, does what it asks for and returns the exit code: 0; 1 after an
/// error, whose message says why, and nothing is half-written; 2 for a command line or a
/// configuration file that cannot be understood; 130 after SIGINT, SIGTERM or SIGHUP.
///
/// Results go to standard output, progress, notes and errors to standard error. Options may stand
/// in a TOML file (`--config`), a section for each command; `--print-config` prints all of them as
/// such a file and does nothing else.
inline int main(int argc, char** argv, const Menu& menu, const std::string& name = "dan",
                const std::string& about = "Data assimilation, learned and classical") {
  CLI::App app{about, name};
  Action action;
  std::string line = name;
  for (int n = 1; n < argc; ++n) line += to_text(" ", argv[n]);
  app.option_defaults()->always_capture_default();
  app.require_subcommand(1);
  app.fallthrough();
  app.set_help_all_flag("--help-all", "Help for all commands");
  app.set_version_flag("--version", std::string(library_version));
  app.set_config("--config", "", "Options from this TOML file")->check(some_text());
  app.allow_config_extras(false);
  bool print = false;
  app.add_flag("--print-config", print, "Print all options as a TOML file and do nothing")
      ->configurable(false);
  const Program program{menu, line, action};
  for (const auto& add :
       {add_command<List>, add_command<Run>, add_command<Compare>, add_command<Tune>,
        add_command<Train>, add_command<Diagnose>, add_command<Info>, add_command<Make>,
        add_command<Convert>, add_command<Completion>})
    add(app, program);
  for (auto* command : app.get_subcommands([](CLI::App*) { return true; }))
    command->configurable()->fallthrough();
  constexpr int misunderstood = 2;
  if (argc < 2) return std::fprintf(stderr, "%s", app.help().c_str()), misunderstood;
  try {
    if (!detail::understand(app, argc, argv)) return 0;
  } catch (const detail::Misunderstood& error) {
    return std::fprintf(stderr, "error: %s\n", error.what()), misunderstood;
  }
  return run_main([&] {
    if (print) {
      const auto* command = app.get_subcommands().front();
      std::printf("[%s]\n%s", command->get_name().c_str(),
                  command->config_to_str(true, true).c_str());
      return;
    }
    if (const auto note = slow_blas_note(); !note.empty())
      std::fprintf(stderr, "note: %s\n", note.c_str());
    std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of writing
    action();
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      throw FileError("standard output cannot be written");
  });
}

}  // namespace dan::app
