// SPDX-License-Identifier: BSD-3-Clause
// expect: Problem: the observation operator must observe states of the model's shape
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/problem/problem.hpp"

using Model = dan::Rk4<dan::Lorenz96<40>>;
#ifdef MISUSE
dan::Problem<Model, dan::ObserveAll<20>> problem;
#else
dan::Problem<Model, dan::ObserveAll<40>> problem;
#endif
