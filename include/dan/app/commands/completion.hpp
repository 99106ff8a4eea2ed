// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdio>
#include <string>
#include <vector>

#include "dan/app/options.hpp"

namespace dan::app {

namespace detail {
/// A script for bash that completes commands, options, and the problems and methods of a menu.
inline std::string bash_completion(const CLI::App& app, const Menu& menu) {
  const std::string name = app.get_name(), function = "_" + name + "_words";
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  const auto name_of = [](const auto& one) { return one.name; };
  const auto of_problems = joined(menu.problems(), " ", name_of);
  std::vector<std::string> problems;  // commands that want one
  std::string options, methods;
  for (const CLI::App* command : commands) {
    std::string flags = "--config --print-config";
    for (const CLI::Option* option : command->get_options())
      if (option->nonpositional())
        flags += " --" + option->get_lnames().front();
      else if (option->get_name() == "problem")
        problems.push_back(command->get_name());
    options += "    " + command->get_name() + ") options='" + flags + "' ;;\n";
  }
  for (const auto& problem : menu.problems())
    methods +=
        "    " + problem.name + ") names='" + joined(problem.methods, " ", name_of) + "' ;;\n";
  return to_text("# Completion for bash: source <(", name, " completion)\n", function, "() {\n",
                 "  local word=${COMP_WORDS[COMP_CWORD]} options='' names=''\n",
                 "  case ${COMP_WORDS[1]} in\n", options, "  esac\n",
                 "  if ((COMP_CWORD == 1)); then\n    names='",
                 joined(commands, " ", [](const auto* c) { return c->get_name(); }), "'\n",
                 "  elif [[ $word == -* ]]; then\n    names=$options\n", "  elif [[ \" ",
                 joined(problems, "|"), " \" == *[\\ \\|]${COMP_WORDS[1]}[\\ \\|]* ]]; then\n",
                 "    if ((COMP_CWORD == 2)); then\n      names='", of_problems,
                 "'\n    else case ${COMP_WORDS[2]} in\n", methods, "    esac; fi\n  fi\n",
                 "  COMPREPLY=($(compgen -W \"$names\" -- \"$word\"))\n}\n",
                 "complete -o default -F ", function, " ", name, "\n");
}
}  // namespace detail

/// `completion`: a script for the shell; files are completed where nothing else is.
struct Completion {
  static constexpr const char* word = "completion";
  static constexpr const char* about = "Prints a script for bash: source <(… completion)";

  const CLI::App* whole = nullptr;

  void declare(const CLI::App& command) { whole = command.get_parent(); }
  void act(const Program& program) const {
    std::printf("%s", detail::bash_completion(*whole, program.menu).c_str());
  }
};

}  // namespace dan::app
