// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <string_view>

#include "dan/analysis/ensemble.hpp"
#include "dan/analysis/inflation.hpp"

namespace dan {

/// The options of a DEnKF.
struct DenkfConfig {
  Inflation inflation{};
  ForecastConfig forecast{};
};

/// The deterministic ensemble Kalman filter: the mean moves by the gain, the anomalies by half of
/// it.
///
///   E^a = E + K δ 1ᵀ − ½ K Y,  K = X Yᵀ (Y Yᵀ + (N−1) R)⁻¹,
/// computed in the space of the members (notation of analysis/ensemble.hpp, ζ = N − 1):
///   X^a = ½ X (I + T²),  T² = (N−1) (S + (N−1) I)⁻¹.
/// The constructor throws ConfigError for an inflation out of range; `analyse` throws
/// NumericalError when the ensemble or an observation is not finite. Cost: see EnsembleFilter.
/// Source: Sakov and Oke, Tellus A 60 (2008) 361–371, equations 10 and 16.
template <class Problem, std::size_t Members>
class Denkf : public EnsembleFilter<Problem, Members> {
 public:
  using Base = EnsembleFilter<Problem, Members>;
  using typename Base::Carried, typename Base::Observed, typename Base::T;
  static constexpr std::string_view method = "Denkf";

  explicit Denkf(const Problem& problem, const DenkfConfig& config = {})
      : Base(problem, config.inflation, false, config.forecast, method) {}

  void analyse(Carried& carried, const Observed& observed, const RandomKey&) const {
    Base::observe("Denkf::analyse", carried, observed);
    auto& space = carried.space;
    space.decompose("Denkf::analyse");
    space.solve(Members - 1);
    for (std::size_t i = 0; i < Base::size; ++i) {
      const T& x = carried.anomalies[i];
      const T twice = space.transformed(space.transformed(x));
      carried.ensemble[i] = Base::analysed(space, carried.mean[i], x, T(0.5) * (x + twice));
    }
    carried.ensemble.repeat_last_lane();
  }
};

}  // namespace dan
