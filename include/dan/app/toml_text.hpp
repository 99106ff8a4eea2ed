// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// toml++ (3.3) asserts, or has the compiler assume, that a table's name begins as one, where the
// next line reports it well: `[;run]`, `[[[run]]]`. So neither, whatever NDEBUG says (unless it was
// included before).
#pragma push_macro("NDEBUG")
#undef NDEBUG
#define TOML_ASSERT(condition) static_assert(true)
#include <toml++/toml.h>
#undef TOML_ASSERT
#pragma pop_macro("NDEBUG")

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>

#include "dan/core/error.hpp"

namespace dan::app {

/// A TOML file that anybody may have written, as toml++ (3.3) can read it.
///
/// With what is not ASCII outside of texts and comments toml++ comes to places of which it tells
/// the compiler that they are never reached. So it is given the file with such bytes as a mark and
/// two digits: % in general, a mark that the file has no escape `\u` for. `original` undoes it;
/// bytes that are no UTF-8 stay as they are. A name of many parts, `a.a.a`, exhausts its stack: a
/// line may have no more than 1,000 dots.
class TomlText {
 public:
  explicit TomlText(std::string_view file) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF", digits = "0123456789ABCDEF";
    if (file.starts_with(byte_order_mark)) file.remove_prefix(byte_order_mark.size());
    for (const std::string_view escape : {"%0025", "&0026", "$0024", "!0021"}) {
      mark_ = escape[0];
      if (file.find(escape.substr(1)) == file.npos) break;
    }
    for (const char c : file)
      if (const auto byte = static_cast<unsigned char>(c); byte < 0x80 && c != mark_)
        ascii_ += c;
      else
        (ascii_ += mark_) += {digits[byte / 16], digits[byte % 16]};
  }

  /// Throws as `refuse` for what is no TOML.
  [[nodiscard]] toml::table parsed() const {
    toml::source_index line = 1;
    for (std::string_view left = ascii_; !left.empty(); ++line) {
      const auto length = std::min(left.find('\n'), left.size() - 1) + 1;
      if (std::ranges::count(left.substr(0, length), '.') > 1000)
        refuse({line, 1}, "more than 1,000 dots in a line");
      left.remove_prefix(length);
    }
    try {
      return toml::parse(ascii_);
    } catch (const toml::parse_error& error) {
      refuse(error.source().begin, original(error.description()));
    }
  }

  /// A key or a text as it is in the file.
  [[nodiscard]] std::string original(std::string_view ascii) const {
    std::string text;
    for (std::size_t i = 0; i < ascii.size(); ++i) {
      const char* const digits = ascii.data() + i + 1;
      unsigned char byte = 0;
      const bool coded = ascii[i] == mark_ && i + 2 < ascii.size() &&
                         std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2;
      text += coded ? static_cast<char>(byte) : ascii[i];
      i += coded ? 2 : 0;
    }
    return text;
  }

  /// Throws CLI::ConfigError that says why, with line and column of the file.
  [[noreturn]] void refuse(toml::source_position at, std::string_view why) const {
    std::string_view rest = ascii_;
    for (auto line = at.line; line > 1; --line) rest.remove_prefix(rest.find('\n') + 1);
    const auto here = std::min<std::size_t>(at.column - 1, rest.size());
    const std::string before = original(rest.substr(0, here)), found = original(rest.substr(here));
    auto column = 1 + std::ranges::count_if(before, [](unsigned char c) {
                    return c < 0x80 || c >= 0xC0;  // UTF-8: what begins a character
                  });
    if (before.ends_with('\n')) ++at.line, column = 1;  // the end of the file
    if (!found.empty() && static_cast<unsigned char>(found[0]) >= 0x80)
      why = "a character that is not ASCII, expected such ones in quotes and comments only";
    throw CLI::ConfigError(to_text("line ", at.line, ", column ", column, ": ", why));
  }

 private:
  std::string ascii_;
  char mark_ = 0;
};

}  // namespace dan::app
