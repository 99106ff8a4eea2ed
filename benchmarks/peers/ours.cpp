// SPDX-License-Identifier: BSD-3-Clause
// Our side of pytorch.py: `ours FILTERS [SECONDS [THREADS]]` prints the sample-cycles per second of
// whole training steps (truth, observations, forward, backward, Adam) and the FMA peak in GFLOP/s.
#include <cstdio>
#include <cstdlib>

#include "../peak.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/train/trainer.hpp"

namespace {
using namespace dan;
using Problem = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;

template <NetworkShape Shape, std::size_t Lanes, std::size_t Groups>
double rate(double seconds, std::size_t threads) {
  constexpr std::size_t unroll = 4;
  const Problem problem;
  AnalysisNetwork<Shape, Ring<40>> network;
  scale_inputs(problem, network);
  Trainer<Problem, AnalysisNetwork<Shape, Ring<40>>, Lanes> trainer(problem, network,
                                                                    {.updates = 100000,
                                                                     .groups = Groups,
                                                                     .unroll = unroll,
                                                                     .use_muon = false,
                                                                     .threads = threads,
                                                                     .progress = false});
  for (int n = 0; n < 3; ++n) trainer.update();
  const double begin = bench::seconds();
  std::size_t updates = 0;
  while (bench::seconds() - begin < seconds) trainer.update(), ++updates;
  return static_cast<double>(updates * Groups * Lanes * unroll) / (bench::seconds() - begin);
}

void report(double rate, std::size_t threads) {
  Threads workers(threads);
  std::printf("%.1f %.1f\n", rate, 1e-9 * bench::fma_peak<float>(workers));
}
}  // namespace

int main(int argc, char** argv) {
  const int filters = argc > 1 ? std::atoi(argv[1]) : 0;
  const double seconds = argc > 2 ? std::atof(argv[2]) : 2;
  const auto threads = argc > 3 ? static_cast<std::size_t>(std::atol(argv[3])) : 0;
  if (filters == 40) {
    constexpr NetworkShape shape{.filters = 40, .blocks = 5, .sub_blocks = 5};
    constexpr std::size_t lanes = simd_width<float> == 16 ? 48 : 16;  // of layers that fit the L2
    report(rate<shape, lanes, 96 / lanes>(seconds, threads), threads);
  } else if (filters == 24) {
    constexpr NetworkShape shape{.filters = 24, .blocks = 3, .sub_blocks = 3};
    report(rate<shape, 16, 4>(seconds, threads), threads);  // batch 64
  } else {
    std::fprintf(stderr, "usage: ours 40|24 [SECONDS [THREADS]]\n");
    return 2;
  }
}
