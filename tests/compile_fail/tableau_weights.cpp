// SPDX-License-Identifier: BSD-3-Clause
// expect: the weights b of a tableau must add up to one
#include <array>
#include <cstddef>

#include "dan/integrate/runge_kutta.hpp"
#include "dan/models/lorenz96.hpp"

/// Ralston's scheme.
struct Mine {
  static constexpr const char* name = "Ralston";
  static constexpr std::size_t stages = 2, order = 2;
  static constexpr std::array<std::array<dan::Fraction, 2>, 2> a{{{}, {{{2, 3}}}}};
#ifdef MISUSE
  static constexpr std::array<dan::Fraction, 2> b{{{1, 4}, {3, 5}}};
#else
  static constexpr std::array<dan::Fraction, 2> b{{{1, 4}, {3, 4}}};
#endif
};
static_assert(dan::RungeKutta<dan::Lorenz96<12>, Mine>::stages == 2);
