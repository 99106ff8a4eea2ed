// SPDX-License-Identifier: BSD-3-Clause
// expect: Letkf: the slots of the observation operator have no place
#include "dan/analysis/letkf.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/whitened.hpp"

using Model = dan::Rk4<dan::Lorenz96<4>>;
using Operator = dan::ObserveAll<4>;
#ifdef MISUSE
using Lorenz = dan::Problem<Model, dan::Whitened<Operator>>;
#else
using Lorenz = dan::Problem<Model, Operator>;
#endif
void analyse(const Lorenz& problem) { const dan::Letkf<Lorenz, 2> filter(problem); }
