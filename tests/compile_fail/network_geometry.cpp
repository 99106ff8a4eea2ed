// SPDX-License-Identifier: BSD-3-Clause
// expect: // using Geometry = dan::Ring<points>;
// lines: 40
#include <cstddef>

#include "dan/geometry/ring.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/observe/all.hpp"
#include "dan/train/trainer.hpp"

struct Decaying {
#ifndef MISUSE
  using Geometry = dan::Ring<8>;
#endif
  static constexpr std::size_t points = 8, channels = 1;
  template <class T>
  void tendency(const T* x, T* dxdt) const {
    for (std::size_t i = 0; i < points; ++i) dxdt[i] = -x[i];
  }
};
using Somewhere = dan::Problem<dan::Rk4<Decaying>, dan::ObserveAll<8>>;
using Network =
    dan::NetworkFor<Somewhere, dan::NetworkShape{.filters = 4, .blocks = 1, .sub_blocks = 1}>;
dan::Trainer<Somewhere, Network, 16> trainer(Somewhere{}, Network{}, {.updates = 1});
