// SPDX-License-Identifier: BSD-3-Clause
// Writes the files that tests/netcdf/open_in_xarray opens: write_states FOLDER
#include <cstddef>
#include <filesystem>
#include <vector>

#include "dan/geometry/lat_lon.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/geometry/torus.hpp"
#include "dan/netcdf/states.hpp"
#include "dan/netcdf/table.hpp"

namespace {
using namespace dan;

/// first, first + 1, …
std::vector<double> numbers(std::size_t count, double first) {
  std::vector<double> out(count);
  for (std::size_t i = 0; i < count; ++i) out[i] = first + static_cast<double>(i);
  return out;
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::filesystem::path folder = argv[1];
  StatesFile<LatLon<4, 8>, 2> sphere(
      folder / "sphere.nc",
      {.fields = {{"wind", "some wind", "m s-1"}, {"members", "", "m s-1", 3}},
       .time_units = "days since 2026-01-01",
       .attributes = {{"seed", "7"}}});
  StatesFile<Ring<5>> ring(folder / "ring.nc",
                           {.fields = {{"truth"}, {"few", "", "1", 2}, {"many", "", "1", 3}}});
  StatesFile<Torus<3, 4>> torus(folder / "torus.nc", {.fields = {{"x"}}});
  for (const double record : {0., 1.}) {
    sphere.append(record + 0.5, {numbers(64, 1000 * record), numbers(192, 1000 * record)});
    ring.append(0.05 * record, {numbers(5, record), numbers(10, record), numbers(15, record)});
    torus.append(record, {numbers(12, record)});
  }
  CsvTable table;
  table.columns = {"time", "value"};
  table.numbers = zero_tensor<double>(3, 2);
  for (std::size_t n = 0; n < 6; ++n) table.numbers(n / 2, n % 2) = static_cast<double>(n);
  save_netcdf_table(folder / "table.nc", table, {{"command", "test"}}, {{"time", "s"}});
}
