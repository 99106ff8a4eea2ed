// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "dan/app/options.hpp"
#include "dan/app/tables.hpp"
#include "dan/core/notice.hpp"

namespace dan::app {

/// `convert FROM TO`: tables of numbers between CSV, NPY and NetCDF (with DAN_NETCDF).
inline void add_convert(CLI::App& app, const Program& program) {
  struct Options {
    std::filesystem::path from, to;
    std::vector<std::string> columns;
  };
  const auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("convert", "A table of numbers between .csv, .npy and .nc");
  command->add_option("from", o->from, "The file that is there")->required();
  command->add_option("to", o->to, "The one to write")->required();
  command->add_option("--columns", o->columns, "Names of the columns of an array; else x0, x1, …")
      ->delimiter(',')
      ->default_str("");
  command->callback([=, &action = program.action, line = program.command_line] {
    action = [o, line] {
      require_table_name("convert", o->to);
      require_writable_file("convert", o->to);
      CsvTable table = load_table("convert", o->from);
      if (!o->columns.empty() && !table.columns.empty())
        throw ConfigError(to_text("convert: --columns: ", o->from.string(),
                                  " has names of its own, expected none"));
      if (!o->columns.empty()) table.columns = o->columns;
      for (std::size_t c = table.columns.size(); c < table.numbers.shape()[1]; ++c)
        table.columns.push_back(to_text("x", c));
      save_table(o->to, table, line);
      if (o->to.extension() != ".npy") return;
      std::string names;
      for (const auto& name : table.columns) names += (names.empty() ? "" : ", ") + name;
      notice(to_text(o->to.string(), ": an array has no names; its columns are ", names));
    };
  });
}

}  // namespace dan::app
