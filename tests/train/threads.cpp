// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

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
    Trainer<Full, Recurrent, lanes, EnsrfTeacher<64>, Choose<Policy>> trainer(problem, network,
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

// The same runs, other sums: close, not equal.
TEST_CASE("training: groups of fewer lanes learn the same, up to round-off") {
  using Full = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
  constexpr std::size_t lanes = simd_width<float>;
  using Network =
      AnalysisNetwork<NetworkShape{.filters = 4, .blocks = 1, .sub_blocks = 1}, Ring<40>>;
  const Full problem;
  Network network;
  scale_inputs(problem, network);
  const auto run = [&]<std::size_t Lanes>(std::size_t updates) {
    return Trainer<Full, Network, Lanes>(
               problem, network,
               {.updates = updates, .groups = 2 * lanes / Lanes, .warm_up = 1, .progress = false})
        .run()
        .parameters;
  };
  const auto distance = [](const auto& a, const auto& b) {
    double most = 0;
    for (std::size_t n = 0; n < a.size(); ++n)
      most = std::max(most, std::abs(static_cast<double>(a[n] - b[n])));
    return most;
  };
  const auto one = run.template operator()<2 * lanes>(4), two = run.template operator()<lanes>(4);
  const double learned = distance(one, run.template operator()<2 * lanes>(2));
  CHECK(distance(one, two) < 1e-3 * learned);  // float rounds to 1e-7 of the parameters
}
