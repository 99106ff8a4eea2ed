// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "dan/analysis/enkf_n.hpp"
#include "dan/analysis/ensemble.hpp"
#include "dan/analysis/inflation.hpp"
#include "dan/analysis/window.hpp"

namespace dan {

/// How an IEnKS finds the derivative of the window's observations by the weights.
enum class IenksForm {
  transform,  ///< from an ensemble with the anomalies X T of the last iteration; ε X where T has
              ///< an eigenvalue below ε
  bundle      ///< from an ensemble with the anomalies ε X: finite differences
};

/// How often an IEnKS uses an observation.
enum class DataAssimilation {
  single,   ///< SDA: once, when it is new
  multiple  ///< MDA: in every analysis whose window holds it, with weights that sum to one
};

/// The options of an IEnKS.
struct IenksConfig {
  std::size_t lag = 1;    ///< length of the window in cycles; 0: a filter, iterated for nonlinear H
  std::size_t shift = 1;  ///< cycles by which the window moves from analysis to analysis
  std::size_t iterations = 10;  ///< at most
  double tolerance = 1e-3;      ///< stop when the weights change by less (RMS over the members)
  IenksForm form = IenksForm::transform;
  double epsilon = 1e-4;  ///< ε, scale of the bundle, and the smallest eigenvalue of a transform
  DataAssimilation assimilation = DataAssimilation::single;
  bool finite_size = false;  ///< IEnKS-N: the prior of the EnKF-N, with `prior` and `xn`
  HyperPrior prior = HyperPrior::mode_corrected;
  std::optional<double> xn{};
  Inflation inflation{};      ///< of the anomalies at the window's start
  bool rotation = false;      ///< rotate these anomalies randomly, keeping the mean
  double most_failed = 0.25;  ///< see ForecastConfig
};

/// The iterative ensemble Kalman smoother; with lag 1 the iterative filter (IEnKF).
///
/// With x̄, X the ensemble at the start of a window of L cycles (see Window), M_b the model from
/// there to batch b of the observations, β_b its weight, it minimises over the weights w
///   ½ Σ_b β_b ‖y_b − H(M_b(x̄ + X w))‖²_{R⁻¹} + ½ (N−1) wᵀw
/// by Gauss–Newton (finite_size: + ½ g ln(a + wᵀw) instead of the last term). At iterate w, with
/// Y_b the observed anomalies of the ensemble x̄ 1ᵀ + X (w 1ᵀ + T) after M_b, times T⁻¹ (bundle:
/// ε I for T; also with form transform where T has an eigenvalue below ε, that is R below about
/// ε² of the ensemble's variance: in the directions that R leaves wide the ensemble sees the
/// curvature of H ∘ M_b, which T⁻¹ would then take for a slope along the narrow ones, a larger one
/// from iteration to iteration), and ȳ_b their mean:
///   S = Σ_b β_b Y_bᵀ R⁻¹ Y_b,  b = Σ_b β_b Y_bᵀ R⁻¹ (y_b − ȳ_b + Y_b w),
///   w ← (S + ζ I)⁻¹ b,  T ← √(N−1) (S + ζ I)^{-1/2},  ζ = N − 1,
/// and with finite_size ζ = g / (a + wᵀw) of the old w, which falls from iteration to iteration to
/// the ζ of EnkfN: smaller first steps than with that ζ at once, and fewer diverged filters.
/// X is inflated by `inflation.before`; the first Y_b is still that of the forecast's members, with
/// T = I / before for these X.
/// The new ensemble at the start is x̄ 1ᵀ + X w 1ᵀ + X^a U, X^a = X T inflated; U = I or a random
/// rotation.
///
/// `estimate` and `spread` tell of the ensemble at the newest time: after `forecast` the members
/// brought there by the model; after `analyse` the last iterate's, moved by the last change of w
/// and T linearly (before inflation). `smoothed` is the mean at the start of the window.
/// SDA: β = 1 for the `shift` newest batches, 0 for the others. MDA: β = 1/(number of analyses
/// that use the batch) for all batches. As some of them still have weight to come, a second
/// minimisation from the same prior (the balancing step) gives what is reported: it uses every
/// batch with its β and all that is missing to one; it does not enter the next cycle.
/// MDA with `finite_size` is underdispersed (Lorenz 96 in the mild regime: the spread below the
/// RMSE, one run of eight at an aRMSE of 0.207): give it a little inflation, `factor` 1.02.
/// With shift > 1 an analysis takes place in every shift-th cycle only; between, observations are
/// stored and the estimate stays the forecast.
///
/// The constructor throws ConfigError for a number out of its range; `analyse` throws
/// NumericalError when the ensemble or an observation is not finite. Not to have converged within
/// `iterations` is no error: see Carried. Cost per analysis of i iterations: (1 + i L) N model
/// steps (bundle: (1 + L + i L) N), 4 N² flops per observation and an eigenproblem of size N per
/// iteration. Memory: (L slots + 4 size) N numbers. Source: Sakov, Oliver and Bertino, Mon. Weather
/// Rev. 140 (2012) 1988–2004; Bocquet and Sakov, Nonlin. Processes Geophys. 20 (2013) 803–818 and
/// Q. J. R. Meteorol. Soc. 140 (2014) 1521–1535. The linear last step follows DAPPER's iEnKS.
template <class Problem, std::size_t Members>
class Ienks : public EnsembleFilter<Problem, Members> {
 public:
  using Base = EnsembleFilter<Problem, Members>;
  using Base::size, Base::slots;
  using typename Base::Ensemble, typename Base::Estimate, typename Base::FirstGuessBatch,
      typename Base::Observed, typename Base::Space, typename Base::T;
  using Rows = typename Space::Rows;
  static constexpr bool keeps_past = true;  ///< see HasElements
  static constexpr std::string_view method = "Ienks";
  static_assert(
      Problem::perfect_model,
      "Ienks: takes the model for perfect within its window, and the problem has model "
      "noise; give it without_model_noise(problem) and inflation, or take a filter: EnkfN");

