// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/diagnose/belief.hpp"

namespace dan {

/// How often the truth had which rank among the members: counts[r], r members below it.
///
/// Flat if the truth is like one more member; hollow if the ensemble is too narrow, a dome if it is
/// too wide. Among equal members the rank is drawn with `uniform` in (0, 1). Of a Gaussian belief
/// it is the histogram of Φ((t − mean)/σ) in as many equal parts of (0, 1).
/// Source: Hamill, Mon. Weather Rev. 129 (2001) 550–560; Gneiting, Balabdaoui and Raftery, J. R.
/// Stat. Soc. B 69 (2007) 243–268 (of a distribution).
class RankHistogram {
 public:
  /// One rank more than there are members; of Gaussian beliefs any number. Throws ConfigError for
  /// fewer than 2.
  explicit RankHistogram(std::size_t ranks) : counts_(ranks) {
    require_at_least("RankHistogram", "ranks", ranks, 2);
  }

  /// Throws ShapeError unless the belief has one member less than there are ranks, or none, and
  /// NumericalError if it or the truth is not a number.
  void add(const Belief& belief, double truth, double uniform) {
    if (!(std::isfinite(belief.mean + truth) && belief.variance >= 0))
      throw NumericalError(to_text("RankHistogram::add: the mean is ", belief.mean,
                                   ", the variance ", belief.variance, " and the truth ", truth,
                                   ", expected finite numbers and no negative variance; has the "
                                   "forecast diverged?"));
    const std::size_t rank =
        belief.members.empty() ? part(belief, truth, uniform) : rank_of(belief, truth, uniform);
    ++counts_[rank];
  }
  template <class Archive>
  void transfer(Archive& archive) {
    for (std::size_t r = 0; r < counts_.size(); ++r)
      archive.count(to_text("counts.", r), counts_[r]);
  }
  /// Throws ShapeError for another number of ranks.
  void merge(const RankHistogram& next) {
    require_size("RankHistogram::merge", "next", next.counts_.size(), counts_.size(), "rank");
    for (std::size_t r = 0; r < counts_.size(); ++r) counts_[r] += next.counts_[r];
  }

  [[nodiscard]] const std::vector<std::size_t>& counts() const { return counts_; }
  /// χ² = Σ_r (counts_r − expected)² / expected of a flat histogram; ranks − 1 in the mean, with
  /// deviation √(2 (ranks − 1)), if that is the truth and the additions are independent. Not a
  /// number before the first.
  [[nodiscard]] double chi_squared() const {
    double total = 0, sum = 0;
    for (const std::size_t n : counts_) total += static_cast<double>(n);
    const double expected = total / static_cast<double>(counts_.size());
    for (const std::size_t n : counts_) sum += std::pow(static_cast<double>(n) - expected, 2);
    return total > 0 ? sum / expected : std::numeric_limits<double>::quiet_NaN();
  }

 private:
  [[nodiscard]] std::size_t rank_of(const Belief& belief, double truth, double uniform) const {
    require_size("RankHistogram::add", "members", belief.members.size(), counts_.size() - 1,
                 "rank but the last");
    std::size_t below = 0, equal = 0;
    for (const double x : belief.members) below += x < truth, equal += x == truth;
    return below + chosen(uniform, equal + 1);
  }
  [[nodiscard]] std::size_t part(const Belief& belief, double truth, double uniform) const {
    const double error = truth - belief.mean, deviation = std::sqrt(belief.variance);
    if (error == 0 && deviation == 0) return chosen(uniform, counts_.size());
    return chosen(std::erfc(-error / deviation / std::numbers::sqrt2) / 2, counts_.size());
  }
  /// Which of `count` equal parts of [0, 1] holds u.
  static std::size_t chosen(double u, std::size_t count) {
    return std::min(static_cast<std::size_t>(u * static_cast<double>(count)), count - 1);
  }

  std::vector<std::size_t> counts_;
};

}  // namespace dan
