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
#include "dan/io/checksum.hpp"
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
    for (const auto& tensor : tensors)
      if (tensor.name == name) return tensor;
    throw FileError(to_text("TensorFile::at: there is no tensor ", name, ", expected one of: ",
                            joined(tensors, ", ", [](const auto& one) { return one.name; })));
  }
};

namespace detail {
template <class Real>
inline constexpr std::string_view safetensors_type = std::same_as<Real, float> ? "F32" : "F64";

inline constexpr std::string_view safetensors_metadata = "__metadata__";
}  // namespace detail

/// Writes a safetensors file, all or not at all; a `checksum` of the data and of the header without
/// it (as JSON with sorted keys and no spaces) joins the metadata, in the place of one that is
/// there.
///
/// Throws ShapeError if a shape does not fit its values, ConfigError if names repeat or are
/// reserved, FileError if the file cannot be written.
template <class Real>
void save_safetensors(const std::filesystem::path& path, const TensorFile<Real>& file) {
  static_assert(std::endian::native == std::endian::little,
                "save_safetensors: the format is little endian, and so must be the machine");
  auto header = nlohmann::ordered_json::object();
  std::string data;
  std::set<std::string_view> names{detail::safetensors_metadata};
  for (const auto& [name, shape, values] : file.tensors) {
    if (!names.insert(name).second)
      throw ConfigError(to_text("save_safetensors: tensor name ", name,
                                " is used twice or reserved; choose another name"));
    if (!detail::is_shape_of(shape, values.size()))
      throw ShapeError(to_text("save_safetensors: tensor ", name, " has ", values.size(),
                               " values, expected the product of its shape ",
                               nlohmann::ordered_json(shape).dump()));
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
    metadata["checksum"] = detail::checksum({data, with_sorted_keys(header).dump()});
    bytes = with_sorted_keys(header).dump();
  } catch (const nlohmann::json::exception& e) {
    throw FileError(to_text("save_safetensors: cannot write ", path.string(), ": ", e.what()));
  }
  bytes.resize((bytes.size() + 7) / 8 * 8, ' ');
  const auto length = static_cast<std::uint64_t>(bytes.size());
  bytes.insert(0, reinterpret_cast<const char*>(&length), sizeof length);
  write_file_atomically(path, bytes + data);
}

namespace detail {

/// A safetensors file that is being read: its parts, none of them used before it is checked.
class SafetensorsReader {
 public:
  explicit SafetensorsReader(const std::filesystem::path& path)
      : path_(path.string()), bytes_(read_file("load_safetensors", path)) {
    constexpr std::size_t longest_header = 100'000'000;  // as in the reference implementation
    std::uint64_t length = 0;
    if (bytes_.size() < sizeof length)
      fail("has ", bytes_.size(), " bytes, expected at least 8 for the length of its header");
    std::memcpy(&length, bytes_.data(), sizeof length);
    const std::size_t limit = std::min(bytes_.size() - sizeof length, longest_header);
    if (length > limit) fail("announces a header of ", length, " bytes, expected at most ", limit);
    data_from_ = sizeof length + length;
    const auto header = std::string_view(bytes_).substr(sizeof length, length);
    // The format: from the first byte an object, then nothing but spaces.
    if (!header.starts_with('{') && !header.starts_with('['))
      fail("has a header that does not begin with {");
    if (const auto end = header.find_last_not_of(' ');
        end != header.npos && header[end] != '}' && header[end] != ']')
      fail("has a header that does not end with } and spaces");
    header_ = parse_json("load_safetensors", to_text("the header of ", path_), header);
    if (!header_.is_object()) fail("has a header that is not a JSON object");
  }

  /// The text dictionary, checksum included.
  [[nodiscard, gnu::cold]] std::map<std::string, std::string> metadata() const {
    std::map<std::string, std::string> out;
    const auto entry = header_.find(safetensors_metadata);
    if (entry == header_.end()) return out;
    if (!entry->is_object()) fail("has metadata that are not an object");
    for (const auto& [key, value] : entry->items()) {
      if (!value.is_string()) fail("has metadata ", key, " that are not a string");
      out[key] = value.get<std::string>();
    }
    return out;
  }

