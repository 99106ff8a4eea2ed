// SPDX-License-Identifier: BSD-3-Clause
// expect: write: template <class T> void step(const T*, T*), or use BlackBox<...>
// lines: 20
#include "dan/models/black_box.hpp"
#include "dan/observe/all.hpp"
#include "dan/problem/problem.hpp"

/// One state, plain double, as wrapped C or Fortran code has it.
struct Mine {
  static constexpr std::size_t points = 8, channels = 1;
  void step(const double* x, double* y) const {
    for (std::size_t i = 0; i < points; ++i) y[i] = 0.9 * x[(i + 7) % 8] + 0.1 * x[i];
  }
};

#ifdef MISUSE
using Model = Mine;
#else
using Model = dan::BlackBox<Mine>;
#endif
dan::Problem<Model, dan::ObserveAll<8>> problem;