  /// `ensemble` is the one at the newest time.
  struct Carried : Base::Carried {
    Ensemble start;                      ///< at the start of the window
    ObservationWindow<Observed> window;  ///< the observations since
    Estimate smoothed;                   ///< mean at the start; MDA: after the balancing step
    std::size_t iterations = 0;          ///< of the last `analyse`; MDA: of both minimisations
    bool converged = true;               ///< whether the last `analyse` reached the tolerance
    // Work space that holds nothing from cycle to cycle.
    Rows prior_anomalies = Rows(size), inverse = Rows(Members);  ///< X, T⁻¹
    std::vector<double> prior_mean = std::vector<double>(size);  ///< x̄
    T weights{0.0};                                              ///< w of the trajectory
  };

  explicit Ienks(const Problem& problem, const IenksConfig& config = {})
      : Base(problem, config.inflation, config.rotation, {.most_failed = config.most_failed},
             method),
        config_(config) {
    ObservationWindow<Observed>::require_valid("Ienks", config.lag, config.shift);
    require_at_least("Ienks", "iterations", config.iterations, 1);
    require_positive("Ienks", "tolerance", config.tolerance);
    require_positive("Ienks", "epsilon", config.epsilon);
    if (config.xn) require_positive("Ienks", "xn", *config.xn);
  }

  /// See EnsembleFilter::start.
  [[nodiscard]] Carried start(const FirstGuessBatch& guess, double deviation,
                              const RandomKey& key) const {
    auto base = Base::start(guess, deviation, key);
    const Ensemble ensemble = base.ensemble;
    Carried carried{std::move(base), ensemble, {config_.lag, config_.shift, key.cycle}, {}};
    carried.observed.resize(slots * std::max<std::size_t>(config_.lag, 1));
    propagate(carried);
    mean_of_start(carried);
    return carried;
  }

  /// Moves the window's start if it is due, and every member from there to the newest time; those
  /// that fail on the way begin again as draws from the others.
  void forecast(Carried& carried) const {
    const std::size_t moved = carried.window.advance();
    for (std::size_t n = 0; n < moved; ++n)
      at_time(Base::problem_.model, carried.window.time(n) - static_cast<double>(moved))
          .step(carried.start.data(), carried.start.data());
    if (moved > 0) mean_of_start(carried);
    carried.ensemble = carried.start;
    propagate(carried);
    ++carried.key.cycle;
    carried.failed.find(carried.ensemble, carried.key);
    if (carried.failed.count() == 0 || !carried.failed.replaceable(Base::forecast_.most_failed))
      return;
    carried.failed.replace(carried.start);
    mean_of_start(carried);
    carried.ensemble = carried.start;
    propagate(carried);
  }

