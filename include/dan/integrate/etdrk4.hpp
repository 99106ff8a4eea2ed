// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <concepts>
#include <cstddef>
#include <limits>
#include <numbers>
#include <string>

#include "dan/concepts.hpp"
#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/scalar.hpp"
#include "dan/core/unrolled.hpp"
#include "dan/geometry/concepts.hpp"
#include "dan/transform/real_fourier.hpp"

/// \file
/// Exponential time differencing: the linear part of an equation, diagonal in its waves and stiff,
/// is integrated exactly, the rest by a Runge–Kutta scheme.

namespace dan {

/// The numbers of ETDRK4 for dX/dt = λ X + N with time step h, with z = λ h:
///   whole = e^z, half = e^{z/2}, q = h (e^{z/2} − 1)/z,
///   f1 = h (−4 − z + e^z (4 − 3z + z²))/z³, f2 = h (2 + z + e^z (z − 2))/z³,
///   f3 = h (−4 − 3z − z² + e^z (4 − z))/z³.
/// For λ = −∞, a wave that is removed at once, all are zero.
/// Source: Cox and Matthews, J. Comput. Phys. 176 (2002) 430–455, equations 26 to 29.
struct Etdrk4Coefficients {
  double whole = 0, half = 0, q = 0, f1 = 0, f2 = 0, f3 = 0;
};

/// The coefficients without cancellation: q and f are means over 16 points of the upper half of the
/// circle of radius one around z.
/// Source: Kassam and Trefethen, SIAM J. Sci. Comput. 26 (2005) 1214–1233, section 2.
[[nodiscard]] inline Etdrk4Coefficients etdrk4_coefficients(double lambda, double time_step) {
  if (lambda == -std::numeric_limits<double>::infinity()) return {};
  constexpr int contour_points = 16;
  const double h = time_step, centre = lambda * h;
  Etdrk4Coefficients out{.whole = std::exp(centre), .half = std::exp(centre / 2)};
  for (int j = 0; j < contour_points; ++j) {
    const auto z = centre + std::polar(1.0, std::numbers::pi * (j + 0.5) / contour_points);
    const auto e = std::exp(z), cube = z * z * z;
    const auto add = [&](double& to, const std::complex<double>& f) {
      to += h * f.real() / contour_points;
    };
    add(out.q, (std::exp(z / 2.0) - 1.0) / z);
    add(out.f1, (-4.0 - z + e * (4.0 - 3.0 * z + z * z)) / cube);
    add(out.f2, (2.0 + z + e * (z - 2.0)) / cube);
    add(out.f3, (-4.0 - 3.0 * z - z * z + e * (4.0 - z)) / cube);
  }
  return out;
}

/// An equation dX_k/dt = λ_k X_k + N_k(u) for the waves X = F u of a field on a ring: `linear(k)`
/// is λ_k, real; `nonlinear(u, n)` writes the spectrum of N(u), `nonlinear_tangent(u, du, d_n)`
/// that of N'(u) du, and `nonlinear_adjoint(u, d_n, d_u)` adds N'(u)ᵀ F⁻¹ d_n to d_u.
template <class E>
concept SpectralEquation = HasState<E> &&
    requires(const E equation, const double* x, double* y, const detail::Side* s, detail::Side* t) {
  { equation.linear(std::size_t(0)) } -> std::convertible_to<double>;
  equation.nonlinear(x, y);  // write: template <class T> void nonlinear(const T*, T*)
  equation.nonlinear(s, t);  // write: template <class T> void nonlinear(const T*, T*)
  equation.nonlinear_tangent(s, s, t);
  equation.nonlinear_adjoint(s, s, t);
};

/// Advances a spectral equation by one step of ETDRK4.
///
/// Stages in waves, with the coefficients of each wave, V = F x and N_s = N(u_s):
///   u_1 = x,  U_2 = half V + q N_1,  U_3 = half V + q N_2,  U_4 = half U_2 + q (2 N_3 − N_1),
///   y = F⁻¹(whole V + f1 N_1 + 2 f2 (N_2 + N_3) + f3 N_4).
/// λ is real, so that its operators are symmetric. States: Points elements of T, contiguous.
/// The constructor throws ConfigError unless the step is positive, its coefficients are finite and
/// it is at most 0.6/λ, λ the fastest
/// growth: decay of any speed is no limit, but what balances a growth is explicit, and beyond some
/// 0.6 (Kuramoto–Sivashinsky: a step of 2.4) states grow without end. The scheme has order 4 for
/// very small steps only: where the equation is stiff it has order 3.
/// Cost: 5 transforms and 4 nonlinear terms, tangent and adjoint about the double. Memory: about 14
/// states. Source: Cox and Matthews (2002), equations 26 to 29.
template <SpectralEquation Equation>
class Etdrk4 {
 public:
  using Geometry = geometry_of<Equation>;
  static constexpr std::size_t points = Equation::points, channels = Equation::channels;
  static_assert(channels == 1, "Etdrk4: the equation must be one for a single field");

