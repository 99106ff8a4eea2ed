// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/lane_cholesky.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/tensor.hpp"
#include "dan/problem/background/dense.hpp"
#include "dan/problem/problem.hpp"

namespace dan {

/// 3D-Var: the forecast of the last analysis corrected with a static background covariance.
///
///   x^a = x^f + B Hᵀ D (I + D H B Hᵀ D)⁻¹ D (y − H(x^f)),
/// with B = x_B · climatological covariance, given as a Climate, or any BackgroundCovariance
/// (`Var3d(problem, background)` deduces the types), and D = R^{-1/2}, which is the minimum of ½ ‖x
/// − x^f‖²_{B⁻¹} + ½ ‖y − H x‖²_{R⁻¹}; a silent slot has D_jj = 0 and drops out. Nonlinear H: H is
/// its tangent at x^f (one Gauss–Newton step). `Runs` independent runs are computed side by side, a
/// lane each; a run that diverges stays in its lane. The Cholesky factor of I + D H B Hᵀ D is kept
/// until a precision changes, or a `Carried` comes to another Var3d (nonlinear H: made in every
/// cycle). The constructor throws ShapeError unless the climate fits the model, ConfigError unless
/// scale > 0 and NumericalError if the covariance has an eigenvalue below zero (by more than 1e-10
/// of the largest); `analyse` throws NumericalError for an observation that is not finite and, with
/// a linear H, if large precisions, and such an eigenvalue or two slots that see the same, leave no
/// Cholesky factor. Cost per cycle: one model step, 2 slots² + 2 slots · size flops per run;
/// slots³/3 for a factor. Once, or in every cycle for a nonlinear H or one with places: size +
/// slots tangents of H with a DenseCovariance; slots roots, their adjoints and tangents and
/// adjoints of H with another. Memory: slots · size numbers, and those of the background.
/// Source: Lorenc, Q. J. R. Meteorol. Soc. 112 (1986) 1177–1194.
template <class Problem_, std::size_t Runs = simd_width<double>,
          BackgroundCovariance Background = DenseBackground>
class Var3d : public AnalysisTypes<Problem_, double, Runs> {
 public:
  using Problem = Problem_;
  static_assert(DifferentiableOperator<typename Problem::Operator>,
                "Var3d: the observation operator must have observe_tangent, observe_adjoint and "
                "linear; write them, or put it into Differentiated<...>");
  using Types = AnalysisTypes<Problem, double, Runs>;
  using typename Types::Estimate, typename Types::FirstGuessBatch, typename Types::Observed;
  using Types::size, Types::slots;
  using T = lanes_t<double, Runs>;
  static constexpr std::string_view method = "Var3d";

  template <class U>
  using Many = Aligned<U>;

  /// The covariances of what is observed, H the tangent at some x.
  template <class U>
  struct Covariances {
    Many<U> states;  ///< H B, slots × state elements
    Many<U> slots;   ///< H B Hᵀ, slots × slots
  };

  /// The state of every run, and the factor with the precision and the covariances it was made of.
  struct Carried {
    typename Problem::template States<double, Runs> state;
    std::size_t cycle = 0;  ///< at which the next forecast begins
    decltype(Observed::precision) precision{};
    Many<T> factor{};
    std::shared_ptr<const Covariances<double>> covariances{};
  };

  /// `scale` is x_B; `name` that of the method in errors, a literal.
  Var3d(const Problem& problem, const Climate& climate, double scale = 0.02,
        std::string_view name = "Var3d") requires std::same_as<Background, DenseBackground>
      : Var3d(problem, detail::background_of<size>(name, climate, scale), name) {}

  Var3d(const Problem& problem, const Background& background, std::string_view name = "Var3d")
      : problem_(problem), name_(name), background_(background) {
    detail::require_background(name, background, size);
    if constexpr (fixed) {
      const std::vector<double> x(size);
      observed_ =
          std::make_shared<const Covariances<double>>(covariances_at(problem_.observe, x.data()));
    }
  }

  /// The first guess.
  [[nodiscard]] Carried start(const FirstGuessBatch& guess, double, const RandomKey& key) const {
    return {guess, key.cycle};
  }

  void forecast(Carried& carried) const {
    at_time(problem_.model, static_cast<double>(carried.cycle++))
        .step(carried.state.data(), carried.state.data());
  }

  void analyse(Carried& carried, const Observed& observed, const RandomKey&) const {
    require_valid_observations(std::string(name_) + "::analyse", observed);
    T* x = carried.state.data();
    if (whole(observed)) {
      if (carried.covariances != observed_ ||
          !std::ranges::equal(carried.precision.numbers(), observed.precision.numbers())) {
        carried.covariances = nullptr;  // the next cycle must not use the factor of a failure
        factorise(observed_->slots, observed, carried.factor);
        require_factor(carried.factor);
        carried.precision = observed.precision;
        carried.covariances = observed_;
      }
      correct(*observed_, carried.factor.data(), observed, x);
    } else {
      carried.covariances = nullptr;
      auto covariances = covariances_at(placed(problem_.observe, observed), x);
      for (std::size_t j = 0; j < slots; ++j) {
        for (std::size_t i = 0; i < size; ++i) {
          T& c = covariances.states[j * size + i];
          c = where_reporting(observed, j, c);
        }
        for (std::size_t i = 0; i < slots; ++i) {
          T& c = covariances.slots[j * slots + i];
          c = where_reporting(observed, i, where_reporting(observed, j, c));
        }
      }
      factorise(covariances.slots, observed, carried.factor);
      if (Problem::Operator::linear) require_factor(carried.factor);  // else it depends on x
      correct(covariances, carried.factor.data(), observed, x);
    }
  }

