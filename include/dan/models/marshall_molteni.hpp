// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/linalg.hpp"
#include "dan/models/quasi_geostrophic.hpp"

namespace dan {

/// What is linear in quasi-geostrophic flow of three levels after Marshall and Molteni.
///
///   q_k = ∇²ψ_k − (ψ_k − ψ_{k+1})/R_k² + (ψ_{k−1} − ψ_k)/R_{k−1}²   (without terms outside 1 … 3),
///   Λ q = (l(l + 1)/(T(T + 1)))⁴ q/τ_s + (the terms in R alone)/τ_t,
///   f̃ = 2Ω μ, at the lowest level (1 + h/H) times that.
/// Lengths in m, times in s. `mountains`: h on the grid; empty: none. Forcing, and the friction at
/// the ground (`set_friction`), are the user's.
/// Source: Marshall and Molteni, J. Atmos. Sci. 50 (1993) 1792–1818, equations 1 and appendix.
struct MarshallMolteni {
  double radius = 6.371e6, rotation = 7.292e-5;
  std::array<double, 2> rossby_radii{7e5, 4.5e5};  ///< R_1, R_2
  double selective_time = 8640, thermal_time = 2.16e6;
  double height = 9000;  ///< H
  std::vector<double> mountains{};
};

namespace detail {
/// f̃ = 2Ω μ at all levels, (1 + h/H) times that at the lowest; h on the grid, empty: none.
template <class Harmonics, std::size_t Levels>
void set_planet(QuasiGeostrophic<Harmonics, Levels>& equation, double rotation,
                const std::vector<double>& h, double height) {
  constexpr std::size_t last = Levels - 1;
  require_finite("quasi-geostrophic setting", "rotation", rotation);
  for (const double one : h) require_finite("quasi-geostrophic setting", "mountains", one);
  const auto twice = [&](std::size_t row) {  // 2Ω μ
    const bool south = row >= Harmonics::pairs;
    const double mu = Harmonics::mu(south ? Harmonics::rows - 1 - row : row);
    return 2 * rotation * (south ? -mu : mu);
  };
  std::vector<double> flat(Harmonics::points), waves(Harmonics::coefficients);
  for (std::size_t p = 0; p < flat.size(); ++p) flat[p] = twice(p / Harmonics::columns);
  Harmonics::analyse(flat.data(), waves.data());
  for (std::size_t i = 0; i < waves.size(); ++i)
    for (std::size_t k = 0; k < Levels; ++k) equation.planet[i * Levels + k] = waves[i];
  if (h.empty()) return;
  require_size("quasi-geostrophic setting", "mountains", h.size(), flat.size(),
               "point of the grid");
  for (std::size_t p = 0; p < flat.size(); ++p) flat[p] *= h[p] / height;
  Harmonics::analyse(flat.data(), waves.data());
  for (std::size_t i = 0; i < waves.size(); ++i) equation.planet[i * Levels + last] += waves[i];
}
/// (l(l + 1)/(T(T + 1)))⁴.
template <class Harmonics>
double selective(std::size_t l) {
  const auto degree = static_cast<double>(l), last = static_cast<double>(Harmonics::truncation);
  return std::pow(degree * (degree + 1) / (last * (last + 1)), 4);
}
}  // namespace detail

/// The equation with these numbers; throws ConfigError unless lengths and times are positive,
/// ShapeError unless there is a height for each point of the grid.
template <class Harmonics>
[[nodiscard]] QuasiGeostrophic<Harmonics, 3> three_levels(const MarshallMolteni& numbers = {}) {
  for (const auto& [name, number] :
       {std::pair{"radius", numbers.radius}, std::pair{"rossby_radii[0]", numbers.rossby_radii[0]},
        std::pair{"rossby_radii[1]", numbers.rossby_radii[1]},
        std::pair{"selective_time", numbers.selective_time},
        std::pair{"thermal_time", numbers.thermal_time}, std::pair{"height", numbers.height}})
    require_positive("MarshallMolteni", name, number);
  QuasiGeostrophic<Harmonics, 3> equation{.radius = numbers.radius, .name = "Marshall–Molteni"};
  Matrix coupling = zero_tensor<double>(3, 3);  // the terms in R
  for (std::size_t k = 0; k < 2; ++k) {
    const double s = 1 / (numbers.rossby_radii[k] * numbers.rossby_radii[k]);
    coupling(k, k) -= s, coupling(k + 1, k + 1) -= s;
    coupling(k, k + 1) += s, coupling(k + 1, k) += s;
  }
  Matrix unit = zero_tensor<double>(3, 3);
  for (std::size_t k = 0; k < 3; ++k) unit(k, k) = 1;
  for (std::size_t l = 0; l <= Harmonics::truncation; ++l) {
    const auto degree = static_cast<double>(l);
    Matrix whole = coupling, right = unit;
    for (std::size_t k = 0; k < 3; ++k)
      whole(k, k) -= degree * (degree + 1) / (numbers.radius * numbers.radius);
    if (l == 0) {  // ψ is known but for a constant: none at the highest level
      for (std::size_t k = 0; k < 3; ++k) whole(0, k) = whole(k, 0) = unit(0, k);
      right(0, 0) = 0;
    }
    const Matrix inversion = solve_linear(whole, right);
    const Matrix thermal = matrix_product(coupling, inversion);
    for (std::size_t k = 0; k < 3; ++k)
      for (std::size_t n = 0; n < 3; ++n) {
        const std::size_t at = l * 9 + k * 3 + n;
        equation.inversion[at] = inversion(k, n);
        equation.damping[at] =
            detail::selective<Harmonics>(l) / numbers.selective_time * unit(k, n) +
            thermal(k, n) / numbers.thermal_time;
      }
  }
  detail::set_planet(equation, numbers.rotation, numbers.mountains, numbers.height);
  return equation;
}

}  // namespace dan