  /// The arrays, in the order of their data, which they fill without overlap or gap.
  template <class Real>
  [[nodiscard, gnu::cold]] std::vector<NamedTensor<Real>> tensors() const {
    std::multimap<Place, NamedTensor<Real>> found;
    for (const auto& [name, entry] : header_.items())
      if (name != safetensors_metadata) found.insert(tensor<Real>(name, entry));
    std::vector<NamedTensor<Real>> out;
    std::size_t end = 0;
    for (auto& [place, tensor] : found) {
      if (place.first != end)
        fail("has data of tensor ", tensor.name, " from byte ", place.first, ", expected from ",
             end, " (no overlap, no gap)");
      end = place.second;
      out.push_back(std::move(tensor));
    }
    if (end != data().size())
      fail("has ", data().size(), " bytes of data, expected ", end, " from its header");
    return out;
  }

  /// Checks that the file has this checksum.
  void require_checksum(const std::string& expected) const {
    auto header = header_;
    header[std::string(safetensors_metadata)].erase("checksum");
    const std::string found = checksum({data(), with_sorted_keys(header).dump()});
    if (found != expected) fail("has the checksum ", found, ", expected ", expected);
  }

 private:
  using Place = std::pair<std::size_t, std::size_t>;  ///< first byte of the data and end

  [[nodiscard]] std::string_view data() const {
    return std::string_view(bytes_).substr(data_from_);
  }

  template <class Real>
  [[nodiscard, gnu::cold]] std::pair<Place, NamedTensor<Real>> tensor(
      const std::string& name, const nlohmann::ordered_json& entry) const {
    const auto shape = numbers(name, entry, "shape"), place = numbers(name, entry, "data_offsets");
    const auto type = entry.value("dtype", nlohmann::ordered_json());
    if (type != safetensors_type<Real>)
      fail("has type ", type.dump(), " for tensor ", name, ", expected ", safetensors_type<Real>);
    if (place.size() != 2 || place[0] > place[1] || place[1] > data().size())
      fail("places tensor ", name, " at ", nlohmann::ordered_json(place).dump(),
           ", expected a range within its ", data().size(), " bytes of data");
    const std::size_t size = place[1] - place[0];
    if (size % sizeof(Real) != 0 || !is_shape_of(shape, size / sizeof(Real)))
      fail("has ", size, " bytes for tensor ", name, ", expected ", sizeof(Real),
           " times the product of its shape ", nlohmann::ordered_json(shape).dump());
    std::vector<Real> values(size / sizeof(Real));
    if (size > 0) std::memcpy(values.data(), data().data() + place[0], size);
    return {Place(place[0], place[1]), NamedTensor<Real>{name, shape, std::move(values)}};
  }

  [[nodiscard]] std::vector<std::size_t> numbers(const std::string& name,
                                                 const nlohmann::ordered_json& entry,
                                                 const char* key) const {
    std::vector<std::size_t> out;
    if (!entry.is_object() || !entry.contains(key) || !entry[key].is_array())
      fail("has no array ", key, " for tensor ", name);
    for (const auto& number : entry[key]) {
      if (!number.is_number_unsigned())
        fail("has ", number.dump(), " in ", key, " of tensor ", name,
             ", expected an integer from zero");
      out.push_back(number.get<std::size_t>());
    }
    return out;
  }

  [[noreturn]] void fail(const auto&... found) const {
    throw FileError(to_text("load_safetensors: ", path_, " ", found...,
                            "; the file is damaged or of another kind"));
  }

  std::string path_, bytes_;
  std::size_t data_from_ = 0;
  nlohmann::ordered_json header_{};
};

}  // namespace detail

/// Reads a safetensors file whose arrays are all of type Real; `load_safetensors<float>(path)`.
///
/// Everything is checked before it is used, the `checksum` too if there is one (it does not stay in
/// the metadata, see `TensorFile::checked`); throws FileError if the file is missing, damaged, or
/// of another type.
template <class Real>
[[nodiscard]] TensorFile<Real> load_safetensors(const std::filesystem::path& path) {
  const detail::SafetensorsReader reader(path);
  TensorFile<Real> file{reader.metadata(), reader.tensors<Real>()};
  if (const auto sum = file.metadata.extract("checksum")) {
    reader.require_checksum(sum.mapped());
    file.checked = true;
  }
  return file;
}

}  // namespace dan
