// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <vector>

#include "dan/analysis/ensemble.hpp"
#include "dan/analysis/inflation.hpp"
#include "dan/analysis/reaches.hpp"
#include "dan/core/linalg.hpp"

namespace dan {

/// The options of a stochastic EnKF.
struct EnkfConfig {
  Inflation inflation{};
  Localisation localisation{};
  ForecastConfig forecast{};
};

/// The stochastic ensemble Kalman filter: every member sees its own perturbed observations.
///
///   E^a = E + K (y 1ᵀ − D − H(E)),  K = X Yᵀ (Y Yᵀ + (N−1) R)⁻¹,
/// with the columns of D from N(0, R), keyed by the key of `analyse`, their mean removed and the
/// rest multiplied by √(N/(N−1)), which restores the variance. Computed in the space of the
/// members (notation of analysis/ensemble.hpp, ζ = N − 1):
///   X^a = X T² − X (S + (N−1) I)⁻¹ Yᵀ R⁻¹ D,  T² = (N−1) (S + (N−1) I)⁻¹.
/// With `localisation`, ρ the tapers of the distances of state and slots, and of slots and slots:
///   K = (ρ_xy ∘ X Yᵀ) C⁻¹,  C = ρ_yy ∘ Y Yᵀ + (N−1) R,
/// in the space of the slots that report; a point that nothing reaches is not inflated.
/// The constructor throws ConfigError for an inflation or localisation out of range, or slots
/// without places for it; `analyse` throws NumericalError when the ensemble or an observation is
/// not finite, or C not positive definite. Cost: that of an ETKF, N normal numbers and N² flops
/// more per observation, 2 N² more per state element; localised, 4 N flops per state element and
/// slot that reaches it and slots³ (LAPACK), which suits some hundred slots. Source: Burgers, van
/// Leeuwen and Evensen, Mon. Weather Rev. 126 (1998) 1719–1724; localised: Houtekamer and Mitchell,
/// ibid. 129 (2001) 123–137; perturbations centred as in DAPPER's EnKF with 'PertObs'.
template <class Problem, std::size_t Members>
class Enkf : public EnsembleFilter<Problem, Members> {
 public:
  using Base = EnsembleFilter<Problem, Members>;
  using typename Base::Carried, typename Base::Observed, typename Base::Space, typename Base::T;
  static constexpr std::string_view method = "Enkf";

  explicit Enkf(const Problem& problem, const EnkfConfig& config = {})
      : Base(problem, config.inflation, false, config.forecast, method),
        // Not a weight is left out, so that the localised covariances stay positive definite.
        reaches_("Enkf", problem, config.localisation, 0) {}

