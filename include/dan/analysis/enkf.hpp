// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <vector>

#include "dan/analysis/ensemble.hpp"
#include "dan/analysis/inflation.hpp"

namespace dan {

/// What a stochastic EnKF may be told.
struct EnkfConfig {
  Inflation inflation{};
};

/// The stochastic ensemble Kalman filter: every member sees its own perturbed observations.
///
///   E^a = E + K (y 1ᵀ − D − H(E)),  K = X Yᵀ (Y Yᵀ + (N−1) R)⁻¹,
/// with the columns of D from N(0, R), keyed by the key of `analyse`, their mean removed and the
/// rest multiplied by √(N/(N−1)), which restores the variance. Computed in the space of the
/// members (notation of analysis/ensemble.hpp, ζ = N − 1):
///   X^a = X T² (I − Yᵀ R⁻¹ D / (N−1)),  T² = (N−1) (S + (N−1) I)⁻¹.
/// The constructor throws ConfigError for an inflation out of range; `analyse` throws
/// NumericalError when the ensemble or an observation is not finite. Cost: that of an ETKF, N
/// normal numbers and N² flops more per observation, 2 N² more per state element. Source: Burgers,
/// van Leeuwen and Evensen, Mon. Weather Rev. 126 (1998) 1719–1724; perturbations centred as in
/// DAPPER's EnKF with 'PertObs'.
template <class Setting, std::size_t Members>
class Enkf : public EnsembleFilter<Setting, Members> {
 public:
  using Base = EnsembleFilter<Setting, Members>;
  using typename Base::Carried, typename Base::Observed, typename Base::Space, typename Base::T;

  explicit Enkf(const Setting& setting, const EnkfConfig& config = {})
      : Base(setting, config.inflation) {
    config.inflation.require_valid("Enkf");
  }

  void analyse(Carried& carried, const Observed& observed, const RandomKey& key) const {
    Base::observe("Enkf::analyse", carried, observed);
    auto& space = carried.space;
    space.decompose();
    space.find_weights(Members - 1);
    space.find_root(Members - 1, std::sqrt(Members - 1.0));
    const Rows coupling = observed_perturbations(carried, observed, key);
    for (std::size_t i = 0; i < Base::size; ++i) {
      const T& x = carried.anomalies[i];
      const T twice = space.transformed(space.transformed(x));
      T posterior = twice;
      for (std::size_t m = 0; m < Members; ++m)
        Space::add_scaled(-twice[m] / (Members - 1.0), coupling[m], posterior);
      carried.ensemble[i] = Base::analysed(space, carried.mean[i], x, posterior);
    }
    carried.ensemble.repeat_last_lane();
  }

 private:
  using Rows = std::vector<T, AlignedAllocator<T>>;

  /// The rows of Yᵀ R⁻¹ D.
  static Rows observed_perturbations(const Carried& carried, const Observed& observed,
                                     const RandomKey& key) {
    Rows out(Members, T(0));
    std::vector<double> normal(Base::slots * Members);
    fill_normal<double>(key.with(Stream::analysis), normal);
    const double unbiased = std::sqrt(Members / (Members - 1.0));
    for (std::size_t j = 0; j < Base::slots; ++j) {
      if (observed.precision[j] == 0) continue;
      T y, d(0);
      Base::centre(carried.observed[j], y);
      for (std::size_t m = 0; m < Members; ++m) d[m] = normal[j * Members + m];
      Base::centre(d, d);
      const double root = unbiased * std::sqrt(observed.precision[j]);  // D = R^{1/2} d
      for (std::size_t m = 0; m < Members; ++m) Space::add_scaled(root * y[m], d, out[m]);
    }
    return out;
  }
};

}  // namespace dan
