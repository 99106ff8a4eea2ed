// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <filesystem>
#include <fstream>

namespace dan::test {

/// Changes one byte of a file until the end of the scope.
class ChangedByte {
 public:
  ChangedByte(const std::filesystem::path& path, std::size_t place, char value)
      : file_(path, std::ios::in | std::ios::out | std::ios::binary),
        place_(static_cast<std::streamoff>(place)) {
    file_.seekg(place_);
    before_ = static_cast<char>(file_.get());
    put(value);
  }
  ChangedByte(const ChangedByte&) = delete;
  ChangedByte& operator=(const ChangedByte&) = delete;
  ~ChangedByte() { put(before_); }

 private:
  void put(char value) { file_.seekp(place_).put(value).flush(); }

  std::fstream file_;
  std::streamoff place_;
  char before_;
};

}  // namespace dan::test
