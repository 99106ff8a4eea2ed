// SPDX-License-Identifier: BSD-3-Clause
// expect: Enks: the filter must be an Etkf or an EnkfN
#include "dan/analysis/enkf.hpp"
#include "dan/analysis/enks.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"

using Case = dan::Problem<dan::Rk4<dan::Lorenz96<4>>, dan::ObserveAll<4>>;
#ifdef MISUSE
using Filter = dan::Enkf<Case, 3>;
#else
using Filter = dan::Etkf<Case, 3>;
#endif
dan::Enks smoother{Filter{Case{}}, 2};
