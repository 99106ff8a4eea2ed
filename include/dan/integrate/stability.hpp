// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <concepts>
#include <cstddef>
#include <string_view>

#include "dan/core/error.hpp"
#include "dan/integrate/tableau.hpp"

/// \file
/// How long the steps of an explicit Runge–Kutta scheme may be where something decays fast.

namespace dan {

/// An equation that knows its fastest decay, λ of dx/dt = −λ x + …, in 1/time or a bound of it.
template <class Ode>
concept KnowsDecay = requires(const Ode& ode) {
  { ode.fastest_decay() } -> std::convertible_to<double>;
};

/// What a step of length h makes of x where dx/dt = z/h x:
///   R(z) = 1 + z Σ_s b_s κ_s,   κ_s = 1 + z Σ_r a_sr κ_r.
/// Source: Hairer and Wanner, Solving Ordinary Differential Equations II (2nd ed., 1996),
/// section IV.2.
template <class Tableau>
[[nodiscard]] constexpr double amplification(double z) {
  const auto number = [](const Fraction& c) { return static_cast<double>(c.above) / c.below; };
  std::array<double, Tableau::stages> kappa{};
  double sum = 0;
  for (std::size_t s = 0; s < Tableau::stages; ++s) {
    kappa[s] = 1;
    for (std::size_t r = 0; r < s; ++r) kappa[s] += z * number(Tableau::a[s][r]) * kappa[r];
    sum += number(Tableau::b[s]) * kappa[s];
  }
  return 1 + z * sum;
}

/// The largest h λ for which a decay stays one, |R(−h λ)| ≤ 1, rounded down to a 1024th: 2 of
/// Euler's scheme, 2.785 of the classical one.
template <class Tableau>
inline constexpr double longest_decay = [] {
  const auto decays = [](double z) {
    const double growth = amplification<Tableau>(-z);
    return growth <= 1 && growth >= -1;
  };
  double z = 0;
  for (double step = 1.0 / 16; step >= 1.0 / 1024; step /= 2)
    while (z < 100 && decays(z + step)) z += step;
  return z;
}();

/// Throws ConfigError for a step that is too long for the fastest decay of an equation: h λ may be
/// `longest` in this scheme. What carries and turns the flow limits a step, too, and is not asked
/// for. A step backwards would make a decay explode.
template <KnowsDecay Ode>
void require_stable(std::string_view scheme, const Ode& ode, double time_step, double longest) {
  require_positive(scheme, "time_step", time_step);
  const double decay = ode.fastest_decay();
  if (!(time_step * decay <= longest))
    throw ConfigError(to_text(scheme, ": time_step is ", time_step, ", expected at most ",
                              longest / decay, ", its stability limit for the fastest decay of ",
                              "the equation, ", decay,
                              " per unit of time; take more and shorter steps a cycle"));
}

}  // namespace dan
