// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <filesystem>
#include <string>

#include "dan/core/error.hpp"
#include "dan/io/csv.hpp"
#include "dan/io/npy.hpp"
#ifdef DAN_NETCDF
#include "dan/netcdf/table.hpp"
#endif

/// \file
/// Tables of numbers in the files that this program knows: CSV, NPY, and with DAN_NETCDF NetCDF.

namespace dan::app {

/// Throws ConfigError, which names the option or command, unless this program knows the kind of
/// file.
inline void require_table_name(const char* name, const std::filesystem::path& path) {
  const auto kind = path.extension();
#ifdef DAN_NETCDF
  if (kind == ".nc") return;
#else
  if (kind == ".nc")
    throw ConfigError(
        to_text(name, ": ", path.string(), ": dan was built without NetCDF (DAN_NETCDF) here"));
#endif
  if (kind != ".csv" && kind != ".npy")
    throw ConfigError(
        to_text(name, ": ", path.string(), ", expected a name that ends in .csv, .npy or .nc"));
}
/// A table of any of these kinds; one of NPY has no names of columns.
inline CsvTable load_table(const char* name, const std::filesystem::path& path) {
  require_table_name(name, path);
#ifdef DAN_NETCDF
  if (path.extension() == ".nc") return load_netcdf_table(path);
#endif
  if (path.extension() == ".csv") return load_csv(path);
  CsvTable table;
  table.numbers = load_npy<2>(path);
  return table;
}
/// Writes one of any of these kinds; NetCDF also keeps the command that did it.
inline void save_table(const std::filesystem::path& path, const CsvTable& table,
                       [[maybe_unused]] const std::string& command) {
#ifdef DAN_NETCDF
  if (path.extension() == ".nc") return save_netcdf_table(path, table, {{"history", command}});
#endif
  if (path.extension() == ".csv")
    save_csv(path, table);
  else
    save_npy(path, table.numbers);
}
}  // namespace dan::app