  void analyse(Carried& carried, const Observed& observed, const RandomKey& key) const {
    Base::observe("Enkf::analyse", carried, observed);
    if (!reaches_.global()) return analyse_locally(carried, observed, key);
    auto& space = carried.space;
    for (const T& noise : perturbations(observed, key)) space.add_noise(noise);
    space.decompose("Enkf::analyse");
    space.solve(Members - 1);
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
  /// The rows of R^{-1/2} D of the slots that report.
  static Aligned<T> perturbations(const Observed& observed, const RandomKey& key) {
    std::vector<double> normal(Base::slots * Members);
    fill_normal<double>(key.with(Purpose::analysis), normal);
    Aligned<T> out;
    for (std::size_t j = 0; j < Base::slots; ++j) {
      if (observed.precision[j] == 0) continue;
      T d(0);
      for (std::size_t m = 0; m < Members; ++m) d[m] = normal[j * Members + m];
      Base::centre(d, d);
      out.push_back(T(std::sqrt(Members / (Members - 1.0))) * d);
    }
    return out;
  }

  /// E + K (y 1ᵀ − D − H(E)), K localised.
  void analyse_locally(Carried& carried, const Observed& observed, const RandomKey& key) const {
    const auto& all = reaches_.of(Base::problem_, observed);
    Scratch<std::size_t> row(Base::slots, Unset{});  // of a slot among those that report
    std::vector<std::size_t> used;
    for (std::size_t j = 0; j < Base::slots; ++j) {
      row[j] = used.size();
      if (observed.precision[j] != 0) used.push_back(j);
    }
    auto& y = carried.observed;  // becomes Y
    Scratch<double> departure(Base::slots, Unset{});
    Aligned<T> noise(Base::slots, T(0));  // D
    const auto white = perturbations(observed, key);
    for (std::size_t j = 0; j < Base::slots; ++j) {
      departure[j] = observed.values[j] - Base::centre(y[j], y[j]);
      if (observed.precision[j] != 0)
        noise[j] = T(1 / std::sqrt(observed.precision[j])) * white[row[j]];
    }
    if constexpr (correlated) {
      const auto here = placed(Base::problem_.observe, observed);
      here.restore(y.data());
      here.restore(departure.data());
      here.restore(noise.data());
    }
    auto c = zero_tensor<double>(used.size(), used.size());
    auto steps = zero_tensor<double>(used.size(), Members);  // y 1ᵀ − D − H(E), then C⁻¹ of it
    for (std::size_t a = 0; a < used.size(); ++a) {
      const std::size_t j = used[a];
      for (std::size_t m = 0; m < Members; ++m) steps(a, m) = departure[j] - y[j][m] - noise[j][m];
      c(a, a) = sum_lanes(y[j] * y[j]);
      for (const auto& [k, taper] : all[j].slots)
        if (observed.precision[k] != 0)
          c(a, row[k]) = c(row[k], a) = taper * sum_lanes(y[j] * y[k]);
    }
    for (std::size_t a = 0; a < used.size(); ++a)
      for (std::size_t b = 0; b < used.size(); ++b)
        if (correlated || a == b)
          c(a, b) += (Members - 1) * error_covariance(observed, used[a], used[b]);
    if (!used.empty()) steps = solved(c, steps);
    Aligned<T> moved(Base::size, T(0));
    std::array<bool, Base::points> heard{};
    for (std::size_t a = 0; a < used.size(); ++a) {
      T step(0);
      for (std::size_t m = 0; m < Members; ++m) step[m] = steps(a, m);
      for (const auto& [p, taper] : all[used[a]].points) {
        heard[p] = true;
        for (std::size_t i = Base::channels * p; i < Base::channels * (p + 1); ++i)
          Space::add_scaled(taper * sum_lanes(carried.anomalies[i] * y[used[a]]), step, moved[i]);
      }
    }
    const double before = used.empty() ? 1 : Base::inflation_.before;
    for (std::size_t i = 0; i < Base::size; ++i) {
      const T& x = carried.anomalies[i];
      T change;
      const double mean = carried.mean[i] + Base::centre(moved[i], change);
      carried.ensemble[i] =
          T(mean) +
          (heard[i / Base::channels] ? Base::inflation_.applied(x, x + change) : T(1 / before) * x);
    }
    carried.ensemble.repeat_last_lane();
  }

  static constexpr bool correlated = CorrelatedOperator<typename Problem::Operator>;

  /// R_jk, of slots that report.
  [[nodiscard]] double error_covariance(const Observed& observed, std::size_t j,
                                        std::size_t k) const {
    const double deviations = 1 / std::sqrt(observed.precision[j] * observed.precision[k]);
    if constexpr (correlated)
      return Base::problem_.observe.covariance()(j, k) * deviations;
    else
      return deviations;
  }

  /// C⁻¹ b.
  static Matrix solved(const Matrix& c, const Matrix& b) {
    try {
      (void)cholesky(c);
    } catch (const NumericalError& e) {
      throw NumericalError(
          to_text("Enkf::analyse: the localised covariance of the observations is "
                  "not positive definite (",
                  e.what(),
                  "); take tapers::gaspari_cohn with a radius of less than a seventh of the "
                  "domain, or another method"));
    }
    return solve_linear(c, b);
  }

  SlotReaches<Problem, double, 1> reaches_;
};

}  // namespace dan
