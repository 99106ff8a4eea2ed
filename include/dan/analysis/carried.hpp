// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <concepts>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "dan/concepts.hpp"
#include "dan/core/error.hpp"
#include "dan/io/archive.hpp"

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
/// and its name by `static constexpr std::string_view method`; see io/archive.hpp.

namespace dan {

/// An analysis whose `Carried` can be saved.
template <class A>
concept Resumable = Analysis<A> && requires(const A analysis, typename A::Carried& carried,
                                            ArchiveWriter& writer, ArchiveReader& reader) {
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
  if constexpr (requires { Method::members; }) members = to_text(", members ", Method::members);
  archive.same("sizes", to_text("points ", Method::points, ", channels ", Method::channels,
                                ", slots ", Method::slots, ", runs ", Method::runs, members, ", ",
                                8 * sizeof(typename Method::Real), "-bit numbers"));
  archive.count("cycle", cycle, std::size_t{1} << 62);
}

/// fail(run, element, number) if the estimate of a run is not finite.
template <class Method, class Fail>
void require_finite_estimate(const Method& analysis, const typename Method::Carried& carried,
                             const Fail& fail) {
  typename Method::Estimate estimate;
  analysis.estimate(carried, estimate);
  for (std::size_t l = 0; l < Method::runs; ++l)
    for (std::size_t i = 0; i < Method::points * Method::channels; ++i)
      if (!std::isfinite(estimate.at(i, l))) fail(l, i, estimate.at(i, l));
}
}  // namespace detail

/// Writes what `analysis` carries after `cycle` cycles, at any moment between two of its calls; all
/// or nothing.
///
/// Format: safetensors with a checksum, double, only valid lanes, so that the SIMD width does not
/// matter. Left out: work space, and what only reports (iterations; the spread and covariances that
/// a network or an EnSRF keeps of its last analysis).
/// Throws NumericalError if the estimate of a run is not finite, since nothing could go on from it,
/// and FileError if the file cannot be written; the file is then as it was. Cost: a copy of what is
/// carried.
template <Resumable Method>
void save_carried(const Method& analysis, const typename Method::Carried& carried,
                  std::size_t cycle, const std::filesystem::path& path) {
  detail::require_finite_estimate(
      analysis, carried, [&](std::size_t run, std::size_t element, double value) {
        throw NumericalError(to_text(
            "save_carried: element ", element, " of the estimate of run ", run, " is ", value,
            ", expected a number: the analysis has diverged, go on from what was saved before; ",
            path.string(), " is as it was"));
      });
  ArchiveWriter writer;
  detail::transfer_identity<Method>(writer, cycle);
  // A writer changes nothing; one function serves both ways.
  analysis.transfer(const_cast<typename Method::Carried&>(carried), writer);
  writer.save(path);
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
/// damaged, without a checksum, of another method, or its estimate is not finite.
template <Resumable Method>
[[nodiscard]] Resumed<Method> load_carried(const Method& analysis,
                                           const std::filesystem::path& path) {
  ArchiveReader reader("load_carried", path);
  std::size_t cycle = 0;
  detail::transfer_identity<Method>(reader, cycle);
  const typename Method::FirstGuessBatch nothing;
  Resumed<Method> out{analysis.start(nothing, 1, {}), cycle};
  analysis.transfer(out.carried, reader);
  reader.finish();
  detail::require_finite_estimate(
      analysis, out.carried, [&](std::size_t run, std::size_t element, double value) {
        throw FileError(to_text("load_carried: ", path.string(), " holds ", value, " in element ",
                                element, " of the estimate of run ", run, ", expected a number"));
      });
  return out;
}

}  // namespace dan
