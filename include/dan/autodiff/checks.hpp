// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

/// \file
/// Checks of hand-written derivatives, for tests of the library and of its users.
///
/// Maps are given as callables from std::span<const double> to std::vector<double>.

namespace dan {

/// How far an adjoint is from being the transpose of a tangent:
/// |⟨M u, v⟩ − ⟨u, Mᵀ v⟩| / Σ_i |(M u)_i v_i|; round-off (some 1e-16) where both are right.
///
/// tangent(u) = M u, adjoint(v) = Mᵀ v; one call of each.
template <class Tangent, class Adjoint>
[[nodiscard]] double dot_product_error(const Tangent& tangent, const Adjoint& adjoint,
                                       std::span<const double> u, std::span<const double> v) {
  const std::vector<double> m_u = tangent(u), mt_v = adjoint(v);
  double left = 0, right = 0, size = 0;
  for (std::size_t i = 0; i < v.size(); ++i) left += m_u[i] * v[i];
  for (std::size_t i = 0; i < v.size(); ++i) size += std::abs(m_u[i] * v[i]);
  for (std::size_t i = 0; i < u.size(); ++i) right += u[i] * mt_v[i];
  return std::abs(left - right) / size;  // NaN if all is zero: nothing was checked
}

/// What `taylor_slope` found.
struct TaylorFit {
  double slope = 0;           ///< of log remainder against log ε; NaN with less than 4 points
  std::size_t points = 0;     ///< steps ε that entered the fit
  bool at_round_off = false;  ///< the remainder is round-off for every ε: the map is linear

  /// The tangent is right: slope 2 within `tolerance`, or more where the curvature is zero, or a
  /// linear map without remainder.
  [[nodiscard]] bool passes(double tolerance = 0.1) const {
    return at_round_off || slope >= 2 - tolerance;
  }
};

/// Fits how the remainder ‖f(x + ε u) − f(x) − ε f'(x) u‖ falls with ε = largest · 2⁻ᵏ, k = 0…11.
///
/// The slope is 2 for a right tangent(u) = f'(x) u, and 1 for a wrong one. Only remainders a
/// thousand times above round-off enter. `u` should be of size one in each element, and
/// `largest` small against the distance over which f' changes. Cost: 13 calls of f.
template <class Map, class Tangent>
[[nodiscard]] TaylorFit taylor_slope(const Map& f, const Tangent& tangent,
                                     std::span<const double> x, std::span<const double> u,
                                     double largest = 0.01) {
  const std::vector<double> y = f(x), dy = tangent(u);
  TaylorFit fit{.at_round_off = true};
  double sum_a = 0, sum_b = 0, sum_aa = 0, sum_ab = 0;
  for (int k = 0; k < 12; ++k) {
    const double epsilon = std::ldexp(largest, -k);
    std::vector<double> moved(x.begin(), x.end());
    for (std::size_t i = 0; i < u.size(); ++i) moved[i] += epsilon * u[i];
    const std::vector<double> z = f(moved);
    double remainder = 0, size = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double r = z[i] - y[i] - epsilon * dy[i];
      remainder += r * r;
      size += z[i] * z[i] + y[i] * y[i];
    }
    const double round_off = std::numeric_limits<double>::epsilon() * std::sqrt(size);
    remainder = std::sqrt(remainder);
    if (!(remainder <= 100 * round_off)) fit.at_round_off = false;
    if (!(remainder > 1000 * round_off)) continue;
    const double a = std::log(epsilon), b = std::log(remainder);
    sum_a += a, sum_b += b, sum_aa += a * a, sum_ab += a * b;
    ++fit.points;
  }
  const auto n = static_cast<double>(fit.points);
  fit.slope = fit.points < 4 ? std::numeric_limits<double>::quiet_NaN()
                             : (n * sum_ab - sum_a * sum_b) / (n * sum_aa - sum_a * sum_a);
  return fit;
}

}  // namespace dan
