// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
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

/// Exit codes.
enum Exit : int {
  success = 0,
  failure = 1,        ///< the message says why; nothing is half-written
  misunderstood = 2,  ///< the command line or its configuration file
  stopped = 130       ///< SIGINT, SIGTERM or SIGHUP; the message says what was kept
};

namespace detail {
/// A text as it stands in JSON, which is UTF-8; other bytes are replaced.
inline std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}
inline bool is_utf8(const std::string& text) {
  return nlohmann::json::parse(quoted(text)).get<std::string>() == text;
}
}  // namespace detail

/// Understands the command line, does what it asks for and returns the exit code.
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
  const auto commands = app.get_subcommands([](CLI::App*) { return true; });
  for (auto* command : commands) command->configurable()->fallthrough();
  if (argc < 2) return std::fprintf(stderr, "%s", app.help().c_str()), misunderstood;
  for (int n = 1; n < argc; ++n)
    if (!detail::is_utf8(argv[n])) {
      std::fprintf(stderr,
                   "error: argument %d is not UTF-8: %s; results keep names and the command line\n",
                   n, detail::quoted(argv[n]).c_str());
      return misunderstood;
    }
  const auto command_of = [&](const char* word) {
    const auto found = std::ranges::find(commands, word, &CLI::App::get_name);
    return found == commands.end() ? nullptr : *found;
  };
  if (argv[1][0] != '-' && command_of(argv[1]) == nullptr) {
    const auto names = joined(commands, ", ", [](const auto* one) { return one->get_name(); });
    std::fprintf(stderr, "error: there is no command '%s', expected one of: %s\n", argv[1],
                 names.c_str());
    return misunderstood;
  }
  const CLI::App* called = nullptr;  // whose section of a configuration file counts
  for (int n = 1; n < argc && called == nullptr; ++n)
    if (std::string_view(argv[n]) == "--config")
      ++n;
    else
      called = command_of(argv[n]);
  if (called != nullptr) {
    app.config_formatter(std::make_shared<SectionOf>(app, *called));
  } else if (std::any_of(argv + 1, argv + argc, [](const std::string_view word) {
               return word == "--config" || word.starts_with("--config=");
             })) {
    std::fprintf(stderr,
                 "error: --config: there is no command, expected one, as in %s run --config FILE\n",
                 name.c_str());
    return misunderstood;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ConfigError& error) {
    std::fprintf(stderr, "error: %s: %s\n", app["--config"]->as<std::string>().c_str(),
                 error.what());
    return misunderstood;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error), success;  // help, version
    std::fprintf(stderr, "error: %s\n", error.what());
    return misunderstood;
  }
  try {
    if (print) {
      const auto* command = app.get_subcommands().front();
      std::printf("[%s]\n%s", command->get_name().c_str(),
                  command->config_to_str(true, true).c_str());
      return success;
    }
    if (const auto note = slow_blas_note(); !note.empty())
      std::fprintf(stderr, "note: %s\n", note.c_str());
    const InterruptHandler handler;
    std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of writing
    action();
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      throw FileError("standard output cannot be written");
    return success;
  } catch (const Interrupted& stop) {
    std::fprintf(stderr, "%s\n", stop.what());
    return stopped;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "error: there is not enough memory for what was asked for\n");
    return failure;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return failure;
  }
}

}  // namespace dan::app
