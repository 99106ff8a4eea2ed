// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>

namespace dan {

/// Page's test whether the innovations of a run contradict its forecasts: an excess s that adds up,
/// and what is usual in this run, u.
///
/// With n the observations of a cycle and r_j = min(δ_j²/(q R_jj), 9), q what is usual in general,
///   s = max(0, s + (Σ_j r_j − (u + 0.5) n) / max(0.38 n + 9.34 √n, 45)),
///   u = max(1, u + (Σ_j r_j/n − u) / 200).
/// They do where s > 1. In a single cycle that takes innovations four standard deviations above
/// those of twice the usual variance (if n ≥ 17), in many cycles one and a half times the usual
/// variance; a single outlier changes little. Where R is larger than believed, u rises, and they do
/// not for long. Source: Page, Biometrika 41 (1954) 100–115, for the sum; its steps are ours.
struct InnovationTest {
  double excess = 0;  ///< s
  double usual = 1;   ///< u

  /// Of a cycle with n > 0 observations, `sum` = Σ_j r_j: whether they contradict the forecasts; s
  /// is 0 again then.
  [[nodiscard]] bool add(double n, double sum) {
    excess = std::max(
        0.0, excess + (sum - (usual + 0.5) * n) / std::max(0.38 * n + 9.34 * std::sqrt(n), 45.0));
    usual = std::max(1.0, usual + (sum / n - usual) / 200);
    if (!(excess > 1)) return false;
    excess = 0;
    return true;
  }
};

}  // namespace dan
