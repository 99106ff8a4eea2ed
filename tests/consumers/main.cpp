// SPDX-License-Identifier: BSD-3-Clause
// The program of all three consumers: steps a Lorenz 96 model and prints a number, and whether its
// build got the flag for g++ 12 (see dan/core/compiler.hpp).
#include <array>
#include <cstdio>
#include <dan/dan.hpp>

double first_element_after(int steps);  // other.cpp, which includes dan/dan.hpp too

int main() {
  const dan::Rk4<dan::Lorenz96<40>> model;
  std::array<double, 40> x;
  x.fill(8);
  x[0] = 8.01;
  for (int i = 0; i < 20; ++i) model.step(x.data(), x.data());
#ifdef DAN_NO_TREE_SLP_VECTORIZE
  const char* flag = ", without the straight-line vectoriser";
#else
  const char* flag = "";
#endif
  std::printf("dan %d.%d: %.9f%s\n", DAN_VERSION_MAJOR, DAN_VERSION_MINOR, x[0], flag);
  return x[0] == first_element_after(20) ? 0 : 1;
}
