// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/io/file.hpp"
#include "dan/io/json.hpp"

/// \file
/// The safetensors format: named arrays and a text dictionary, readable from Python.
///
/// Layout: 8 bytes length of the header (little endian), header (JSON, padded with spaces to a
/// multiple of 8), data. The header names type, shape and place of each array, row-major, and holds
/// the text dictionary; its entry `checksum` guards all the rest, and other readers may ignore it.
/// Source: https://github.com/huggingface/safetensors, section "Format".

namespace dan {

/// An array with its name; row-major.
template <class Real>
struct NamedTensor {
  std::string name;
  std::vector<std::size_t> shape;
  std::vector<Real> values;
};

/// What a safetensors file holds: arrays of float (F32) or of double (F64).
template <class Real>
struct TensorFile {
  static_assert(std::same_as<Real, float> || std::same_as<Real, double>,
                "TensorFile: Real must be float or double");
  std::map<std::string, std::string> metadata{};
  std::vector<NamedTensor<Real>> tensors{};  ///< in the order of their data
  bool checked = false;                      ///< read from a file with a checksum, which was right

  /// The array of this name; throws FileError if there is none.
  [[nodiscard]] const NamedTensor<Real>& at(std::string_view name) const {
    std::string names;
    for (const auto& tensor : tensors) {
      if (tensor.name == name) return tensor;
      names += (names.empty() ? "" : ", ") + tensor.name;
    }
    throw FileError(
        text("TensorFile::at: there is no tensor ", name, ", expected one of: ", names));
  }
};

namespace detail {
template <class Real>
inline constexpr std::string_view safetensors_type = std::same_as<Real, float> ? "F32" : "F64";

inline constexpr std::string_view safetensors_metadata = "__metadata__";

/// 64-bit FNV-1a of the parts, one after the other, as 16 hexadecimal digits.
/// Source: Fowler, Noll and Vo, draft-eastlake-fnv.
inline std::string checksum(std::initializer_list<std::string_view> parts) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const auto bytes : parts)
    for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  std::string digits(16, '0');
  for (std::size_t i = 16; i-- > 0; hash >>= 4) digits[i] = "0123456789abcdef"[hash & 15];
  return digits;
}
}  // namespace detail

/// Writes a safetensors file, all or not at all; a `checksum` of the data and of the header without
/// it (as JSON with sorted keys and no spaces) joins the metadata.
///
/// Throws ShapeError if a shape does not fit its values, ConfigError if names repeat or are
/// reserved, FileError if the file cannot be written.
template <class Real>
void save_safetensors(const std::filesystem::path& path, const TensorFile<Real>& file) {
  static_assert(std::endian::native == std::endian::little,
                "save_safetensors: the format is little endian, and so must be the machine");
  auto header = nlohmann::json::object();
  std::string data;
  std::set<std::string_view> names{detail::safetensors_metadata};
  for (const auto& [name, shape, values] : file.tensors) {
    if (!names.insert(name).second)
      throw ConfigError(text("save_safetensors: tensor name ", name,
                             " is used twice or reserved; choose another name"));
    if (!detail::is_shape_of(shape, values.size()))
      throw ShapeError(text("save_safetensors: tensor ", name, " has ", values.size(),
                            " values, expected the product of its shape ",
                            nlohmann::json(shape).dump()));
    const std::size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Real));
    header[name] = {{"dtype", detail::safetensors_type<Real>},
                    {"shape", shape},
                    {"data_offsets", {begin, data.size()}}};
  }
  auto& metadata = header[std::string(detail::safetensors_metadata)] = file.metadata;
  std::string bytes;
  try {
    metadata.erase("checksum");
    metadata["checksum"] = detail::checksum({data, header.dump()});
    bytes = header.dump();
  } catch (const nlohmann::json::exception& e) {
    throw FileError(text("save_safetensors: cannot write ", path.string(), ": ", e.what()));
  }
  bytes.resize((bytes.size() + 7) / 8 * 8, ' ');
  const auto length = static_cast<std::uint64_t>(bytes.size());
  bytes.insert(0, reinterpret_cast<const char*>(&length), sizeof length);
  write_file_atomically(path, bytes + data);
}

