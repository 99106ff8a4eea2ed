// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/tensor.hpp"
#include "dan/io/csv.hpp"
#include "dan/io/npy.hpp"
#include "dan/observe/table.hpp"

/// \file
/// Tables of observations in files.
///
/// CSV: the first line names the columns, in any order:
///     time,place,channel,value,deviation
/// (in two dimensions place_1 and place_2); without `channel` all are of channel 0, the only one.
/// NPY: an array of double, rows × columns, with all of these columns in this order.

namespace dan {

namespace detail {
/// The columns of a table of observations in a file.
template <class Geometry>
std::vector<std::string> table_columns() {
  std::vector<std::string> names{"time"};
  for (std::size_t d = 1; d <= Geometry::dimensions; ++d)
    names.push_back(Geometry::dimensions == 1 ? "place" : to_text("place_", d));
  for (const char* name : {"channel", "value", "deviation"}) names.emplace_back(name);
  return names;
}

/// Whether the name of a file ends in .npy; throws FileError unless in that or in .csv.
inline bool is_npy_table(std::string_view function, const std::filesystem::path& path) {
  const auto kind = path.extension();
  if (kind != ".npy" && kind != ".csv")
    throw FileError(to_text(function, ": ", path.string(), " ends in '", kind.string(),
                            "', expected a name that ends in .csv or .npy"));
  return kind == ".npy";
}

/// The numbers of a table in the order of `names`; of states with one channel that is 0 where it is
/// not there. A table without names has that order.
inline Matrix in_order(std::string_view function, const CsvTable& table,
                       const std::filesystem::path& path, const std::vector<std::string>& names,
                       std::size_t channels) {
  const auto fail = [&](const auto&... found) {
    throw FileError(to_text(function, ": ", path.string(), found...));
  };
  const std::size_t rows = table.numbers.shape()[0];
  if (table.columns.empty()) {
    if (const std::size_t columns = table.numbers.shape()[1]; columns != names.size())
      fail(": has shape (", rows, ", ", columns, "), expected (", rows, ", ", names.size(),
           "), the columns ", joined(names, ","));
    return table.numbers;
  }
  const auto fail_at = [&](const char* what, const std::string& name) {
    fail(path.extension() == ".csv" ? ": line 1 " : " ", what, " '", name,
         "', expected the columns ", joined(names, ","), " in any order");
  };
  for (const auto& name : table.columns)
    if (std::ranges::count(names, name) == 0) fail_at("has the column", name);
  auto numbers = zero_tensor<double>(rows, names.size());
  for (std::size_t c = 0; c < names.size(); ++c) {
    const auto at = std::ranges::find(table.columns, names[c]);
    if (at == table.columns.end()) {
      if (names[c] != "channel" || channels > 1) fail_at("lacks the column", names[c]);
      continue;
    }
    for (std::size_t r = 0; r < rows; ++r)
      numbers(r, c) = table.numbers(r, static_cast<std::size_t>(at - table.columns.begin()));
  }
  return numbers;
}

/// See `observations_of`; throws in the name of `function`.
template <class Geometry, std::size_t Channels>
ObservationTable<Geometry, Channels> observations_of(std::string_view function,
                                                     const CsvTable& numbers,
                                                     const std::filesystem::path& path) {
  const Matrix rows = in_order(function, numbers, path, table_columns<Geometry>(), Channels);
  const bool lines = path.extension() == ".csv";
  const auto fail = [&](const auto&... found) {
    throw FileError(to_text(function, ": ", path.string(), ": ", found...));
  };
  ObservationTable<Geometry, Channels> table;
  for (std::size_t r = 0; r < rows.shape()[0]; ++r) {
    const double* number = &rows(r, 0);
    typename ObservationTable<Geometry, Channels>::Row row;
    row.time = *number++;
    for (double& x : row.place.position) x = *number++;
    const double channel = *number++;
    const auto fail_at = [&](const auto&... found) {
      fail("row ", r + 1, lines ? to_text(" (line ", r + 2, ")") : "", ", column ", found...);
    };
    if (!(channel >= 0 && channel < Channels && channel == std::floor(channel)))
      fail_at("channel is ", channel, ", expected a whole number from 0 to ", Channels - 1);
    row.place.channel = static_cast<std::size_t>(channel);
    row.value = *number++;
    row.deviation = *number++;
    if (const std::string found = table.fault(row); !found.empty()) fail_at(found);
    table.add(row);
  }
  return table;
}
}  // namespace detail

/// The observations in a table of numbers, of NetCDF for example: its columns are those of a CSV
/// file, or without names those of an array. Throws FileError, which names `path`, where it came
/// from, for other columns, or a row in which `ObservationTable` finds a fault.
template <class Geometry, std::size_t Channels = 1>
[[nodiscard]] ObservationTable<Geometry, Channels> observations_of(
    const CsvTable& numbers, const std::filesystem::path& path) {
  return detail::observations_of<Geometry, Channels>("observations_of", numbers, path);
}

/// Reads a table of observations from a file in CSV or NPY format, all or nothing. Throws FileError
/// if the file cannot be read, for other columns, or a row in which `ObservationTable` finds a
/// fault.
template <class Geometry, std::size_t Channels = 1>
[[nodiscard]] ObservationTable<Geometry, Channels> load_observations(
    const std::filesystem::path& path) {
  constexpr std::string_view function = "load_observations";
  return detail::observations_of<Geometry, Channels>(function,
                                                     detail::is_npy_table(function, path)
                                                         ? CsvTable{.numbers = load_npy<2>(path)}
                                                         : load_csv(path),
                                                     path);
}

/// Writes a table of observations in CSV or NPY format, as the name ends, all or not at all; read
/// again it is the same, bit for bit. Throws FileError on failure.
template <class Geometry, std::size_t Channels>
void save_observations(const std::filesystem::path& path,
                       const ObservationTable<Geometry, Channels>& table) {
  const auto names = detail::table_columns<Geometry>();
  auto numbers = zero_tensor<double>(table.rows().size(), names.size());
  double* number = numbers.data();
  for (const auto& row : table.rows()) {
    *number++ = row.time;
    for (const double x : row.place.position) *number++ = x;
    *number++ = static_cast<double>(row.place.channel);
    *number++ = row.value;
    *number++ = row.deviation;
  }
  if (detail::is_npy_table("save_observations", path))
    save_npy<2>(path, numbers);
  else
    save_csv(path, {names, numbers});
}

}  // namespace dan
