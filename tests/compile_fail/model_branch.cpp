// SPDX-License-Identifier: BSD-3-Clause
// expect: use: using std::sin; sin(x), dan::where_less(a, b, yes, no)
// lines: 36
#include "dan/analysis/enkf_n.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/observe/all.hpp"

struct Mine {
  static constexpr std::size_t points = 12, channels = 1;
  template <class T>
  void tendency(const T* x, T* dxdt) const {
    for (std::size_t i = 0; i < points; ++i)
#ifdef MISUSE
      dxdt[i] = x[i] > 0 ? -x[i] : x[i];
#else
      dxdt[i] = dan::where_less(0, x[i], -x[i], x[i]);
#endif
  }
};

using Case = dan::Problem<dan::Rk4<Mine>, dan::ObserveAll<12>>;
double score(const Case& problem) {
  return dan::run_twin(problem, dan::EnkfN<Case, 10>{problem}).analysis_rmse;
}
#ifndef MISUSE  // with plain numbers too
void step(const Case& problem, const double* x, double* y) { problem.model.step_adjoint(x, x, y); }
#endif
