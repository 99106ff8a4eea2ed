// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <vector>

#include "dan/analysis/climatology.hpp"
#include "dan/analysis/setting.hpp"
#include "dan/core/error.hpp"
#include "dan/core/linalg.hpp"
#include "dan/core/tensor.hpp"

namespace dan {

/// 3D-Var: the forecast of the last analysis corrected with a static background covariance.
///
///   x^a = x^f + B Hᵀ D (I + D H B Hᵀ D)⁻¹ D (y − H(x^f)),  B = x_B · climatological covariance,
/// with D = R^{-1/2}, which is the minimum of ½ ‖x − x^f‖²_{B⁻¹} + ½ ‖y − H x‖²_{R⁻¹}; a silent
/// slot has D_jj = 0 and drops out. Nonlinear H: H is its tangent at x^f (one Gauss–Newton step).
/// `Runs` independent runs are computed side by side, a lane each; a run that diverges stays in
/// its lane. The Cholesky factor of I + D H B Hᵀ D is kept until a precision changes (nonlinear H:
/// made in every cycle).
/// The constructor throws ShapeError unless the climate fits the model, ConfigError unless
/// scale > 0 and NumericalError if the covariance has an eigenvalue below zero (by more than 1e-10
/// of the largest); `analyse` throws NumericalError for an observation that is not finite and, with
/// a linear H, if such an eigenvalue and a large precision leave no Cholesky factor.
/// Cost per cycle: one model step, 2 slots² + 2 size² flops per run; slots³/3 for a factor.
template <class Setting_, std::size_t Runs = simd_width<double>>
class Var3d : public AnalysisTypes<Setting_, double, Runs> {
 public:
  using Setting = Setting_;
  using Types = AnalysisTypes<Setting, double, Runs>;
  using typename Types::Estimate, typename Types::FirstGuessBatch, typename Types::Observed;
  using Types::size, Types::slots;
  using T = lanes_t<double, Runs>;

  /// The state of every run, and the factor for the precision it was made for.
  struct Carried {
    typename Setting::template States<double, Runs> state;
    decltype(Observed::precision) precision{};
    std::vector<T, AlignedAllocator<T>> factor{};
  };

  /// `scale` is x_B; `name` that of the method in errors, a literal.
  Var3d(const Setting& setting, const Climate& climate, double scale = 0.02,
        std::string_view name = "Var3d")
      : setting_(setting), name_(name), background_(climate.covariance) {
    climate.require_size_of(name, size);
    require_positive(name, "scale", scale);
    const Vector values = symmetric_eigen(background_).values;
    if (!(values[0] >= -1e-10 * std::abs(values[size - 1])))
      throw NumericalError(text(name, ": climate.covariance has the eigenvalue ", values[0],
                                ", expected none below zero; take the covariance of states, as "
                                "climatology_of does"));
    for (double& b : span_of(background_)) b *= scale;
    if constexpr (Setting::Network::linear) {
      const std::vector<double> x(size);
      observed_ = observed_background(x.data());
    }
  }

  /// The first guess.
  [[nodiscard]] Carried start(const FirstGuessBatch& guess, double, const RandomKey&) const {
    return {guess};
  }

  void forecast(Carried& carried) const {
    setting_.model.step(carried.state.data(), carried.state.data());
  }

  void analyse(Carried& carried, const Observed& observed, const RandomKey&) const {
    require_valid_observations("Var3d::analyse", observed);
    T* x = carried.state.data();
    if constexpr (Setting::Network::linear) {
      if (carried.factor.empty() ||
          !std::ranges::equal(carried.precision.numbers(), observed.precision.numbers())) {
        carried.precision = observed.precision;
        factorise(observed_, carried);
        for (std::size_t j = 0; j < slots; ++j)
          if (!std::isfinite(sum_lanes(carried.factor[j * slots + j]))) {
            carried.factor.clear();  // the next cycle must not use it
            throw NumericalError(text(
                name_,
                "::analyse: I + D H B Hᵀ D has no Cholesky factor, expected one; the "
                "observations are too precise for a B with eigenvalues of round-off below zero: "
                "use larger observation variances, or add to the diagonal of the covariance"));
          }
      }
    } else {
      carried.precision = observed.precision;
      factorise(observed_background(x), carried);
    }
    const T* l = carried.factor.data();
    std::array<T, slots> d;
    setting_.network.observe(x, d.data());
    for (std::size_t i = 0; i < slots; ++i) {  // L⁻¹ D (y − H(x))
      d[i] = sqrt(observed.precision[i]) * departure_of(observed, i, d[i]);
      for (std::size_t j = 0; j < i; ++j) d[i] -= l[i * slots + j] * d[j];
      d[i] /= l[i * slots + i];
    }
    for (std::size_t i = slots; i-- > 0;) {  // L⁻ᵀ
      for (std::size_t j = i + 1; j < slots; ++j) d[i] -= l[j * slots + i] * d[j];
      d[i] /= l[i * slots + i];
    }
    for (std::size_t i = 0; i < slots; ++i) d[i] *= sqrt(observed.precision[i]);
    std::vector<T, AlignedAllocator<T>> h(size, T(0.0));
    setting_.network.observe_adjoint(x, d.data(), h.data());
    add_background(h.data(), x);
  }

  void estimate(const Carried& carried, Estimate& to) const { to = carried.state; }

 private:
  template <class U>
  using Many = std::vector<U, AlignedAllocator<U>>;

  /// y += B x.
  template <class U>
  void add_background(const U* x, U* y) const {
    for (std::size_t i = 0; i < size; ++i) {
      U sum(0.0);
      for (std::size_t k = 0; k < size; ++k) sum += U(background_(i, k)) * x[k];
      y[i] += sum;
    }
  }

  /// H B Hᵀ with H the tangent at x: slots × slots.
  template <class U>
  [[nodiscard]] Many<U> observed_background(const U* x) const {
    Many<U> out(slots * slots), unit(slots), state(size), covariance(size), row(slots);
    for (std::size_t j = 0; j < slots; ++j) {
      for (std::size_t i = 0; i < slots; ++i) unit[i] = U(i == j ? 1.0 : 0.0);
      for (std::size_t i = 0; i < size; ++i) state[i] = covariance[i] = U(0.0);
      setting_.network.observe_adjoint(x, unit.data(), state.data());
      add_background(state.data(), covariance.data());
      setting_.network.observe_tangent(x, covariance.data(), row.data());
      std::ranges::copy(row, &out[j * slots]);
    }
    return out;
  }

  /// The lower Cholesky factor of I + D C D, C = H B Hᵀ, in all lanes at once.
  template <class U>
  static void factorise(const Many<U>& c, Carried& carried) {
    using std::sqrt;
    carried.factor.resize(slots * slots);
    T* l = carried.factor.data();
    for (std::size_t i = 0; i < slots; ++i)
      for (std::size_t j = 0; j <= i; ++j) {
        T sum = sqrt(carried.precision[i]) * sqrt(carried.precision[j]) * T(c[i * slots + j]);
        if (i == j) sum += T(1.0);
        for (std::size_t k = 0; k < j; ++k) sum -= l[i * slots + k] * l[j * slots + k];
        l[i * slots + j] = i == j ? sqrt(sum) : sum / l[j * slots + j];
      }
  }

  Setting setting_;
  std::string_view name_;
  Matrix background_;
  Many<double> observed_;  ///< H B Hᵀ of a linear network
};

}  // namespace dan
