// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/tensor.hpp"
#include "dan/io/file.hpp"

/// \file
/// NumPy's NPY format: one array of double.
///
/// Layout: the byte 0x93 and NUMPY, version (two bytes: 1.0, 2.0 or 3.0), length of the header (two
/// bytes, from version 2.0 four, little endian), header, data. The header is a Python dictionary of
/// exactly the keys 'descr' (the type), 'fortran_order' and 'shape', then spaces and a line feed.
/// Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

namespace dan {

namespace detail {

/// What the header of an NPY file says.
struct NpyHeader {
  std::optional<std::string> type{};
  std::optional<bool> fortran_order{};
  std::optional<std::vector<std::size_t>> shape{};
};

/// Reads the dictionary of an NPY header; `fail(words...)` throws.
template <class Fail>
class NpyHeaderReader {
 public:
  NpyHeaderReader(std::string_view text, const Fail& fail) : rest_(text), fail_(fail) {}

  [[nodiscard]] NpyHeader read() {
    NpyHeader header;
    require('{');
    while (!take('}')) {
      const std::string key = quoted("a key");
      require(':');
      if (key == "descr")
        set(key, header.type, type());
      else if (key == "fortran_order")
        set(key, header.fortran_order, truth());
      else if (key == "shape")
        set(key, header.shape, shape());
      else
        fail_("has a header with the key '", key,
              "', expected 'descr', 'fortran_order' and 'shape' only");
      if (take(',')) continue;
      require('}');
      break;
    }
    skip_space();
    if (!rest_.empty()) fail_("has ", rest_.size(), " bytes after the dictionary of its header");
    if (!header.type || !header.fortran_order || !header.shape)
      fail_("has a header without '",
            !header.type ? "descr" : (!header.fortran_order ? "fortran_order" : "shape"), "'");
    return header;
  }

 private:
  void skip_space() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\n"), rest_.size()));
  }
  bool take(char c) {
    skip_space();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void require(char c) {
    if (!take(c))
      fail_("has a header with '", rest_.substr(0, 1), "' where '", std::string(1, c), "' belongs");
  }
  template <class T>
  void set(std::string_view key, std::optional<T>& to, T value) {
    if (to) fail_("has a header with '", key, "' twice");
    to = std::move(value);
  }
  std::string quoted(std::string_view what) {
    skip_space();
    const char quote = rest_.empty() ? '\0' : rest_.front();
    if (quote != '\'' && quote != '"') fail_("has a header without quotes around ", what);
    const auto end = rest_.find(quote, 1);
    if (end == std::string_view::npos) fail_("has a header with ", what, " that does not end");
    std::string out(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return out;
  }
  std::string type() {
    skip_space();
    if (rest_.starts_with('[')) fail_("holds records (a structured type), expected numbers");
    return quoted("its type");
  }
  bool truth() {
    skip_space();
    for (const bool value : {false, true})
      if (const std::string_view word = value ? "True" : "False"; rest_.starts_with(word)) {
        rest_.remove_prefix(word.size());
        return value;
      }
    fail_("has a header whose 'fortran_order' is neither True nor False");
    return false;
  }
  std::vector<std::size_t> shape() {
    std::vector<std::size_t> lengths;
    bool comma = true;  // before the next length
    require('(');
    while (!take(')')) {
      if (!comma) fail_("has a header whose shape lacks a comma");
      skip_space();
      std::size_t length = 0;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), length);
      const auto digits = static_cast<std::size_t>(end - rest_.data());
      if (error == std::errc::result_out_of_range) fail_("has a length in its shape beyond 2^64");
      if (error != std::errc{} || (digits > 1 && rest_.front() == '0'))
        fail_("has a shape with '", rest_.substr(0, 1), "' where a number belongs");
      rest_.remove_prefix(digits);
      lengths.push_back(length);
      comma = take(',');
    }
    if (lengths.size() == 1 && !comma) fail_("has a shape without the comma of a tuple");
    return lengths;
  }

  std::string_view rest_;
  const Fail& fail_;
};

/// NumPy's name of the type `descr`, as "float32, big endian"; empty if unknown.
inline std::string npy_type_name(std::string_view descr) {
  if (descr.size() < 2) return "";
  const char kind = descr[1];
  const std::string_view size = descr.substr(2);
  if (size.empty() || size.size() > 3 || size.find_first_not_of("0123456789") != size.npos)
    return "";
  std::size_t bytes = 0;
  std::from_chars(size.data(), size.data() + size.size(), bytes);
  const std::string_view name = kind == 'f'   ? "float"
                                : kind == 'i' ? "int"
                                : kind == 'u' ? "uint"
                                : kind == 'c' ? "complex"
                                : kind == 'b' ? "bool"
                                : kind == 'S' ? "bytes"
                                : kind == 'U' ? "text"
                                              : "";
  if (name.empty() || name == "bool" || name == "text" || name == "bytes") return std::string(name);
  return to_text(name, 8 * bytes, descr[0] == '>' ? ", big endian" : "");
}
}  // namespace detail

