// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <charconv>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "dan/concepts.hpp"
#include "dan/core/error.hpp"
#include "dan/core/simd.hpp"
#include "dan/io/safetensors.hpp"

/// \file
/// An operational run stops today and goes on tomorrow:
///     save_carried(method, carried, cycle, "state.safetensors");
///     auto [carried, cycle] = load_carried(method, "state.safetensors");
///
/// An analysis tells what of its `Carried` must outlive a process by one function for both ways,
///     template <class Archive>
///     void transfer(Carried& carried, Archive& archive) const {
///       archive.batch("ensemble", carried.ensemble);
///     }
/// and its name by `static constexpr std::string_view method`. An archive knows
///   same(name, value)             a text or number that must be the same when it is loaded,
///   count(name, n, most)          a whole number from zero to `most`,
///   numbers(name, packs, lanes)   a span of generic scalars, of which the first `lanes` count,
///   batch(name, batch)            a Batch; its padding repeats the last lane.

namespace dan {

/// An archive that collects; see save_carried.
class CarriedWriter {
 public:
  void same(const std::string& name, const auto& value) { file_.metadata[name] = text(value); }
  void count(const std::string& name, std::size_t n, std::size_t) { same(name, n); }
  template <class T>
  void numbers(const std::string& name, std::span<T> packs, std::size_t lanes) {
    std::vector<double> values;
    for (const T& pack : packs)
      for (std::size_t l = 0; l < lanes; ++l)
        values.push_back(static_cast<double>(lane_of(pack, l)));
    file_.tensors.push_back({name, {packs.size(), lanes}, std::move(values)});
  }
  template <class B>
  void batch(const std::string& name, B& batch) {
    numbers(name, std::span(batch.data(), B::size), B::lanes);
  }
  /// All that was written, as a file of double.
  [[nodiscard]] const TensorFile<double>& file() const { return file_; }

 private:
  TensorFile<double> file_;
};

/// An archive that gives back, in the order in which it was written; throws FileError for what is
/// not there or does not fit; see load_carried.
class CarriedReader {
 public:
  explicit CarriedReader(std::filesystem::path path)
      : path_(std::move(path)), file_(load_safetensors<double>(path_)) {
    if (!file_.checked) fail("has no checksum, expected one; write it with save_carried");
  }

  void same(const std::string& name, const auto& value) {
    if (const std::string expected = text(value), found = metadata(name); found != expected)
      fail("holds ", name, " = ", found, ", expected ", expected);
  }
  void count(const std::string& name, std::size_t& n, std::size_t most) {
    const std::string found = metadata(name);
    const char* const end = found.data() + found.size();
    const auto [stopped, error] = std::from_chars(found.data(), end, n);
    if (error != std::errc() || stopped != end || n > most)
      fail("holds ", name, " = ", found, ", expected a whole number from 0 to ", most);
  }
  template <class T>
  void numbers(const std::string& name, std::span<T> packs, std::size_t lanes) {
    if (next_ == file_.tensors.size() || file_.tensors[next_].name != name)
      fail("holds ", next_ == file_.tensors.size() ? "no array" : file_.tensors[next_].name,
           ", expected ", name);
    const auto& [found, shape, values] = file_.tensors[next_++];
    if (shape != std::vector{packs.size(), lanes})
      fail("holds ", values.size(), " numbers in ", name, ", expected ", packs.size(), " x ",
           lanes);
    for (std::size_t i = 0; i < packs.size(); ++i)
      for (std::size_t l = 0; l < lanes; ++l)
        lane_of(packs[i], l) = static_cast<real_t<T>>(values[i * lanes + l]);
  }
  template <class B>
  void batch(const std::string& name, B& batch) {
    numbers(name, std::span(batch.data(), B::size), B::lanes);
    batch.repeat_last_lane();
  }
  /// Throws FileError if there is something that nobody asked for.
  void finish() const {
    if (next_ < file_.tensors.size())
      fail("holds ", file_.tensors[next_].name, ", expected no more arrays");
  }

 private:
  [[noreturn]] void fail(const auto&... what) const {
    throw FileError(text("load_carried: ", path_.string(), " ", what...));
  }
  [[nodiscard]] std::string metadata(const std::string& name) const {
    const auto at = file_.metadata.find(name);
    return at == file_.metadata.end() ? std::string("nothing") : at->second;
  }

  std::filesystem::path path_;
  TensorFile<double> file_;
  std::size_t next_ = 0;  ///< the next array to be read
};

/// An analysis whose `Carried` can be saved.
template <class A>
concept Resumable = Analysis<A> && requires(const A analysis, typename A::Carried& carried,
                                            CarriedWriter& writer, CarriedReader& reader) {
  { A::method } -> std::convertible_to<std::string_view>;
  analysis.transfer(carried, writer);
  analysis.transfer(carried, reader);
};

namespace detail {
inline constexpr std::string_view carried_format = "dan carried 1";

/// What a carried state must be of, and after which cycle.
template <class Method, class Archive>
void transfer_identity(Archive& archive, std::size_t& cycle) {
  archive.same("format", carried_format);
  archive.same("method", Method::method);
  std::string members;
  if constexpr (requires { Method::members; }) members = text(", members ", Method::members);
  archive.same("sizes", text("points ", Method::points, ", channels ", Method::channels, ", slots ",
                             Method::slots, ", runs ", Method::runs, members, ", ",
                             8 * sizeof(typename Method::Real), "-bit numbers"));
  archive.count("cycle", cycle, std::size_t{1} << 62);
}
}  // namespace detail

/// Writes what `analysis` carries after `cycle` cycles, at any moment between two of its calls; all
/// or nothing.
///
/// Format: safetensors with a checksum, double, only valid lanes, so that the SIMD width does not
/// matter. Left out: work space, and what only reports (iterations; the spread and covariances that
/// a network or an EnSRF keeps of its last analysis).
/// Throws FileError if the file cannot be written. Cost: a copy of what is carried.
template <Resumable Method>
void save_carried(const Method& analysis, const typename Method::Carried& carried,
                  std::size_t cycle, const std::filesystem::path& path) {
  CarriedWriter writer;
  detail::transfer_identity<Method>(writer, cycle);
  // A writer changes nothing; one function serves both ways.
  analysis.transfer(const_cast<typename Method::Carried&>(carried), writer);
  save_safetensors(path, writer.file());
}

/// What load_carried returns.
template <class Method>
struct Resumed {
  typename Method::Carried carried;
  std::size_t cycle;  ///< those done before it was saved; belongs into the keys of the next ones
};

/// Reads what the same method carried; the cycles after it have the same bits as without the break.
///
/// The parameters of the method (inflation, iterations, …) may be others than when it was saved,
/// but not what decides what is carried: sizes, members, lag, shift; and for a network with memory
/// its weights. Throws FileError, naming what was found and expected, if the file is missing,
/// damaged, without a checksum, or of another method.
template <Resumable Method>
[[nodiscard]] Resumed<Method> load_carried(const Method& analysis,
                                           const std::filesystem::path& path) {
  CarriedReader reader(path);
  std::size_t cycle = 0;
  detail::transfer_identity<Method>(reader, cycle);
  const typename Method::FirstGuessBatch nothing;
  Resumed<Method> out{analysis.start(nothing, 1, {}), cycle};
  analysis.transfer(out.carried, reader);
  reader.finish();
  return out;
}

}  // namespace dan