  void estimate(const Carried& carried, Estimate& to) const { to = carried.state; }

  /// What of it outlives a process, see save_carried; a factor is made anew.
  template <class Archive>
  void transfer(Carried& carried, Archive& archive) const {
    archive.batch("state", carried.state);
    archive.count("time", carried.cycle);
  }

 private:
  /// Whether H is the same in all cycles; of whitened observations where all slots report.
  static constexpr bool fixed =
      Problem::Operator::linear && !MovingOperator<typename Problem::Operator>;
  static bool whole([[maybe_unused]] const Observed& observed) {
    if constexpr (fixed && CorrelatedOperator<typename Problem::Operator>)
      return observed.places.whole();
    else
      return fixed;
  }

  /// At x, of `size` elements of U.
  template <class Operator, class U>
  [[nodiscard]] Covariances<U> covariances_at(const Operator& operation, const U* x) const {
    Covariances<U> out{Many<U>(slots * size), Many<U>(slots * slots)};
    if constexpr (DenseCovariance<Background>) {  // H of the rows of B
      const Matrix& b = background_.matrix();
      Many<U> row(size), seen(slots);
      for (std::size_t i = 0; i < size; ++i) {
        for (std::size_t k = 0; k < size; ++k) row[k] = U(b(i, k));
        operation.observe_tangent(x, row.data(), seen.data());
        for (std::size_t j = 0; j < slots; ++j) out.states[j * size + i] = seen[j];
      }
    } else {  // B of the adjoints of the slots
      Scratch<U> unit(slots), state(size), controls(background_.controls());
      for (std::size_t j = 0; j < slots; ++j) {
        std::ranges::fill(state, U(0.0)), std::ranges::fill(controls, U(0.0));
        unit[j] = U(1.0);
        operation.observe_adjoint(x, unit.data(), state.data());
        unit[j] = U(0.0);
        background_.root_adjoint(state.data(), controls.data());
        background_.root(controls.data(), &out.states[j * size]);
      }
    }
    for (std::size_t j = 0; j < slots; ++j)
      operation.observe_tangent(x, &out.states[j * size], &out.slots[j * slots]);
    return out;
  }

  /// The lower Cholesky factor l of I + D C D, C = H B Hᵀ, in all lanes at once.
  template <class U>
  static void factorise(const Many<U>& c, const Observed& observed, Many<T>& l) {
    using std::sqrt;
    l.resize(slots * slots);
    const auto& precision = observed.precision;
    for (std::size_t i = 0; i < slots; ++i)
      for (std::size_t j = 0; j <= i; ++j) {
        T& a = l[i * slots + j];
        a = sqrt(precision[i]) * sqrt(precision[j]) * T(c[i * slots + j]);
        if (i == j) a += T(1.0);
      }
    factorise_lanes(slots, l.data());
  }

  void require_factor(const Many<T>& l) const {
    for (std::size_t j = 0; j < slots; ++j)
      for (std::size_t lane = 0; lane < Runs; ++lane)
        if (const double pivot = lane_of(l[j * slots + j], lane);
            !(pivot > 0 && std::isfinite(pivot)))
          throw NumericalError(to_text(
              name_,
              "::analyse: I + D H B Hᵀ D has no Cholesky factor, expected one; the observations "
              "are too precise for a B with eigenvalues of round-off below zero, or for others "
              "that see the same: use larger observation variances, or add to the diagonal of "
              "the covariance"));
  }

  /// x += B Hᵀ D L⁻ᵀ L⁻¹ D (y − H(x)).
  template <class U>
  void correct(const Covariances<U>& covariances, const T* l, const Observed& observed,
               T* x) const {
    using std::sqrt;
    Scratch<T> d(slots, Unset{});
    placed(problem_.observe, observed).observe(x, d.data());
    for (std::size_t i = 0; i < slots; ++i)
      d[i] = sqrt(observed.precision[i]) * departure_of(observed, i, d[i]);
    divide_by_factor(slots, l, d.data());
    divide_by_transposed_factor(slots, l, d.data());
    for (std::size_t j = 0; j < slots; ++j) {
      d[j] *= sqrt(observed.precision[j]);
      for (std::size_t i = 0; i < size; ++i) x[i] += T(covariances.states[j * size + i]) * d[j];
    }
  }

  Problem problem_;
  std::string_view name_;
  Background background_;
  std::shared_ptr<const Covariances<double>> observed_;  ///< of a linear operator
};

}  // namespace dan
