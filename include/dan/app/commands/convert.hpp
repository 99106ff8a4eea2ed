// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "dan/app/options.hpp"
#include "dan/io/csv.hpp"
#include "dan/io/npy.hpp"
#ifdef DAN_NETCDF
#include "dan/netcdf/table.hpp"
#endif

namespace dan::app {

namespace detail {
/// Throws ConfigError unless this program knows the kind of file.
inline void require_table_name(const std::filesystem::path& path) {
  const auto kind = path.extension();
#ifdef DAN_NETCDF
  if (kind == ".nc") return;
#else
  if (kind == ".nc")
    throw ConfigError(to_text("convert: ", path.string(),
                              ": this program was built without NetCDF (DAN_NETCDF)"));
#endif
  if (kind != ".csv" && kind != ".npy")
    throw ConfigError(
        to_text("convert: ", path.string(), ", expected a name that ends in .csv, .npy or .nc"));
}
/// A table of any of these kinds; one of NPY has no names of columns.
inline CsvTable load_table(const std::filesystem::path& path) {
#ifdef DAN_NETCDF
  if (path.extension() == ".nc") return load_netcdf_table(path);
#endif
  if (path.extension() == ".csv") return load_csv(path);
  CsvTable table;
  table.numbers = load_npy<2>(path);
  return table;
}
inline void save_table(const std::filesystem::path& path, const CsvTable& table) {
#ifdef DAN_NETCDF
  if (path.extension() == ".nc") return save_netcdf_table(path, table);
#endif
  if (path.extension() == ".csv")
    save_csv(path, table);
  else
    save_npy(path, table.numbers);
}
}  // namespace detail

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
  command->callback([=, &action = program.action] {
    action = [o] {
      detail::require_table_name(o->from);
      detail::require_table_name(o->to);
      require_writable_file("convert", o->to);
      CsvTable table = detail::load_table(o->from);
      if (!o->columns.empty()) table.columns = o->columns;
      for (std::size_t c = table.columns.size(); c < table.numbers.shape()[1]; ++c)
        table.columns.push_back(to_text("x", c));
      detail::save_table(o->to, table);
    };
  });
}

}  // namespace dan::app
