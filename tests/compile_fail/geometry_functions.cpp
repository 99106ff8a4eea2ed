// SPDX-License-Identifier: BSD-3-Clause
// expect: the Geometry that the model names lacks something
// expect: fits(width)
#include <array>
#include <cmath>
#include <cstddef>

#include "dan/analysis/letkf.hpp"
#include "dan/geometry/interval.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/observe/all.hpp"

struct Shore {
  static constexpr std::size_t points = 8, dimensions = 1;
#ifndef MISUSE
  static constexpr bool fits(std::size_t width) { return width / 2 < points; }
#endif
  static constexpr std::size_t taps(std::size_t width) { return width; }
  static constexpr std::size_t tap(std::size_t p, std::size_t k, std::size_t width) {
    return dan::Interval<8>::tap(p, k, width);
  }
  static constexpr std::size_t back(std::size_t p, std::size_t k, std::size_t width) {
    return dan::Interval<8>::back(p, k, width);
  }
  static std::array<double, 1> position(std::size_t p) { return {static_cast<double>(p)}; }
  static double distance(std::size_t p, const std::array<double, 1>& to) {
    return std::abs(position(p)[0] - to[0]);
  }
  static double area(std::size_t) { return 1; }
};
struct Decaying {
  using Geometry = Shore;
  static constexpr std::size_t points = 8, channels = 1;
  template <class T>
  void tendency(const T* x, T* dxdt) const {
    for (std::size_t i = 0; i < points; ++i) dxdt[i] = -x[i];
  }
};
using Ashore = dan::Problem<dan::Rk4<Decaying>, dan::ObserveAll<8>>;
dan::Letkf<Ashore, 10> local(Ashore{}, {.radius = 2});
