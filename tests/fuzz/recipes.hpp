// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <fuzzer/FuzzedDataProvider.h>
#include <netcdf.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dan/io/safetensors.hpp"

/// \file
/// Files that are whole but say anything: the fuzzer's bytes are a recipe. So what comes after a
/// checksum is reached, and after a library that does not stand damaged files.

namespace dan::fuzz {

using Recipe = FuzzedDataProvider;

/// Changes metadata and arrays of a right file; one that is written again has a right checksum.
template <class Real>
void damage(TensorFile<Real>& file, Recipe& recipe) {
  const auto any = [&](auto& list) {
    return std::next(list.begin(),
                     recipe.ConsumeIntegralInRange<std::ptrdiff_t>(0, std::ssize(list) - 1));
  };
  while (recipe.remaining_bytes() > 0 && !file.metadata.empty() && !file.tensors.empty()) {
    const auto text = any(file.metadata);
    auto& tensor = *any(file.tensors);
    switch (recipe.ConsumeIntegralInRange(0, 8)) {
      case 0:
        text->second = recipe.ConsumeRandomLengthString();
        break;
      case 1: {  // a part of it
        const auto at = recipe.ConsumeIntegralInRange<std::size_t>(0, text->second.size());
        const auto length = recipe.ConsumeIntegralInRange<std::size_t>(0, 8);
        text->second.replace(at, length, recipe.ConsumeRandomLengthString());
        break;
      }
      case 2:
        file.metadata.erase(text);
        break;
      case 3:
        file.metadata[recipe.ConsumeRandomLengthString()] = text->second;
        break;
      case 4: {  // any bits of a number
        using Bits = std::conditional_t<sizeof(Real) == 4, std::uint32_t, std::uint64_t>;
        const auto bits = recipe.ConsumeIntegral<Bits>();
        if (!tensor.values.empty()) *any(tensor.values) = std::bit_cast<Real>(bits);
        break;
      }
      case 5: {
        tensor.shape.resize(recipe.ConsumeIntegralInRange<std::size_t>(0, 3));
        std::size_t size = 1;
        for (auto& length : tensor.shape)
          size *= length = recipe.ConsumeIntegralInRange<std::size_t>(0, 9);
        tensor.values.resize(size);
        break;
      }
      case 6:
        tensor.name = recipe.ConsumeRandomLengthString();
        break;
      case 7:
        std::swap(tensor, *any(file.tensors));
        break;
      case 8:
        file.tensors.erase(file.tensors.begin() + (&tensor - file.tensors.data()));
        break;
    }
  }
}

/// Writes a NetCDF file, of the classic formats or of NetCDF-4, by NetCDF's own library: whatever
/// dimensions, variables, types and numbers the recipe says. What the library will not write is
/// left out.
inline void write_netcdf(const std::filesystem::path& path, Recipe& recipe, bool netcdf4) {
  const auto up_to = [&](int most) { return recipe.ConsumeIntegralInRange(0, most); };
  const auto name = [&]() -> std::string {
    static constexpr const char* usual[] = {"time", "value", "member", "lat", "lon", "place"};
    const auto which = recipe.ConsumeIntegralInRange<std::size_t>(0, std::size(usual));
    return which < std::size(usual) ? usual[which] : recipe.ConsumeRandomLengthString(8);
  };
  // In NetCDF-4, what was never written takes no place.
  const auto length = [&]() -> std::size_t {
    const auto few = recipe.ConsumeIntegralInRange<std::size_t>(0, netcdf4 ? 10 : 9);
    return few < 10 ? few : std::size_t{1} << up_to(40);
  };
  int file = 0, ignored = 0;
  std::size_t buffer = 4096;
  const int format = netcdf4 ? NC_NETCDF4 : (recipe.ConsumeBool() ? NC_64BIT_DATA : 0);
  if (nc__create(path.c_str(), NC_CLOBBER | format, 0, &buffer, &file)) std::abort();
  nc_set_fill(file, recipe.ConsumeBool() ? NC_FILL : NC_NOFILL, &ignored);
  const int dimensions = up_to(4);
  for (int d = 0; d < dimensions; ++d) nc_def_dim(file, name().c_str(), length(), &ignored);
  // With the name of another thing, the file could not be closed.
  int group = file;
  if (netcdf4 && recipe.ConsumeBool()) nc_def_grp(file, "group", &group);
  const int types = netcdf4 ? up_to(3) : 0;
  for (int t = 0; t < types; ++t) {
    const std::string of = to_text("type ", t);
    const auto size = recipe.ConsumeIntegralInRange<std::size_t>(8, 64);  // room for a number
    const nc_type base = recipe.ConsumeIntegralInRange(1, 12);
    int type = 0;
    switch (up_to(3)) {
      case 0:
        if (nc_def_compound(group, size, of.c_str(), &type) == NC_NOERR)
          nc_insert_compound(group, type, "part", 0, base);
        break;
      case 1:
        nc_def_vlen(group, of.c_str(), base, &type);
        break;
      case 2:
        nc_def_opaque(group, size, of.c_str(), &type);
        break;
      case 3:
        if (nc_def_enum(group, NC_INT, of.c_str(), &type) == NC_NOERR)
          nc_insert_enum(group, type, "one", &ignored);
        break;
    }
  }
  const int variables = up_to(6);
  for (int v = 0; v < variables; ++v) {
    std::vector<int> over(recipe.ConsumeIntegralInRange<std::size_t>(0, 3));
    for (int& d : over) d = up_to(4);
    nc_type type = recipe.ConsumeIntegralInRange(1, netcdf4 ? 15 : 12);
    if (type > 12) type += NC_FIRSTUSERTYPEID - 13;
    int variable = 0;
    const int failed = nc_def_var(file, name().c_str(), type, static_cast<int>(over.size()),
                                  over.data(), &variable);
    if (!netcdf4 || failed) continue;
    const int storage = up_to(3);  // NC_CHUNKED, NC_CONTIGUOUS, NC_COMPACT, or as it likes
    const std::size_t chunk[3] = {1, 1, 1};
    if (storage < 3) nc_def_var_chunking(file, variable, storage, chunk);
    if (const int level = up_to(9)) nc_def_var_deflate(file, variable, level % 2, 1, level);
    nc_def_var_endian(file, variable, up_to(2));
  }
  const std::string text = recipe.ConsumeRandomLengthString(8);
  nc_put_att_text(file, recipe.ConsumeIntegralInRange(-1, 5), name().c_str(), text.size(),
                  text.data());
  nc_enddef(file);
  while (recipe.remaining_bytes() > 0) {
    const std::size_t start[3] = {length()}, count[3] = {1, 1, 1};
    const int variable = up_to(5);
    const auto number = recipe.ConsumeFloatingPoint<double>();
    // Of a fixed length, it would take its whole place with the first number.
    int rank = 0, over[3] = {};
    if (nc_inq_varndims(file, variable, &rank) || nc_inq_vardimid(file, variable, over)) continue;
    std::size_t place = 1, long_one = 0;
    for (int d = 0; d < rank; ++d) {
      nc_inq_dimlen(file, over[d], &long_one);
      place *= std::min<std::size_t>(long_one, 1 << 20);
    }
    if (place < (1 << 12)) nc_put_vara_double(file, variable, start, count, &number);
  }
  // Then it stays open: the next one needs a place of its own.
  if (nc_close(file)) std::filesystem::remove(path);
}

}  // namespace dan::fuzz
