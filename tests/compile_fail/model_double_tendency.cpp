// SPDX-License-Identifier: BSD-3-Clause
// expect: write: template <class T> void tendency(const T* x, T* dxdt) const
// lines: 20
#include "dan/integrate/rk4.hpp"
#include "dan/observe/all.hpp"
#include "dan/problem/problem.hpp"

struct Mine {
  static constexpr std::size_t points = 12, channels = 1;
#ifdef MISUSE
  void tendency(const double* x, double* dxdt) const {
#else
  template <class T>
  void tendency(const T* x, T* dxdt) const {
#endif
      for (std::size_t i = 0; i < points; ++i) dxdt[i] = -x[i];
}
}
;
dan::Problem<dan::Rk4<Mine>, dan::ObserveAll<12>> problem;
