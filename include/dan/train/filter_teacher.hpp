// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>
#include <limits>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/random.hpp"
#include "dan/core/simd.hpp"
#include "dan/problem/problem.hpp"

namespace dan {

/// A filter of one run, `Runs` times: an analysis of several runs side by side.
///
/// A run in which the filter throws NumericalError is lost: its estimate is NaN until `start_lane`.
/// Cost and memory: `Runs` times those of the filter.
template <class Filter, class Real_, std::size_t Runs>
class LaneByLane : public AnalysisTypes<typename Filter::Problem, Real_, Runs> {
 public:
  using Problem = typename Filter::Problem;
  using Types = AnalysisTypes<Problem, Real_, Runs>;
  using typename Types::Estimate, typename Types::FirstGuessBatch, typename Types::Observed;
  using Types::channels, Types::size, Types::slots;
  using T = lanes_t<Real_, Runs>;
  static constexpr std::string_view method = Filter::method;
  static_assert(Filter::runs == 1, "LaneByLane: the filter must be one of a single run");

  struct Carried {
    std::vector<typename Filter::Carried> runs;
    std::array<bool, Runs> lost{};
  };

  explicit LaneByLane(Filter filter) : filter_(std::move(filter)) {}

  /// As the filter's, for every lane; keyed by `key` and the lane.
  [[nodiscard]] Carried start(const FirstGuessBatch& guess, double deviation,
                              const RandomKey& key) const {
    Carried carried;
    typename Filter::FirstGuessBatch one;
    for (std::size_t l = 0; l < Runs; ++l) {
      for (std::size_t i = 0; i < size; ++i) one.at(i, 0) = guess.at(i, l);
      one.repeat_last_lane();
      carried.runs.push_back(filter_.start(one, deviation, key.of_lane(l)));
    }
    return carried;
  }
  /// The same for one lane, all others untouched.
  void start_lane(Carried& carried, std::size_t lane, std::span<const double, size> guess,
                  double deviation, const RandomKey& key) const {
    typename Filter::FirstGuessBatch one;
    for (std::size_t i = 0; i < size; ++i) one.at(i, 0) = guess[i];
    one.repeat_last_lane();
    carried.runs[lane] = filter_.start(one, deviation, key);
    carried.lost[lane] = false;
  }

  void forecast(Carried& carried) const {
    for (std::size_t l = 0; l < Runs; ++l) try {
        if (!carried.lost[l]) filter_.forecast(carried.runs[l]);
      } catch (const NumericalError&) {
        carried.lost[l] = true;
      }
  }

  void analyse(Carried& carried, const Observed& observed, const RandomKey& key) const {
    typename Filter::Observed one;
    for (std::size_t l = 0; l < Runs; ++l) {
      if (carried.lost[l]) continue;
      for (std::size_t j = 0; j < slots; ++j) {
        one.values.at(j, 0) = static_cast<double>(observed.values.at(j, l));
        one.precision.at(j, 0) = static_cast<double>(observed.precision.at(j, l));
      }
      if constexpr (requires { one.places; }) one.places = observed.places.of_lane(l);
      one.values.repeat_last_lane();
      one.precision.repeat_last_lane();
      try {
        filter_.analyse(carried.runs[l], one, key.of_lane(l));
      } catch (const NumericalError&) {
        carried.lost[l] = true;
      }
    }
  }

  void estimate(const Carried& carried, Estimate& to) const {
    typename Filter::Estimate one;
    for (std::size_t l = 0; l < Runs; ++l) {
      filter_.estimate(carried.runs[l], one);
      for (std::size_t i = 0; i < size; ++i)
        to.at(i, l) = carried.lost[l] ? std::numeric_limits<double>::quiet_NaN() : one.at(i, 0);
    }
    to.repeat_last_lane();
  }

  /// As `Ensrf::covariances`, but of the ensemble as it is after inflation and rotation.
  template <class Geometry, std::size_t Width>
  void covariances(const Carried& carried, T* to) const requires
      requires(typename Filter::Carried one) {
    one.ensemble.at(0, Filter::members);
  }
  {
    constexpr std::size_t members = Filter::members;
    std::vector<double> x(size * members);
    for (std::size_t l = 0; l < Runs; ++l) {
      for (std::size_t i = 0; i < size; ++i) {
        double mean = 0;
        for (std::size_t m = 0; m < members; ++m)
          mean += carried.runs[l].ensemble.at(i, m) / members;
        for (std::size_t m = 0; m < members; ++m)
          x[i * members + m] = carried.runs[l].ensemble.at(i, m) - mean;
      }
      T* out = to;
      for (std::size_t i = 0; i < size; ++i)
        for (std::size_t j = 0; j < Geometry::taps(Width); ++j)
          for (std::size_t c = 0; c < channels; ++c, ++out) {
            const std::size_t k = Geometry::tap(i / channels, j, Width) * channels + c;
            double sum = 0;
            for (std::size_t m = 0; m < members; ++m)
              sum += x[i * members + m] * x[k * members + m];
            lane_of(*out, l) = static_cast<Real_>(sum / (members - 1));
          }
    }
  }

  /// What of it outlives a process, see io/archive.hpp.
  template <class Archive>
  void transfer(Carried& carried, Archive& archive) const {
    for (std::size_t l = 0; l < Runs; ++l)
      archive.part(to_text(l), [&](auto& part) {
        std::size_t lost = carried.lost[l] ? 1 : 0;
        part.count("lost", lost, 1);
        carried.lost[l] = lost == 1;
        filter_.transfer(carried.runs[l], part);
      });
  }

 private:
  Filter filter_;
};

/// Any filter of the library of one run, such as a Letkf: one for each lane. Usage:
///     Trainer<Problem, Network, 16, FilterTeacher<Letkf<Problem, 20>>> trainer(
///         problem, network, config, {Letkf<Problem, 20>(problem, {.radius = 6})});
/// It is a filter of one problem: a training of several throws ConfigError.
template <class Filter>
struct FilterTeacher {
  static constexpr bool of_one_problem = true;
  Filter one;

  template <class Real, std::size_t Lanes, class Problem>
  [[nodiscard]] auto filter(const Problem&) const {
    return LaneByLane<Filter, Real, Lanes>(one);
  }
};

}  // namespace dan
