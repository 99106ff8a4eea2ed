// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

namespace dan::test {

/// A folder of the third-party reference data, or nothing (and a message) where the environment
/// variable DAN_REFERENCE_DIR is not set: the case then returns.
inline std::optional<std::filesystem::path> reference(const std::string& folder) {
  const char* root = std::getenv("DAN_REFERENCE_DIR");
  if (root == nullptr || *root == '\0') {
    MESSAGE("skipped: DAN_REFERENCE_DIR is not set");
    return std::nullopt;
  }
  return std::filesystem::path(root) / folder;
}

}  // namespace dan::test
