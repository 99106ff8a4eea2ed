// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <filesystem>
#include <map>
#include <netcdf>
#include <string>
#include <vector>

#include "dan/core/tensor.hpp"
#include "dan/io/csv.hpp"
#include "dan/netcdf/file.hpp"

/// \file
/// Tables of numbers, of observations for example, in NetCDF-4: a variable over `row` for each
/// column.

namespace dan {

/// Writes a table, all or nothing; a file that was there before is untouched on failure.
inline void save_netcdf_table(const std::filesystem::path& path, const CsvTable& table,
                              const NetcdfAttributes& attributes = {},
                              const std::map<std::string, std::string>& units = {}) {
  const std::size_t rows = table.numbers.shape()[0], columns = table.numbers.shape()[1];
  require_size("save_netcdf_table", "columns", table.columns.size(), columns, "column");
  std::filesystem::path part = path;
  part += ".part";
  try {
    detail::with_netcdf("save_netcdf_table", path, [&] {
      netCDF::NcFile file;
      detail::create_netcdf(file, part, attributes);
      const auto row = file.addDim("row", rows);
      std::vector<double> column(rows);
      for (std::size_t c = 0; c < columns; ++c) {
        for (std::size_t r = 0; r < rows; ++r) column[r] = table.numbers(r, c);
        const auto variable = file.addVar(table.columns[c], netCDF::ncDouble, row);
        const auto unit = units.find(table.columns[c]);
        variable.putAtt("units", unit == units.end() ? "1" : unit->second);
        if (rows > 0) variable.putVar(column.data());
      }
      file.close();
    });
    std::filesystem::rename(part, path);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(part, ignored);
    throw;
  }
}

/// Reads all variables over one dimension, in the order of the file, as the columns of a table.
/// Throws FileError if there are none, or of several dimensions.
[[nodiscard]] inline CsvTable load_netcdf_table(const std::filesystem::path& path) {
  return detail::with_netcdf("load_netcdf_table", path, [&] {
    netCDF::NcFile file;
    detail::open_netcdf("load_netcdf_table", file, path);
    std::map<int, netCDF::NcVar> variables;  // NetCDF numbers them as they were made
    for (const auto& [name, variable] : file.getVars())
      if (variable.getDimCount() == 1) variables.emplace(variable.getId(), variable);
    if (variables.empty())
      throw FileError(to_text("load_netcdf_table: ", path.string(),
                              " has no variable over one dimension, expected one per column"));
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
