// SPDX-License-Identifier: BSD-3-Clause
// expect: Lorenz96: its stencil needs at least 4 points
#include "dan/models/lorenz96.hpp"

#ifdef MISUSE
constexpr dan::Lorenz96<3> model;
#else
constexpr dan::Lorenz96<4> model;
#endif
static_assert(model.forcing == 8);
