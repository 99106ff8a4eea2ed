// SPDX-License-Identifier: BSD-3-Clause
// expect: an ensemble needs at least 2 members
// expect: take more, or a method for a
#include "dan/analysis/etkf.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/full.hpp"

using Problem = dan::Setting<dan::Rk4<dan::Lorenz96<4>>, dan::FullNetwork<4>>;
#ifdef MISUSE
dan::Etkf<Problem, 1> filter{Problem{}};
#else
dan::Etkf<Problem, 2> filter{Problem{}};
#endif
