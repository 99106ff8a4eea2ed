// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "dan/analysis/ensemble.hpp"
#include "dan/analysis/inflation.hpp"

namespace dan {

/// The prior of the EnKF-N on the weights, −ln p(w) = ½ g ln(a + wᵀw) + constant.
enum class HyperPrior {
  plain,          ///< a = 1 + 1/N, g = N + 1 (Bocquet 2011; Bocquet and Sakov 2012)
  mode_corrected  ///< see EnkfN: a and g moved so that the mode of ζ is N − 1 where observations
                  ///< are weak
};

/// How an EnKF-N finds its weights; both find the same minimum where there is only one.
enum class EnkfNForm {
  dual,   ///< a number, ζ: `finite_size_zeta`
  primal  ///< the weights themselves: `finite_size_zeta_primal`
};

/// Constants of a finite-size prior, see EnkfN.
struct FiniteSizePrior {
  double a, g;
};

/// a and g for the eigenvalues λ ≥ 0 of S, N of them; `xn` as in EnkfNConfig.
[[nodiscard]] inline FiniteSizePrior finite_size_prior(HyperPrior prior,
                                                       const std::optional<double>& certainty,
                                                       std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  const double xn = certainty.value_or(prior == HyperPrior::plain ? 1 : 2);
  if (prior == HyperPrior::plain) return {xn * (1 + 1 / n), xn * (n + 1)};
  double kappa = 0;
  for (const double lambda : values) kappa += (n - 1) / (lambda + n - 1) / n;
  const double epsilon = 1 + 1 / n, c = n / (n - 1);
  const double m = std::pow(epsilon / c, kappa / 2);
  return {xn * epsilon / m, xn * c * m * (n - 1)};
}

/// The options of an EnKF-N.
struct EnkfNConfig {
  HyperPrior prior = HyperPrior::mode_corrected;
  /// xN, the certainty of the prior: multiplies a and g. Empty: 2 mode-corrected, 1 plain.
  std::optional<double> xn{};
  EnkfNForm form = EnkfNForm::dual;
  bool radial_hessian = false;  ///< the last term of the Hessian, − (2ζ²/g) w wᵀ
  Inflation inflation{};
  bool rotation = false;  ///< rotate the anomalies randomly after the analysis, keeping the mean
  ForecastConfig forecast{};
};

/// The ζ in (0, g/a] at which the dual cost function of the EnKF-N has a minimum:
///   D'(ζ) = 0,  2 D'(ζ) = Σ_k β_k² / (λ_k + ζ)² + a − g / ζ,
/// to round-off by Newton's method on ζ D', kept inside a bracket and started at N − 1. Far from
/// the truth D can have several minima; then it is the one that this iteration comes to, not
/// always the lowest. λ ≥ 0 and β: N each, of S and b (see analysis/ensemble.hpp).
/// Cost: N divisions per iteration, about 6 iterations.
[[nodiscard]] inline double finite_size_zeta(std::span<const double> values,
                                             std::span<const double> projections, double a,
                                             double g) {
  double low = 0, high = g / a;
  double zeta = std::min(static_cast<double>(values.size() - 1), high);
  for (int n = 0; n < 200; ++n) {
    double f = a * zeta - g, slope = a;
    for (std::size_t k = 0; k < values.size(); ++k) {
      const double inverse = 1 / (values[k] + zeta);
      const double w = projections[k] * inverse;
      f += zeta * w * w;
      slope += w * w * (1 - 2 * zeta * inverse);
    }
    const double step = f / slope;
    if (std::abs(step) <= 1e-13 * zeta) return zeta - step;
    (f < 0 ? low : high) = zeta;
    zeta = zeta - step > low && zeta - step < high ? zeta - step : (low + high) / 2;
  }
  return zeta;
}

/// ζ = g / (a + wᵀw) at a minimum w of the primal cost function of the EnKF-N; in the basis of the
/// eigenvectors of S, with c the coordinates of w there,
///   J(c) = ½ Σ_k (λ_k c_k² − 2 β_k c_k) + ½ g ln(a + cᵀc).
/// To round-off by Newton's method from the ETKF's weights; where J is not convex, or a step does
/// not descend, the step goes to the minimum of the quadratic function above J that touches it at c
/// (ζ fixed), which always descends. J has the stationary points of the dual function; of several
/// minima both need not find the same.
/// Cost: 2 N divisions per iteration, about 4 iterations.
template <std::size_t N>
[[nodiscard]] double finite_size_zeta_primal(std::span<const double, N> values,
                                             std::span<const double, N> projections, double a,
                                             double g) {
  std::array<double, N> c, majorised, newton;
  double squares = 0;  // cᵀc
  for (std::size_t k = 0; k < N; ++k) {
    c[k] = projections[k] / (values[k] + static_cast<double>(N - 1));
    squares += c[k] * c[k];
  }
  // J(c + d) − J(c), without the loss of digits of a difference.
  const auto change = [&](const std::array<double, N>& d) {
    double quadratic = 0, grown = 0;
    for (std::size_t k = 0; k < N; ++k) {
      quadratic += d[k] * (values[k] * (c[k] + d[k] / 2) - projections[k]);
      grown += d[k] * (2 * c[k] + d[k]);
    }
    return quadratic + g / 2 * std::log1p(grown / (a + squares));
  };
  for (int n = 0; n < 1000; ++n) {
    // Hessian = A − κ c cᵀ, A = Λ + ζ I: its inverse by Sherman and Morrison.
    const double zeta = g / (a + squares), kappa = 2 * zeta * zeta / g;
    double curvature = 1, along = 0;
    for (std::size_t k = 0; k < N; ++k) {
      const double inverse = 1 / (values[k] + zeta);
      majorised[k] = projections[k] * inverse - c[k];
      curvature -= kappa * c[k] * c[k] * inverse;
      along += c[k] * majorised[k];
    }
    for (std::size_t k = 0; k < N; ++k)
      newton[k] = majorised[k] + kappa * along / curvature * c[k] / (values[k] + zeta);
    const auto& step = curvature > 0 && change(newton) <= 0 ? newton : majorised;
    double moved = 0;
    squares = 0;
    for (std::size_t k = 0; k < N; ++k) {
      c[k] += step[k];
      moved += step[k] * step[k];
      squares += c[k] * c[k];
    }
    if (moved <= 1e-26 * squares) break;
  }
  return g / (a + squares);
}

/// The finite-size ensemble Kalman filter: an ETKF that needs no tuned inflation.
///
/// Its prior allows for the sampling error of the ensemble's mean and covariance. With w a minimum
/// of ½ ‖δ − Y w‖²_{R⁻¹} + ½ g ln(a + wᵀw) (notation of analysis/ensemble.hpp), which is
///   w = (S + ζ I)⁻¹ b,  ζ = g / (a + wᵀw),  ζ found in dual or primal form (EnkfNForm),
/// the analysis is
///   Hessian = S + ζ I [− (2ζ²/g) w wᵀ],  T = √(N−1) Hessian^{-1/2},
///   E^a = x̄ 1ᵀ + X w 1ᵀ + X^a U,  X^a = X T, inflated,  U = I or a random rotation, U 1 = 1.
/// The prior:
///  - plain (xN = 1): a = xN (1 + 1/N), g = xN (N + 1).
///  - mode_corrected (default, xN = 2): with ε = 1 + 1/N, c = N/(N−1),
///    κ = (N−1) · mean of 1/(λ_k + N − 1) over all N, m = (ε/c)^{κ/2}:
///    a = xN ε / m, g = xN c m (N − 1). This is the inflation l = √((N−1)/ζ) of the prior that
///    minimises Σ_k d_k²/((l s_k)² + N − 1) + ε'/l² + c' ln l² with ε' = a, c' = g/(N − 1).
///
/// The constructor throws ConfigError unless xn > 0 and the inflation is in its range; `analyse`
/// throws NumericalError when the ensemble or an observation is not finite. Cost: an ETKF;
/// radial_hessian needs a second eigenproblem. Source: Bocquet, Nonlin. Processes Geophys. 18
/// (2011) 735–750; Bocquet and Sakov, ibid. 19 (2012) 383–399; Bocquet, Raanes and Hannart, ibid.
/// 22 (2015) 645–662 (dual: section 4.2, mode correction: equation 36); constants of the
/// mode-corrected form as in DAPPER's EnKF_N.
template <class Problem, std::size_t Members>
class EnkfN : public EnsembleFilter<Problem, Members> {
 public:
  using Base = EnsembleFilter<Problem, Members>;
  using typename Base::Carried, typename Base::Observed;
  static constexpr bool square_root = true;  ///< X^a = X T, for every element of the state
  static constexpr std::string_view method = "EnkfN";

  explicit EnkfN(const Problem& problem, const EnkfNConfig& config = {})
      : Base(problem, config.inflation, config.rotation, config.forecast, method), config_(config) {
    if (config.xn) require_positive("EnkfN", "xn", *config.xn);
  }

  void analyse(Carried& carried, const Observed& observed, const RandomKey& key) const {
    Base::observe("EnkfN::analyse", carried, observed);
    auto& space = carried.space;
    space.decompose("EnkfN::analyse");
    const auto [a, g] = finite_size_prior(config_.prior, config_.xn, space.values());
    const double zeta =
        space.empty() ? Members - 1  // a forecast: the ensemble stays as it is
        : config_.form == EnkfNForm::dual
            ? finite_size_zeta(space.values(), space.projections(), a, g)
            : finite_size_zeta_primal<Members>(space.values(), space.projections(), a, g);
    if (config_.radial_hessian && !space.empty()) {
      space.find_weights(zeta);
      space.decompose_radial("EnkfN::analyse", zeta, 2 * zeta * zeta / g);
      space.find_root(0);
    } else {
      space.solve(zeta);
    }
    Base::update(carried, key);
  }

 private:
  EnkfNConfig config_;
};

}  // namespace dan
