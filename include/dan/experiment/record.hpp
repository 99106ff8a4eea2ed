// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "dan/concepts.hpp"
#include "dan/problem/truth.hpp"

/// \file
/// What is measured in a twin experiment is measured by recorders, the library's own scores too.
///
/// A diagnostic of one's own is a struct, given to `run_twin` after the configuration:
///     struct MeanInnovation : EmptyRecorder {
///       double sum = 0;
///       void after_forecast(const auto& view) {
///         for (std::size_t l = 0; l < view.runs; ++l)
///           if (view.going(l)) sum += view.observed.values.at(0, l) - view.estimate.at(0, l);
///       }
///       void merge(const MeanInnovation& next) { sum += next.sum; }
///     } innovation;
///     run_twin(problem, method, config, innovation);

namespace dan {

/// An analysis that says how large it believes its error to be, a number for each run; NaN where it
/// does not know.
template <class A>
concept HasSpread = Analysis<A> &&
    requires(const A analysis, const typename A::Carried& carried, std::span<double> to) {
  analysis.spread(carried, to);
};

/// An analysis that says how large it believes the error of each element to be: one variance per
/// element of the state of one run.
template <class A>
concept HasVariances = Analysis<A> && requires(const A analysis, const typename A::Carried& carried,
                                               std::size_t run, std::span<double> to) {
  analysis.variances(carried, run, to);
};

/// An analysis that carries an ensemble and shows its members, those of one run one by one.
template <class A>
concept HasMembers = Analysis<A> &&
    requires(const A analysis, const typename A::Carried& carried, std::size_t run,
             std::size_t member, std::span<double> to) {
  { A::members } -> std::convertible_to<std::size_t>;
  analysis.member(carried, run, member, to);
};

/// An analysis that says which share of the state is at its bounds, a number for each run.
template <class A>
concept HasBounds = Analysis<A> &&
    requires(const A analysis, const typename A::Carried& carried, std::span<double> to) {
  analysis.at_bounds(carried, to);
};

/// An analysis that says whether its last one was a fallback: 1, else 0, for each run.
template <class A>
concept HasWayBack = Analysis<A> &&
    requires(const A analysis, const typename A::Carried& carried, std::span<double> to) {
  analysis.went_back(carried, to);
};

/// An analysis that says which share of its members failed in the last forecast and was replaced, a
/// number for each run.
template <class A>
concept HasReplaced = Analysis<A> &&
    requires(const A analysis, const typename A::Carried& carried, std::span<double> to) {
  analysis.replaced(carried, to);
};

/// An analysis that estimates an earlier state as well; returns of how many cycles ago.
template <class A>
concept Smoother = Analysis<A> &&
    requires(const A analysis, const typename A::Carried& carried, typename A::Estimate& to) {
  { analysis.smoothed(carried, to) } -> std::convertible_to<std::size_t>;
};

/// A group of runs that are computed side by side, a lane each: lane l is run first + l.
template <class Problem, class Method>
struct TwinGroup {
  const Method& method;
  const TwinTruth<Problem, Method::runs>& twin;  ///< the truth; cycle 0 is before the first
  std::size_t first, runs;                       ///< runs: lanes in use
  std::size_t cycles, burn_in;                   ///< of each run
  const std::vector<std::string>& failures;      ///< of each run, empty while it goes on
  std::span<const double> weights;               ///< of the norm, one per element of the state

