// SPDX-License-Identifier: BSD-3-Clause
// expect: Letkf: the slots of the observation network have no place
#include "dan/analysis/letkf.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/full.hpp"
#include "dan/observe/whitened.hpp"

using Model = dan::Rk4<dan::Lorenz96<4>>;
using Network = dan::FullNetwork<4>;
#ifdef MISUSE
using Problem = dan::Setting<Model, dan::Whitened<Network>>;
#else
using Problem = dan::Setting<Model, Network>;
#endif
void analyse(const Problem& problem) { const dan::Letkf<Problem, 2> filter(problem); }
