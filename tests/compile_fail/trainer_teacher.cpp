// SPDX-License-Identifier: BSD-3-Clause
// expect: the fourth template argument is the teacher
// expect: a loss is the seventh
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/train/trainer.hpp"

using Chain = dan::Problem<dan::Rk4<dan::Lorenz96<12>>, dan::ObserveAll<12>>;
using Little =
    dan::NetworkFor<Chain, dan::NetworkShape{.filters = 4, .blocks = 1, .sub_blocks = 1}>;
#ifdef MISUSE
using Training = dan::Trainer<Chain, Little, 16, dan::SupervisedLoss>;
#else
using Training = dan::Trainer<Chain, Little, 16, dan::NoTeacher>;
#endif
static_assert(sizeof(Training) > 0);
