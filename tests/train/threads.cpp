// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/train/trainer.hpp"

using namespace dan;

// All that a training does at once, for the thread sanitizer, too.
TEST_CASE("training: threads and recomputation change no bit of a network with a teacher") {
  using Full = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
  constexpr std::size_t lanes = simd_width<float>;
  using Recurrent = AnalysisNetwork<NetworkShape{.filters = 4,
                                                 .blocks = 1,
                                                 .sub_blocks = 1,
                                                 .members = 2,
                                                 .head = Head::gain,
                                                 .memory = 2,
                                                 .gain_radius = 2},
                                    Ring<40>>;
  const Full problem;
  Recurrent network;
  scale_inputs(problem, network);
  const auto run = [&]<Keep Policy>(std::size_t threads) {
    Trainer<Full, Recurrent, lanes, EnsrfTeacher<64>, Policy> trainer(problem, network,
                                                                      {.updates = 20,
                                                                       .groups = 3,
                                                                       .warm_up = 5,
                                                                       .renew_every = 7,
                                                                       .taught = 0.5,
                                                                       .threads = threads,
                                                                       .progress = false});
    return trainer.run().parameters;
  };
  const auto one = run.operator()<Keep::everything>(1);
  CHECK(one == run.operator()<Keep::everything>(3));
  CHECK(one == run.operator()<Keep::inputs>(2));
}
