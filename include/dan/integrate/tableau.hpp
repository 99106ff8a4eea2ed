// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>
#include <numeric>

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

/// Whether the weights b_s add up to one, and stages need earlier ones only.
template <class Tableau>
[[nodiscard]] consteval bool is_explicit_scheme() {
  long above = 0, below = 1;
  for (std::size_t s = 0; s < Tableau::stages; ++s) {
    const Fraction& b = Tableau::b[s];
    above = above * b.below + b.above * below, below *= b.below;
    const long common = std::gcd(above, below);
    above /= common, below /= common;
    for (std::size_t r = s; r < Tableau::stages; ++r)
      if (Tableau::a[s][r].above != 0) return false;
  }
  return above == below;
}

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
