// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <deque>
#include <span>
#include <type_traits>
#include <vector>

#include "dan/experiment/record.hpp"
#include "dan/experiment/score.hpp"

/// \file
/// Recorders of numbers of each run, cycle by cycle.

namespace dan {

/// The error of forecasts and analyses, in the norm, in every cycle, burn-in included. Memory: two
/// numbers each.
struct ErrorRecorder {
  RunSeries forecast{}, analysis{};

  void begin(const auto& group) {
    forecast.runs.resize(group.runs);
    analysis.runs.resize(group.runs);
  }
  void after_forecast(const auto& view) { forecast.add(view, view.rmse); }
  void after_analysis(const auto& view) { analysis.add(view, view.rmse); }
  template <class Archive>
  void transfer(Archive& archive) {
    forecast.transfer(archive), analysis.transfer(archive);
  }
  void merge(const ErrorRecorder& next) {
    forecast.append(next.forecast);
    analysis.append(next.analysis);
  }
};

/// A number of each run after every analysis that the method itself tells, if it is one that does:
/// `Reading::known<Method>`, `Reading::read(method, carried, span)`.
template <class Reading>
struct ReadingRecorder : EmptyRecorder {
  RunSeries series{};

  void begin(const auto& group) { series.runs.resize(group.runs); }
  void after_analysis(const auto& view) {
    using Method = std::decay_t<decltype(view.method)>;
    if constexpr (Reading::template known<Method>) {
      std::array<double, Method::runs> values;
      Reading::read(view.method, view.carried, values);
      series.add(view, values);
    }
  }
  template <class Archive>
  void transfer(Archive& archive) {
    series.transfer(archive);
  }
  void merge(const ReadingRecorder& next) { series.append(next.series); }
};

/// The method's own spread.
struct SpreadReading {
  template <class Method>
  static constexpr bool known = HasSpread<Method>;
  static void read(const auto& method, const auto& carried, std::span<double> to) {
    method.spread(carried, to);
  }
};
using SpreadRecorder = ReadingRecorder<SpreadReading>;

/// The share of the state at the method's bounds.
struct BoundsReading {
  template <class Method>
  static constexpr bool known = HasBounds<Method>;
  static void read(const auto& method, const auto& carried, std::span<double> to) {
    method.at_bounds(carried, to);
  }
};
using BoundsRecorder = ReadingRecorder<BoundsReading>;

/// Whether the analysis was a fallback.
struct WayBackReading {
  template <class Method>
  static constexpr bool known = HasWayBack<Method>;
  static void read(const auto& method, const auto& carried, std::span<double> to) {
    method.went_back(carried, to);
  }
};
using WayBackRecorder = ReadingRecorder<WayBackReading>;

/// The share of the members that failed and were replaced.
struct ReplacedReading {
  template <class Method>
  static constexpr bool known = HasReplaced<Method>;
  static void read(const auto& method, const auto& carried, std::span<double> to) {
    method.replaced(carried, to);
  }
};
using ReplacedRecorder = ReadingRecorder<ReplacedReading>;

/// The RMSE of a Smoother's oldest estimate, against the truth of its time, in the scored cycles
/// in which its window is full. Memory: truths of the group for the length of the window.
///
/// `Truth`: that of the group, TwinTruth::Truth.
template <class Truth>
struct SmootherRecorder : EmptyRecorder {
  RunSeries series{};

  void begin(const auto& group) {
    series.runs.resize(group.runs);
    truths_ = {group.twin.truth()};
  }
  void after_analysis(const auto& view) {
    using Method = std::decay_t<decltype(view.method)>;
    if constexpr (Smoother<Method>) {
      truths_.push_back(view.twin.truth());
      typename Method::Estimate estimate;
      const std::size_t lag = view.method.smoothed(view.carried, estimate);
      if (lag >= longest_ && view.scored()) {
        std::array<double, Method::runs> errors{};
        for (std::size_t l = 0; l < view.runs; ++l)
          errors[l] = rmse(estimate, truths_[truths_.size() - 1 - lag], l, view.weights);
        series.add(view, errors);
      }
      longest_ = std::max(longest_, lag);
      while (truths_.size() > longest_ + 1) truths_.pop_front();
    }
  }
  template <class Archive>
  void transfer(Archive& archive) {
    series.transfer(archive);
  }
  void merge(const SmootherRecorder& next) { series.append(next.series); }

 private:
  std::deque<Truth> truths_{};  ///< the newest last
  std::size_t longest_ = 0;     ///< lag so far
};

}  // namespace dan
