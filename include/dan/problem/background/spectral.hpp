// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/scalar.hpp"
#include "dan/problem/background/concepts.hpp"
#include "dan/problem/climate.hpp"

namespace dan {

/// A homogeneous background covariance on the sphere: the same at every place and in all
/// directions, a variance for each degree of the harmonics.
///
///   B = L Lᵀ,  L = √x_B S diag(√b_l),  S the synthesis;  the variance of every point is
///   x_B Σ_l (2 l + 1) b_l.
/// States: one number per point of the harmonics' grid; v: one per coefficient. The constructor
/// throws ShapeError unless there is a variance for each degree from 0 on, and ConfigError for one
/// that is negative or not finite and unless x_B > 0. Cost: a synthesis per root; memory: a number
/// per coefficient. Source: Courtier et al., Q. J. R. Meteorol. Soc. 124 (1998) 1783–1807.
template <class Harmonics>
class SpectralBackground {
 public:
  /// `variances`: b_l, for example `variances_by_degree`; `scale`: x_B.
  explicit SpectralBackground(const std::vector<double>& variances, double scale = 1)
      : deviations_(controls()) {
    constexpr std::string_view name = "SpectralBackground";
    require_size(name, "variances", variances.size(), Harmonics::truncation + 1, "degree");
    require_positive(name, "scale", scale);
    for (std::size_t l = 0; l < variances.size(); ++l)
      if (!(variances[l] >= 0 && std::isfinite(variances[l])))
        throw ConfigError(to_text(name, ": variances[", l, "] is ", variances[l],
                                  ", expected a finite number, not negative"));
    Harmonics::for_each([&](std::size_t i, std::size_t l, std::size_t) {
      deviations_[i] = std::sqrt(scale * variances[l]);
    });
  }

  [[nodiscard]] static constexpr std::size_t size() { return Harmonics::points; }
  [[nodiscard]] static constexpr std::size_t controls() { return Harmonics::coefficients; }

  template <class T>
  void root(const T* v, T* x) const {
    Scratch<T> waves(controls(), Unset{});
    for (std::size_t i = 0; i < controls(); ++i) waves[i] = constant<T>(deviations_[i]) * v[i];
    Harmonics::synthesise(waves.data(), x);
  }
  template <class T>
  void root_adjoint(const T* d_x, T* d_v) const {
    Scratch<T> waves(controls());
    Harmonics::synthesise_adjoint(d_x, waves.data());
    for (std::size_t i = 0; i < controls(); ++i) d_v[i] += constant<T>(deviations_[i]) * waves[i];
  }

 private:
  std::vector<double> deviations_;  ///< √(x_B b_l) of each coefficient
};

/// The climate's variance of a coefficient of each degree, a mean over the waves of that degree.
///
/// From the states of `climatology_of`; throws as that. Cost: its model steps and an analysis of
/// each; memory: a few states.
template <class Harmonics, class Problem>
[[nodiscard]] std::vector<double> variances_by_degree(const Problem& problem,
                                                      const ClimateConfig& config = {}) {
  static_assert(Problem::size == Harmonics::points,
                "variances_by_degree: a state must be one field on the grid of the harmonics");
  std::vector<double> sums(Harmonics::coefficients), squares(Harmonics::coefficients);
  (void)detail::sample_climate("variances_by_degree", problem, config, [&](const auto& z) {
    using T = std::decay_t<decltype(z[0])>;
    Scratch<T> waves(Harmonics::coefficients, Unset{});
    Harmonics::analyse(z.data(), waves.data());
    for (std::size_t i = 0; i < sums.size(); ++i)
      sums[i] += sum_lanes(waves[i]), squares[i] += sum_lanes(waves[i] * waves[i]);
  });
  const auto count = static_cast<double>(detail::climate_lanes * config.cycles);
  std::vector<double> variances(Harmonics::truncation + 1);
  Harmonics::for_each([&](std::size_t i, std::size_t l, std::size_t) {
    const double variance = (squares[i] - sums[i] * sums[i] / count) / (count - 1);
    variances[l] += variance / static_cast<double>(2 * l + 1);
  });
  return variances;
}

}  // namespace dan
