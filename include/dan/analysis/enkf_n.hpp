// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

#include "dan/analysis/ensemble.hpp"
#include "dan/analysis/inflation.hpp"

namespace dan {

/// The prior of the EnKF-N on the weights, −ln p(w) = ½ g ln(a + wᵀw) + constant.
enum class HyperPrior {
  plain,          ///< a = 1 + 1/N, g = N + 1 (Bocquet 2011; Bocquet and Sakov 2012)
  mode_corrected  ///< see EnkfN: a and g moved so that the mode of ζ is N − 1 where observations
                  ///< are weak, then both multiplied by xN
};

/// Constants of a finite-size prior, see EnkfN.
struct FiniteSizePrior {
  double a, g;
};

/// a and g for the eigenvalues λ of S, N of them.
[[nodiscard]] inline FiniteSizePrior finite_size_prior(HyperPrior prior, double xn,
                                                       std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  if (prior == HyperPrior::plain) return {1 + 1 / n, n + 1};
  double kappa = 0;
  for (const double lambda : values) kappa += (n - 1) / (std::max(lambda, 0.0) + n - 1) / n;
  const double epsilon = 1 + 1 / n, c = n / (n - 1);
  const double m = std::pow(epsilon / c, kappa / 2);
  return {xn * epsilon / m, xn * c * m * (n - 1)};
}

/// What an EnKF-N may be told.
struct EnkfNConfig {
  HyperPrior prior = HyperPrior::mode_corrected;
  double xn = 2;                ///< certainty of the mode-corrected prior; the plain one has none
  bool radial_hessian = false;  ///< the last term of the Hessian, − (2ζ²/g) w wᵀ
  Inflation inflation{};
};

/// The ζ in (0, g/a] at which the dual cost function of the EnKF-N has a minimum:
///   D'(ζ) = 0,  2 D'(ζ) = Σ_k β_k² / (λ_k + ζ)² + a − g / ζ,
/// to round-off by Newton's method on ζ D', kept inside a bracket and started at N − 1 (of several
/// minima it is one near there). λ and β: N each, of S and b (see analysis/ensemble.hpp).
/// Cost: N divisions per iteration, about 6 iterations.
[[nodiscard]] inline double finite_size_zeta(std::span<const double> values,
                                             std::span<const double> projections, double a,
                                             double g) {
  double low = 0, high = g / a;
  double zeta = std::min(static_cast<double>(values.size() - 1), high);
  for (int n = 0; n < 200; ++n) {
    double f = a * zeta - g, slope = a;
    for (std::size_t k = 0; k < values.size(); ++k) {
      const double inverse = 1 / (std::max(values[k], 0.0) + zeta);
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

/// The finite-size ensemble Kalman filter: an ETKF that needs no tuned inflation.
///
/// Its prior allows for the sampling error of the ensemble's mean and covariance. In dual form
/// (notation of analysis/ensemble.hpp), with ζ from `finite_size_zeta`:
///   w = (S + ζ I)⁻¹ b,  Hessian = S + ζ I [− (2ζ²/g) w wᵀ],  T = √(N−1) Hessian^{-1/2},
///   E^a = x̄ 1ᵀ + X (w 1ᵀ + T), inflated.
/// This w minimises ½ ‖δ − Y w‖²_{R⁻¹} + ½ g ln(a + wᵀw). The prior:
///  - plain: a = 1 + 1/N, g = N + 1.
///  - mode_corrected (default, xN = 2): with ε = 1 + 1/N, c = N/(N−1),
///    κ = (N−1) · mean of 1/(λ_k + N − 1) over all N, m = (ε/c)^{κ/2}:
///    a = xN ε / m, g = xN c m (N − 1). This is the inflation l = √((N−1)/ζ) of the prior that
///    minimises Σ_k d_k²/((l s_k)² + N − 1) + ε'/l² + c' ln l² with ε' = a, c' = g/(N − 1).
/// The constructor throws ConfigError unless xn > 0 and the inflation is in its range; `analyse`
/// throws NumericalError when the ensemble is not finite. Cost: an ETKF; radial_hessian needs a
/// second eigenproblem. Source: Bocquet, Nonlin. Processes Geophys. 18 (2011) 735–750; Bocquet and
/// Sakov, ibid. 19 (2012) 383–399; Bocquet, Raanes and Hannart, ibid. 22 (2015) 645–662 (dual:
/// section 4.2, mode correction: equation 36); constants of the mode-corrected form as in DAPPER's
/// EnKF_N.
template <class Setting, std::size_t Members>
class EnkfN : public EnsembleFilter<Setting, Members> {
 public:
  using Base = EnsembleFilter<Setting, Members>;
  using typename Base::Carried, typename Base::Observed;

  explicit EnkfN(const Setting& setting, const EnkfNConfig& config = {})
      : Base(setting, config.inflation), config_(config) {
    require_positive("EnkfN", "xn", config.xn);
    config.inflation.require_valid("EnkfN");
  }

  void analyse(Carried& carried, const Observed& observed, const RandomKey& key) const {
    Base::observe("EnkfN::analyse", carried, observed);
    auto& space = carried.space;
    const auto [a, g] = finite_size_prior(config_.prior, config_.xn, space.values());
    const double zeta = finite_size_zeta(space.values(), space.projections(), a, g);
    const double factor = std::sqrt(Members - 1.0);
    space.find_weights(zeta);
    if (config_.radial_hessian) {
      space.decompose(zeta, 2 * zeta * zeta / g);
      space.find_root(0, factor);
    } else {
      space.find_root(zeta, factor);
    }
    Base::update(carried, key);
  }

 private:
  EnkfNConfig config_;
};

}  // namespace dan
