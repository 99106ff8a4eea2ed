// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/io/file.hpp"

namespace dan {

/// Writes `json` with an indent of two, all or not at all; NaN and infinities become null. Throws
/// FileError if the file cannot be written or a string is not UTF-8.
inline void write_json(const std::filesystem::path& path, const nlohmann::ordered_json& json) {
  std::string document;
  try {
    document = json.dump(2) + "\n";
  } catch (const nlohmann::json::exception& e) {
    throw FileError(to_text("write_json: cannot write ", path.string(), ": ", e.what()));
  }
  write_file_atomically(path, document);
}

/// The value of a JSON document that is nested at most 64 deep (no recursion over it can run out of
/// stack) and has no key twice in one object (readers would take either value); throws FileError,
/// in the name of `function` and of its `source`, for any other text.
[[nodiscard]] inline nlohmann::ordered_json parse_json(std::string_view function,
                                                       std::string_view source,
                                                       std::string_view document) {
  const auto fail = [&](std::string_view found) {
    throw FileError(to_text(function, ": ", source, " is not valid JSON: ", found));
  };
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  try {
    return nlohmann::ordered_json::parse(document, [&](int depth, auto event, const auto& value) {
      using Event = nlohmann::json::parse_event_t;
      if (depth > 64) fail("it is nested more than 64 deep; the file is damaged");
      if (event == Event::object_start) keys.emplace_back();
      if (event == Event::object_end) keys.pop_back();
      if (event == Event::key) {
        const auto key = value.template get<std::string>();
        if (!keys.back().insert(key).second)
          fail(to_text("it has the key ", key, " twice in one object"));
      }
      return true;
    });
  } catch (const nlohmann::json::exception& e) {
    const std::string_view what = e.what();  // "[json.exception.parse_error.101] parse error at …"
    fail(what.substr(what.starts_with('[') ? what.find("] ") + 2 : 0));
  }
  return {};
}

/// `json` with the members of all objects in the order of their names, for checksums.
[[nodiscard]] inline nlohmann::ordered_json with_sorted_keys(const nlohmann::ordered_json& json) {
  if (json.is_object()) {
    std::map<std::string, nlohmann::ordered_json> members;
    for (const auto& [key, value] : json.items()) members.emplace(key, with_sorted_keys(value));
    return members;
  }
  if (!json.is_array()) return json;
  auto out = nlohmann::ordered_json::array();
  for (const auto& value : json) out.push_back(with_sorted_keys(value));
  return out;
}

/// In what `found` is not what was expected, member by member: "seed = 1, expected 7", "a.rate is
/// missing, expected 3", with `; ` between; empty if in nothing.
[[nodiscard]] inline std::string json_differences(const nlohmann::ordered_json& found,
                                                  const nlohmann::ordered_json& expected,
                                                  const std::string& name = {}) {
  std::string list;
  const auto add = [&](const std::string& more) {
    if (!more.empty()) list += (list.empty() ? "" : "; ") + more;
  };
  if (!found.is_object() || !expected.is_object()) {
    if (with_sorted_keys(found) != with_sorted_keys(expected))
      add(to_text(name.empty() ? "the value" : name, " = ", found.dump(), ", expected ",
                  expected.dump()));
    return list;
  }
  const auto whole = [&](const std::string& key) { return name.empty() ? key : name + "." + key; };
  for (const auto& [key, value] : expected.items())
    if (found.contains(key))
      add(json_differences(found[key], value, whole(key)));
    else
      add(to_text(whole(key), " is missing, expected ", value.dump()));
  for (const auto& [key, value] : found.items())
    if (!expected.contains(key)) add(to_text(whole(key), " = ", value.dump(), ", expected none"));
  return list;
}

/// Reads a JSON file; throws FileError if it cannot be read or is not JSON.
[[nodiscard]] inline nlohmann::ordered_json read_json(const std::filesystem::path& path) {
  return parse_json("read_json", path.string(), read_file("read_json", path));
}

}  // namespace dan
