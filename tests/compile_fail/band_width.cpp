// SPDX-License-Identifier: BSD-3-Clause
// expect: TorusBand: Width is more than Rows
#include "dan/geometry/band.hpp"

#ifdef MISUSE
using Cut = dan::TorusBand<dan::Torus<12, 5>, 3, 4>;
#else
using Cut = dan::TorusBand<dan::Torus<12, 5>, 3, 3>;
#endif
static_assert(Cut::points == 9 * 5);
