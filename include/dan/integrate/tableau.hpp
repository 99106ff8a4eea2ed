// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>

/// \file
/// The coefficients of explicit Runge–Kutta schemes: what `RungeKutta<Ode, Tableau>` is given.
///
/// A tableau of your own has the members of `ClassicalTableau`:
///   k_s = f(x + h Σ_r a_sr k_r), r < s,   y = x + h Σ_s b_s k_s.
/// Sources: Hairer, Nørsett and Wanner, Solving Ordinary Differential Equations I (2nd ed., 1993),
/// section II.1.

namespace dan {

/// A coefficient above / below of a tableau; h · above / below is rounded once for a whole step.
struct Fraction {
  int above = 0, below = 1;
  friend constexpr bool operator==(const Fraction&, const Fraction&) = default;
};

/// The classical scheme of order four.
struct ClassicalTableau {
  static constexpr const char* name = "Runge–Kutta";
  static constexpr std::size_t stages = 4, order = 4;
  static constexpr std::array<std::array<Fraction, 4>, 4> a{
      {{}, {{{1, 2}}}, {{{}, {1, 2}}}, {{{}, {}, {1, 1}}}}};
  static constexpr std::array<Fraction, 4> b{{{1, 6}, {1, 3}, {1, 3}, {1, 6}}};
};

/// Euler's scheme, of order one.
struct EulerTableau {
  static constexpr const char* name = "Euler";
  static constexpr std::size_t stages = 1, order = 1;
  static constexpr std::array<std::array<Fraction, 1>, 1> a{};
  static constexpr std::array<Fraction, 1> b{{{1, 1}}};
};

/// Heun's scheme of order two: the mean of the tendencies at both ends.
struct HeunTableau {
  static constexpr const char* name = "Heun";
  static constexpr std::size_t stages = 2, order = 2;
  static constexpr std::array<std::array<Fraction, 2>, 2> a{{{}, {{{1, 1}}}}};
  static constexpr std::array<Fraction, 2> b{{{1, 2}, {1, 2}}};
};

/// The midpoint scheme, of order two.
struct MidpointTableau {
  static constexpr const char* name = "midpoint";
  static constexpr std::size_t stages = 2, order = 2;
  static constexpr std::array<std::array<Fraction, 2>, 2> a{{{}, {{{1, 2}}}}};
  static constexpr std::array<Fraction, 2> b{{{}, {1, 1}}};
};

}  // namespace dan
