// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdio>
#include <string>

#include "dan/app/options.hpp"
#include "dan/io/safetensors.hpp"

namespace dan::app {

namespace detail {
/// Arrays, metadata and whether the checksum was there and right.
template <class Real>
nlohmann::ordered_json describe_file(const TensorFile<Real>& file) {
  nlohmann::ordered_json json{{"checksum", file.checked ? "right" : "none"},
                              {"tensors", nlohmann::ordered_json::array()},
                              {"metadata", nlohmann::ordered_json::object()}};
  std::size_t numbers = 0;
  for (const auto& tensor : file.tensors) {
    json["tensors"].push_back({{"name", tensor.name}, {"shape", tensor.shape}});
    numbers += tensor.values.size();
  }
  json["numbers"] = numbers;
  json["bits"] = 8 * sizeof(Real);
  for (const auto& [key, value] : file.metadata) {
    json["metadata"][key] = value;
    try {  // JSON in text
      if (value.starts_with('{')) json["metadata"][key] = parse_json("info", key, value);
    } catch (const FileError&) {  // a text it is
    }
  }
  return json;
}
}  // namespace detail

/// `info FILE`: what a file of weights, a checkpoint or a carried state holds.
struct Info {
  static constexpr const char* word = "info";
  static constexpr const char* about =
      "What a file of weights holds: architecture, what made it, checksum, arrays";

  std::string file;
  Output output;

  void declare(CLI::App& command) {
    command.add_option("file", file, "A safetensors file")->required();
    output.add_to(command);
  }
  void act(const Program&) const {
    output.require_writable({file});
    const auto found = [&] {
      try {
        return detail::describe_file(load_safetensors<float>(file));
      } catch (const FileError& failure) {
        try {  // checkpoints and carried states hold doubles
          return detail::describe_file(load_safetensors<double>(file));
        } catch (const FileError&) {
          throw failure;
        }
      }
    }();
    if (output.table()) {
      std::printf("%zu numbers of %zu bits in %zu arrays, checksum: %s\n",
                  found["numbers"].get<std::size_t>(), found["bits"].get<std::size_t>(),
                  found["tensors"].size(), found["checksum"].get<std::string>().c_str());
      for (const auto& [key, value] : found["metadata"].items())
        std::printf("%s: %s\n", key.c_str(),
                    value.is_string() ? value.get<std::string>().c_str() : value.dump().c_str());
      for (const auto& tensor : found["tensors"])
        std::printf("  %s %s\n", tensor["name"].get<std::string>().c_str(),
                    tensor["shape"].dump().c_str());
    }
    output.write("info", file, nlohmann::ordered_json::object(), found);
  }
};

}  // namespace dan::app
