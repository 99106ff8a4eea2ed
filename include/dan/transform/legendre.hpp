// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <vector>

namespace dan {

/// The associated Legendre functions P̄_lm(μ), m ≤ l ≤ T, at a sine of latitude μ, and their slopes
/// (1 − μ²) dP̄_lm/dμ.
///
///   P̄_mm = P̄_{m−1,m−1} √((2m + 1)/(2m)) √(1 − μ²),   P̄_00 = 1,
///   ε_{l+1} P̄_{l+1,m} = μ P̄_lm − ε_l P̄_{l−1,m},   ε_l = √((l² − m²)/(4l² − 1)),
///   (1 − μ²) dP̄_lm/dμ = (l + 1) ε_l P̄_{l−1,m} − l ε_{l+1} P̄_{l+1,m}.
/// Normalised, without the factor (−1)^m: the mean over the sphere of (P̄_l0)² is 1, that of
/// (P̄_lm cos mλ)² is ½. Stable to degrees of some hundreds. Cost: a few flops for each of the
/// (T + 1)(T + 2)/2 numbers.
/// Source: Press et al., Numerical Recipes (3rd ed., 2007), section 6.7.
class LegendreFunctions {
 public:
  LegendreFunctions(std::size_t truncation, double mu)
      : rows_(truncation + 2), values_(rows_ * rows_) {
    for (std::size_t m = 0; m < rows_; ++m) {
      const auto k = static_cast<double>(m);
      at(m, m) = m == 0 ? 1
                        : at(m - 1, m - 1) * std::sqrt((2 * k + 1) / (2 * k)) *
                              std::sqrt((1 - mu) * (1 + mu));
      for (std::size_t l = m; l + 1 < rows_; ++l) {
        const double before = l == m ? 0 : epsilon(l, m) * at(l - 1, m);
        at(l + 1, m) = (mu * at(l, m) - before) / epsilon(l + 1, m);
      }
    }
  }

  /// P̄_lm.
  [[nodiscard]] double value(std::size_t l, std::size_t m) const { return values_[m * rows_ + l]; }
  /// (1 − μ²) dP̄_lm/dμ.
  [[nodiscard]] double slope(std::size_t l, std::size_t m) const {
    const auto degree = static_cast<double>(l);
    const double below = l == m ? 0 : (degree + 1) * epsilon(l, m) * value(l - 1, m);
    return below - degree * epsilon(l + 1, m) * value(l + 1, m);
  }

 private:
  static double epsilon(std::size_t l, std::size_t m) {
    const auto a = static_cast<double>(l), b = static_cast<double>(m);
    return std::sqrt((a - b) * (a + b) / ((2 * a - 1) * (2 * a + 1)));
  }
  double& at(std::size_t l, std::size_t m) { return values_[m * rows_ + l]; }

  std::size_t rows_;
  std::vector<double> values_;
};

}  // namespace dan
