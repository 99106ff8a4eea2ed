// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>

#include "dan/app/options.hpp"
#include "dan/io/csv.hpp"
#include "dan/io/npy.hpp"

namespace dan::app {

/// `convert FROM TO`: tables of numbers between CSV and NPY.
inline void add_convert(CLI::App& app, const Program& program) {
  struct Options {
    std::filesystem::path from, to;
    std::vector<std::string> columns;
  };
  const auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand("convert", "A table of numbers from .csv to .npy or back");
  command->add_option("from", o->from, "The file that is there")->required();
  command->add_option("to", o->to, "The one to write")->required();
  command->add_option("--columns", o->columns, "Names of the columns of an array; else x0, x1, …")
      ->delimiter(',');
  command->callback([=, &action = program.action] {
    action = [o] {
      const auto kind = [](const std::filesystem::path& path) {
        if (path.extension() != ".csv" && path.extension() != ".npy")
          throw ConfigError(
              to_text("convert: ", path.string(), ", expected a name that ends in .csv or .npy"));
        return path.extension() == ".csv";
      };
      const bool from_csv = kind(o->from), to_csv = kind(o->to);
      require_writable_file("convert", o->to);
      CsvTable table;
      if (from_csv)
        table = load_csv(o->from);
      else
        table.numbers = load_npy<2>(o->from);
      if (!o->columns.empty()) table.columns = o->columns;
      for (std::size_t c = table.columns.size(); c < table.numbers.shape()[1]; ++c)
        table.columns.push_back(to_text("x", c));
      if (to_csv)
        save_csv(o->to, table);
      else
        save_npy(o->to, table.numbers);
    };
  });
}

}  // namespace dan::app
