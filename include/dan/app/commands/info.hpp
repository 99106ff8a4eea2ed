// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdio>
#include <memory>
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
inline void add_info(CLI::App& app, const Program& program) {
  struct Options {
    std::string file;
    Output output;
  };
  const auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand(
      "info", "What a file of weights holds: architecture, what made it, checksum, arrays");
  command->add_option("file", o->file, "A safetensors file")->required();
  o->output.add_to(*command);
  command->callback([=, &action = program.action] {
    action = [o] {
      o->output.require_writable({o->file});
      const auto found = [&] {
        try {
          return detail::describe_file(load_safetensors<float>(o->file));
        } catch (const FileError& failure) {
          try {  // checkpoints and carried states hold doubles
            return detail::describe_file(load_safetensors<double>(o->file));
          } catch (const FileError&) {
            throw failure;
          }
        }
      }();
      if (o->output.table()) {
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
      o->output.write("info", o->file, nlohmann::ordered_json::object(), found);
    };
  });
}

}  // namespace dan::app
