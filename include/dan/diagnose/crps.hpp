// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <span>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/diagnose/belief.hpp"

namespace dan {

/// What an ensemble is scored as: a sample of a distribution, whose CRPS it estimates without bias
/// for any number of members (fair), or the distribution with a step at each member (ordinary).
enum class CrpsKind { fair, ordinary };

/// The continuous ranked probability score of an ensemble, ∫ (F(x) − 1{x ≥ t})² dx:
///   Σ_m |x_m − t| / N − Σ_m Σ_n |x_m − x_n| / (2 N D),  D = N − 1 if fair, N if ordinary.
///
/// In units of x; lower is better; fair, it may be negative. Throws ConfigError for no member, or
/// one where it shall be fair, NumericalError for numbers that are not finite. Cost: a sort.
/// Source: Hersbach, Weather Forecast. 15 (2000) 559–570 (ordinary); Ferro, Q. J. R. Meteorol. Soc.
/// 140 (2014) 1917–1923 (fair).
[[nodiscard]] inline double crps_of_ensemble(std::span<const double> members, double truth,
                                             CrpsKind kind = CrpsKind::fair) {
  const bool fair = kind == CrpsKind::fair;
  require_at_least("crps_of_ensemble", "members", members.size(), fair ? 2 : 1);
  const auto count = static_cast<double>(members.size());
  std::vector<double> error(members.begin(), members.end());
  double distance = 0, pairs = 0;
  for (double& x : error) x -= truth, distance += std::abs(x);
  if (!std::isfinite(distance))
    throw NumericalError(to_text("crps_of_ensemble: the errors of the members sum up to ", distance,
                                 ", expected a finite number; has the forecast diverged?"));
  std::ranges::sort(error);
  for (std::size_t m = 0; m < error.size(); ++m)
    pairs += (2 * static_cast<double>(m) - count + 1) * error[m];  // of each pair once
  return distance / count - pairs / (count * (fair ? count - 1 : count));
}

/// The same of a Gaussian distribution, with z = (t − mean)/σ:
///   σ (z (2 Φ(z) − 1) + 2 φ(z) − 1/√π); without variance |t − mean|.
///
/// Throws ConfigError for a variance below zero or not a number.
/// Source: Gneiting, Raftery, Westveld and Goldman, Mon. Weather Rev. 133 (2005) 1098–1118, eq. 5.
[[nodiscard]] inline double crps_of_gaussian(double mean, double variance, double truth) {
  if (!(variance >= 0))
    throw ConfigError(to_text("crps_of_gaussian: variance is ", variance,
                              ", expected a number that is not negative"));
  const double deviation = std::sqrt(variance), error = truth - mean;
  if (deviation == 0) return std::abs(error);
  const double z = error / deviation, root_pi = std::sqrt(std::numbers::pi);
  const double density = std::exp(-z * z / 2) / (std::numbers::sqrt2 * root_pi);
  return deviation * (z * std::erf(z / std::numbers::sqrt2) + 2 * density - 1 / root_pi);
}

/// The mean of the CRPS, fair for ensembles.
class MeanCrps {
 public:
  void add(const Belief& belief, double truth, double = 0) {
    sum_ += belief.members.empty() ? crps_of_gaussian(belief.mean, belief.variance, truth)
                                   : crps_of_ensemble(belief.members, truth);
    ++count_;
  }
  template <class Archive>
  void transfer(Archive& archive) {
    archive.number("sum", sum_), archive.count("count", count_);
  }
  void merge(const MeanCrps& next) { sum_ += next.sum_, count_ += next.count_; }

  [[nodiscard]] std::size_t count() const { return count_; }
  /// Not a number before the first.
  [[nodiscard]] double mean() const {
    return count_ > 0 ? sum_ / static_cast<double>(count_)
                      : std::numeric_limits<double>::quiet_NaN();
  }

 private:
  double sum_ = 0;
  std::size_t count_ = 0;
};

}  // namespace dan