  void analyse(Carried& carried, const Observed& observed, const RandomKey& key) const {
    require_valid_observations("Ienks::analyse", observed);
    require_finite(carried);
    carried.window.newest() = observed;
    if constexpr (PlacedOperator<typename Problem::Operator>)  // the forecast did not know where
      observe_batch(carried, carried.window.batches() - 1);
    carried.iterations = 0;
    carried.converged = true;
    if (!carried.window.due()) return;
    const double before = observes(carried.window) ? Base::inflation_.before : 1;
    for (std::size_t i = 0; i < size; ++i) {
      carried.prior_mean[i] = Base::centre(carried.start[i], carried.prior_anomalies[i]);
      carried.prior_anomalies[i] *= T(before);
    }
    carried.weights = T(0.0);
    set_diagonal(carried.inverse, bundle() ? 1 / config_.epsilon : before);
    if (bundle()) launch(carried, true);
    const bool multiple = config_.assimilation == DataAssimilation::multiple;
    minimise(carried, false);
    if (multiple) {
      update_start(carried, key);
      minimise(carried, true);
    }
    update_newest(carried);
    if (!multiple) update_start(carried, key);
  }

  /// The mean at the window's start given all observations up to the newest that were analysed;
  /// returns how many cycles before the newest time it is valid (`lag`, once the window is full).
  std::size_t smoothed(const Carried& carried, Estimate& to) const {
    to = carried.smoothed;
    return carried.window.length();
  }

  /// What of it outlives a process, see save_carried.
  template <class Archive>
  void transfer(Carried& carried, Archive& archive) const {
    Base::transfer(carried, archive);
    archive.batch("start", carried.start);
    archive.batch("smoothed", carried.smoothed);
    archive.numbers("observed", std::span(carried.observed), Members);
    carried.window.transfer(archive);
  }

 private:
  [[nodiscard]] bool bundle() const { return config_.form == IenksForm::bundle; }

  /// `ensemble` from the start to the newest time, and what is observed of it at every batch.
  void propagate(Carried& carried) const {
    T* x = carried.ensemble.data();
    if (carried.window.length() == 0) observe_batch(carried, 0);
    for (std::size_t b = 0; b < carried.window.length(); ++b) {
      at_time(Base::problem_.model, carried.window.time(b)).step(x, x);
      observe_batch(carried, b);
    }
  }

  /// What batch b sees of `ensemble`.
  void observe_batch(Carried& carried, std::size_t b) const {
    placed(Base::problem_.observe, carried.window.batch(b))
        .observe(carried.ensemble.data(), &carried.observed[b * slots]);
  }

  /// The trajectory of the ensemble x̄ 1ᵀ + X (w 1ᵀ + T), `scaled`: x̄ 1ᵀ + X (w 1ᵀ + ε I).
  void launch(Carried& carried, bool scaled) const {
    for (std::size_t i = 0; i < size; ++i) {
      const T& x = carried.prior_anomalies[i];
      carried.ensemble[i] = T(carried.prior_mean[i] + sum_lanes(x * carried.weights)) +
                            (scaled ? T(config_.epsilon) * x : carried.space.transformed(x));
    }
    carried.ensemble.repeat_last_lane();
    propagate(carried);
    require_finite(carried);
  }

  /// Gauss–Newton from the present trajectory; leaves the new w and T in `space`, the w and T⁻¹ of
  /// the last trajectory in `weights` and `inverse`.
  void minimise(Carried& carried, bool balance) const {
    auto& space = carried.space;
    for (std::size_t n = 1;; ++n) {
      space.clear();
      for (std::size_t b = 0; b < carried.window.batches(); ++b)
        if (const double beta = weight(carried.window, b, balance); beta > 0)
          add_batch(carried, b, beta);
      space.decompose("Ienks::analyse");
      const double zeta = find_zeta(space, carried.weights);
      space.solve(zeta);
      const T change = space.weights() - carried.weights;
      const bool converged = std::sqrt(sum_lanes(change * change) / Members) < config_.tolerance;
      ++carried.iterations;
      if (converged || n == config_.iterations) {
        carried.converged = carried.converged && converged;
        return;
      }
      carried.weights = space.weights();
      const double least = std::sqrt((Members - 1) / (space.values()[Members - 1] + zeta));
      const bool scaled = bundle() || least < config_.epsilon;
      if (scaled)
        set_diagonal(carried.inverse, 1 / config_.epsilon);
      else
        set_inverse(space, zeta, carried.inverse);
      launch(carried, scaled);
    }
  }

