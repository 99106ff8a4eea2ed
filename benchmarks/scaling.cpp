// SPDX-License-Identifier: BSD-3-Clause
// How the time of a training update grows with each size, all others fixed: the exponent e of
// time ~ size^e, fitted on logarithms. About half a minute.
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/train/trainer.hpp"
#include "peak.hpp"

namespace {
using namespace dan;

/// Seconds of an update of all groups: the fastest of several fifths of a second.
template <std::size_t Points, std::size_t Filters, std::size_t SubBlocks, std::size_t Lanes>
double update_time(std::size_t unroll = 4, std::size_t threads = 1, std::size_t groups = 1) {
  using Lorenz = Problem<Rk4<Lorenz96<Points>>, ObserveAll<Points>>;
  constexpr NetworkShape shape{.filters = Filters, .blocks = 3, .sub_blocks = SubBlocks};
  using Network = AnalysisNetwork<shape, Ring<Points>>;
  const Lorenz problem;
  Network network;
  scale_inputs(problem, network);
  Trainer<Lorenz, Network, Lanes> trainer(problem, network,
                                          {.updates = 100000,
                                           .groups = groups,
                                           .unroll = unroll,
                                           .first_updates = 0,
                                           .threads = threads,
                                           .progress = false});
  double best = std::numeric_limits<double>::infinity();
  for (int n = 0; n < 6; ++n) {
    const double begin = bench::seconds();
    int updates = 0;
    while (bench::seconds() - begin < 0.2) trainer.update(), ++updates;
    best = std::min(best, (bench::seconds() - begin) / updates);
  }
  return best;
}

/// The slope of log(time) over log(size), by least squares.
double exponent(const std::vector<double>& size, const std::vector<double>& time) {
  double x = 0, y = 0, xx = 0, xy = 0;
  for (std::size_t i = 0; i < size.size(); ++i) {
    const double u = std::log(size[i]), v = std::log(time[i]);
    x += u, y += v, xx += u * u, xy += u * v;
  }
  const auto n = static_cast<double>(size.size());
  return (n * xy - x * y) / (n * xx - x * x);
}

void report(const char* name, double expected, const std::vector<double>& size,
            const std::vector<double>& time) {
  std::printf("%-22s %9.2f %9.2f   ", name, exponent(size, time), expected);
  for (std::size_t i = 0; i < size.size(); ++i) std::printf(" %g: %.2f ms", size[i], 1e3 * time[i]);
  std::printf("\n");
  std::fflush(stdout);
}
}  // namespace

int main() {
  constexpr std::size_t w = simd_width<float>;
  std::printf("%-22s %9s %9s    time of an update\n", "size", "exponent", "expected");
  report("points N_x", 1, {20, 40, 80, 160},
         {update_time<20, 24, 3, w>(), update_time<40, 24, 3, w>(), update_time<80, 24, 3, w>(),
          update_time<160, 24, 3, w>()});
  report("filters N_f", 2, {20, 40, 80},
         {update_time<40, 20, 3, w>(), update_time<40, 40, 3, w>(), update_time<40, 80, 3, w>()});
  report("layers", 1, {3, 9, 27},
         {update_time<40, 24, 1, w>(), update_time<40, 24, 3, w>(), update_time<40, 24, 9, w>()});
  constexpr auto lane = static_cast<double>(w);
  report("lanes", 1, {lane, 2 * lane, 4 * lane},
         {update_time<40, 24, 3, w>(), update_time<40, 24, 3, 2 * w>(),
          update_time<40, 24, 3, 4 * w>()});
  const auto base = [](std::size_t unroll, std::size_t threads, std::size_t groups) {
    return update_time<40, 24, 3, w>(unroll, threads, groups);
  };
  report("cycles N_iter", 1, {2, 4, 8, 16},
         {base(2, 1, 1), base(4, 1, 1), base(8, 1, 1), base(16, 1, 1)});
  report("groups", 1, {1, 2, 4, 8}, {base(4, 1, 1), base(4, 1, 2), base(4, 1, 4), base(4, 1, 8)});
  std::vector<double> threads, time;
  for (std::size_t n = 1; n <= std::min<std::size_t>(8, Threads().threads()); n *= 2) {
    threads.push_back(static_cast<double>(n));
    time.push_back(base(4, n, 8));
  }
  if (threads.size() > 1) report("threads (8 groups)", -1, threads, time);
}
