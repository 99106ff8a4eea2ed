// SPDX-License-Identifier: BSD-3-Clause
// expect: Letkf: the slots of the observation operator have no place
#include <algorithm>

#include "dan/analysis/letkf.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/whitened.hpp"

using Model = dan::Rk4<dan::Lorenz96<4>>;
/// The whitened number of a slot is nowhere; what says where it was is the operator inside.
struct Somewhere {
  static constexpr std::size_t points = 4, channels = 1, slots = 4;
  static constexpr bool linear = true;
  template <class T>
  void observe(const T* x, T* y) const {
    dan::ObserveAll<4>{}.observe(x, y);
  }
  void available(const dan::RandomKey&, bool* mask) const { std::fill_n(mask, slots, true); }
};
#ifdef MISUSE
using Operator = Somewhere;
#else
using Operator = dan::ObserveAll<4>;
#endif
using Lorenz = dan::Problem<Model, dan::Whitened<Operator>>;
void analyse(const Lorenz& problem) { const dan::Letkf<Lorenz, 2> filter(problem); }
