// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "dan/core/error.hpp"
#include "dan/io/file.hpp"

namespace dan {

/// Writes `json` with an indent of two, all or not at all; NaN and infinities become null.
/// Throws FileError if the file cannot be written or a string is not UTF-8.
inline void write_json(const std::filesystem::path& path, const nlohmann::json& json) {
  std::string document;
  try {
    document = json.dump(2) + "\n";
  } catch (const nlohmann::json::exception& e) {
    throw FileError(text("write_json: cannot write ", path.string(), ": ", e.what()));
  }
  write_file_atomically(path, document);
}

/// Reads a JSON file; throws FileError if it cannot be read or is not JSON.
[[nodiscard]] inline nlohmann::json read_json(const std::filesystem::path& path) {
  try {
    return nlohmann::json::parse(read_file("read_json", path));
  } catch (const nlohmann::json::exception& e) {
    throw FileError(text("read_json: ", path.string(), " is not valid JSON: ", e.what()));
  }
}

}  // namespace dan
