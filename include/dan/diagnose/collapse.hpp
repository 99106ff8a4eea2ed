// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

#include "dan/core/memory.hpp"
#include "dan/diagnose/increment.hpp"
#include "dan/experiment/record.hpp"

namespace dan {

/// Whether the members of a learned analysis of N ≥ 2 states do the same ("feature collapse"): in
/// the problem's norm, means over runs, scored cycles and members, x_i the forecasts, a_i the
/// increments, x̄ and ā their means, a(E) the mean increment of an ensemble E:
///   correlation  ⟨a_i, a_j⟩ / ⟨a_i, a_i⟩, i ≠ j: 1 if all get the same,
///   scatter      ⟨a_i − ā, a_i − ā⟩ / ⟨ā, ā⟩: 0 if all get the same,
///   spread       √⟨x_i − x̄, x_i − x̄⟩: 0 if they are one state, N times,
///   used         √(⟨a(E) − a(x̄1ᵀ), a(E) − a(x̄1ᵀ)⟩ / ⟨ā, ā⟩): 0 if the mean makes nothing of what
///                they differ in.
///
///     CollapseRecorder collapse;
///     run_twin(problem, method, config, collapse);
///     const double share = collapse.used();
///
/// Runs on the way back do not count. Not a number without a scored cycle. Cost: one pass of the
/// network per scored cycle. Source: the talk of Bocquet et al. speaks of feature collapse; what is
/// measured is ours.
class CollapseRecorder : public EmptyRecorder {
 public:
  void after_analysis(const auto& view) {
    using Method = std::decay_t<decltype(view.method)>;
    static_assert(LearnedMethod<Method>, "CollapseRecorder: the method must be a Learned analysis");
    static_assert(Method::members > 1,
                  "CollapseRecorder: the network must have members, NetworkShape::members > 1");
    using T = typename Method::T;
    if (!view.scored()) return;
    const LearnedIncrement increment(view.method);
    constexpr std::size_t size = decltype(increment)::size, inputs = decltype(increment)::inputs;
    const T* const forecasts = view.carried.cache->network_in.data();
    Scratch<T> in(inputs, Unset{}), out(size, Unset{});
    std::copy_n(forecasts, inputs, in.data());
    Method::Cycle::mean_of_members(forecasts, in.data());
    for (std::size_t m = 1; m < Method::members; ++m)
      std::copy_n(in.data(), size, in.data() + m * size);
    increment(in.data(), out.data());
    std::vector<double> x(Method::members * size), a(x.size()), alone(size);
    for (std::size_t l = 0; l < view.runs; ++l) {
      if (!view.going(l) || view.carried.way_back.variance[l] > 0 || view.carried.silent[l])
        continue;
      for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = static_cast<double>(lane_of(forecasts[i], l));
        a[i] = static_cast<double>(view.carried.values.at(i, l)) - x[i];
      }
      for (std::size_t i = 0; i < size; ++i) alone[i] = static_cast<double>(lane_of(out[i], l));
      add(x, a, alone, view.weights);
    }
  }
  /// One ensemble more. x_i and a_i: N × size numbers; alone: a(x̄1ᵀ), and weights: size numbers.
  void add(std::span<const double> x, std::span<const double> a, std::span<const double> alone,
           std::span<const double> weights) {
    const std::size_t size = alone.size(), members = x.size() / size;
    const auto n = static_cast<double>(members);
    for (std::size_t i = 0; i < size; ++i) {
      const double w = weights[i] / static_cast<double>(size);
      double x_sum = 0, a_sum = 0;
      for (std::size_t m = 0; m < members; ++m) x_sum += x[m * size + i], a_sum += a[m * size + i];
      const double mean = a_sum / n;
      mean_ += w * mean * mean;
      used_ += w * std::pow(mean - alone[i], 2);
      for (std::size_t m = 0; m < members; ++m) {
        apart_ += w / n * std::pow(x[m * size + i] - x_sum / n, 2);
        scatter_ += w / n * std::pow(a[m * size + i] - mean, 2);
      }
    }
    members_ = n;
    ++count_;
  }
  template <class Archive>
  void transfer(Archive& archive) {
    archive.number("members", members_), archive.number("count", count_);
    archive.number("mean", mean_), archive.number("scatter", scatter_);
    archive.number("apart", apart_), archive.number("used", used_);
  }
  void merge(const CollapseRecorder& next) {
    members_ = std::max(members_, next.members_);
    mean_ += next.mean_, scatter_ += next.scatter_, apart_ += next.apart_, used_ += next.used_;
    count_ += next.count_;
  }

  [[nodiscard]] double correlation() const {
    return (mean_ - scatter_ / (members_ - 1)) / (mean_ + scatter_);
  }
  [[nodiscard]] double scatter() const { return scatter_ / mean_; }
  [[nodiscard]] double spread() const { return std::sqrt(apart_ / count_); }
  [[nodiscard]] double used() const { return std::sqrt(used_ / mean_); }

 private:
  double members_ = 0, count_ = 0;  ///< of an ensemble; ensembles
  /// Sums of ⟨ā, ā⟩, ⟨a_i − ā, a_i − ā⟩, ⟨x_i − x̄, x_i − x̄⟩ and ‖ā − a(x̄1ᵀ)‖².
  double mean_ = 0, scatter_ = 0, apart_ = 0, used_ = 0;
};

}  // namespace dan
