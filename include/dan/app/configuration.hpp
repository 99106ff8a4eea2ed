// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// toml++ (3.3) asserts, or has the compiler assume, that a table's name begins as one, where the
// next line reports it well: `[;run]`, `[[[run]]]`. So neither, whatever NDEBUG says.
#pragma push_macro("NDEBUG")
#undef NDEBUG
#define TOML_ASSERT(condition) static_assert(true)
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <istream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
    const std::string file = in_ascii(std::string(std::istreambuf_iterator<char>(in), {}));
    try {
      return options(toml::parse(file));
    } catch (const toml::parse_error& error) {
      refuse(file, error.source().begin, as_it_was(error.description()));
    } catch (const Refused& refused) {
      refuse(file, refused.at, refused.why);
    }
  }

 private:
  struct Refused {
    toml::source_position at;
    std::string why;
  };
  template <class... Why>
  [[noreturn]] static void refuse(const toml::node& node, const Why&... why) {
    throw Refused{node.source().begin, to_text(why...)};
  }
  [[noreturn]] static void refuse(std::string_view file, toml::source_position at,
                                  std::string_view why) {
    for (auto line = at.line; line > 1; --line) file.remove_prefix(file.find('\n') + 1);
    const std::string before = as_it_was(file.substr(0, at.column - 1));
    const auto column = 1 + std::ranges::count_if(before, [](unsigned char c) {
                          return c < 0x80 || c >= 0xC0;  // UTF-8: what begins a character
                        });
    throw CLI::ConfigError(to_text("line ", at.line, ", column ", column, ": ", why));
  }

  /// The file with %XX for what is not ASCII, and for %: outside of texts and comments toml++ (3.3)
  /// comes with it to places of which it tells the compiler that they are never reached.
  static std::string in_ascii(std::string_view file) {
    constexpr std::string_view mark = "\xEF\xBB\xBF", digits = "0123456789ABCDEF";
    if (file.starts_with(mark)) file.remove_prefix(mark.size());  // that it is UTF-8
    std::string ascii;
    for (const unsigned char c : file)
      if (c < 0x80 && c != '%')
        ascii += static_cast<char>(c);
      else
        (ascii += '%') += {digits[c / 16], digits[c % 16]};
    return ascii;
  }
  static std::string as_it_was(std::string_view ascii) {
    std::string text;
    for (std::size_t i = 0; i < ascii.size(); ++i) {
      const char* const digits = ascii.data() + i + 1;
      unsigned char byte = 0;
      const bool coded = ascii[i] == '%' && i + 2 < ascii.size() &&
                         std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2;
      text += coded ? static_cast<char>(byte) : ascii[i];
      i += coded ? 2 : 0;
    }
    return text;
  }

  [[nodiscard]] std::vector<CLI::ConfigItem> options(const toml::table& file) const {
    std::vector<CLI::ConfigItem> options;
    for (const auto& [key, node] : file) {
      const std::string name = as_it_was(key.str());
      const auto* section = node.as_table();
      if (section == nullptr || !has_command(name))
        refuse(node, "'", name, "' is no section of a command");
      if (name != command_->get_name()) continue;
      for (const auto& [option, value] : *section)
        if (auto given = item(as_it_was(option.str()), value);
            given.inputs != std::vector{option_of(given.name, value)->get_default_str()})
          options.push_back(std::move(given));
    }
    return options;
  }
  [[nodiscard]] bool has_command(const std::string& name) const {
    for (const auto* command : program_->get_subcommands([](const CLI::App*) { return true; }))
      if (command->get_name() == name) return true;
    return false;
  }
  [[nodiscard]] const CLI::Option* option_of(const std::string& name,
                                             const toml::node& value) const {
    for (const auto& known : {"--" + name, name})
      if (const auto* option = command_->get_option_no_throw(known)) return option;
    refuse(value, command_->get_name(), " has no option '", name, "'");
  }
  [[nodiscard]] CLI::ConfigItem item(std::string_view option, const toml::node& value) const {
    CLI::ConfigItem item;
    item.parents = {command_->get_name()};
    item.name = option;
    if (const auto* list = value.as_array())
      for (const auto& one : *list) item.inputs.push_back(text_of(option, one));
    else
      item.inputs.push_back(text_of(option, value));
    return item;
  }
  static std::string text_of(std::string_view option, const toml::node& value) {
    if (const auto* text = value.as_string()) return as_it_was(text->get());
    if (const auto* yes = value.as_boolean()) return yes->get() ? "true" : "false";
    if (const auto* whole = value.as_integer()) return std::to_string(whole->get());
    if (const auto* number = value.as_floating_point()) {
      std::array<char, 32> digits;  // the shortest that mean this number
      return {digits.data(), std::to_chars(digits.begin(), digits.end(), number->get()).ptr};
    }
    refuse(value, option, " is neither a text nor a number, true, false or an array of these");
  }

  const CLI::App *program_, *command_;
};

}  // namespace dan::app
