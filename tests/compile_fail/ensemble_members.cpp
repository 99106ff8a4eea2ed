// SPDX-License-Identifier: BSD-3-Clause
// expect: an ensemble needs at least 2 members
// expect: take more, or a method for a
#include "dan/analysis/etkf.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"

using Case = dan::Problem<dan::Rk4<dan::Lorenz96<4>>, dan::ObserveAll<4>>;
#ifdef MISUSE
dan::Etkf<Case, 1> filter{Case{}};
#else
dan::Etkf<Case, 2> filter{Case{}};
#endif
