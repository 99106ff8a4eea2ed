// SPDX-License-Identifier: BSD-3-Clause
#include "dan/train/stored_truths.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>

#include "../support/temporary_folder.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/train/trainer.hpp"

using namespace dan;

namespace {
using Full = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
using Small = AnalysisNetwork<NetworkShape{.filters = 8, .blocks = 1, .sub_blocks = 1}, Ring<40>>;
constexpr std::size_t lanes = simd_width<float>;

Small scaled(const Full& problem) {
  Small network;
  scale_inputs(problem, network);
  return network;
}

/// What the runs of `groups` groups see in `cycles` cycles, the restarts as in a training: a state
/// and its observation in one number each.
struct Seen {
  std::multiset<float> truths, observations;
};
Seen seen(const StoredTruths& stored, std::size_t groups, std::size_t cycles) {
  const Full problem;
  const Runs<Full, Small, lanes, float> runs(problem, scaled(problem),
                                             {.groups = groups, .stored = stored});
  Seen seen;
  for (std::size_t g = 0; g < groups; ++g) {
    auto group = runs.group(g);
    runs.check(group, scaled(problem).bounds());
    runs.start(group);
    typename decltype(runs)::Observed observed;
    typename decltype(runs)::Truth truth;
    for (std::size_t n = 0; n < cycles; ++n) {
      runs.next(group, observed, truth);
      for (std::size_t l = 0; l < lanes; ++l) {
        seen.truths.insert(truth.at(3, l));
        seen.observations.insert(observed.values.at(3, l));
      }
      runs.turn_over(group);
    }
  }
  return seen;
}
std::size_t different(const std::multiset<float>& all) {
  return std::set<float>(all.begin(), all.end()).size();
}
}  // namespace

TEST_CASE("stored truths: runs take them in turn") {
  constexpr std::uint64_t from = training_runs;
  const StoredTruths five{.number = 5};
  CHECK(five.truths<4>(from, 0) ==
        std::array<std::uint64_t, 4>{from, from + 1, from + 2, from + 3});
  CHECK(five.truths<4>(from, 4) ==
        std::array<std::uint64_t, 4>{from + 4, from, from + 1, from + 2});
  CHECK(StoredTruths{}.truths<2>(from, 8) == std::array<std::uint64_t, 2>{from + 8, from + 9});
  CHECK(five.end(64));
  CHECK_FALSE(five.end(63));
  CHECK_FALSE(StoredTruths{}.end(1'000'000));
}

TEST_CASE("stored truths: of two, all runs see only two, again and again; else nothing repeats") {
  constexpr std::size_t cycles = 15, groups = 2, all = groups * lanes * cycles;
  const auto two = seen({.number = 2, .cycles = 5}, groups, cycles);
  CHECK(two.truths.size() == all);
  CHECK(different(two.truths) == 2 * 5);
  CHECK(different(two.observations) == 2 * 5);
  for (const float x : two.truths) CHECK(two.truths.count(x) == all / 10);
  // Three turns of all runs.
  const auto many = seen({.number = 3 * groups * lanes, .cycles = 5}, groups, cycles);
  CHECK(different(many.truths) == all);
  CHECK(different(many.observations) == all);
  const auto endless = seen({}, groups, cycles);
  CHECK(different(endless.truths) == all);
  CHECK(different(endless.observations) == all);
}

TEST_CASE("stored truths: a training that is resumed in a later turn ends with the same bits") {
  const Full problem;
  using T = Trainer<Full, Small, lanes, EnsrfTeacher<8>>;
  const TrainConfig config{.updates = 12,
                           .groups = 2,
                           .unroll = 2,
                           .warm_up = 1,
                           .stored = {.number = 3 * lanes, .cycles = 5},
                           .taught = 0.8,
                           .threads = 1,
                           .progress = false};
  const test::TemporaryFolder folder;
  const auto network = scaled(problem);
  T whole(problem, network, config), part(problem, network, config);
  whole.run();
  for (int n = 0; n < 7; ++n) part.update();  // trajectories end after updates 3, 6, 9 and 12
  part.save_checkpoint(folder / "checkpoint");
  T resumed(problem, network, config);
  resumed.run(folder / "checkpoint");
  CHECK(resumed.trained().parameters == whole.trained().parameters);
  CHECK(resumed.report().rmse == whole.report().rmse);
}
