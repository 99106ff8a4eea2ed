// SPDX-License-Identifier: BSD-3-Clause
// A second translation unit with all headers: they must define nothing twice.
#include <array>
#include <dan/dan.hpp>

double first_element_after(int steps) {
  const dan::Rk4<dan::Lorenz96<40>> model;
  std::array<double, 40> x;
  x.fill(8);
  x[0] = 8.01;
  for (int i = 0; i < steps; ++i) model.step(x.data(), x.data());
  return x[0];
}
