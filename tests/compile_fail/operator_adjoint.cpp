// SPDX-License-Identifier: BSD-3-Clause
// expect: Var3d: the observation operator must have observe_tangent, observe_adjoint and linear
// lines: 20
#include "dan/analysis/var3d.hpp"
#include "dan/autodiff/derivatives.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"

struct Squares {
  static constexpr std::size_t points = 4, channels = 1, slots = 4;
  template <class T>
  void observe(const T* x, T* y) const {
    for (std::size_t j = 0; j < slots; ++j) y[j] = x[j] * x[j];
  }
  void available(const dan::RandomKey&, bool* mask) const {
    for (std::size_t j = 0; j < slots; ++j) mask[j] = true;
  }
};

#ifdef MISUSE
using Operator = Squares;
#else
using Operator = dan::Differentiated<Squares>;
#endif
using Case = dan::Problem<dan::Rk4<dan::Lorenz96<4>>, Operator>;
void analyse(const Case& problem, const dan::Climate& climate) {
  const dan::Var3d<Case> analysis(problem, climate);
}
