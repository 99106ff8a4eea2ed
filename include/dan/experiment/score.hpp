// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "dan/core/error.hpp"

namespace dan {

/// √(mean over the state of w (estimate − truth)²) of lane `lane` of two batches, w the weights of
/// a norm (`Problem::weights`), a number for each element of the state.
template <class Estimate, class Truth>
[[nodiscard]] double rmse(const Estimate& estimate, const Truth& truth, std::size_t lane,
                          std::span<const double> weights) {
  static_assert(Estimate::size == Truth::size, "rmse: both must have the same state");
  double sum = 0;
  for (std::size_t i = 0; i < Truth::size; ++i) {
    const double error = estimate.at(i, lane) - truth.at(i, lane);
    sum += weights[i] * error * error;
  }
  return std::sqrt(sum / static_cast<double>(Truth::size));
}
/// The same with weights of one.
template <class Estimate, class Truth>
[[nodiscard]] double rmse(const Estimate& estimate, const Truth& truth, std::size_t lane) {
  const std::vector<double> ones(Truth::size, 1.0);
  return rmse(estimate, truth, lane, ones);
}

/// A mean and its 95 % confidence interval.
struct ConfidenceInterval {
  double mean = std::numeric_limits<double>::quiet_NaN();
  double low = mean, high = mean;
};

/// The 97.5 % quantile of Student's t with `freedom` ≥ 1 degrees of freedom, to 2e-4 relative.
/// Source: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.7.5; table below 5.
[[nodiscard]] inline double student_t975(std::size_t freedom) {
  constexpr std::array<double, 4> table{12.7062, 4.3027, 3.1824, 2.7764};
  if (freedom - 1 < table.size()) return table[freedom - 1];
  const double x = 1.959964, n = static_cast<double>(freedom), x2 = x * x;
  return x + x * (x2 + 1) / (4 * n) + x * ((5 * x2 + 16) * x2 + 3) / (96 * n * n) +
         x * (((3 * x2 + 19) * x2 + 17) * x2 - 15) / (384 * n * n * n) +
         x * ((((79 * x2 + 776) * x2 + 1482) * x2 - 1920) * x2 - 945) / (92160 * n * n * n * n);
}

/// Mean of all numbers of all series, and its 95 % interval by batch means.
///
/// The series are independent of each other; within one, neighbours are correlated. Each is cut
/// into blocks of about n/15 numbers, n the total (at most the longest series; a series shorter
/// than a block is left out here). The K block means b are taken as independent:
///   mean ± t · √(Σ (b − b̄)² / (K − 1) / K),  t: Student's 97.5 % quantile, K − 1 freedoms.
/// Valid while blocks are long against the correlation time τ (variance too small by about τ per
/// block length). Not a number where fewer than two blocks exist.
/// Few and long blocks, because the errors of filters stay correlated for some 50 cycles.
/// Source: Schmeiser, Oper. Res. 30 (1982) 556–568 (batch means, 10 to 30 batches suffice).
[[nodiscard]] inline ConfidenceInterval interval_of(
    const std::vector<std::span<const double>>& series) {
  std::size_t count = 0, longest = 0;
  double sum = 0;
  for (const auto& s : series) {
    count += s.size();
    longest = std::max(longest, s.size());
    for (const double x : s) sum += x;
  }
  ConfidenceInterval interval;
  if (count == 0) return interval;
  interval.mean = sum / static_cast<double>(count);
  const std::size_t block = std::max<std::size_t>(1, std::min(count / 15, longest));
  std::vector<double> means;
  for (const auto& s : series) {
    const std::size_t blocks = s.size() / block;
    for (std::size_t b = 0; b < blocks; ++b) {
      const std::size_t from = b * s.size() / blocks, to = (b + 1) * s.size() / blocks;
      double total = 0;
      for (std::size_t i = from; i < to; ++i) total += s[i];
      means.push_back(total / static_cast<double>(to - from));
    }
  }
  if (means.size() < 2) return interval;
  const auto k = static_cast<double>(means.size());
  double centre = 0, squares = 0;
  for (const double m : means) centre += m / k;
  for (const double m : means) squares += (m - centre) * (m - centre);
  const double half = student_t975(means.size() - 1) * std::sqrt(squares / (k - 1) / k);
  interval.low = interval.mean - half;
  interval.high = interval.mean + half;
  return interval;
}

}  // namespace dan
