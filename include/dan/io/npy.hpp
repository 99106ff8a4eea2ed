// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#if __has_include(<xtensor/io/xnpy.hpp>)
#include <xtensor/io/xnpy.hpp>  // xtensor 0.26 and later
#else
#include <xtensor/xnpy.hpp>
#endif
#include <cstddef>
#include <exception>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/tensor.hpp"
#include "dan/io/file.hpp"

namespace dan {

/// Reads an array of double in NumPy's NPY format, in either memory order, into a row-major tensor.
/// Throws FileError if the file cannot be read, is damaged, holds another type or another rank.
template <std::size_t Rank>
[[nodiscard]] Tensor<double, Rank> load_npy(const std::filesystem::path& path) {
  const auto fail = [&](const auto&... found) {
    throw FileError(text("load_npy: ", path.string(), " ", found...));
  };
  const std::string bytes = read_file("load_npy", path);
  // 6 bytes of magic, 2 of version, 2 of header length, the header, the data. xnpy trusts the
  // shape in the header, so it is held against the size of the file first.
  const auto byte = [&](std::size_t i) -> std::size_t {
    return static_cast<unsigned char>(bytes[i]);
  };
  if (bytes.size() < 10 || bytes.compare(0, 8, std::string("\x93NUMPY\1\0", 8)) != 0)
    fail("is not an NPY file of version 1.0");
  const std::size_t begin = 10 + byte(8) + 256 * byte(9);
  if (begin > bytes.size() || bytes[10] != '{') fail("has no whole header");
  const std::string header = bytes.substr(10, begin - 10);
  std::vector<std::size_t> shape;
  std::istringstream tuple(header.substr(header.find('(') + 1));
  for (std::size_t length; tuple >> length; tuple.ignore()) shape.push_back(length);
  if (shape.size() != Rank) fail("has ", shape.size(), " dimensions, expected ", Rank);
  const std::size_t size = bytes.size() - begin;
  if (size % sizeof(double) != 0 || !detail::is_shape_of(shape, size / sizeof(double)))
    fail("has ", size, " bytes of data, expected 8 (double) times the product of its shape");
  try {
    std::istringstream in(bytes);
    return xt::load_npy<double>(in);
  } catch (const std::exception& e) {
    fail("cannot be read as an array of double: ", e.what());
  }
  return {};
}

/// Writes a tensor in NumPy's NPY format, all or not at all; throws FileError on failure.
template <std::size_t Rank>
void save_npy(const std::filesystem::path& path, const Tensor<double, Rank>& tensor) {
  const std::string bytes = xt::dump_npy(tensor);
  write_file_atomically(path, bytes);
}

}  // namespace dan