/// Reads an array of double (`<f8`) in NumPy's NPY format, in either memory order, into a row-major
/// tensor. Throws FileError if the file cannot be read, is damaged, holds another type or another
/// rank, or if its data are not exactly what its shape says.
template <std::size_t Rank>
[[nodiscard]] Tensor<double, Rank> load_npy(const std::filesystem::path& path) {
  static_assert(std::endian::native == std::endian::little,
                "load_npy: the data are little endian, and so must be the machine");
  const auto fail = [&](const auto&... found) {
    throw FileError(to_text("load_npy: ", path.string(), " ", found...));
  };
  const std::string bytes = read_file("load_npy", path);
  const auto byte = [&](std::size_t i) -> std::size_t {
    return static_cast<unsigned char>(bytes[i]);
  };
  constexpr std::string_view magic = "\x93NUMPY";
  if (bytes.size() < 10 || !bytes.starts_with(magic)) fail("is not an NPY file");
  if (byte(6) < 1 || byte(6) > 3 || byte(7) != 0)
    fail("is an NPY file of version ", byte(6), ".", byte(7), ", expected 1.0, 2.0 or 3.0");
  const std::size_t before = byte(6) == 1 ? 10 : 12;
  std::size_t length = byte(8) + 256 * byte(9);
  if (before == 12 && bytes.size() >= before) length += 65536 * byte(10) + 16777216 * byte(11);
  if (bytes.size() < before || length > bytes.size() - before) fail("has no whole header");
  const auto header =
      detail::NpyHeaderReader(std::string_view(bytes).substr(before, length), fail).read();

  if (*header.type != "<f8") {
    const std::string name = detail::npy_type_name(*header.type);
    fail("holds the type '", *header.type, "'", name.empty() ? "" : " (" + name + ")",
         ", expected '<f8' (float64); convert it in NumPy with array.astype('<f8')");
  }
  const auto& shape = *header.shape;
  if (shape.size() != Rank) fail("has ", shape.size(), " dimensions, expected ", Rank);
  const std::string_view data = std::string_view(bytes).substr(before + length);
  if (data.size() % sizeof(double) != 0 ||
      !detail::is_shape_of(shape, data.size() / sizeof(double)))
    fail("has ", data.size(), " bytes of data, expected 8 (double) times the product of its shape");

  typename Tensor<double, Rank>::shape_type lengths{};
  for (std::size_t d = 0; d < Rank; ++d) lengths[d] = shape[d];
  Tensor<double, Rank> out(lengths, 0.0);
  if (data.empty()) return out;
  if (!*header.fortran_order) {
    std::memcpy(out.data(), data.data(), data.size());
    return out;
  }
  std::array<std::size_t, Rank> index{};  // of the next element of the file, the first one fastest
  for (std::size_t n = 0; n < data.size() / sizeof(double); ++n) {
    std::size_t at = 0;
    for (std::size_t d = 0; d < Rank; ++d) at = at * shape[d] + index[d];
    std::memcpy(out.data() + at, data.data() + n * sizeof(double), sizeof(double));
    for (std::size_t d = 0; d < Rank && ++index[d] == shape[d]; ++d) index[d] = 0;
  }
  return out;
}

/// Writes a tensor in NumPy's NPY format (version 1.0, data aligned to 64 bytes), all or not at
/// all; throws FileError on failure.
template <std::size_t Rank>
void save_npy(const std::filesystem::path& path, const Tensor<double, Rank>& tensor) {
  static_assert(std::endian::native == std::endian::little,
                "save_npy: the data are little endian, and so must be the machine");
  static_assert(Rank <= 64, "save_npy: NumPy knows at most 64 dimensions");
  std::string header = "{'descr': '<f8', 'fortran_order': False, 'shape': (";
  for (std::size_t d = 0; d < Rank; ++d)
    header += to_text(d > 0 ? " " : "", tensor.shape()[d], d + 1 < Rank || Rank == 1 ? "," : "");
  header += "), }";
  constexpr std::size_t before = 10;
  header.resize((before + header.size() + 1 + 63) / 64 * 64 - before - 1, ' ');
  header += '\n';
  std::string bytes("\x93NUMPY\1\0", 8);
  bytes += static_cast<char>(header.size() & 255);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(tensor.data()), tensor.size() * sizeof(double));
  write_file_atomically(path, bytes);
}

}  // namespace dan
