// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <deque>
#include <type_traits>

#include "dan/experiment/record.hpp"
#include "dan/experiment/score.hpp"

/// \file
/// Recorders of numbers of each run, cycle by cycle.

namespace dan {

/// Each run in every cycle, burn-in included: its error in the norm, and what the method itself
/// tells after the analysis, if it does. Memory: up to six numbers each.
struct SeriesRecorder {
  RunSeries forecast{}, analysis{};  ///< error
  RunSeries spread{};                ///< how large the method believes its error to be
  RunSeries at_bounds{};             ///< share of the state at the method's bounds
  RunSeries went_back{};             ///< whether the analysis was a fallback
  RunSeries replaced{};              ///< share of the members that failed and were replaced

  void begin(const auto& group) {
    for (const auto one : all()) (this->*one).runs.resize(group.runs);
  }
  void after_forecast(const auto& view) { forecast.add(view, view.rmse); }
  void after_analysis(const auto& view) {
    using Method = std::decay_t<decltype(view.method)>;
    analysis.add(view, view.rmse);
    [[maybe_unused]] std::array<double, Method::runs> told;
    if constexpr (HasSpread<Method>) view.method.spread(view.carried, told), spread.add(view, told);
    if constexpr (HasBounds<Method>)
      view.method.at_bounds(view.carried, told), at_bounds.add(view, told);
    if constexpr (HasWayBack<Method>)
      view.method.went_back(view.carried, told), went_back.add(view, told);
    if constexpr (HasReplaced<Method>)
      view.method.replaced(view.carried, told), replaced.add(view, told);
  }
  template <class Archive>
  void transfer(Archive& archive) {
    for (const auto one : all()) (this->*one).transfer(archive);
  }
  void merge(const SeriesRecorder& next) {
    for (const auto one : all()) (this->*one).append(next.*one);
  }

 private:
  static constexpr std::array<RunSeries SeriesRecorder::*, 6> all() {
    using S = SeriesRecorder;
    return {&S::forecast, &S::analysis, &S::spread, &S::at_bounds, &S::went_back, &S::replaced};
  }
};

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
    truths_.push_back(view.twin.truth());
    typename Method::Estimate estimate;
    const std::size_t lag = view.method.smoothed(view.carried, estimate);
    if (lag == longest_ && view.scored()) {  // else the window grows, or has moved by its shift
      std::array<double, Method::runs> errors{};
      for (std::size_t l = 0; l < view.runs; ++l)
        errors[l] = rmse(estimate, truths_[truths_.size() - 1 - lag], l, view.weights);
      series.add(view, errors);
    }
    longest_ = std::max(longest_, lag);
    while (truths_.size() > longest_ + 1) truths_.pop_front();
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

/// Of a method that is no Smoother: nothing.
struct NoSmootherRecorder : EmptyRecorder {
  RunSeries series{};

  void transfer(auto&) {}
  void merge(const NoSmootherRecorder&) {}
};

}  // namespace dan
