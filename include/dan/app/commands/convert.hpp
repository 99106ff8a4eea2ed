// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "dan/app/options.hpp"
#include "dan/app/tables.hpp"
#include "dan/core/notice.hpp"

namespace dan::app {

/// `convert FROM TO`: tables of numbers between CSV, NPY and NetCDF (with DAN_NETCDF).
struct Convert {
  static constexpr const char* word = "convert";
  static constexpr const char* about = "A table of numbers between .csv, .npy and .nc";

  std::filesystem::path from, to;
  std::vector<std::string> columns;

  void declare(CLI::App& command) {
    command.add_option("from", from, "The file that is there")->required();
    command.add_option("to", to, "The one to write")->required();
    command.add_option("--columns", columns, "Names of the columns of an array; else x0, x1, …")
        ->delimiter(',')
        ->default_str("");
  }
  void act(const Program& program) const {
    require_table_name("convert", to);
    require_writable_file("convert", to);
    CsvTable table = load_table("convert", from);
    if (!columns.empty() && !table.columns.empty())
      throw ConfigError(
          to_text("convert: --columns: ", from.string(), " has names of its own, expected none"));
    if (!columns.empty()) table.columns = columns;
    for (std::size_t c = table.columns.size(); c < table.numbers.shape()[1]; ++c)
      table.columns.push_back(to_text("x", c));
    save_table(to, table, program.command_line);
    if (to.extension() != ".npy") return;
    notice(
        to_text(to.string(), ": an array has no names; its columns are ", joined(table.columns)));
  }
};

}  // namespace dan::app
