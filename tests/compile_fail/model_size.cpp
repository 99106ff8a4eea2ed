// SPDX-License-Identifier: BSD-3-Clause
// expect: static constexpr std::size_t points
#include <cstddef>

#include "dan/observe/all.hpp"
#include "dan/problem/problem.hpp"

/// Its size is that of an object, not of the type.
struct Bad {
  std::size_t points = 4;
  static constexpr std::size_t channels = 1;
  template <class T>
  void step(const T* x, T* y) const {
    y[0] = x[0];
  }
};
struct Good : Bad {
  static constexpr std::size_t points = 4;
};
#ifdef MISUSE
dan::Problem<Bad, dan::ObserveAll<4>> problem;
#else
dan::Problem<Good, dan::ObserveAll<4>> problem;
#endif
