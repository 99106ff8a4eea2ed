// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>

#include "dan/analysis/gauss_newton.hpp"
#include "dan/analysis/window.hpp"
#include "dan/analysis/window_trajectory.hpp"
#include "dan/core/batch.hpp"
#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/problem/background/dense.hpp"
#include "dan/problem/problem.hpp"

namespace dan {

/// The options of a 4D-Var.
struct Var4dConfig {
  double scale = 0.1;     ///< x_B, the factor of the climatological covariance
  std::size_t lag = 1;    ///< length of the window in cycles; 0: 3D-Var
  std::size_t shift = 1;  ///< cycles by which the window moves from analysis to analysis
  WindowUse use = WindowUse::newest;
  std::size_t iterations = 10;  ///< at most
  double tolerance = 1e-3;      ///< stop when v changes by less (RMS over its elements)
  /// Of conjugate gradients, per iteration and at most; used without matrices only, see Var4d.
  std::size_t inner_iterations = 40;
  double inner_tolerance = 1e-2;  ///< their last residual, a share of the first
};

/// 4D-Var with a static background covariance, incremental Gauss–Newton.
///
/// With x_b the background at the start of a window of L cycles (see Window), M_b the model from
/// there to batch b of the observations, B = B^{1/2} B^{T/2} the background covariance, it
/// minimises
///   J(v) = ½ vᵀv + ½ Σ_b ‖y_b − H(M_b(x_b + B^{1/2} v))‖²_{R⁻¹}
/// over the batches in use. One iteration, with Y_b = H M_b' B^{1/2} at the present v:
///   v ← v + (I + Σ_b Y_bᵀ R⁻¹ Y_b)⁻¹ (Σ_b Y_bᵀ R⁻¹ (y_b − H(M_b(x_b + B^{1/2} v))) − v).
/// The analysis at the start, moved to the start of the next window by the model, is the next
/// background; B stays. Lag 0 is 3D-Var; on a linear model lag 1 is 3D-Var with M B Mᵀ.
///
/// `estimate` is that of the newest time: after `forecast` the background there; after `analyse`
/// the last trajectory, moved by the last change of v with the tangent. `smoothed` is the analysis
/// at the start of the window. With shift > 1 an analysis takes place in every shift-th cycle only;
/// between, observations are stored and the estimate stays the forecast.
/// `Runs` independent runs are computed side by side, a lane each; each stops by its own
/// tolerance, and a run that diverges stays in its lane.
///
/// B is x_B · climatological covariance, given as a Climate, or any BackgroundCovariance. Of a
/// DenseCovariance the step is found by a factorisation (FactorisedStep: size³), of others by
/// conjugate gradients (IteratedStep: nothing of size²); analysis/gauss_newton.hpp has both with
/// their precision. `Var4d(problem, background, config)` deduces the types.
///
/// The constructor throws ShapeError unless climate or background fit the model, ConfigError for a
/// number out of its range and NumericalError if the climate's covariance is not positive
/// semidefinite; `analyse` throws NumericalError for an observation that is not finite. Not to have
/// converged within `iterations` is no error: see Carried.
/// Cost per analysis and iteration, per run, L model steps and: factorised, L · size tangent
/// steps, size² · slots flops per batch and size³/3, with size · (size + slots · batches in use)
/// numbers; iterated, inner_iterations times L tangent and L adjoint steps and two roots, with
/// (L + 20) states.
/// Source: Courtier, Thépaut and Hollingsworth, Q. J. R. Meteorol. Soc. 120 (1994) 1367–1387; the
/// linear last step and the window that uses only its newest observation as in DAPPER's Var4D.
template <class Problem_, std::size_t Runs = simd_width<double>,
          BackgroundCovariance Background = DenseBackground>
class Var4d : public AnalysisTypes<Problem_, double, Runs> {
 public:
  using Problem = Problem_;
  static_assert(DifferentiableModel<typename Problem::Model>,
                "Var4d: the model must have step_tangent and step_adjoint; write them, put it "
                "into Differentiated<...>, or take Ienks");
  static_assert(DifferentiableOperator<typename Problem::Operator>,
                "Var4d: the observation operator must have observe_tangent, observe_adjoint and "
                "linear; write them, put it into Differentiated<...>, or take Ienks");
  using Types = AnalysisTypes<Problem, double, Runs>;
  using typename Types::Estimate, typename Types::FirstGuessBatch, typename Types::Observed;
  using Types::size, Types::slots;
  using States = typename Problem::template States<double, Runs>;
  using T = lanes_t<double, Runs>;
  static constexpr bool keeps_past = true;  ///< see HasElements
  static constexpr std::string_view method = "Var4d";
  using Numbers = Aligned<T>;

  struct Carried {
    States state;                        ///< at the newest time
    States start;                        ///< at the start of the window
    ObservationWindow<Observed> window;  ///< the observations since
    std::size_t iterations = 0;          ///< of the last `analyse`, of the run that took most
    bool converged = true;  ///< whether all runs reached the tolerance then, with finite numbers
  };

  Var4d(const Problem& problem, const Climate& climate,
        const Var4dConfig& config = {}) requires std::same_as<Background, DenseBackground>
      : Var4d(problem, detail::background_of<size>("Var4d", climate, config.scale), config) {}

