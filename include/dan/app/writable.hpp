// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <fcntl.h>
#include <sys/file.h>
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

/// Whether two paths are those of one file, which need not be there; not where a folder of them
/// cannot be read.
[[nodiscard]] inline bool is_same_file(const std::filesystem::path& a,
                                       const std::filesystem::path& b) {
  const auto place = [](const std::filesystem::path& file) {
    std::error_code unknown;
    return std::filesystem::weakly_canonical(std::filesystem::absolute(file, unknown), unknown);
  };
  return place(a) == place(b) && !place(a).empty();
}

/// A folder that is this process's as long as this lives; the lock ends with the process, too.
class FolderLock {
 public:
  /// Throws FileError where another process holds it. A file system without locks has none.
  FolderLock(const char* option, const std::filesystem::path& folder)
      : file_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (file_ < 0 || ::flock(file_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
    ::close(file_);
    throw FileError(to_text(option, ": another process writes to ", folder.string(),
                            " now; wait for it, or take another folder"));
  }
  ~FolderLock() {
    if (file_ >= 0) ::close(file_);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int file_;
};

}  // namespace dan::app
