// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "dan/core/error.hpp"

namespace dan {

namespace detail {
/// Whether an array of this shape has `count` elements; false if their number overflows.
inline bool is_shape_of(std::span<const std::size_t> shape, std::size_t count) {
  std::size_t product = 1;
  for (const std::size_t length : shape) {
    if (length > 0 && product > std::numeric_limits<std::size_t>::max() / length) return false;
    product *= length;
  }
  return product == count;
}

/// A call of the system, again where a signal has interrupted it.
template <class Call>
auto uninterrupted(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}
/// Writes all bytes where an open file stands; returns 0, or why it could not.
inline int write_all(int file, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto written = uninterrupted([&] { return ::write(file, bytes.data(), bytes.size()); });
    if (written < 0) return errno;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return 0;
}
/// The path that symbolic links lead to; there need not be a file. In a circle one of its links.
inline std::filesystem::path end_of_links(std::filesystem::path path) {
  std::error_code none;
  for (int n = 0; n < 40 && std::filesystem::is_symlink(path, none); ++n)
    path = path.parent_path() / std::filesystem::read_symlink(path, none);
  return path;
}
}  // namespace detail

/// All bytes of a file; throws FileError, in the name of `function`, if it cannot be read.
[[nodiscard]] inline std::string read_file(std::string_view function,
                                           const std::filesystem::path& path) {
  std::error_code failure;
  auto size = std::filesystem::file_size(path, failure);
  if (failure)
    throw FileError(to_text(function, ": cannot read ", path.string(), ": ", failure.message()));
  // Of the file that is read, which another process may have put there in the meantime.
  std::ifstream in(path, std::ios::binary);
  if (in.seekg(0, std::ios::end)) size = static_cast<std::uintmax_t>(in.tellg());
  in.clear();
  in.seekg(0);
  std::string bytes;
  try {
    bytes.resize(size);
  } catch (const std::exception&) {  // bad_alloc, length_error
    throw FileError(to_text(function, ": cannot read ", path.string(), ": found ", size,
                            " bytes, expected a file that fits into memory"));
  }
  if (!in.read(bytes.data(), static_cast<std::streamsize>(size)))
    throw FileError(to_text(function, ": cannot read ", path.string(), ": found ", in.gcount(),
                            " bytes, expected ", size, "; check that you may read it"));
  return bytes;
}

/// Writes a file all or not at all.
///
/// The bytes go to a new file in the same folder, which is flushed to the disk and then takes the
/// name `path`; of a symbolic link, in the folder and the name of the file that it leads to. On
/// failure the file that had this name before is untouched, nothing is left behind, and FileError
/// is thrown. Only one thread of a process may write to a path at a time.
inline void write_file_atomically(const std::filesystem::path& name,
                                  std::span<const std::byte> bytes) {
  const std::filesystem::path path = detail::end_of_links(name);
  const auto fail = [&](std::string_view found) {
    throw FileError(to_text("write_file_atomically: cannot write ", path.string(), ": ", found));
  };
  const auto reason = [](int error) { return std::generic_category().message(error); };
  std::error_code unknown;
  if (std::filesystem::exists(path, unknown) && !std::filesystem::is_regular_file(path, unknown))
    fail("it exists and is not a regular file; choose another name");

  std::filesystem::path partial = path;
  partial += to_text(".partial", ::getpid());  // a killed process leaves its own behind
  const int file = detail::uninterrupted(
      [&] { return ::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666); });
  if (file < 0) fail(to_text("cannot create ", partial.string(), ": ", reason(errno)));

  int error = detail::write_all(file, bytes);
  if (error == 0 && detail::uninterrupted([&] { return ::fsync(file); }) != 0) error = errno;
  if (::close(file) != 0 && error == 0) error = errno;
  if (error == 0 && std::rename(partial.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(partial.c_str());
    fail(reason(error));
  }
}

/// The same for text, or bytes kept in a string.
inline void write_file_atomically(const std::filesystem::path& path, std::string_view bytes) {
  write_file_atomically(path, std::as_bytes(std::span(bytes)));
}

}  // namespace dan
