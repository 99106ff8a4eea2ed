// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>

namespace dan::test {

/// dx/dt = −10 x, and says so.
struct Decay {
  static constexpr std::size_t points = 1, channels = 1;
  template <class T>
  void tendency(const T* x, T* dxdt) const {
    dxdt[0] = -10 * x[0];
  }
  static double fastest_decay() { return 10; }
};

}  // namespace dan::test
