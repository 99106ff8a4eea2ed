// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/simd.hpp"
#include "dan/io/json.hpp"
#include "dan/io/safetensors.hpp"

/// \file
/// What must outlive a process goes through an archive. Everything tells its own state in one
/// function for both ways,
///     template <class Archive>
///     void transfer(Archive& archive) {
///       archive.number("mean", mean);
///     }
/// An archive knows
///   same(name, value)             a text, number or JSON object as text (its members in any order)
///                                 that must be the same when it is loaded,
///   count(name, n, most)          a whole number from zero to `most`,
///   number(name, x)               a double from zero,
///   series(name, x)               a vector of float of any length,
///   numbers(name, packs, lanes)   a span of generic scalars, of which the first `lanes` count,
///   batch(name, batch)            a Batch; its padding repeats the last lane,
///   require(name, right, what...) that what was read is right; else an error: it has `what`
///   part(name, p)                 a part with such a function, or a callable like it.
/// Format: safetensors of double with a checksum, whole numbers and texts in the metadata; names
/// are those of the parts, "groups.0.truth".

namespace dan {

namespace detail {
/// The names of what is in a part, and in its parts.
class ArchiveNames {
 public:
  template <class Archive, class Part>
  [[gnu::cold]] void within(const std::string& name, Archive& archive, Part&& part) {
    const auto before = std::exchange(prefix_, prefix_ + name + ".");
    if constexpr (requires { part(archive); })
      part(archive);
    else
      part.transfer(archive);
    prefix_ = before;
  }
  [[nodiscard]] std::string of(const std::string& name) const { return prefix_ + name; }

 private:
  std::string prefix_;
};
}  // namespace detail

/// An archive that collects.
class ArchiveWriter {
 public:
  static constexpr bool reads = false;

  [[gnu::cold]] void same(const std::string& name, const auto& value) {
    file_.metadata[names_.of(name)] = to_text(value);
  }
  [[gnu::cold]] void count(const std::string& name, std::size_t n, std::size_t = 0) {
    same(name, n);
  }
  [[gnu::cold]] void number(const std::string& name, double x) { add(name, {1}, {x}); }
  [[gnu::cold]] void series(const std::string& name, const std::vector<float>& x) {
    add(name, {x.size()}, {x.begin(), x.end()});
  }
  template <class T>
  [[gnu::cold]] void numbers(const std::string& name, std::span<T> packs, std::size_t lanes) {
    std::vector<double> values;
    values.reserve(packs.size() * lanes);
    for (const T& pack : packs)
      for (std::size_t l = 0; l < lanes; ++l)
        values.push_back(static_cast<double>(lane_of(pack, l)));
    add(name, {packs.size(), lanes}, std::move(values));
  }
  template <class B>
  [[gnu::cold]] void batch(const std::string& name, B& batch) {
    numbers(name, std::span(batch.data(), B::size), B::lanes);
  }
  void require(const std::string&, bool, const auto&...) const {}
  template <class Part>
  [[gnu::cold]] void part(const std::string& name, Part&& part) {
    names_.within(name, *this, part);
  }

  /// All or nothing; throws FileError if the file cannot be written.
  void save(const std::filesystem::path& path) const { save_safetensors(path, file_); }

 private:
  [[gnu::cold]] void add(const std::string& name, std::vector<std::size_t> shape,
                         std::vector<double> values) {
    file_.tensors.push_back({names_.of(name), std::move(shape), std::move(values)});
  }

  TensorFile<double> file_;
  detail::ArchiveNames names_;
};

/// An archive that gives back; throws FileError for what is not there or does not fit.
class ArchiveReader {
 public:
  static constexpr bool reads = true;

  /// `function` is named in errors, a literal, as `advice`, for a file of something else. Throws
  /// FileError if the file is missing, damaged or without a checksum.
  ArchiveReader(std::string_view function, std::filesystem::path path, std::string_view advice = "")
      : function_(function),
        advice_(advice),
        path_(std::move(path)),
        file_(load_safetensors<double>(path_)) {
    if (!file_.checked) fail("has no checksum, expected one of what this library writes");
  }