  static constexpr double longest_growth = 0.6;  ///< of waves in one step, h λ

  Etdrk4() : Etdrk4(Equation{}, 0.5) {}
  Etdrk4(const Equation& equation, double time_step) : equation_(equation), time_step_(time_step) {
    require_positive("Etdrk4", "time_step", time_step);
    double growth = 0;
    for (std::size_t k = 0; k < Fourier::waves; ++k) growth = std::max(growth, equation.linear(k));
    if (!(time_step * growth <= longest_growth))
      throw ConfigError(to_text("Etdrk4: time_step is ", time_step, ", expected at most ",
                                longest_growth / growth, ", its stability limit for the fastest ",
                                "growth of the equation, ", growth,
                                " per unit of time; take more and shorter steps a cycle"));
    for (std::size_t k = 0; k < Fourier::waves; ++k) {
      const auto c = etdrk4_coefficients(equation.linear(k), time_step);
      for (const double number : {c.q, c.f1, c.f2, c.f3})
        require_finite("Etdrk4", to_text("a coefficient of wave ", k, " for this time_step"),
                       number);
      const Linear linear{1, c.half, c.half, c.half * c.half, c.whole};
      const Nonlinear nonlinear{{{},
                                 {c.q},
                                 {0, c.q},
                                 {(c.half - 1) * c.q, 0, 2 * c.q},
                                 {c.f1, 2 * c.f2, 2 * c.f2, c.f3}}};
      for (std::size_t s = 0; s <= stages; ++s) linear_[s][k] = linear[s];
      for (std::size_t s = 0; s <= stages; ++s)
        for (std::size_t r = 0; r < stages; ++r) nonlinear_[s][r][k] = nonlinear[s][r];
    }
  }

  /// Length of one cycle in time units of the equation.
  [[nodiscard]] double cycle_length() const { return time_step_; }
  /// In words, if the equation has some.
  [[nodiscard]] std::string describe() const requires requires(const Equation& e) { e.describe(); }
  { return to_text(equation_.describe(), ", ETDRK4, ", time_step_); }

  /// y = M(x); y may be x.
  template <class T>
  void step(const T* x, T* y) const {
    Waves<T> waves(x);
    Scratch<T> u(points, Unset{});
    detail::unrolled<stages>(
        [&](auto s) { equation_.nonlinear(stage<s>(waves, x, u.data()), waves.term(s)); });
    (void)stage<stages>(waves, x, y);
  }

  /// dy = M'(x) dx; dy may be dx.
  template <class T>
  void step_tangent(const T* x, const T* dx, T* dy) const {
    Waves<T> waves(x), d_waves(dx);
    Scratch<T> u(points, Unset{}), du(points, Unset{});
    detail::unrolled<stages>([&](auto s) {
      const T* const at = stage<s>(waves, x, u.data());
      if constexpr (s + 1 < stages) equation_.nonlinear(at, waves.term(s));
      equation_.nonlinear_tangent(at, stage<s>(d_waves, dx, du.data()), d_waves.term(s));
    });
    (void)stage<stages>(d_waves, dx, dy);
  }

