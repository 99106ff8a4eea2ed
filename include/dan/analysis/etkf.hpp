// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <string_view>

#include "dan/analysis/ensemble.hpp"
#include "dan/analysis/inflation.hpp"

namespace dan {

/// The options of an ETKF.
struct EtkfConfig {
  Inflation inflation{};
  bool rotation = false;  ///< rotate the anomalies randomly after the analysis, keeping the mean
  ForecastConfig forecast{};
};

/// The ensemble transform Kalman filter with the symmetric square root.
///
///   w = (YᵀR⁻¹Y + (N−1) I)⁻¹ YᵀR⁻¹ δ,  T = √(N−1) (YᵀR⁻¹Y + (N−1) I)^{-1/2},
///   E^a = x̄ 1ᵀ + X w 1ᵀ + X^a U,  X^a = X T, inflated,  U = I or a random rotation, U 1 = 1.
/// The constructor throws ConfigError for an inflation out of range; `analyse` throws
/// NumericalError when the ensemble or an observation is not finite. Cost: see EnsembleFilter.
/// Source: Bishop, Etherton and Majumdar, Mon. Weather Rev. 129 (2001) 420–436; Hunt, Kostelich and
/// Szunyogh, Physica D 230 (2007) 112–126, equations 20–24 without localisation.
template <class Problem, std::size_t Members>
class Etkf : public EnsembleFilter<Problem, Members> {
 public:
  using Base = EnsembleFilter<Problem, Members>;
  using typename Base::Carried, typename Base::Observed;
  static constexpr bool square_root = true;  ///< X^a = X T, for every element of the state
  static constexpr std::string_view method = "Etkf";

  explicit Etkf(const Problem& problem, const EtkfConfig& config = {})
      : Base(problem, config.inflation, config.rotation, config.forecast, method) {}

  void analyse(Carried& carried, const Observed& observed, const RandomKey& key) const {
    Base::observe("Etkf::analyse", carried, observed);
    auto& space = carried.space;
    space.decompose("Etkf::analyse");
    space.solve(Members - 1);
    Base::update(carried, key);
  }
};

}  // namespace dan