  [[gnu::cold]] void same(const std::string& name, const auto& value) {
    const std::string whole = names_.of(name), expected = to_text(value), found = metadata(whole);
    if (found == expected) return;
    const auto a = nlohmann::ordered_json::parse(found, nullptr, false);
    const auto b = nlohmann::ordered_json::parse(expected, nullptr, false);
    if (a.is_object() && b.is_object()) {
      const auto list = json_differences(a, b, whole);
      if (list.empty()) return;
      fail("holds ", list, advice_);
    }
    fail("holds ", whole, " = ", found, ", expected ", expected, advice_);
  }
  /// Whether there is a text, number or object of this name; of files that may lack it.
  [[nodiscard]] bool has(const std::string& name) const {
    return file_.metadata.contains(names_.of(name));
  }
  template <std::unsigned_integral Count>
  [[gnu::cold]] void count(const std::string& name, Count& n,
                           std::uint64_t most = std::uint64_t{1} << 62) {
    const std::string found = metadata(names_.of(name));
    const char* const end = found.data() + found.size();
    Count value = 0;
    const auto [stopped, error] = std::from_chars(found.data(), end, value);
    if (error != std::errc() || stopped != end || value > most)
      fail("holds ", names_.of(name), " = ", found, ", expected a whole number from 0 to ", most);
    n = value;
  }
  [[gnu::cold]] void number(const std::string& name, double& x) {
    const double found = values(name, {1})[0];
    if (!(found >= 0 && std::isfinite(found)))
      fail("holds ", names_.of(name), " = ", found, ", expected a finite number from zero");
    x = found;
  }
  [[gnu::cold]] void series(const std::string& name, std::vector<float>& x) {
    x.clear();
    for (const double value : array(name).values) x.push_back(static_cast<float>(value));
  }
  template <class T>
  [[gnu::cold]] void numbers(const std::string& name, std::span<T> packs, std::size_t lanes) {
    const auto& found = values(name, {packs.size(), lanes});
    for (std::size_t i = 0; i < packs.size(); ++i)
      for (std::size_t l = 0; l < lanes; ++l)
        lane_of(packs[i], l) = static_cast<real_t<T>>(found[i * lanes + l]);
  }
  template <class B>
  [[gnu::cold]] void batch(const std::string& name, B& batch) {
    numbers(name, std::span(batch.data(), B::size), B::lanes);
    batch.repeat_last_lane();
  }
  [[gnu::cold]] void require(const std::string& name, bool right, const auto&... what) const {
    if (!right) fail("has ", what..., " in ", names_.of(name));
  }
  template <class Part>
  [[gnu::cold]] void part(const std::string& name, Part&& part) {
    names_.within(name, *this, part);
  }
  /// Throws FileError if there is an array that nobody asked for.
  void finish() const {
    if (next_ < file_.tensors.size())
      fail("holds ", file_.tensors[next_].name, ", expected no more arrays");
  }

 private:
  [[noreturn, gnu::cold]] void fail(const auto&... what) const {
    throw FileError(to_text(function_, ": ", path_.string(), " ", what...));
  }
  [[nodiscard, gnu::cold]] std::string metadata(const std::string& name) const {
    const auto at = file_.metadata.find(name);
    return at == file_.metadata.end() ? std::string("nothing") : at->second;
  }
  /// The next array, which must have this name: they are read in the order of writing; of empty
  /// ones, which stand at one place of the file, in any.
  const NamedTensor<double>& array(const std::string& name) {
    auto& all = file_.tensors;
    for (std::size_t n = next_; n < all.size(); ++n) {
      if (all[n].name == names_.of(name)) {
        std::rotate(all.begin() + static_cast<std::ptrdiff_t>(next_),
                    all.begin() + static_cast<std::ptrdiff_t>(n),
                    all.begin() + static_cast<std::ptrdiff_t>(n + 1));
        return all[next_++];
      }
      if (!all[n].values.empty()) break;
    }
    fail("holds ", next_ == all.size() ? "no array" : all[next_].name, ", expected ",
         names_.of(name));
  }
  const std::vector<double>& values(const std::string& name,
                                    const std::vector<std::size_t>& shape) {
    const auto& found = array(name);
    if (found.shape != shape)
      fail("holds ", found.values.size(), " numbers in ", found.name, ", expected ", shape.front(),
           shape.size() > 1 ? to_text(" x ", shape.back()) : "");
    return found.values;
  }

  std::string_view function_, advice_;
  std::filesystem::path path_;
  TensorFile<double> file_;
  detail::ArchiveNames names_;
  std::size_t next_ = 0;  ///< the next array to be read
};

}  // namespace dan
