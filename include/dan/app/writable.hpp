// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>

#include "dan/core/error.hpp"

namespace dan::app {

/// Makes the folder, unless it is there, and throws FileError unless it can be written to.
inline void require_writable_folder(const char* option, const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::error_code failure;
  std::string reason;
  if (!fs::is_directory(folder) && !fs::create_directories(folder, failure))
    reason = failure ? failure.message() : "there is no such folder";
  if (reason.empty() && ::access(folder.c_str(), W_OK) != 0) reason = std::strerror(errno);
  if (!reason.empty())
    throw FileError(to_text(option, ": cannot write to ", folder.string(), ": ", reason));
}

/// Throws FileError, before any work is done, unless this file can be written.
inline void require_writable_file(const char* option, const std::filesystem::path& file) {
  namespace fs = std::filesystem;
  const fs::path folder = file.has_parent_path() ? file.parent_path() : ".";
  std::string reason;
  if (fs::is_directory(file))
    reason = "the name is that of a folder";
  else if (!fs::is_directory(folder))
    reason = "there is no such folder";
  else if (::access(folder.c_str(), W_OK) != 0)
    reason = std::strerror(errno);
  if (!reason.empty())
    throw FileError(to_text(option, ": cannot write ", file.string(), ": ", reason));
}

}  // namespace dan::app
