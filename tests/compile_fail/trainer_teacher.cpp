// SPDX-License-Identifier: BSD-3-Clause
// expect: a teacher, which needs `filter<Real, Lanes>
// expect: one of yours is none of them
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/train/trainer.hpp"

using Chain = dan::Problem<dan::Rk4<dan::Lorenz96<12>>, dan::ObserveAll<12>>;
using Little =
    dan::NetworkFor<Chain, dan::NetworkShape{.filters = 4, .blocks = 1, .sub_blocks = 1}>;
#ifdef MISUSE
struct MyTeacher {};
#else
using MyTeacher = dan::NoTeacher;
#endif
using Training = dan::Trainer<Chain, Little, 16, dan::SupervisedLoss, MyTeacher>;
static_assert(sizeof(Training) > 0);
