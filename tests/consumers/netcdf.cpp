// SPDX-License-Identifier: BSD-3-Clause
// A user's program with NetCDF: writes two states and reads them.
#include <array>
#include <cstdio>
#include <dan/geometry/ring.hpp>
#include <dan/netcdf/states.hpp>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::array<double, 8> x{1, 2, 3, 4, 5, 6, 7, 8};
  {
    dan::StatesFile<dan::Ring<8>> file(argv[1], {.fields = {{"analysis"}}});
    file.append(0.5, {x});
    x[7] = 9;
    file.append(1.0, {x});
  }
  const auto read = dan::load_states(argv[1], "analysis");
  std::printf("%zu states, the last ends with %g\n", read.time.size(), read.values(1, 7));
}
