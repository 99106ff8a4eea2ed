// SPDX-License-Identifier: BSD-3-Clause
// expect: Ekf: the model must have step_tangent and step_adjoint; write them
#include "dan/analysis/ekf.hpp"
#include "dan/observe/all.hpp"

struct NoTangent {
  static constexpr std::size_t points = 4, channels = 1;
  template <class T>
  void step(const T* x, T* y) const {
    for (std::size_t i = 0; i < points; ++i) y[i] = x[i];
  }
};
struct WithTangent : NoTangent {
  template <class T>
  void step_tangent(const T*, const T* dx, T* dy) const {
    step(dx, dy);
  }
  template <class T>
  void step_adjoint(const T*, const T* d_y, T* d_x) const {
    for (std::size_t i = 0; i < points; ++i) d_x[i] += d_y[i];
  }
};

#ifdef MISUSE
using Case = dan::Problem<NoTangent, dan::ObserveAll<4>>;
#else
using Case = dan::Problem<WithTangent, dan::ObserveAll<4>>;
#endif
void analyse(const Case& problem) { const dan::Ekf<Case> filter(problem); }