  [[nodiscard]] bool going(std::size_t lane) const { return failures[lane].empty(); }
  /// Whether this cycle is after the burn-in.
  [[nodiscard]] bool scored() const { return twin.cycle() > burn_in; }
};

/// A group in one cycle, after the forecast or after the analysis.
template <class Problem, class Method>
struct TwinView : TwinGroup<Problem, Method> {
  const typename Method::Carried& carried;
  const typename Method::Observed& observed;     ///< in this cycle, as the method sees it
  const typename Method::Estimate& estimate;     ///< finite in the runs that go on
  const std::array<double, Method::runs>& rmse;  ///< of the estimate, in the runs that go on
};

/// Measures something in a twin experiment.
///
/// `run_twin` copies a recorder for every group of runs: `begin(group)` before the first cycle,
/// `after_forecast(view)` and `after_analysis(view)` in every cycle in which a run of the group
/// goes on; in the end it calls `merge(copy)` on the original for the copies, in the order of the
/// runs, so that the number of threads changes no bit. The copies of different groups are used at
/// the same time: they must not share what they write to. An experiment that is dealt out among
/// processes also asks for `transfer(archive)` of what the copies found, see io/archive.hpp.
template <class R, class Problem, class Method>
concept Recorder = std::copy_constructible<R> &&
    requires(R recorder, const R other, const TwinGroup<Problem, Method>& group,
             const TwinView<Problem, Method>& view) {
  recorder.begin(group);
  recorder.after_forecast(view);
  recorder.after_analysis(view);
  recorder.merge(other);
};

namespace detail {
/// A compiler says what a recorder lacks.
template <class R, class Problem, class Method>
constexpr void require_recorder() {
  static_assert(Recorder<R, Problem, Method>,
                "run_twin: a recorder needs begin(group), after_forecast(view), "
                "after_analysis(view) and merge(other); derive it from EmptyRecorder and write "
                "what it needs, merge at least");
}
}  // namespace detail

/// Records nothing; a base from which a recorder takes the steps that it does not need.
struct EmptyRecorder {
  void begin(const auto&) {}
  void after_forecast(const auto&) {}
  void after_analysis(const auto&) {}
};

/// Several recorders as one; R may be references.
template <class... R>
struct Recorders {
  std::tuple<R...> all;

  void begin(const auto& group) {
    each([&](auto& one) { one.begin(group); });
  }
  void after_forecast(const auto& view) {
    each([&](auto& one) { one.after_forecast(view); });
  }
  void after_analysis(const auto& view) {
    each([&](auto& one) { one.after_analysis(view); });
  }
  template <class Archive>
  void transfer(Archive& archive) {
    each([&](auto& one) { one.transfer(archive); });
  }
  /// What copies of them found.
  template <class... Same>
  void merge(const Recorders<Same...>& next) {
    const auto merge_each = [&](const auto&... other) {
      std::apply([&](auto&... one) { (one.merge(other), ...); }, all);
    };
    std::apply(merge_each, next.all);
  }

 private:
  template <class Use>
  void each(const Use& use) {
    std::apply([&](auto&... one) { (use(one), ...); }, all);
  }
};

/// A list of any length goes through an archive, `use(element)` for each of its elements.
template <class Element, class Archive, class Use>
void transfer_list(std::vector<Element>& list, Archive& archive, const Use& use) {
  std::size_t count = list.size();
  archive.count("count", count);
  list.resize(count);
  for (auto& element : list) use(element);
}
/// So do rows of any length,
template <class Archive>
void transfer_rows(std::vector<std::vector<double>>& rows, Archive& archive) {
  transfer_list(rows, archive, [&](auto& row) {
    transfer_list(row, archive, [&](double& number) { archive.number("number", number); });
  });
}
/// and a matrix of any shape.
template <class Matrix, class Archive>
void transfer_matrix(Matrix& matrix, Archive& archive) {
  std::array<std::size_t, 2> shape{matrix.shape()[0], matrix.shape()[1]};
  archive.count("rows", shape[0]), archive.count("columns", shape[1]);
  matrix.resize(shape);
  archive.numbers("numbers", std::span(matrix.data(), matrix.size()), 1);
}

/// Numbers of each run, one per cycle while it goes on.
struct RunSeries {
  std::vector<std::vector<double>> runs{};

  /// One number more for every run of the group that goes on.
  void add(const auto& group, std::span<const double> values) {
    for (std::size_t l = 0; l < group.runs; ++l)
      if (group.going(l)) runs[l].push_back(values[l]);
  }
  template <class Archive>
  void transfer(Archive& archive) {
    transfer_rows(runs, archive);
  }
  /// Adds the runs that follow.
  void append(const RunSeries& next) {
    for (const auto& run : next.runs) runs.push_back(run);
  }
  /// The mean of all numbers after each run's first `burn_in` that are known, no NaN; NaN if none
  /// is.
  [[nodiscard]] double mean_known(std::size_t burn_in) const {
    double sum = 0, count = 0;
    for (const auto& run : after(burn_in))
      for (const double x : run)
        if (!std::isnan(x)) sum += x, ++count;
    return count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN();
  }
  /// Each run without its first `burn_in` numbers; those that have no more are left out.
  [[nodiscard]] std::vector<std::span<const double>> after(std::size_t burn_in) const {
    std::vector<std::span<const double>> out;
    for (const auto& run : runs)
      if (run.size() > burn_in) out.push_back(std::span(run).subspan(burn_in));
    return out;
  }
};

}  // namespace dan
