// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <thread>
#include <vector>

#include "../support/temporary_folder.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/random.hpp"
#include "dan/train/trainer.hpp"

using namespace dan;

namespace {
using Full = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
using Sparse = Problem<Rk4<Lorenz96<40>>, ObserveRandom<40>>;
using Plain = AnalysisNetwork<NetworkShape{.filters = 4, .blocks = 1, .sub_blocks = 1}, Ring<40>>;
using Recurrent = AnalysisNetwork<NetworkShape{.filters = 4,
                                               .blocks = 1,
                                               .sub_blocks = 1,
                                               .head = Head::gain,
                                               .memory = 2,
                                               .gain_radius = 2},
                                  Ring<40>>;
constexpr std::size_t lanes = simd_width<float>;

/// Runs a training in processes that are killed, at ten random moments (or as many as DAN_KILLS
/// says, of a training so many times as long), each going on from the checkpoint of the one before;
/// what is left then ends as if nothing had happened.
template <class Network, class Teacher = NoTeacher, class S>
std::size_t check_killed(const S& problem, TrainConfig config, const Teacher& teacher = {}) {
  using T = Trainer<S, Network, lanes, Teacher>;
  Network network;
  scale_inputs(problem, network);
  config.progress = false;
  const char* wanted = std::getenv("DAN_KILLS");
  std::vector<double> moments(wanted ? std::stoul(wanted) : 10);
  config.updates = config.updates * moments.size() / 10;
  const test::TemporaryFolder folder;
  const auto file = folder / "checkpoint.safetensors";
  T whole(problem, network, config, teacher);
  const auto begin = std::chrono::steady_clock::now();
  whole.run(folder / "whole.safetensors", 0);
  CHECK(whole.report().skipped == 0);  // not even where a teacher has diverged
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;

  fill_uniform<double>({config.seed, Purpose::user}, std::span(moments));
  std::size_t killed = 0;
  for (const double moment : moments) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {  // has this thread only, and starts none
      try {
        config.threads = 1;
        T(problem, network, config, teacher).run(file, 0);
      } catch (...) {
      }
      ::_exit(0);
    }
    std::this_thread::sleep_for(moment * time / (0.8 * static_cast<double>(moments.size())));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    killed += WIFSIGNALED(status) ? 1 : 0;
  }

  T resumed(problem, network, config, teacher);
  if (std::filesystem::exists(file)) resumed.resume(file);
  MESSAGE(killed, " of ", moments.size(), " were killed; ", resumed.updates(), " of ",
          config.updates, " updates were done");
  resumed.run(file);
  CHECK(resumed.updates() == config.updates);
  CHECK(resumed.trained().parameters == whole.trained().parameters);
  CHECK(resumed.report().rmse == whole.report().rmse);
  CHECK(resumed.report().restarts == whole.report().restarts);
  return whole.report().restarts;
}
}  // namespace

TEST_CASE("trainer: killed at random moments and resumed, it ends with the same bits") {
  SUBCASE("Muon, with averaged weights") {
    check_killed<Plain>(Full{}, {.updates = 100, .groups = 2, .warm_up = 5, .average = 0.9});
  }
  SUBCASE("memory, gain head, a first unroll, and lanes that restart") {
    CHECK(check_killed<Recurrent, EnsrfTeacher<64>>(Full{},
                                                    {.updates = 100,
                                                     .groups = 2,
                                                     .unroll = 3,
                                                     .first_unroll = 1,
                                                     .first_updates = 30,
                                                     .warm_up = 5,
                                                     .first_guess_deviation = 6,
                                                     .renew_every = 7,
                                                     .upsets = {.last = 0.9, .longest_gap = 9},
                                                     .taught = 0.6,
                                                     .seed = 2}) > 0);
  }
  SUBCASE("Adam alone under a random network") {
    check_killed<Plain>(Sparse{.observe = ObserveRandom<40>(20, 40)},
                        {.updates = 100, .groups = 1, .warm_up = 5, .use_muon = false, .seed = 3});
  }
}

TEST_CASE(
    "trainer: interrupted, it finishes its update, writes its checkpoint and says how to go on") {
  const Full problem;
  Plain network;
  scale_inputs(problem, network);
  const TrainConfig config{.updates = 300, .groups = 2, .warm_up = 5, .progress = false};
  using T = Trainer<Full, Plain, lanes>;
  const test::TemporaryFolder folder;
  const auto file = folder / "checkpoint";
  T whole(problem, network, config);
  const auto begin = std::chrono::steady_clock::now();
  whole.run(folder / "whole", 0);
  const auto time = std::chrono::steady_clock::now() - begin;
  std::size_t stopped = 0;
  for (int n = 0; n < 3; ++n) {
    T part(problem, network, config);
    const InterruptHandler handler;
    const std::jthread ctrl_c([&] {
      std::this_thread::sleep_for(time / 20);
      ::kill(::getpid(), SIGINT);
    });
    try {
      part.run(file, 0);
    } catch (const Interrupted& e) {
      ++stopped;
      CHECK(e.what() == to_text("Trainer::run: interrupted after ", part.updates(),
                                " of 300 updates; the same call goes on from ", file.string()));
    }
    T resumed(problem, network, config);
    resumed.resume(file);
    CHECK(resumed.updates() == part.updates());
  }
  CHECK(stopped > 0);
  T last(problem, network, config);
  last.run(file);
  CHECK(last.trained().parameters == whole.trained().parameters);
  CHECK(last.report().rmse == whole.report().rmse);

  const InterruptHandler handler;
  ::kill(::getpid(), SIGTERM);
  T lost(problem, network, config);
  CHECK_THROWS_WITH_AS(lost.run(),
                       "Trainer::run: interrupted after 0 of 300 updates; nothing is kept: give "
                       "`run` a checkpoint",
                       Interrupted);
}

TEST_CASE("truth: a saved truth is a state per run, whatever the SIMD width, and goes on") {
  constexpr std::size_t runs = simd_width<double> + 3;
  using Truth = TwinTruth<Full, runs>;
  Truth stream(Full{.start = {.spin_up = 10}}, {}),
      again(Full{.start = {.spin_up = 0}}, {.seed = 2});
  stream.next();
  const auto numbers = stream.save();
  REQUIRE(numbers.size() == runs * 40);
  bool right = true;
  for (std::size_t l = 0; l < runs; ++l)
    for (std::size_t i = 0; i < 40; ++i)
      right = right && numbers[l * 40 + i] == stream.truth().at(i, l);
  CHECK(right);
  again.restore(1, numbers);
  for (int n = 0; n < 3; ++n) stream.next(), again.next();
  CHECK(std::ranges::equal(again.truth().numbers(), stream.truth().numbers()));
  CHECK_THROWS_AS(again.restore(1, std::vector<double>(runs * 40 + 1)), ShapeError);
}

TEST_CASE("trainer: a place for checkpoints that cannot be written is told before the work") {
  const test::TemporaryFolder folder;
  const Full problem;
  Plain network;
  scale_inputs(problem, network);
  Trainer<Full, Plain, lanes> trainer(problem, network,
                                      {.updates = 1000000, .groups = 1, .progress = false});
  CHECK_THROWS_AS(trainer.run(folder / "none/checkpoint"), FileError);
  CHECK(trainer.updates() == 0);
}