  /// β of batch b; with `balance`, what it lacks of one before this analysis.
  [[nodiscard]] double weight(const ObservationWindow<Observed>& window, std::size_t b,
                              bool balance) const {
    const auto before = static_cast<double>(window.uses_before(b));
    if (config_.assimilation == DataAssimilation::single) return before == 0 ? 1 : 0;
    const auto uses = static_cast<double>(window.uses(b));
    return balance ? 1 - before / uses : 1 / uses;
  }

  /// Whether anything reports in the batches that this analysis uses.
  [[nodiscard]] bool observes(const ObservationWindow<Observed>& window) const {
    for (std::size_t b = 0; b < window.batches(); ++b)
      if (weight(window, b, false) > 0 && reports(window.batch(b))) return true;
    return false;
  }

  /// The part of batch b in S and b.
  void add_batch(Carried& carried, std::size_t b, double beta) const {
    const Observed& observed = carried.window.batch(b);
    for (std::size_t j = 0; j < slots; ++j) {
      if (observed.precision[j] == 0) continue;
      T y;
      const double mean = Base::centre(carried.observed[b * slots + j], y);
      Base::require_finite_slot("Ienks::analyse", j, mean);
      y = Space::product(y, carried.inverse);
      carried.space.add(y, beta * observed.precision[j],
                        observed.values[j] - mean + sum_lanes(y * carried.weights));
    }
  }

  /// ζ at the present w; space: decomposed.
  [[nodiscard]] double find_zeta(const Space& space, const T& w) const {
    if (!config_.finite_size || space.empty()) return Members - 1;
    const auto [a, g] = finite_size_prior(config_.prior, config_.xn, space.values());
    return g / (a + sum_lanes(w * w));
  }

  /// `ensemble` and `smoothed` for the new w and T.
  void update_newest(Carried& carried) const {
    const auto& space = carried.space;
    const T change = space.weights() - carried.weights;
    for (std::size_t i = 0; i < size; ++i) {
      T x;
      const double mean = Base::centre(carried.ensemble[i], x);
      x = Space::product(x, carried.inverse);
      carried.ensemble[i] = T(mean + sum_lanes(x * change)) + space.transformed(x);
      carried.smoothed[i] =
          carried.prior_mean[i] + sum_lanes(carried.prior_anomalies[i] * space.weights());
    }
    carried.ensemble.repeat_last_lane();
  }

  /// `start` for the new w and T.
  void update_start(Carried& carried, const RandomKey& key) const {
    auto& space = carried.space;
    Base::find_rotation(space, key);
    for (std::size_t i = 0; i < size; ++i) {
      const T& x = carried.prior_anomalies[i];
      carried.start[i] = Base::analysed(space, carried.prior_mean[i], x, space.transformed(x));
    }
    carried.start.repeat_last_lane();
  }

  void mean_of_start(Carried& carried) const {
    T anomalies;
    for (std::size_t i = 0; i < size; ++i)
      carried.smoothed[i] = Base::centre(carried.start[i], anomalies);
  }

  static void require_finite(const Carried& carried) {
    double sum = 0;
    for (const double x : carried.ensemble.numbers()) sum += x;
    if (!std::isfinite(sum))
      throw NumericalError(
          "Ienks::analyse: the forecast ensemble is not finite, the filter has "
          "diverged; use more members, more inflation or a shorter lag");
  }

  static void set_diagonal(Rows& a, double value) {
    std::ranges::fill(a, T(0.0));
    for (std::size_t m = 0; m < Members; ++m) a[m][m] = value;
  }

  /// T⁻¹ = (S + ζ I)^{1/2} / √(N−1).
  static void set_inverse(const Space& space, double zeta, Rows& a) {
    std::ranges::fill(a, T(0.0));
    for (std::size_t k = 0; k < Members; ++k) {
      const T& v = space.vector(k);
      const double scale = std::sqrt((space.values()[k] + zeta) / (Members - 1.0));
      for (std::size_t m = 0; m < Members; ++m) Space::add_scaled(scale * v[m], v, a[m]);
    }
  }

  IenksConfig config_;
};

}  // namespace dan
