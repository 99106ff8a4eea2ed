// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/tensor.hpp"
#include "dan/io/file.hpp"

/// \file
/// Tables of numbers as comma-separated values: a line of column names, then a line per row.

namespace dan {

/// A table of numbers with named columns; `numbers`: rows × columns.
struct CsvTable {
  std::vector<std::string> columns{};
  Matrix numbers = zero_tensor<double>(0, 0);
};

namespace detail {
/// The part of `rest` before the next `separator`, without blanks around it; `rest` loses both.
inline std::string_view next_field(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  std::string_view field = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  const std::size_t first = std::min(field.find_first_not_of(" \t\r"), field.size());
  field.remove_prefix(first);
  field.remove_suffix(field.size() - (field.find_last_not_of(" \t\r") + 1));
  return field;
}
/// The fields of a line.
inline std::vector<std::string_view> fields_of(std::string_view line) {
  const auto count = static_cast<std::size_t>(std::ranges::count(line, ',')) + 1;
  std::vector<std::string_view> fields(count);
  for (auto& field : fields) field = next_field(line, ',');
  return fields;
}
}  // namespace detail

/// Reads a table of numbers, all or nothing.
///
/// The first line names the columns; every other line has a number (a decimal point, "nan", "inf")
/// for each of them. Blanks around fields and lines that end in CR LF are accepted; quotes,
/// comments and empty lines are not. Throws FileError, with the line, counted from 1, and the
/// column, if the file cannot be read, a name is missing or there twice, or a line has another
/// number of fields or one that is not a number. Cost: one pass; memory: the file and its numbers.
[[nodiscard]] inline CsvTable load_csv(const std::filesystem::path& path) {
  const std::string bytes = read_file("load_csv", path);
  std::size_t line = 1;
  const auto fail = [&](const auto&... found) {
    throw FileError(to_text("load_csv: ", path.string(), ": line ", line, found...));
  };
  std::string_view rest = bytes;
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);  // a mark that some programs write
  if (rest.empty()) fail(" is missing, expected the names of the columns");

  CsvTable table;
  const std::string_view first = detail::next_field(rest, '\n');
  const auto names = detail::fields_of(first);
  if (first.starts_with('#'))
    fail(" begins with '#', expected the names of the columns (numpy.savetxt: comments='')");
  if (first.find('\r') != first.npos)
    fail(" has a carriage return within it, expected lines that end in LF or CR LF");
  if (first.find(';') != first.npos)
    fail(" has a semicolon, expected commas between columns and points in numbers");
  for (const std::string_view name : names) {
    if (name.empty())
      fail(" has no name for column ", table.columns.size() + 1,
           ", expected the names of all columns");
    if (std::ranges::count(table.columns, name) > 0)
      fail(" names the column '", name,
           "' twice, expected different names; does the file begin without them?");
    table.columns.emplace_back(name);
  }
  std::vector<double> numbers;
  while (!rest.empty()) {
    ++line;
    const auto fields = detail::fields_of(detail::next_field(rest, '\n'));
    if (fields.size() != table.columns.size())
      fail(" has ", fields.size(), " fields, expected ", table.columns.size(),
           ", one per column of the first line");
    for (std::size_t c = 0; c < fields.size(); ++c) {
      const char* const end = fields[c].data() + fields[c].size();
      double number = 0;
      const auto [stop, error] = std::from_chars(fields[c].data(), end, number);
      if (error == std::errc::result_out_of_range)
        fail(", column ", table.columns[c], " is '", fields[c], "', expected a number of double");
      if (error != std::errc{} || stop != end)
        fail(", column ", table.columns[c], " is '", fields[c],
             "', expected a number with a decimal point, as -1.5e-3");
      numbers.push_back(number);
    }
  }
  table.numbers = zero_tensor<double>(numbers.size() / table.columns.size(), table.columns.size());
  std::ranges::copy(numbers, table.numbers.data());
  return table;
}

/// Writes a table of numbers, all or not at all, each with the fewest digits that give it back bit
/// for bit. Throws ShapeError unless every column has a name, ConfigError for a name that could not
/// be read again, and FileError on failure.
inline void save_csv(const std::filesystem::path& path, const CsvTable& table) {
  const std::size_t rows = table.numbers.shape()[0], columns = table.numbers.shape()[1];
  if (columns != table.columns.size() || columns == 0)
    throw ShapeError(to_text("save_csv: numbers has shape (", rows, ", ", columns, "), expected (",
                             rows, ", ", table.columns.size(),
                             "), at least one column, one per name"));
  std::string bytes;
  for (std::size_t c = 0; c < columns; ++c) {
    const std::string& name = table.columns[c];
    const auto blank = [](char at) { return at == ' ' || at == '\t'; };
    if (name.empty() || name.find_first_of(",;\n\r\"") != name.npos || blank(name.front()) ||
        blank(name.back()) || name.front() == '#' || name.starts_with("\xEF\xBB\xBF") ||
        std::ranges::count(table.columns, name) > 1)
      throw ConfigError(
          to_text("save_csv: the name of column ", c + 1, " is '", name,
                  "', expected one that is not empty, unlike the others, and without "
                  "comma, semicolon, quote, line end, # before it or blank around it"));
    bytes += (c > 0 ? "," : "") + name;
  }
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) {
      char digits[32];
      const auto end = std::to_chars(digits, digits + sizeof digits, table.numbers(r, c)).ptr;
      bytes += c > 0 ? ',' : '\n';
      bytes.append(digits, end);
    }
  write_file_atomically(path, bytes + '\n');
}

}  // namespace dan
