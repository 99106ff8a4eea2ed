// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <CLI/CLI.hpp>
#include <array>
#include <charconv>
#include <istream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dan/app/toml_text.hpp"
#include "dan/core/error.hpp"

/// \file
/// Options from a TOML file, read by toml++.

namespace dan::app {

/// What a TOML file says for one command of a program: a section for each command, of which the
/// others may say what they like. CLI11 asks it for options.
///
/// A value is a text, a number, true or false, or for an option that takes several an array of
/// these; what an option is by default, which `--print-config` prints too, counts as not given.
/// Throws CLI::ConfigError, with line and column, for what is not TOML, an option that the command
/// does not have, a section that is no command, and other values.
class SectionOf : public CLI::ConfigTOML {
 public:
  /// `command` of the program `program`, which both outlive this.
  SectionOf(const CLI::App& program, const CLI::App& command)
      : program_(&program), command_(&command) {}

  [[nodiscard]] std::vector<CLI::ConfigItem> from_config(std::istream& in) const override {
    const TomlText text(std::string(std::istreambuf_iterator<char>(in), {}));
    std::vector<CLI::ConfigItem> options;
    for (const auto& [key, node] : text.parsed()) {
      const std::string name = text.original(key.str());
      const auto* section = node.as_table();
      if (section == nullptr || !has_command(name))
        refuse(text, node, "'", name, "' is no section of a command");
      if (name != command_->get_name()) continue;
      for (const auto& [option, value] : *section)
        if (auto given = item(text, text.original(option.str()), value);
            given.inputs != std::vector{option_of(text, given.name, value)->get_default_str()})
          options.push_back(std::move(given));
    }
    return options;
  }

 private:
  template <class... Why>
  [[noreturn]] static void refuse(const TomlText& text, const toml::node& node, const Why&... why) {
    text.refuse(node.source().begin, to_text(why...));
  }
  [[nodiscard]] bool has_command(const std::string& name) const {
    for (const auto* command : program_->get_subcommands([](const CLI::App*) { return true; }))
      if (command->get_name() == name) return true;
    return false;
  }
  [[nodiscard]] const CLI::Option* option_of(const TomlText& text, const std::string& name,
                                             const toml::node& value) const {
    for (const auto& known : {"--" + name, name})
      if (const auto* option = command_->get_option_no_throw(known)) return option;
    refuse(text, value, command_->get_name(), " has no option '", name, "'");
  }
  [[nodiscard]] CLI::ConfigItem item(const TomlText& text, std::string_view option,
                                     const toml::node& value) const {
    CLI::ConfigItem item;
    item.parents = {command_->get_name()};
    item.name = option;
    if (const auto* list = value.as_array())
      for (const auto& one : *list) item.inputs.push_back(text_of(text, option, one));
    else
      item.inputs.push_back(text_of(text, option, value));
    return item;
  }
  static std::string text_of(const TomlText& file, std::string_view option,
                             const toml::node& value) {
    if (const auto* text = value.as_string()) return file.original(text->get());
    if (const auto* yes = value.as_boolean()) return yes->get() ? "true" : "false";
    if (const auto* whole = value.as_integer()) return std::to_string(whole->get());
    if (const auto* number = value.as_floating_point()) {
      std::array<char, 32> digits;  // the shortest that mean this number
      return {digits.data(), std::to_chars(digits.begin(), digits.end(), number->get()).ptr};
    }
    refuse(file, value, option,
           " is neither a text nor a number, true, false or an array of these");
  }

  const CLI::App *program_, *command_;
};

}  // namespace dan::app
