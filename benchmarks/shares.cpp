// SPDX-License-Identifier: BSD-3-Clause
// Where the time of a training update goes, on one core, with direct sums: the parts measured one
// by one at the shape that they have in the update, as a share of the whole. "not told apart" is
// the rest: what the parts cost more when the caches hold the others' data, residual sums, heads,
// summing gradients.
#include <algorithm>
#include <cstdio>
#include <limits>

#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/train/trainer.hpp"
#include "layer.hpp"
#include "peak.hpp"

namespace {
using namespace dan;
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;

/// Seconds of a call: the fastest of several tenths of a second.
template <class F>
double time_of(const F& call) {
  double best = std::numeric_limits<double>::infinity();
  for (int n = 0; n < 5; ++n) {
    const double begin = bench::seconds();
    int calls = 0;
    while (bench::seconds() - begin < 0.1) call(), ++calls;
    best = std::min(best, (bench::seconds() - begin) / calls);
  }
  return best;
}

/// Seconds of a layer.
struct LayerTimes {
  double forward, backward_input, backward_weights, backward_rest;

  template <class Map, std::size_t Lanes>
  static LayerTimes of() {
    bench::Layer<Map, float, Lanes> layer;
    LayerTimes times{};
    times.forward = time_of([&] { layer.forward(); });
    times.backward_input = time_of([&] { layer.backward_input(); });
    times.backward_weights = time_of([&] { layer.backward_weights(); });
    const double backward = time_of([&] { layer.backward(); });
    times.backward_rest = std::max(0.0, backward - times.backward_input - times.backward_weights);
    return times;
  }
  [[nodiscard]] double all() const {
    return forward + backward_input + backward_weights + backward_rest;
  }
};

template <NetworkShape Shape, std::size_t Lanes>
void shares() {
  constexpr std::size_t unroll = 4, layers = Shape.blocks * Shape.sub_blocks;
  using Network = AnalysisNetwork<Shape, Ring<40>>;
  using T = lanes_t<float, Lanes>;
  const Lorenz problem;
  Network network;
  scale_inputs(problem, network);
  const auto update_time = [&](bool muon) {
    Trainer<Lorenz, Network, Lanes, Choose<Kernels::direct>> trainer(problem, network,
                                                                     {.updates = 100000,
                                                                      .groups = 1,
                                                                      .unroll = unroll,
                                                                      .use_muon = muon,
                                                                      .threads = 1,
                                                                      .progress = false});
    return time_of([&] { trainer.update(); });
  };
  const double whole = update_time(false), with_muon = update_time(true);

  const auto hidden =
      LayerTimes::of<Convolution<Ring<40>, Shape.filters, Shape.filters, Shape.kernel, Silu>,
                     Lanes>();
  const auto first = LayerTimes::of<typename Network::InputLayer, Lanes>();
  const auto last = LayerTimes::of<typename Network::OutputLayer, Lanes>();
  Scratch<T> x(40), y(40), d_x(40);
  for (std::size_t i = 0; i < 40; ++i) x[i] = T(8 + 0.1F * static_cast<float>(i % 7));
  const double model = time_of([&] { problem.model.step(x.data(), y.data()); }) + time_of([&] {
                         std::fill(d_x.begin(), d_x.end(), T(0.0F));
                         problem.model.step_adjoint(x.data(), y.data(), d_x.data());
                       });
  TwinTruth<Lorenz, Lanes> twin(problem, {});
  const double truth = time_of([&] { twin.next(); });
  Threads one(1);
  Optimiser<float> adam(Network::parameters);
  Scratch<float> params(Network::parameters), gradient(Network::parameters);
  std::fill(gradient.begin(), gradient.end(), 1e-3F);
  const double optimiser =
      time_of([&] { adam.update(std::span(params), std::span<const float>(gradient), 1e-6, one); });

  std::printf(
      "%zu filters, %zu layers, %zu lanes, unroll %zu, one group, one core: "
      "%.2f ms an update with Adam, %.2f with Muon\n",
      Shape.filters, layers, Lanes, unroll, 1e3 * whole, 1e3 * with_muon);
  double rest = whole;
  const auto line = [&](const char* part, double seconds) {
    std::printf("  %-42s %8.3f ms %6.1f %%\n", part, 1e3 * seconds, 100 * seconds / whole);
    rest -= seconds;
  };
  constexpr double passes = unroll * layers;
  line("hidden convolutions forward, with SiLU", passes * hidden.forward);
  line("hidden convolutions backward to the input", passes * hidden.backward_input);
  line("hidden convolutions backward to the weights", passes * hidden.backward_weights);
  line("d_z = SiLU' d_out and bias gradients", passes * hidden.backward_rest);
  line("first and last layer", unroll * (first.all() + last.all()));
  line("model and its adjoint", unroll * model);
  line("truth and observations (double)", unroll * truth);
  line("Adam", optimiser);
  line("not told apart", rest);
}
}  // namespace

int main() {
  shares<NetworkShape{.filters = 40, .blocks = 5, .sub_blocks = 5}, 2 * simd_width<float>>();
  shares<NetworkShape{.filters = 24, .blocks = 3, .sub_blocks = 3}, 16>();
}
