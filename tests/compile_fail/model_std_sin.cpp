// SPDX-License-Identifier: BSD-3-Clause
// expect: use: using std::sin; sin(x), dan::where_less(a, b, yes, no)
// lines: 36
#include <cmath>

#include "dan/analysis/enkf_n.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/observe/all.hpp"

struct Mine {
  static constexpr std::size_t points = 12, channels = 1;
  template <class T>
  void tendency(const T* x, T* dxdt) const {
#ifdef MISUSE
    for (std::size_t i = 0; i < points; ++i) dxdt[i] = std::sin(x[i]);
#else
    using std::sin;
    for (std::size_t i = 0; i < points; ++i) dxdt[i] = sin(x[i]);
#endif
  }
};

using Case = dan::Problem<dan::Rk4<Mine>, dan::ObserveAll<12>>;
double score(const Case& problem) {
  return dan::run_twin(problem, dan::EnkfN<Case, 10>{problem}).analysis_rmse;
}
