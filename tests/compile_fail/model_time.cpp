// SPDX-License-Identifier: BSD-3-Clause
// expect: a model that is told the time must take it as a double
#include <cstddef>

#include "dan/observe/all.hpp"
#include "dan/problem/problem.hpp"

#ifdef MISUSE
using Cycle = int;
#else
using Cycle = double;
#endif
struct Seasons {
  static constexpr std::size_t points = 4, channels = 1;
  template <class T>
  void step(const T* x, T* y, Cycle cycle) const {
    for (std::size_t i = 0; i < 4; ++i) y[i] = x[i] * (1.0 + 0.1 * cycle);
  }
};
dan::Problem<Seasons, dan::ObserveAll<4>> problem;
