// SPDX-License-Identifier: BSD-3-Clause
// expect: the table is one of states with other channels; take
#include "dan/geometry/ring.hpp"
#include "dan/observe/interpolate.hpp"
#include "dan/observe/table.hpp"

using Grid = dan::Ring<8>;
#ifdef MISUSE
constexpr std::size_t channels = 1;
#else
constexpr std::size_t channels = 2;
#endif
void observe(dan::observed_t<dan::ObserveAt<Grid, 4, 2>, double, 1>& observed,
             const dan::ObservationTable<Grid, channels>& table) {
  dan::set_observations(observed, 0, dan::rows_of(table, {.interval = 1}, 1));
}
