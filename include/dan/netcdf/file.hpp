// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <netcdf.h>
#include <netcdf_mem.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <netcdf>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/io/checksum.hpp"
#include "dan/io/file.hpp"
#include "dan/version.hpp"

/// \file
/// NetCDF, by its C++ library; a program that includes these headers links netcdf-cxx4. They are
/// not in dan.hpp. Files of all its formats are read; written, by that library in memory and by us
/// to the disk, are those of the classic format with 64-bit offsets: NetCDF-4 crashes where a disk
/// is full.

namespace dan {

/// What a file says about itself: global attributes, beside `Conventions` and `source`.
using NetcdfAttributes = std::map<std::string, std::string>;

namespace detail {

/// Calls `use()`; what NetCDF throws becomes a FileError that names function and file.
template <class Use>
decltype(auto) with_netcdf(std::string_view function, const std::filesystem::path& path,
                           const Use& use) {
  try {
    return use();
  } catch (const netCDF::exceptions::NcException& failure) {
    std::string what = failure.what();
    what = what.substr(0, what.find('\n'));
    throw FileError(to_text(function, ": ", path.string(), ": ", what));
  }
}

/// The bytes of a new file, in the classic format with 64-bit offsets, with its global attributes
/// and what `fill(file)` puts into it.
template <class Fill>
std::string netcdf_bytes(const NetcdfAttributes& attributes, const Fill& fill) {
  int id = 0;
  netCDF::ncCheck(::nc_create_mem("memory", NC_64BIT_OFFSET, 0, &id), __FILE__, __LINE__);
  try {
    netCDF::NcGroup file(id);
    file.putAtt("Conventions", "CF-1.8");
    file.putAtt("source", to_text("dan ", library_version));
    for (const auto& [name, value] : attributes) file.putAtt(name, value);
    fill(file);
  } catch (...) {
    ::nc_abort(id);
    throw;
  }
  NC_memio memory{};
  netCDF::ncCheck(::nc_close_memio(id, &memory), __FILE__, __LINE__);
  const std::unique_ptr<void, decltype(&std::free)> owner(memory.memory, &std::free);
  return {static_cast<const char*>(memory.memory), memory.size};
}

/// The line that follows the last byte of a table, which NetCDF does not read; a file that another
/// program has changed has lost it.
inline std::string netcdf_checksum(std::string_view bytes) {
  return "\ndan checksum " + checksum({bytes}) + "\n";
}

/// FileError if a file ends in such a line, but not in that of its bytes.
inline void require_netcdf_checksum(std::string_view function, const std::filesystem::path& path) {
  const std::string bytes = read_file(function, path);
  const std::size_t length = netcdf_checksum({}).size(),
                    at = bytes.size() - std::min(length, bytes.size());
  const std::string_view all = bytes, last = all.substr(at);
  if (last.starts_with("\ndan checksum ") && last != netcdf_checksum(all.substr(0, at)))
    throw FileError(to_text(function, ": ", path.string(),
                            " has another checksum than its bytes; it is damaged"));
}

/// The bytes that a file of a classic format has at least, of which NetCDF reads missing ones as
/// zeros: head and numbers, without what aligns them; 0 for NetCDF-4, which sees it itself.
/// Source: NetCDF User's Guide, appendix "File Format Specifications".
inline double least_size_of_classic(const netCDF::NcFile& file) {
  int format = 0;
  netCDF::ncCheck(::nc_inq_format(file.getId(), &format), __FILE__, __LINE__);
  if (format == NC_FORMAT_NETCDF4 || format == NC_FORMAT_NETCDF4_CLASSIC) return 0;
  const double count = format == NC_FORMAT_CDF5 ? 8 : 4,
               place = format == NC_FORMAT_CLASSIC ? 4 : 8;
  const auto padded = [](std::size_t bytes) { return static_cast<double>((bytes + 3) / 4 * 4); };
  const auto name = [&](const std::string& text) { return count + padded(text.size()); };
  double size = 4 + count + 3 * (4 + count);  // magic, records; dimensions, attributes, variables
  const auto add_attributes = [&](const auto& attributes) {
    for (const auto& [text, of] : attributes)
      size += name(text) + 4 + count + padded(of.getAttLength() * of.getType().getSize());
  };
  for (const auto& [text, dimension] : file.getDims()) size += name(text) + count;
  add_attributes(file.getAtts());
  for (const auto& [text, variable] : file.getVars()) {
    size += name(text) + count + (4 + count) + 4 + count + place;
    add_attributes(variable.getAtts());
    double numbers = static_cast<double>(variable.getType().getSize());
    for (const auto& dimension : variable.getDims()) {
      size += count;
      numbers *= static_cast<double>(dimension.getSize());
    }
    size += numbers;
  }
  return size;
}

/// Opens a file to read; FileError if it is missing, cut short, or no NetCDF.
inline void open_netcdf(std::string_view function, netCDF::NcFile& file,
                        const std::filesystem::path& path) {
  if (!std::filesystem::exists(path))
    throw FileError(to_text(function, ": cannot read ", path.string(), ": there is no such file"));
  file.open(path.string(), netCDF::NcFile::read);
  const auto bytes = std::filesystem::file_size(path);
  if (const double least = least_size_of_classic(file); static_cast<double>(bytes) < least)
    throw FileError(to_text(function, ": ", path.string(), " has ", bytes, " bytes, expected ",
                            least, "; it is cut short"));
}

/// The variable of this name; FileError, naming those that are there.
inline netCDF::NcVar netcdf_variable(std::string_view function, const std::filesystem::path& path,
                                     const netCDF::NcFile& file, const std::string& name) {
  const auto variable = file.getVar(name);
  if (!variable.isNull()) return variable;
  const auto name_of = [](const auto& one) { return one.first; };
  throw FileError(to_text(function, ": ", path.string(), " has no variable '", name,
                          "', expected one of: ", joined(file.getVars(), ", ", name_of)));
}

/// FileError if a file says that an array of it has more numbers than it can hold, as a damaged one
/// may: nothing is compressed 2,000 times.
inline void require_plausible_size(std::string_view function, const std::filesystem::path& path,
                                   const std::string& array,
                                   const std::vector<std::size_t>& shape) {
  const auto bytes = std::filesystem::file_size(path);
  std::uintmax_t most = 2000 * bytes / sizeof(double);
  for (const std::size_t length : shape) {
    if (length > most)
      throw FileError(to_text(function, ": ", path.string(), ": ", array, " has more numbers than ",
                              bytes, " bytes can hold; it is damaged"));
    if (length > 0) most /= length;
  }
}

/// FileError unless a variable holds numbers: of text, or of a type that a file defines itself,
/// NetCDF's library would write its own bytes, and more of them, where doubles belong.
inline void require_numbers(std::string_view function, const std::filesystem::path& path,
                            const netCDF::NcVar& variable) {
  using netCDF::NcType;
  const int type = variable.getType().getId();
  if (type < NcType::nc_BYTE || type == NcType::nc_CHAR || type > NcType::nc_UINT64)
    throw FileError(to_text(function, ": ", path.string(), ": '", variable.getName(),
                            "' holds text or a type of its own, expected numbers"));
}

/// A number that is an attribute of a variable, `otherwise` if it has none of the name.
inline double netcdf_attribute(const netCDF::NcVar& variable, const std::string& name,
                               double otherwise) {
  const auto attributes = variable.getAtts();
  const auto found = attributes.find(name);
  if (found == attributes.end() || found->second.getAttLength() != 1) return otherwise;
  double value = otherwise;
  found->second.getValues(&value);
  return value;
}

/// All numbers of a variable, of whatever type of number, as double, with its shape: packed ones
/// times `scale_factor` plus `add_offset`; NaN for `_FillValue` and `missing_value`, and of
/// floating point for what NetCDF fills with where nothing was written. FileError for `_Unsigned`
/// ones.
inline std::pair<std::vector<std::size_t>, std::vector<double>> netcdf_numbers(
    std::string_view function, const std::filesystem::path& path, const netCDF::NcVar& variable) {
  require_numbers(function, path, variable);
  std::vector<std::size_t> shape;
  for (const auto& dimension : variable.getDims()) shape.push_back(dimension.getSize());
  require_plausible_size(function, path, "'" + variable.getName() + "'", shape);
  std::size_t count = 1;
  for (const std::size_t length : shape) count *= length;
  std::vector<double> numbers(count);
  if (count > 0) variable.getVar(numbers.data());
  if (variable.getAtts().contains("_Unsigned"))
    throw FileError(to_text(function, ": ", path.string(), ": '", variable.getName(),
                            "' has the attribute _Unsigned, expected a type without a sign"));
  const int type = variable.getType().getId();
  const bool floating = type == netCDF::NcType::nc_FLOAT || type == netCDF::NcType::nc_DOUBLE;
  const double none = std::numeric_limits<double>::quiet_NaN(),
               fill = netcdf_attribute(variable, "_FillValue", floating ? NC_FILL_DOUBLE : none),
               missing = netcdf_attribute(variable, "missing_value", none),
               scale = netcdf_attribute(variable, "scale_factor", 1),
               offset = netcdf_attribute(variable, "add_offset", 0);
  for (double& number : numbers)
    number = number == fill || number == missing ? none : scale * number + offset;
  return {std::move(shape), std::move(numbers)};
}

}  // namespace detail
}  // namespace dan
