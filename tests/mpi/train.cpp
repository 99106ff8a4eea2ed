// SPDX-License-Identifier: BSD-3-Clause
// Trains under MPI and prints a checksum of the weights; tests/mpi/run_train compares numbers of
// ranks.
//   train test UPDATES [CHECKPOINT]    a small network, four groups, three problems
//   train speed UPDATES [GROUPS]       the talk's network, two groups: milliseconds of an update,
//                                      and of the broadcast of one group's gradient
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/mpi/ranks.hpp"
#include "dan/network/pretrained.hpp"
#include "dan/observe/all.hpp"
#include "dan/train/recipe.hpp"

namespace {
using namespace dan;
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
using Tiny = AnalysisNetwork<NetworkShape{.filters = 8,
                                          .blocks = 1,
                                          .sub_blocks = 1,
                                          .head = Head::gain,
                                          .memory = 4,
                                          .gain_radius = 3,
                                          .sees_scales = true},
                             Ring<40>>;

/// FNV-1a of the bytes.
template <class Weights>
std::uint64_t checksum(const Weights& weights) {
  std::uint64_t sum = 14695981039346656037U;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &weights[i], sizeof bits);
    sum = (sum ^ bits) * 1099511628211U;
  }
  return sum;
}

void run(MpiRanks& ranks, const std::string& what, std::size_t updates, const std::string& more) {
  const Lorenz problem;
  if (what == "test") {
    const Recipe<EnsrfTeacher<16>> recipe{.training = {.updates = updates,
                                                       .groups = 4,
                                                       .unroll = 3,
                                                       .warm_up = 5,
                                                       .renew_every = 9,
                                                       .upsets = {.last = 0.5},
                                                       .stay = 50,
                                                       .taught = 0.7,
                                                       .threads = 1,
                                                       .progress = false},
                                          .finish = {.share = 0.3, .unroll = 4}};
    // Three problems, to which the groups go in turn.
    const std::vector<Lorenz> problems{
        problem, {.noise = DiagonalNoise<40>(0.3)}, {.noise = DiagonalNoise<40>(2)}};
    const auto [trained, report] = train<Tiny, 16>(problems, recipe, more, ranks);
    if (ranks.rank() == 0)
      std::printf("weights %016llx\n",
                  static_cast<unsigned long long>(checksum(trained.parameters)));
  } else {
    TrainConfig config = training_without_memory(updates);
    config.warm_up = 1, config.taught = 0, config.threads = 1, config.progress = false;
    if (!more.empty()) config.groups = std::stoul(more);
    pretrained::Plain network;
    scale_inputs(problem, network);
    Trainer<Lorenz, pretrained::Plain, 32, MpiRanks> trainer(problem, network, config, ranks);
    trainer.update();
    const auto milliseconds = [](std::size_t times, const auto& work) {
      const auto begin = std::chrono::steady_clock::now();
      for (std::size_t n = 0; n < times; ++n) work(n);
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      return 1000 * seconds.count() / static_cast<double>(times);
    };
    const double update = milliseconds(config.updates - 1, [&](std::size_t) { trainer.update(); });
    std::vector<float> gradient(pretrained::Plain::parameters);
    const double broadcast = milliseconds(200, [&](std::size_t n) {
      ranks.broadcast(std::as_writable_bytes(std::span(gradient)), n % ranks.size());
    });
    if (ranks.rank() == 0)
      std::printf("%zu ranks, %zu groups: update %.2f ms, broadcast %.3f ms, weights %016llx\n",
                  ranks.size(), config.groups, update, broadcast,
                  static_cast<unsigned long long>(checksum(trainer.trained().parameters)));
  }
}
}  // namespace

int main(int argc, char** argv) {
  return mpi_main(argc, argv, [&](MpiRanks& ranks) {
    if (argc < 3) throw ConfigError("train: expected test or speed, and a number of updates");
    run(ranks, argv[1], std::stoul(argv[2]), argc > 3 ? argv[3] : "");
  });
}
