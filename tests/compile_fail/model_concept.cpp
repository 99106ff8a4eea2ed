// SPDX-License-Identifier: BSD-3-Clause
// expect: model.step(x, y)
#include <cstddef>

#include "dan/observe/all.hpp"
#include "dan/problem/problem.hpp"

/// Almost a model: its step takes one argument.
struct Bad {
  static constexpr std::size_t points = 4, channels = 1;
  void step(double* x) const { x[0] += 1; }
};
struct Good : Bad {
  template <class T>
  void step(const T* x, T* y) const {
    y[0] = x[0] + 1;
  }
};
static_assert(!dan::DynamicalModel<Bad>);
static_assert(dan::DynamicalModel<Good> && !dan::DifferentiableModel<Good>);

#ifdef MISUSE
dan::Problem<Bad, dan::ObserveAll<4>> problem;
#else
dan::Problem<Good, dan::ObserveAll<4>> problem;
#endif
