// SPDX-License-Identifier: BSD-3-Clause
// expect: Enks: the filter must be an Etkf or an EnkfN
#include "dan/analysis/enkf.hpp"
#include "dan/analysis/enks.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/full.hpp"

using Problem = dan::Setting<dan::Rk4<dan::Lorenz96<4>>, dan::FullNetwork<4>>;
#ifdef MISUSE
using Filter = dan::Enkf<Problem, 3>;
#else
using Filter = dan::Etkf<Problem, 3>;
#endif
dan::Enks smoother{Filter{Problem{}}, 2};
