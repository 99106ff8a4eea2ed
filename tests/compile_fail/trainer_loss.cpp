// SPDX-License-Identifier: BSD-3-Clause
// expect: as SupervisedLoss
// expect: one of yours is none of them
#include <cstddef>
#include <span>

#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/train/trainer.hpp"

using Chain = dan::Problem<dan::Rk4<dan::Lorenz96<12>>, dan::ObserveAll<12>>;
using Little =
    dan::NetworkFor<Chain, dan::NetworkShape{.filters = 4, .blocks = 1, .sub_blocks = 1}>;

/// Without a limit.
struct MyLoss {
  template <std::size_t Members, class T>
  double add(const T* states, const T* truth, std::span<const double> norm, double weight,
#ifndef MISUSE
             double limit,
#endif
             T* d_states) const {
    return dan::SupervisedLoss().add<Members>(states, truth, norm, weight,
#ifdef MISUSE
                                              1.0,
#else
                                              limit,
#endif
                                              d_states);
  }
};
using Training = dan::Trainer<Chain, Little, 16, MyLoss>;
static_assert(sizeof(Training) > 0);
