// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "dan/core/memory.hpp"
#include "dan/core/random.hpp"
#include "dan/core/simd.hpp"

namespace dan {

/// Replaces members that are not finite by draws from the Gaussian of the others:
///
///   x_f = x̄ + X w / √(n − 1),  w ~ N(0, I_n),
/// with x̄ and X the mean and the anomalies of the n members that are finite. Cost if all are: one
/// sum over the ensemble.
template <std::size_t Members>
class FailedMembers {
 public:
  using T = lanes_t<double, Members>;

  /// Members that the last `find` found.
  [[nodiscard]] std::size_t count() const { return weights_.size(); }

  /// Finds the members that are not finite, and draws the weights of the others, keyed by `key`.
  template <class Ensemble>
  void find(const Ensemble& ensemble, const RandomKey& key) {
    weights_.clear();
    const T* const x = ensemble.data();
    T sum = x[0];
    for (std::size_t i = 1; i < Ensemble::size; ++i) sum += x[i];
    if (std::isfinite(sum_lanes(sum))) return;
    failed_.fill(false);
    std::size_t count = 0;
    for (std::size_t m = 0; m < Members; ++m)
      if (!std::isfinite(sum[m])) failed_[m] = true, ++count;
    if (count > 0) draw(count, key);
  }
  /// Whether as many may be replaced: at most this share of all, and at least two are left.
  [[nodiscard]] bool replaceable(double most) const {
    return static_cast<double>(count()) <= most * Members && count() + 2 <= Members;
  }

  /// Replaces what `find` found, here or in the past of the same members.
  template <class Ensemble>
  void replace(Ensemble& ensemble) const {
    if (weights_.empty()) return;
    for (std::size_t i = 0; i < Ensemble::size; ++i) {
      T x = ensemble[i];
      for (std::size_t m = 0; m < lanes_of<T>; ++m)
        if (m >= Members || failed_[m]) x[m] = 0;
      for (std::size_t m = 0, f = 0; m < Members; ++m)
        if (failed_[m]) ensemble.at(i, m) = sum_lanes(weights_[f++] * x);
    }
    ensemble.repeat_last_lane();
  }

 private:
  /// Of x_f = Σ_m c_m x_m over the finite members: c_m = 1/n + (w_m − w̄) / √(n − 1).
  [[gnu::cold]] void draw(std::size_t count, const RandomKey& key) {
    std::vector<double> normal(Members * Members);
    fill_normal<double>(key.with(Purpose::replacement), normal);
    const auto n = static_cast<double>(Members - count);
    for (std::size_t f = 0; f < Members; ++f) {
      if (!failed_[f]) continue;
      T c(0);
      double mean = 0;
      for (std::size_t m = 0; m < Members; ++m)
        if (!failed_[m]) mean += normal[f * Members + m] / n;
      for (std::size_t m = 0; m < Members; ++m)
        if (!failed_[m]) c[m] = 1 / n + (normal[f * Members + m] - mean) / std::sqrt(n - 1);
      weights_.push_back(c);
    }
  }

  std::array<bool, Members> failed_{};
  Aligned<T> weights_{};  ///< c of each member that failed
};

}  // namespace dan
