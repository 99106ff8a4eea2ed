// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <vector>

#include "dan/analysis/ensemble.hpp"
#include "dan/analysis/inflation.hpp"
#include "dan/analysis/localisation.hpp"
#include "dan/geometry/ring.hpp"

namespace dan {

/// Options of the LETKF.
struct LetkfConfig {
  double radius = 4;      ///< of the taper, in grid steps (see `local_domains`)
  std::size_t batch = 1;  ///< consecutive points that share a local analysis
  Inflation inflation{};
  bool rotation = false;  ///< rotate the anomalies randomly after the analysis, keeping the mean
  ForecastConfig forecast{};
};

/// The local ensemble transform Kalman filter: an ETKF of its own for every batch of points, which
/// sees the observations near by, their precisions tapered with the distance.
///
///   E^a_p = x̄_p 1ᵀ + X_p w_b 1ᵀ + X^a_p U,  X^a_p = X_p T_b, inflated,  p in batch b,
/// with w_b and T_b from S_b = Σ_j ρ_bj y_jᵀ y_j / R_jj and b_b = Σ_j ρ_bj y_jᵀ δ_j / R_jj
/// (notation of analysis/ensemble.hpp, ζ = N − 1), ρ from `local_domains`, and one rotation U for
/// all points. Needs independent observation errors and an operator whose slots have a place.
/// Where places come with the observations, the domains are found anew in every cycle.
/// The constructor throws ConfigError for a radius, batch or inflation out of range; `analyse`
/// throws NumericalError when the ensemble or an observation is not finite. Cost per cycle: N model
/// steps; per batch N² flops for each observation near by and an eigenproblem of size N. Source:
/// Hunt, Kostelich and Szunyogh, Physica D 230 (2007) 112–126.
template <class Problem, std::size_t Members, class Geometry = typename Problem::Geometry>
class Letkf : public EnsembleFilter<Problem, Members> {
 public:
  static_assert(GeometryLike<Geometry>,
                "Letkf: the model does not say where its points are; give it a geometry "
                "(`using Geometry = dan::Ring<points>;`)");
  static_assert(LocatedOperator<typename Problem::Operator>,
                "Letkf: the slots of the observation operator have no place (whitened observations "
                "never have); give the operator a member element(slot) or place(slot), or use "
                "Etkf");
  static_assert(
      [] {
        if constexpr (requires { typename Problem::Operator::Geometry; })
          return std::is_same_v<Geometry, typename Problem::Operator::Geometry>;
        else
          return true;
      }(),
      "Letkf: the operator's places are those of another geometry; give the filter the operator's");
  using Base = EnsembleFilter<Problem, Members>;
  using typename Base::Carried, typename Base::Observed, typename Base::Space, typename Base::T;
  static constexpr std::string_view method = "Letkf";

  explicit Letkf(const Problem& problem, const LetkfConfig& config = {})
      : Base(problem, config.inflation, config.rotation, config.forecast),
        config_(config),
        domains_(local_domains<Geometry>(problem.observe, config.radius, config.batch)) {
    config.inflation.require_valid("Letkf");
  }

  void analyse(Carried& carried, const Observed& observed, const RandomKey& key) const {
    Base::observe("Letkf::analyse", carried, observed);
    auto& space = carried.space;
    auto& y = carried.observed;  // H(x_i) becomes Y
    std::array<double, Base::slots> departure;
    for (std::size_t j = 0; j < Base::slots; ++j)
      departure[j] = observed.values[j] - Base::centre(y[j], y[j]);
    Base::find_rotation(space, key);
    for (const LocalDomain& domain : domains(observed)) {
      space.clear();
      for (const auto& [slot, taper] : domain.observations)
        if (observed.precision[slot] != 0)
          space.add(y[slot], taper * observed.precision[slot], departure[slot]);
      space.decompose("Letkf::analyse");
      space.find_weights(Members - 1);
      space.find_root(Members - 1, std::sqrt(Members - 1.0));
      for (const std::size_t p : domain.points)
        for (std::size_t i = Base::channels * p; i < Base::channels * (p + 1); ++i) {
          const T& x = carried.anomalies[i];
          carried.ensemble[i] = Base::analysed(space, carried.mean[i], x, space.transformed(x));
        }
    }
    carried.ensemble.repeat_last_lane();
  }

 private:
  /// Those of the constructor, or of the places of these observations.
  [[nodiscard]] decltype(auto) domains([[maybe_unused]] const Observed& observed) const {
    if constexpr (PlacedOperator<typename Problem::Operator>)
      return local_domains<Geometry>(Base::problem_.observe.at(observed.places), config_.radius,
                                     config_.batch);
    else
      return (domains_);
  }

  LetkfConfig config_;
  std::vector<LocalDomain> domains_;
};

}  // namespace dan