/// Reads a safetensors file whose arrays are all of type Real; `load_safetensors<float>(path)`.
///
/// Everything is checked before it is used, the `checksum` too if there is one (it does not stay in
/// the metadata, see `TensorFile::checked`); throws FileError if the file is missing, damaged, or
/// of another type.
template <class Real>
[[nodiscard]] TensorFile<Real> load_safetensors(const std::filesystem::path& path) {
  constexpr std::size_t longest_header = 100'000'000;  // as in the reference implementation
  const auto fail = [&](const auto&... found) {
    throw FileError(text("load_safetensors: ", path.string(), " ", found...,
                         "; the file is damaged or of another kind"));
  };
  const std::string bytes = read_file("load_safetensors", path);
  std::uint64_t length = 0;
  if (bytes.size() < sizeof length)
    fail("has ", bytes.size(), " bytes, expected at least 8 for the length of its header");
  std::memcpy(&length, bytes.data(), sizeof length);
  const std::size_t limit = std::min(bytes.size() - sizeof length, longest_header);
  if (length > limit) fail("announces a header of ", length, " bytes, expected at most ", limit);
  const std::string_view text_header = std::string_view(bytes).substr(sizeof length, length);
  const std::string_view data = std::string_view(bytes).substr(sizeof length + length);
  // The format: from the first byte an object, then nothing but spaces.
  if (!text_header.starts_with('{') && !text_header.starts_with('['))
    fail("has a header that does not begin with {");
  if (const auto end = text_header.find_last_not_of(' ');
      end != text_header.npos && text_header[end] != '}' && text_header[end] != ']')
    fail("has a header that does not end with } and spaces");
  auto header = parse_json("load_safetensors", text("the header of ", path.string()), text_header);
  if (!header.is_object()) fail("has a header that is not a JSON object");

  const auto numbers = [&](const std::string& name, const nlohmann::json& entry, const char* key) {
    std::vector<std::size_t> out;
    if (!entry.is_object() || !entry.contains(key) || !entry[key].is_array())
      fail("has no array ", key, " for tensor ", name);
    for (const auto& number : entry[key]) {
      if (!number.is_number_unsigned())
        fail("has ", number.dump(), " in ", key, " of tensor ", name,
             ", expected an integer from zero");
      out.push_back(number.template get<std::size_t>());
    }
    return out;
  };

  TensorFile<Real> file;
  std::vector<std::pair<std::vector<std::size_t>, NamedTensor<Real>>> found;
  for (const auto& [name, entry] : header.items()) {
    if (name == detail::safetensors_metadata) {
      if (!entry.is_object()) fail("has metadata that are not an object");
      for (const auto& [key, value] : entry.items()) {
        if (!value.is_string()) fail("has metadata ", key, " that are not a string");
        file.metadata[key] = value.template get<std::string>();
      }
      continue;
    }
    const auto shape = numbers(name, entry, "shape"), place = numbers(name, entry, "data_offsets");
    const auto type = entry.value("dtype", nlohmann::json());
    if (type != detail::safetensors_type<Real>)
      fail("has type ", type.dump(), " for tensor ", name, ", expected ",
           detail::safetensors_type<Real>);
    if (place.size() != 2 || place[0] > place[1] || place[1] > data.size())
      fail("places tensor ", name, " at ", nlohmann::json(place).dump(),
           ", expected a range within its ", data.size(), " bytes of data");
    const std::size_t size = place[1] - place[0];
    if (size % sizeof(Real) != 0 || !detail::is_shape_of(shape, size / sizeof(Real)))
      fail("has ", size, " bytes for tensor ", name, ", expected ", sizeof(Real),
           " times the product of its shape ", nlohmann::json(shape).dump());
    std::vector<Real> values(size / sizeof(Real));
    if (size > 0) std::memcpy(values.data(), data.data() + place[0], size);
    found.push_back({place, {name, shape, std::move(values)}});
  }

  std::ranges::stable_sort(found, {}, [](const auto& tensor) { return tensor.first; });
  std::size_t end = 0;
  for (auto& [place, tensor] : found) {
    if (place[0] != end)
      fail("has data of tensor ", tensor.name, " from byte ", place[0], ", expected from ", end,
           " (no overlap, no gap)");
    end = place[1];
    file.tensors.push_back(std::move(tensor));
  }
  if (end != data.size())
    fail("has ", data.size(), " bytes of data, expected ", end, " from its header");
  if (const auto sum = file.metadata.extract("checksum")) {
    header[std::string(detail::safetensors_metadata)].erase("checksum");
    const std::string found_sum = detail::checksum({data, header.dump()});
    if (sum.mapped() != found_sum)
      fail("has the checksum ", found_sum, ", expected ", sum.mapped());
    file.checked = true;
  }
  return file;
}

}  // namespace dan