  /// d_x += M'(x)ᵀ d_y; d_x and d_y must not overlap.
  template <class T>
  void step_adjoint(const T* x, const T* d_y, T* d_x) const {
    Waves<T> waves(x);
    Scratch<T> u((stages - 1) * points, Unset{});
    std::array<const T*, stages> at;
    detail::unrolled<stages>([&](auto s) {
      at[s] = stage<s>(waves, x, s > 0 ? &u[(s - 1) * points] : u.data());
      if constexpr (s + 1 < stages) equation_.nonlinear(at[s], waves.term(s));
    });
    // Every operator is symmetric in space, so that gradients are multiplied in waves as fields
    // are: `gradients` holds those of the stages 2, 3, 4 and of y, in waves.
    Scratch<T> gradients(stages * coefficients, Unset{}), sum(coefficients, Unset{});
    const auto gradient = [&](std::size_t s) { return &gradients[(s - 1) * coefficients]; };
    Fourier::forward(d_y, gradient(stages));
    Scratch<T> d_u(points, Unset{});
    detail::unrolled<stages>([&](auto reverse) {
      constexpr std::size_t s = stages - 1 - reverse;
      for (std::size_t i = 0; i < coefficients; ++i) {
        sum[i] = constant<T>(0);
        detail::unrolled<stages - s>([&](auto later) {
          constexpr std::size_t r = s + 1 + later;
          if constexpr (uses[r][s]) sum[i] += real<T>(nonlinear_[r][s][i / 2]) * gradient(r)[i];
        });
      }
      if constexpr (s > 0) {
        std::fill(d_u.begin(), d_u.end(), constant<T>(0));
        equation_.nonlinear_adjoint(at[s], sum.data(), d_u.data());
        Fourier::forward(d_u.data(), gradient(s));
      } else {
        equation_.nonlinear_adjoint(at[0], sum.data(), d_x);
      }
    });
    for (std::size_t i = 0; i < coefficients; ++i) {
      sum[i] = constant<T>(0);
      for (std::size_t s = 1; s <= stages; ++s)
        sum[i] += real<T>(linear_[s][i / 2]) * gradient(s)[i];
    }
    Fourier::inverse(sum.data(), d_u.data());
    for (std::size_t j = 0; j < points; ++j) d_x[j] += d_u[j];
  }

 private:
  using Fourier = RealFourier<points>;
  static constexpr std::size_t stages = 4, coefficients = Fourier::coefficients;
  /// U_{s+1} = linear[s] V + Σ_r nonlinear[s][r] N_{r+1}; the last one is y.
  using Linear = std::array<double, stages + 1>;
  using Nonlinear = std::array<std::array<double, stages>, stages + 1>;
  static constexpr std::array<std::array<bool, stages>, stages + 1> uses{
      {{}, {true}, {false, true}, {true, false, true}, {true, true, true, true}}};

  /// A field and the nonlinear terms of its stages, in waves.
  template <class T>
  struct Waves {
    Scratch<T> numbers{(1 + stages) * coefficients, Unset{}};
    explicit Waves(const T* x) { Fourier::forward(x, numbers.data()); }
    [[nodiscard]] T* term(std::size_t s) { return &numbers[(1 + s) * coefficients]; }
  };
  template <class T>
  static real_t<T> real(double number) {
    return static_cast<real_t<T>>(number);
  }

  /// Where stage S is: x, or u after it was written there.
  template <std::size_t S, class T>
  const T* stage(Waves<T>& waves, const T* x, T* u) const {
    if constexpr (S == 0) {
      return x;
    } else {
      Scratch<T> sum(coefficients, Unset{});
      for (std::size_t i = 0; i < coefficients; ++i) {
        sum[i] = real<T>(linear_[S][i / 2]) * waves.numbers[i];
        detail::unrolled<stages>([&](auto r) {
          if constexpr (uses[S][r]) sum[i] += real<T>(nonlinear_[S][r][i / 2]) * waves.term(r)[i];
        });
      }
      Fourier::inverse(sum.data(), u);
      return u;
    }
  }

  Equation equation_;
  double time_step_;
  std::array<std::array<double, Fourier::waves>, stages + 1> linear_;
  std::array<std::array<std::array<double, Fourier::waves>, stages>, stages + 1> nonlinear_;
};

}  // namespace dan
