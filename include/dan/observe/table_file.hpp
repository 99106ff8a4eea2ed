// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <string>
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
/// (in two dimensions place_1 and place_2); without `channel` all are of channel 0.
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

inline std::string listed(const std::vector<std::string>& names) {
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : ",") + name;
  return list;
}

/// Whether the name of a file ends in .npy; throws FileError unless in that or in .csv.
inline bool is_npy_table(std::string_view function, const std::filesystem::path& path) {
  const auto kind = path.extension();
  if (kind != ".npy" && kind != ".csv")
    throw FileError(to_text(function, ": ", path.string(), " ends in '", kind.string(),
                            "', expected a name that ends in .csv or .npy"));
  return kind == ".npy";
}

/// The numbers of a CSV file in the order of `names`; channel 0 where that is not there.
inline Matrix load_table_csv(const std::filesystem::path& path,
                             const std::vector<std::string>& names) {
  const CsvTable file = load_csv(path);
  const auto fail = [&](const std::string& name, const char* what) {
    throw FileError(to_text("load_observations: ", path.string(), ": line 1 ", what, " '", name,
                            "', expected the columns ", listed(names), " in any order"));
  };
  for (const auto& name : file.columns)
    if (std::ranges::count(names, name) == 0) fail(name, "has the column");
  const std::size_t rows = file.numbers.shape()[0];
  auto numbers = zero_tensor<double>(rows, names.size());
  for (std::size_t c = 0; c < names.size(); ++c) {
    const auto at = std::ranges::find(file.columns, names[c]);
    if (at == file.columns.end()) {
      if (names[c] != "channel") fail(names[c], "lacks the column");
      continue;
    }
    for (std::size_t r = 0; r < rows; ++r)
      numbers(r, c) = file.numbers(r, static_cast<std::size_t>(at - file.columns.begin()));
  }
  return numbers;
}
}  // namespace detail

/// Reads a table of observations from a file in CSV or NPY format, all or nothing. Throws FileError
/// if the file cannot be read, has other columns, or a row that `ObservationTable::add` refuses.
template <class Geometry, std::size_t Channels = 1>
[[nodiscard]] ObservationTable<Geometry, Channels> load_observations(
    const std::filesystem::path& path) {
  const auto names = detail::table_columns<Geometry>();
  const auto fail = [&](const auto&... found) {
    throw FileError(to_text("load_observations: ", path.string(), ": ", found...));
  };
  const bool npy = detail::is_npy_table("load_observations", path);
  const Matrix numbers = npy ? load_npy<2>(path) : detail::load_table_csv(path, names);
  if (numbers.shape()[1] != names.size())
    fail("has shape (", numbers.shape()[0], ", ", numbers.shape()[1], "), expected (",
         numbers.shape()[0], ", ", names.size(), "), the columns ", detail::listed(names));
  ObservationTable<Geometry, Channels> table;
  for (std::size_t r = 0; r < numbers.shape()[0]; ++r) {
    const double* number = &numbers(r, 0);
    typename ObservationTable<Geometry, Channels>::Row row;
    row.time = *number++;
    for (double& x : row.place.position) x = *number++;
    const double channel = *number++;
    if (!(channel >= 0 && channel < Channels && channel == std::floor(channel)))
      fail("row ", r + 1, npy ? "" : to_text(" (line ", r + 2, ")"), ", column channel is ",
           channel, ", expected a whole number from 0 to ", Channels - 1);
    row.place.channel = static_cast<std::size_t>(channel);
    row.value = *number++;
    row.deviation = *number++;
    try {
      table.add(row);
    } catch (const ConfigError& e) {
      fail(npy ? "" : to_text("line ", r + 2, ": "), e.what());
    }
  }
  return table;
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
