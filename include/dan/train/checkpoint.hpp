// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/simd.hpp"
#include "dan/io/safetensors.hpp"

/// \file
/// What the next update depends on goes into a checkpoint. Every part of a training tells its own
/// state in one function for both ways,
///     template <class Archive>
///     void transfer(Archive& archive) {
///       archive.number("mean", mean);
///     }
/// An archive knows `part(name, p)`, a part with such a function or a callable like it; `number`, a
/// double from zero; `count(name, n)`, a whole number; `series`, a vector of float of any length;
/// and `same`, `numbers` and `batch` as in analysis/carried.hpp, so that a filter can be a part of
/// it. Format: safetensors of double with a checksum; arrays are named by the parts,
/// "groups.0.truth".

namespace dan {

namespace detail {
inline constexpr std::string_view checkpoint_format = "dan training checkpoint 7";
}

/// An archive that collects.
class CheckpointWriter {
 public:
  static constexpr bool reads = false;
  /// `training`: all that must agree for the same bits.
  explicit CheckpointWriter(const std::string& training) {
    file_.metadata = {{"format", std::string(detail::checkpoint_format)}, {"training", training}};
  }

  template <class Part>
  void part(const std::string& name, Part&& part) {
    const auto before = std::exchange(prefix_, prefix_ + name + ".");
    if constexpr (requires { part(*this); })
      part(*this);
    else
      part.transfer(*this);
    prefix_ = before;
  }
  void same(const std::string& name, const auto& value) {
    file_.metadata[prefix_ + name] = text(value);
  }
  void number(const std::string& name, double x) { add(name, {x}); }
  void count(const std::string& name, std::size_t n, std::size_t = 0) {
    add(name, {static_cast<double>(n)});
  }
  void series(const std::string& name, const std::vector<float>& x) {
    add(name, {x.begin(), x.end()});
  }
  template <class T>
  void numbers(const std::string& name, std::span<T> packs, std::size_t lanes) {
    std::vector<double> values;
    values.reserve(packs.size() * lanes);
    for (const T& pack : packs)
      for (std::size_t l = 0; l < lanes; ++l)
        values.push_back(static_cast<double>(lane_of(pack, l)));
    add(name, std::move(values));
  }
  template <class B>
  void batch(const std::string& name, B& batch) {
    numbers(name, std::span(batch.data(), B::size), B::lanes);
  }

  /// All or nothing; throws FileError if the file cannot be written.
  void save(const std::filesystem::path& path) const { save_safetensors(path, file_); }

 private:
  void add(const std::string& name, std::vector<double> values) {
    const std::size_t size = values.size();
    file_.tensors.push_back({prefix_ + name, {size}, std::move(values)});
  }

  TensorFile<double> file_;
  std::string prefix_;
};

/// An archive that gives back; throws FileError for what is not there or does not fit.
class CheckpointReader {
 public:
  static constexpr bool reads = true;
  /// Throws FileError if the file is missing, damaged, or of another training.
  CheckpointReader(std::filesystem::path path, const std::string& training)
      : path_(std::move(path)), file_(load_safetensors<double>(path_)) {
    if (metadata("format") != detail::checkpoint_format)
      fail("has format '", metadata("format"), "', expected '", detail::checkpoint_format,
           "'; start the training again");
    if (!file_.checked) fail("has no checksum, expected one; start the training again");
    if (metadata("training") != training)
      fail("is of the training ", metadata("training"), ", expected ", training);
  }

  template <class Part>
  void part(const std::string& name, Part&& part) {
    const auto before = std::exchange(prefix_, prefix_ + name + ".");
    if constexpr (requires { part(*this); })
      part(*this);
    else
      part.transfer(*this);
    prefix_ = before;
  }
  void same(const std::string& name, const auto& value) {
    if (const auto found = metadata(prefix_ + name); found != text(value))
      fail("holds ", prefix_ + name, " = ", found, ", expected ", value);
  }
  void number(const std::string& name, double& x) {
    const double found = values(name, 1)[0];
    if (!(found >= 0 && std::isfinite(found)))
      fail("holds ", prefix_ + name, " = ", found, ", expected a finite number from zero");
    x = found;
  }
  void count(const std::string& name, std::size_t& n, std::size_t most = std::size_t{1} << 52) {
    const double found = values(name, 1)[0];
    if (!(found >= 0 && found <= static_cast<double>(most) && found == std::floor(found)))
      fail("holds ", prefix_ + name, " = ", found, ", expected a whole number from 0 to ", most);
    n = static_cast<std::size_t>(found);
  }
  void series(const std::string& name, std::vector<float>& x) {
    const auto& found = file_.at(prefix_ + name).values;
    x.clear();
    for (const double value : found) x.push_back(static_cast<float>(value));
  }
  template <class T>
  void numbers(const std::string& name, std::span<T> packs, std::size_t lanes) {
    const auto& found = values(name, packs.size() * lanes);
    for (std::size_t i = 0; i < packs.size(); ++i)
      for (std::size_t l = 0; l < lanes; ++l)
        lane_of(packs[i], l) = static_cast<real_t<T>>(found[i * lanes + l]);
  }
  template <class B>
  void batch(const std::string& name, B& batch) {
    numbers(name, std::span(batch.data(), B::size), B::lanes);
    batch.repeat_last_lane();
  }

 private:
  [[noreturn]] void fail(const auto&... what) const {
    throw FileError(text("Trainer::resume: ", path_.string(), " ", what...));
  }
  [[nodiscard]] std::string metadata(const std::string& name) const {
    const auto at = file_.metadata.find(name);
    return at == file_.metadata.end() ? std::string("nothing") : at->second;
  }
  [[nodiscard]] const std::vector<double>& values(const std::string& name,
                                                  std::size_t expected) const {
    const auto& found = file_.at(prefix_ + name).values;
    if (found.size() != expected)
      fail("has ", found.size(), " numbers in ", prefix_ + name, ", expected ", expected);
    return found;
  }

  std::filesystem::path path_;
  TensorFile<double> file_;
  std::string prefix_;
};

}  // namespace dan
