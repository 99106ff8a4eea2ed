// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <string_view>
#include <vector>

#include "dan/analysis/ensemble.hpp"
#include "dan/analysis/inflation.hpp"

namespace dan {

/// What a stochastic EnKF may be told.
struct EnkfConfig {
  Inflation inflation{};
  ForecastConfig forecast{};
};

/// The stochastic ensemble Kalman filter: every member sees its own perturbed observations.
///
///   E^a = E + K (y 1ᵀ − D − H(E)),  K = X Yᵀ (Y Yᵀ + (N−1) R)⁻¹,
/// with the columns of D from N(0, R), keyed by the key of `analyse`, their mean removed and the
/// rest multiplied by √(N/(N−1)), which restores the variance. Computed in the space of the
/// members (notation of analysis/ensemble.hpp, ζ = N − 1):
///   X^a = X T² − X (S + (N−1) I)⁻¹ Yᵀ R⁻¹ D,  T² = (N−1) (S + (N−1) I)⁻¹.
/// The constructor throws ConfigError for an inflation out of range; `analyse` throws
/// NumericalError when the ensemble or an observation is not finite. Cost: that of an ETKF, N
/// normal numbers and N² flops more per observation, 2 N² more per state element. Source: Burgers,
/// van Leeuwen and Evensen, Mon. Weather Rev. 126 (1998) 1719–1724; perturbations centred as in
/// DAPPER's EnKF with 'PertObs'.
template <class Problem, std::size_t Members>
class Enkf : public EnsembleFilter<Problem, Members> {
 public:
  using Base = EnsembleFilter<Problem, Members>;
  using typename Base::Carried, typename Base::Observed, typename Base::Space, typename Base::T;
  static constexpr std::string_view method = "Enkf";

  explicit Enkf(const Problem& problem, const EnkfConfig& config = {})
      : Base(problem, config.inflation, false, config.forecast) {
    config.inflation.require_valid("Enkf");
  }

  void analyse(Carried& carried, const Observed& observed, const RandomKey& key) const {
    Base::observe("Enkf::analyse", carried, observed);
    auto& space = carried.space;
    add_noise(space, observed, key);
    space.decompose("Enkf::analyse");
    space.find_weights(Members - 1);
    space.find_root(Members - 1, std::sqrt(Members - 1.0));
    space.find_noise(Members - 1);
    for (std::size_t i = 0; i < Base::size; ++i) {
      const T& x = carried.anomalies[i];
      const T twice = space.transformed(space.transformed(x));
      carried.ensemble[i] =
          Base::analysed(space, carried.mean[i], x, twice - space.noise(x, twice));
    }
    carried.ensemble.repeat_last_lane();
  }

 private:
  /// The rows of R^{-1/2} D.
  static void add_noise(Space& space, const Observed& observed, const RandomKey& key) {
    std::vector<double> normal(Base::slots * Members);
    fill_normal<double>(key.with(Purpose::analysis), normal);
    for (std::size_t j = 0; j < Base::slots; ++j) {
      if (observed.precision[j] == 0) continue;
      T d(0);
      for (std::size_t m = 0; m < Members; ++m) d[m] = normal[j * Members + m];
      Base::centre(d, d);
      space.add_noise(T(std::sqrt(Members / (Members - 1.0))) * d);
    }
  }
};

}  // namespace dan
