// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "dan/analysis/ensemble.hpp"
#include "dan/analysis/inflation.hpp"
#include "dan/analysis/localisation.hpp"
#include "dan/core/linalg.hpp"
#include "dan/core/memory.hpp"
#include "dan/geometry/ring.hpp"

namespace dan {

/// Options of the LETKF.
struct LetkfConfig {
  double radius = 4;      ///< of the taper, in grid steps (see `local_domains`)
  std::size_t batch = 1;  ///< consecutive points that share a local analysis
  Taper taper = tapers::gaspari_cohn;
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
/// all points. Needs an operator whose slots have a place. Where places come with the observations,
/// the domains are found anew in every cycle.
/// With correlated errors (Whitened), a batch takes the observations near by that report, and
///   S_b = Y_bᵀ ρ_b^{1/2} R_b⁻¹ ρ_b^{1/2} Y_b,  b_b = Y_bᵀ ρ_b^{1/2} R_b⁻¹ ρ_b^{1/2} δ_b
/// with R_b their rows and columns of R: standard deviations grow by ρ^{-1/2}, correlations stay.
/// The constructor throws ConfigError for a radius, taper, batch or inflation out of range;
/// `analyse` throws NumericalError when the ensemble or an observation is not finite. Cost per
/// cycle: N model steps; per batch N² flops for each observation near by and an eigenproblem of
/// size N, with correlated errors a Cholesky factor of R_b.
/// Source: Hunt, Kostelich and Szunyogh, Physica D 230 (2007) 112–126, where R⁻¹ is tapered; the
/// symmetric form for an R with correlations is ours.
template <class Problem, std::size_t Members, class Geometry = typename Problem::Geometry>
class Letkf : public EnsembleFilter<Problem, Members> {
 public:
  static_assert(GeometryLike<Geometry>,
                "Letkf: the model does not say where its points are; give it a geometry "
                "(`using Geometry = dan::Ring<points>;`)");
  using Seen =
      std::remove_cvref_t<decltype(unwhitened(std::declval<typename Problem::Operator>()))>;
  static_assert(LocatedOperator<Seen>,
                "Letkf: the slots of the observation operator have no place; give the operator a "
                "member element(slot) or place(slot), put it into Located<...>, or use Etkf");
  static_assert(
      [] {
        if constexpr (requires { typename Seen::Geometry; })
          return std::is_same_v<Geometry, typename Seen::Geometry>;
        else
          return true;
      }(),
      "Letkf: the operator's places are those of another geometry; give the filter the operator's");
  using Base = EnsembleFilter<Problem, Members>;
  using typename Base::Carried, typename Base::Observed, typename Base::Space, typename Base::T;
  static constexpr std::string_view method = "Letkf";

  explicit Letkf(const Problem& problem, const LetkfConfig& config = {})
      : Base(problem, config.inflation, config.rotation, config.forecast, method),
        config_(config),
        domains_(local_domains<Geometry>(unwhitened(problem.observe), {config.radius, config.taper},
                                         config.batch)) {}

  void analyse(Carried& carried, const Observed& observed, const RandomKey& key) const {
    Base::observe_members("Letkf::analyse", carried, observed);
    auto& space = carried.space;
    auto& y = carried.observed;  // H(x_i) becomes Y
    Scratch<double> departure(Base::slots);
    for (std::size_t j = 0; j < Base::slots; ++j)
      departure[j] = observed.values[j] - Base::centre(y[j], y[j]);
    if constexpr (CorrelatedOperator<typename Problem::Operator>) {
      const auto here = placed(Base::problem_.observe, observed);
      here.restore(y.data());
      here.restore(departure.data());
    }
    const double before = reports(observed) ? Base::inflation_.before : 1;
    Base::find_rotation(space, key);
    for (const LocalDomain& domain : domains(observed)) {
      space.clear();
      if constexpr (CorrelatedOperator<typename Problem::Operator>)
        add_correlated(space, domain, observed, y, departure.data());
      else
        for (const auto& [slot, taper] : domain.observations)
          if (observed.precision[slot] != 0)
            space.add(y[slot], taper * observed.precision[slot], departure[slot]);
      space.decompose("Letkf::analyse");
      space.solve(Members - 1);
      const T undone(space.empty() ? 1 / before : 1);  // nothing near by: no inflation
      for (const std::size_t p : domain.points)
        for (std::size_t i = Base::channels * p; i < Base::channels * (p + 1); ++i) {
          const T x = undone * carried.anomalies[i];
          carried.ensemble[i] = Base::analysed(space, carried.mean[i], x, space.transformed(x));
        }
    }
    carried.ensemble.repeat_last_lane();
  }

 private:
  /// Those of the constructor, or of the places of these observations.
  [[nodiscard]] decltype(auto) domains([[maybe_unused]] const Observed& observed) const {
    if constexpr (MovingOperator<typename Problem::Operator>)
      return local_domains<Geometry>(Base::problem_.observe.at(observed.places),
                                     {config_.radius, config_.taper}, config_.batch);
    else
      return (domains_);
  }

  /// The part of a domain in S and b where errors are correlated; Y and δ are not whitened.
  void add_correlated(typename Base::Space& space, const LocalDomain& domain,
                      const Observed& observed, const Aligned<T>& y,
                      const double* departure) const {
    std::vector<LocalDomain::Observation> near;
    for (const auto& one : domain.observations)
      if (observed.precision[one.slot] != 0) near.push_back(one);
    if (near.empty()) return;
    const std::size_t n = near.size();
    auto r = zero_tensor<double>(n, n);
    for (std::size_t a = 0; a < n; ++a)
      for (std::size_t b = 0; b < n; ++b)
        r(a, b) = Base::problem_.observe.covariance()(near[a].slot, near[b].slot) /
                  std::sqrt(observed.precision[near[a].slot] * observed.precision[near[b].slot]);
    const Matrix l = cholesky(r);
    Aligned<T> rows(n);  // L⁻¹ ρ^{1/2} Y
    std::vector<double> d(n);
    for (std::size_t a = 0; a < n; ++a) {
      const double root = std::sqrt(near[a].taper);
      rows[a] = root * y[near[a].slot];
      d[a] = root * departure[near[a].slot];
      for (std::size_t b = 0; b < a; ++b) {
        Base::Space::add_scaled(-l(a, b), rows[b], rows[a]);
        d[a] -= l(a, b) * d[b];
      }
      rows[a] *= T(1 / l(a, a));
      d[a] /= l(a, a);
      space.add(rows[a], 1, d[a]);
    }
  }

  LetkfConfig config_;
  std::vector<LocalDomain> domains_;
};

}  // namespace dan
