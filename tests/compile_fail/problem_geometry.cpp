// SPDX-License-Identifier: BSD-3-Clause
// expect: Problem: the model's Geometry must have as many points as its state
#include <cstddef>

#include "dan/geometry/lat_lon.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/problem/problem.hpp"

struct Equation : dan::Lorenz96<40> {
#ifdef MISUSE
  using Geometry = dan::LatLon<4, 4>;
#else
  using Geometry = dan::LatLon<4, 10>;
#endif
};
dan::Problem<dan::Rk4<Equation>, dan::ObserveAll<40>> problem;
