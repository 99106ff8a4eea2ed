// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/random.hpp"
#include "dan/models/marshall_molteni.hpp"
#include "dan/models/quasi_geostrophic.hpp"
#include "dan/transform/stream_function.hpp"

namespace dan {

/// One level on the sphere: two-dimensional turbulence, driven at one wave and rubbed everywhere.
///
///   ∂ζ/∂t = −J(ψ, ζ + f (1 + h/H)) − ζ/τ − (l(l + 1)/(T(T + 1)))⁴ ζ/τ_s + A Y_l^m,   ζ = ∇²ψ,
/// with Y_l^m the real harmonic P̄_lm cos mλ of mean square 1. Lengths in m, times in s, A in s⁻².
/// With the defaults and T = 21 it is chaotic, errors double in three days, winds are 24 m/s.
/// `mountains`: h on the grid; empty: none.
struct BarotropicSphere {
  double radius = 6.371e6, rotation = 7.292e-5;
  double drag_time = 864'000, selective_time = 8640;
  double amplitude = 1.5e-10;
  std::size_t degree = 10, order = 0;
  double height = 9000;  ///< H
  std::vector<double> mountains{};
};

/// The equation with these numbers; throws ConfigError unless lengths and times are positive, all
/// numbers finite and order ≤ degree ≤ T, ShapeError unless there is a height for each point of the
/// grid.
template <class Harmonics>
[[nodiscard]] QuasiGeostrophic<Harmonics> one_level(const BarotropicSphere& numbers = {}) {
  for (const auto& [name, number] :
       {std::pair{"radius", numbers.radius}, std::pair{"drag_time", numbers.drag_time},
        std::pair{"selective_time", numbers.selective_time}, std::pair{"height", numbers.height}})
    require_positive("BarotropicSphere", name, number);
  require_finite("BarotropicSphere", "amplitude", numbers.amplitude);
  if (numbers.degree > Harmonics::truncation || numbers.order > numbers.degree)
    throw ConfigError(to_text("BarotropicSphere: degree and order are ", numbers.degree, " and ",
                              numbers.order, ", expected order ≤ degree ≤ ", Harmonics::truncation,
                              ", the truncation"));
  QuasiGeostrophic<Harmonics> equation{
      .radius = numbers.radius,
      .name = to_text("barotropic flow driven at (", numbers.degree, ", ", numbers.order, ")",
                      numbers.mountains.empty() ? "" : " over mountains")};
  const StreamFunction<Harmonics> stream{numbers.radius};
  for (std::size_t l = 0; l <= Harmonics::truncation; ++l) {
    equation.inversion[l] = stream.factor(l);
    equation.damping[l] =
        1 / numbers.drag_time + detail::selective<Harmonics>(l) / numbers.selective_time;
  }
  equation.forcing[Harmonics::index(numbers.degree, numbers.order)] = numbers.amplitude;
  detail::set_planet(equation, numbers.rotation, numbers.mountains, numbers.height);
  return equation;
}

}  // namespace dan
