// SPDX-License-Identifier: BSD-3-Clause
// How long one analysis of a single state takes, in microseconds, on one core, against the roofline
// of that shape: the larger of its flops over the FMA peak and its weights' bytes over the speed
// at which a core reads its L2, both measured in the same run. Medians of five alternations.
#include <benchmark/benchmark.h>

#include <algorithm>

#include "dan/analysis/learned.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "peak.hpp"

namespace {
using namespace dan;
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;

/// Bytes per second of one core reading 512 KiB, more than its L1 and less than its L2, over and
/// over.
double read_speed() {
  using Register = Pack<float, simd_width<float>>::Register;
  constexpr std::size_t bytes = 512 * 1024, count = bytes / sizeof(Register), chains = 8;
  constexpr int rounds = 200;
  const Scratch<float> numbers(bytes / sizeof(float));
  const auto* data = reinterpret_cast<const Register*>(numbers.data());
  Register sum[chains];
  for (auto& s : sum) s = Register(0.0F);
  const double begin = bench::seconds();
  for (int n = 0; n < rounds; ++n) {
    for (std::size_t i = 0; i < count; i += chains)
      detail::unrolled<chains>([&](auto c) __attribute__((always_inline)) {
        sum[c] = sum[c] + load_once(&data[i + c]);
      });
    benchmark::ClobberMemory();
  }
  const double elapsed = bench::seconds() - begin;
  for (auto& s : sum) benchmark::DoNotOptimize(s);
  return static_cast<double>(bytes) * rounds / elapsed;
}

template <NetworkShape Shape>
void one_state(benchmark::State& state) {
  using Network = AnalysisNetwork<Shape, Ring<40>>;
  using Method = Learned<Lorenz, Network, 1>;
  Trained<Network> trained;
  Network::initialise(1, span_of(trained.parameters));
  const Method analysis(Lorenz{}, trained);
  typename Method::FirstGuessBatch guess;
  for (std::size_t i = 0; i < guess.size; ++i) guess[i] = 8 + 0.1 * static_cast<double>(i % 7);
  typename Method::Observed observed;
  for (std::size_t i = 0; i < guess.size; ++i)
    observed.values[i] = static_cast<float>(guess[i]), observed.precision[i] = 1;
  auto carried = analysis.start(guess, 1, {});

  double flops = 0;
  for (const auto& place : Network::places())
    flops += 2.0 * Network::points * static_cast<double>(place.weights());
  constexpr double bytes = sizeof(float) * Network::parameters;
  Threads one(1);
  std::vector<double> latency, ratio, peaks, speeds;
  const auto time_of = [&](const auto& call) {
    constexpr int rounds = 300;
    const double begin = bench::seconds();
    for (int n = 0; n < rounds; ++n) call();
    return (bench::seconds() - begin) / rounds;
  };
  for (auto _ : state) {
    for (int alternation = 0; alternation < 5; ++alternation) {
      peaks.push_back(bench::fma_peak<float>(one));
      speeds.push_back(read_speed());
      latency.push_back(time_of([&] { analysis.analyse(carried, observed, {}); }));
      ratio.push_back(latency.back() / std::max(flops / peaks.back(), bytes / speeds.back()));
    }
  }
  const double forecast = time_of([&] { analysis.forecast(carried); });
  state.counters["analysis_us"] = 1e6 * bench::median(latency);
  state.counters["forecast_us"] = 1e6 * forecast;
  state.counters["flops_us"] = 1e6 * flops / bench::median(peaks);
  state.counters["weights_us"] = 1e6 * bytes / bench::median(speeds);
  state.counters["L2_GB/s"] = 1e-9 * bench::median(speeds);
  state.counters["x_roofline"] = bench::median(ratio);
}

constexpr NetworkShape reference{.filters = 40, .blocks = 5, .sub_blocks = 5};
constexpr NetworkShape small{.filters = 24, .blocks = 3, .sub_blocks = 3};
BENCHMARK(one_state<reference>)->Name("one_state/40_filters_25_layers")->Iterations(1);
BENCHMARK(one_state<small>)->Name("one_state/24_filters_9_layers")->Iterations(1);

}  // namespace