  /// `config.scale` is not used: a background has its own.
  Var4d(const Problem& problem, const Background& background, const Var4dConfig& config = {})
      : problem_(problem), config_(config), step_(step_of(background, config)) {
    ObservationWindow<Observed>::require_valid("Var4d", config.lag, config.shift);
    require_at_least("Var4d", "iterations", config.iterations, 1);
    require_positive("Var4d", "tolerance", config.tolerance);
    require_at_least("Var4d", "inner_iterations", config.inner_iterations, 1);
    require_positive("Var4d", "inner_tolerance", config.inner_tolerance);
  }

  /// The first guess.
  [[nodiscard]] Carried start(const FirstGuessBatch& guess, double, const RandomKey& key) const {
    return {guess, guess, {config_.lag, config_.shift, key.cycle}};
  }

  /// Moves the window's start if it is due, and the background from there to the newest time.
  void forecast(Carried& carried) const {
    const std::size_t moved = carried.window.advance();
    const auto step = [&](States& x, double time) {
      at_time(problem_.model, time).step(x.data(), x.data());
    };
    for (std::size_t n = 0; n < moved; ++n)
      step(carried.start, carried.window.time(n) - static_cast<double>(moved));
    carried.state = carried.start;
    for (std::size_t n = 0; n < carried.window.length(); ++n)
      step(carried.state, carried.window.time(n));
  }

  void analyse(Carried& carried, const Observed& observed, const RandomKey&) const {
    require_valid_observations("Var4d::analyse", observed);
    carried.window.newest() = observed;
    carried.iterations = 0;
    carried.converged = true;
    if (!carried.window.due()) return;
    const std::size_t controls = step_.controls();
    Numbers v(controls, T(0.0)), step(controls), moved(size);
    T active(1.0);  // zero in the lanes that have converged
    const double enough = config_.tolerance * config_.tolerance * static_cast<double>(controls);
    do {
      const Trajectory x = trajectory(carried, v.data());
      std::copy_n(x.newest(), size, moved.data());
      step_.find(x, v, active, step, moved.data());
      T change(0.0);
      for (std::size_t i = 0; i < size; ++i)
        carried.state[i] = where_positive(active, moved[i], carried.state[i]);
      for (std::size_t k = 0; k < controls; ++k) {
        step[k] = where_positive(active, step[k], T(0.0));
        v[k] += step[k];
        change += step[k] * step[k];
      }
      active = where_positive(change - T(enough), active, T(0.0));
      carried.converged = !(sum_lanes(active) > 0);  // NaN is not active, see below
    } while (++carried.iterations < config_.iterations && !carried.converged);
    step_.add_root(v.data(), carried.start.data());
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t l = 0; l < Runs; ++l)
        carried.converged = carried.converged && std::isfinite(carried.state.at(i, l)) &&
                            std::isfinite(carried.start.at(i, l));
  }

  void estimate(const Carried& carried, Estimate& to) const { to = carried.state; }

  /// What of it outlives a process, see save_carried.
  template <class Archive>
  void transfer(Carried& carried, Archive& archive) const {
    archive.batch("state", carried.state);
    archive.batch("start", carried.start);
    carried.window.transfer(archive);
  }

  /// The analysis at the window's start given all observations up to the newest that were
  /// analysed; returns how many cycles before the newest time it is valid (`lag`, once the window
  /// is full).
  std::size_t smoothed(const Carried& carried, Estimate& to) const {
    to = carried.start;
    return carried.window.length();
  }

  /// How many numbers v has.
  [[nodiscard]] std::size_t controls() const { return step_.controls(); }

  /// J(v) of every run with `carried.start` as background; v: `controls()` elements.
  [[nodiscard]] T cost(const Carried& carried, const T* v) const {
    const Trajectory x = trajectory(carried, v);
    const Numbers d = x.departures();
    T sum(0.0);
    for (std::size_t k = 0; k < controls(); ++k) sum += v[k] * v[k];
    for (std::size_t n = 0; n < d.size(); ++n)
      sum += x.batch(n / slots).precision[n % slots] * d[n] * d[n];
    return T(0.5) * sum;
  }

  /// gradient = ∂J/∂v by one sweep of the adjoint model; v and gradient: `controls()` elements.
  void gradient(const Carried& carried, const T* v, T* gradient) const {
    const Trajectory x = trajectory(carried, v);
    Numbers d = x.departures(), d_x(size);
    x.weigh(d.data());
    for (T& value : d) value = -value;
    x.adjoint(d.data(), d_x.data());
    std::copy_n(v, controls(), gradient);
    step_.root_adjoint(d_x.data(), gradient);
  }

 private:
  using Trajectory = WindowTrajectory<Problem, Runs>;
  using Step = std::conditional_t<DenseCovariance<Background>, FactorisedStep<Problem, Runs>,
                                  IteratedStep<Problem, Runs, Background>>;

  [[nodiscard]] static Step step_of(const Background& background, const Var4dConfig& config) {
    detail::require_background("Var4d", background, size);
    if constexpr (DenseCovariance<Background>)
      return Step(background);
    else
      return Step(background, config.inner_iterations, config.inner_tolerance);
  }

  /// From x_b + B^{1/2} v through the window.
  [[nodiscard]] Trajectory trajectory(const Carried& carried, const T* v) const {
    Numbers x(carried.start.data(), carried.start.data() + size);
    step_.add_root(v, x.data());
    return {problem_, carried.window, config_.use, x.data()};
  }

  Problem problem_;
  Var4dConfig config_;
  Step step_;
};

}  // namespace dan
