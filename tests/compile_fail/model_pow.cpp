// SPDX-License-Identifier: BSD-3-Clause
// expect: use: using std::sin; sin(x), dan::where_less(a, b, yes, no)
// lines: 20
#include <cmath>

#include "dan/analysis/var4d.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/observe/all.hpp"

/// With a tendency alone it serves 4D-Var too.
struct Mine {
  static constexpr std::size_t points = 12, channels = 1;
  template <class T>
  void tendency(const T* x, T* dxdt) const {
    using std::pow;
    for (std::size_t i = 0; i < points; ++i)
#ifdef MISUSE
      dxdt[i] = std::pow(x[i], 2);
#else
      dxdt[i] = -0.5 * pow(x[i], 2) - pow(x[i] * x[i] + 1, 1.5);
#endif
  }
};

using Case = dan::Problem<dan::Rk4<Mine>, dan::ObserveAll<12>>;
void step(const Case& problem, const dan::Pack<float, dan::simd_width<float>>* x,
          dan::Pack<float, dan::simd_width<float>>* y) {
  problem.model.step(x, y);
}
void analyse(const Case& problem, const dan::Climate& climate) {
  const dan::Var4d<Case> analysis(problem, climate);
}
