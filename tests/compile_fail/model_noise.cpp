// SPDX-License-Identifier: BSD-3-Clause
// expect: needs size, numbers(), root(white, noise) and multiply(x, y)
// expect: noise.multiply(x, y)
#include <cstddef>

#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/problem/problem.hpp"

struct Noise {
  static constexpr std::size_t size = 12;
  static std::size_t numbers() { return 12; }
  template <class T>
  void root(const T* white, T* noise) const {
    for (std::size_t i = 0; i < 12; ++i) noise[i] = white[i];
  }
#ifndef MISUSE
  template <class T>
  void multiply(const T* x, T* y) const {
    for (std::size_t i = 0; i < 12; ++i) y[i] = x[i];
  }
#endif
};
dan::Problem<dan::Rk4<dan::Lorenz96<12>>, dan::ObserveAll<12>, dan::GaussianStart, Noise> problem;
