// SPDX-License-Identifier: BSD-3-Clause
// expect: an equation (a tendency alone) becomes a model in Rk4<...>
// lines: 20
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/problem/problem.hpp"

#ifdef MISUSE
using Model = dan::Lorenz96<12>;
#else
using Model = dan::Rk4<dan::Lorenz96<12>>;
#endif
dan::Problem<Model, dan::ObserveAll<12>> problem;
