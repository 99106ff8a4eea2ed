// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <filesystem>
#include <map>
#include <netcdf>
#include <string>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/notice.hpp"
#include "dan/core/tensor.hpp"
#include "dan/io/csv.hpp"
#include "dan/io/file.hpp"
#include "dan/netcdf/file.hpp"

/// \file
/// Tables of numbers, of observations for example, in NetCDF's classic format with 64-bit
/// offsets: a variable over `row` for each column; a checksum of all bytes in a line behind them.

namespace dan {

/// Writes a table, all or nothing; a file that was there before is untouched on failure, which is a
/// FileError. Memory: the file.
inline void save_netcdf_table(const std::filesystem::path& path, const CsvTable& table,
                              const NetcdfAttributes& attributes = {},
                              const std::map<std::string, std::string>& units = {}) {
  const std::size_t rows = table.numbers.shape()[0], columns = table.numbers.shape()[1];
  require_size("save_netcdf_table", "columns", table.columns.size(), columns, "column");
  const auto fill = [&](netCDF::NcGroup& file) {
    const auto row = file.addDim("row", rows);
    std::vector<netCDF::NcVar> variables;
    for (const auto& name : table.columns) {
      variables.push_back(file.addVar(name, netCDF::ncDouble, row));
      const auto unit = units.find(name);
      variables.back().putAtt("units", unit == units.end() ? "1" : unit->second);
    }
    std::vector<double> column(rows);
    for (std::size_t c = 0; rows > 0 && c < columns; ++c) {
      for (std::size_t r = 0; r < rows; ++r) column[r] = table.numbers(r, c);
      variables[c].putVar(column.data());
    }
  };
  std::string bytes = detail::with_netcdf("save_netcdf_table", path,
                                          [&] { return detail::netcdf_bytes(attributes, fill); });
  bytes += detail::netcdf_checksum(bytes);
  write_file_atomically(path, bytes);
}

/// Reads all variables over one dimension, in the order of the file, as the columns of a table.
/// Variables over several dimensions are left out, with a `notice`. Throws FileError if there are
/// none over one, or some over another one, or if what save_netcdf_table wrote
/// is damaged.
[[nodiscard]] inline CsvTable load_netcdf_table(const std::filesystem::path& path) {
  return detail::with_netcdf("load_netcdf_table", path, [&] {
    if (std::filesystem::exists(path)) detail::require_netcdf_checksum("load_netcdf_table", path);
    netCDF::NcFile file;
    detail::open_netcdf("load_netcdf_table", file, path);
    std::map<int, netCDF::NcVar> variables;  // NetCDF numbers them as they were made
    std::vector<std::string> others;
    for (const auto& [name, variable] : file.getVars())
      if (variable.getDimCount() == 1)
        variables.emplace(variable.getId(), variable);
      else if (variable.getDimCount() > 1)
        others.push_back(name);
    if (variables.empty())
      throw FileError(to_text("load_netcdf_table: ", path.string(),
                              " has no variable over one dimension, expected one per column"));
    if (!others.empty())
      notice(to_text("load_netcdf_table: ", path.string(),
                     ": left out, since a column has one "
                     "dimension: ",
                     joined(others)));
    CsvTable table;
    std::vector<std::vector<double>> columns;
    const auto first = variables.begin()->second.getDim(0);
    detail::require_plausible_size("load_netcdf_table", path, "the table",
                                   {first.getSize(), variables.size()});
    for (const auto& [id, variable] : variables) {
      if (variable.getDim(0).getId() != first.getId())
        throw FileError(to_text("load_netcdf_table: ", path.string(), ": '", variable.getName(),
                                "' is over ", variable.getDim(0).getName(), ", the others over ",
                                first.getName(), "; expected one dimension"));
      table.columns.push_back(variable.getName());
      columns.push_back(detail::netcdf_numbers("load_netcdf_table", path, variable).second);
    }
    table.numbers = zero_tensor<double>(first.getSize(), columns.size());
    for (std::size_t c = 0; c < columns.size(); ++c)
      for (std::size_t r = 0; r < columns[c].size(); ++r) table.numbers(r, c) = columns[c][r];
    return table;
  });
}

}  // namespace dan
