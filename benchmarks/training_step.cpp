// SPDX-License-Identifier: BSD-3-Clause
// Whole training steps (truth, forward, backward, model, optimiser) against the FMA peak of the
// same cores: medians of five alternations. Counted are 6 · N_x · layers · kernel · N_f² flops per
// sample-cycle, no others.
#include <benchmark/benchmark.h>

#include "dan/integrate/rk4.hpp"
#include "dan/models/barotropic_sphere.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/models/on_grid.hpp"
#include "dan/network/pretrained.hpp"
#include "dan/observe/all.hpp"
#include "dan/train/trainer.hpp"
#include "peak.hpp"

namespace {
using namespace dan;

template <NetworkShape Shape, std::size_t Lanes, std::size_t Groups>
void training_step(benchmark::State& state) {
  using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
  using Network = AnalysisNetwork<Shape, Ring<40>>;
  const auto threads = static_cast<std::size_t>(state.range(0));
  constexpr std::size_t unroll = 4, layers = Shape.blocks * Shape.sub_blocks;
  constexpr double flops = 6.0 * 40 * layers * Shape.kernel * Shape.filters * Shape.filters;
  const Lorenz problem;
  Network network;
  scale_inputs(problem, network);
  Trainer<Lorenz, Network, Lanes> trainer(problem, network,
                                          {.updates = 100000,
                                           .groups = Groups,
                                           .unroll = unroll,
                                           .threads = threads,
                                           .progress = false});
  Threads workers(threads);
  constexpr auto samples = static_cast<double>(Groups * Lanes * unroll);
  for (int n = 0; n < 3; ++n) trainer.update();
  std::vector<double> share, rate;
  for (auto _ : state) {
    for (int alternation = 0; alternation < 5; ++alternation) {
      const double peak = bench::fma_peak<float>(workers);
      const double begin = bench::seconds();
      int updates = 0;
      while (bench::seconds() - begin < 0.5) trainer.update(), ++updates;
      rate.push_back(updates * samples / (bench::seconds() - begin));
      share.push_back(rate.back() * flops / peak);
    }
  }
  state.counters["sample_cycles/s"] = bench::median(rate);
  state.counters["GFLOP/s"] = bench::median(rate) * flops * 1e-9;
  state.counters["share_of_peak"] = bench::median(share);
}

/// Direct sums and minimal filtering, in alternation: the ratio of the times of an update (median
/// of 15), one thread.
template <class Network, std::size_t Lanes, std::size_t Unroll, class Problem>
void minimal_filtering(benchmark::State& state, const Problem& problem) {
  Network network;
  scale_inputs(problem, network);
  const TrainConfig config{
      .updates = 100000, .groups = 2, .unroll = Unroll, .threads = 1, .progress = false};
  Trainer<Problem, Network, Lanes, Choose<Kernels::direct>> direct(problem, network, config);
  Trainer<Problem, Network, Lanes> minimal(problem, network, config);
  const auto time_of = [](auto& trainer) {
    const double begin = bench::seconds();
    int updates = 0;
    while (bench::seconds() - begin < 0.2) trainer.update(), ++updates;
    return (bench::seconds() - begin) / updates;
  };
  direct.update(), minimal.update();
  std::vector<double> ratio;
  for (auto _ : state)
    for (int n = 0; n < 15; ++n) ratio.push_back(time_of(direct) / time_of(minimal));
  state.counters["direct/minimal"] = bench::median(ratio);
}

template <class Network, std::size_t Lanes, std::size_t Unroll>
void lorenz96(benchmark::State& state) {
  minimal_filtering<Network, Lanes, Unroll>(state, Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>());
}
/// T21, of which every point is observed every twelve hours.
void sphere(benchmark::State& state) {
  using Harmonics = SphericalHarmonics<21, LatLon<32, 64, Latitudes::gaussian>>;
  using Model = OnGrid<Harmonics, Rk4<QuasiGeostrophic<Harmonics>>>;
  const Problem<Model, ObserveAll<Harmonics::Grid::points>, SphereStart<Harmonics>> problem{
      .model = {{one_level<Harmonics>(), 3600, 12}},
      .noise = DiagonalNoise<2048>(5.6e-11),
      .norm = {{2.67e-5}}};
  minimal_filtering<pretrained::Sphere, 16, 2>(state, problem);
}

constexpr NetworkShape reference{.filters = 40, .blocks = 5, .sub_blocks = 5};
constexpr NetworkShape small{.filters = 24, .blocks = 3, .sub_blocks = 3};

BENCHMARK(training_step<reference, 2 * simd_width<float>, 4>)
    ->Name("training_step/40_filters_25_layers/threads")
    ->Arg(1)
    ->Arg(2)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(training_step<small, 16, 4>)
    ->Name("training_step/24_filters_9_layers/threads")
    ->Arg(1)
    ->Arg(2)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(lorenz96<pretrained::Plain, 32, 4>)
    ->Name("minimal_filtering/40_filters_25_layers")
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(lorenz96<pretrained::Small, 16, 8>)
    ->Name("minimal_filtering/small")
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(lorenz96<pretrained::Recurrent, 16, 8>)
    ->Name("minimal_filtering/recurrent")
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(sphere)->Name("minimal_filtering/sphere")->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
