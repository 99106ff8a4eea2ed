// SPDX-License-Identifier: BSD-3-Clause
// Cycles per second of the analyses on Lorenz 96 (40 variables, all observed), truth and
// observations not counted but for `many`. GFLOP/s count the products with the ensemble's anomalies
// only (4 · 40 · N² flops a cycle) and are given as a share of the FMA peak measured just before.
#include <benchmark/benchmark.h>

#include "dan/dan.hpp"
#include "peak.hpp"

namespace {
using namespace dan;
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;

/// One analysis on one core, every `steps` model steps.
template <class Method>
void cycles(benchmark::State& state, const Lorenz& problem, const Method& analysis,
            double flops = 0) {
  TwinTruth<Lorenz, Method::runs> twin(problem, {});
  typename Method::FirstGuessBatch guess = twin.truth();
  auto carried = analysis.start(guess, 0.3, {});
  std::vector<typename Method::Observed> observed(512);
  for (auto& o : observed) {
    twin.next();
    convert_precision(twin.observed().values, o.values);
    convert_precision(twin.observed().precision, o.precision);
  }
  Threads one(1);
  const double peak = bench::fma_peak<double>(one), begin = bench::seconds();
  std::size_t n = 0;
  double counted = 0;
  for (auto _ : state) {
    if (n % observed.size() == 0) {  // the same 512 cycles again, from the same start
      carried = analysis.start(guess, 0.3, {});
      n = 0;
    }
    analysis.forecast(carried);
    analysis.analyse(carried, observed[n++], {});
    counted += Method::runs;
  }
  const double rate = counted / (bench::seconds() - begin);
  state.counters["cycles/s"] = rate;
  if (flops > 0) {
    state.counters["GFLOP/s"] = rate * flops * 1e-9;
    state.counters["share_of_peak"] = rate * flops / peak;
  }
}

/// Sixteen independent EnKF-N on `threads` cores, truth, observations and scores included.
void many(benchmark::State& state) {
  const EnkfN<Lorenz, 20> analysis{Lorenz{}};
  const TwinConfig config{.runs = 16,
                          .cycles = 2000,
                          .burn_in = 100,
                          .threads = static_cast<std::size_t>(state.range(0)),
                          .progress = false};
  double counted = 0;
  const double begin = bench::seconds();
  for (auto _ : state) {
    benchmark::DoNotOptimize(run_twin(Lorenz{}, analysis, config));
    counted += static_cast<double>(config.runs * config.cycles);
  }
  state.counters["cycles/s"] = counted / (bench::seconds() - begin);
}

/// Registers one method; make() returns it.
template <class Make>
void add(const char* name, const Make& make, double flops = 0, const Lorenz& problem = {}) {
  benchmark::RegisterBenchmark(
      name, [=](benchmark::State& state) { cycles(state, problem, make(), flops); });
}

const bool registered = [] {
  const Lorenz problem;
  Lorenz longer;
  longer.model.steps = 4;
  const auto products = [](double members) { return 4 * 40 * members * members; };
  const Inflation inflation{.factor = 1.04};
  add("oi", [=] { return Oi<Lorenz>(problem, climatology_of(problem)); });
  add(
      "var3d", [=] { return Var3d<Lorenz>(problem, climatology_of(problem)); }, 4.0 * 40 * 40);
  add("var4d/lag_4",
      [=] { return Var4d<Lorenz>(problem, climatology_of(problem), {.scale = 0.01, .lag = 4}); });
  add("extended_kf", [=] { return Ekf<Lorenz>(problem, {.inflation = 1.1}); });
  add("enkf/40_members",
      [=] { return Enkf<Lorenz, 40>(problem, {.inflation = {.factor = 1.06}}); });
  add("denkf/40_members",
      [=] { return Denkf<Lorenz, 40>(problem, {.inflation = {.factor = 1.01}}); });
  add("ensrf/40_members", [=] { return Ensrf<Lorenz, 40>(problem, {.inflation = 1.01}); });
  add("ensrf/40_members/float",
      [=] { return Ensrf<Lorenz, 40, simd_width<float>, float>(problem, {.inflation = 1.01}); });
  add("ensrf/64_members/float/rotated", [=] {
    return Ensrf<Lorenz, 64, simd_width<float>, float>(problem,
                                                       {.inflation = 1.015, .rotation = true});
  });
  add(
      "etkf/20_members", [=] { return Etkf<Lorenz, 20>(problem, {.inflation = inflation}); },
      products(20));
  add(
      "enkf_n/20_members", [=] { return EnkfN<Lorenz, 20>(problem); }, products(20));
  add(
      "enkf_n/40_members", [=] { return EnkfN<Lorenz, 40>(problem); }, products(40));
  add("letkf/7_members",
      [=] { return Letkf<Lorenz, 7>(problem, {.radius = 4, .inflation = inflation}); });
  add("ienks/lag_1/20_members",
      [=] { return Ienks<Lorenz, 20>(problem, {.lag = 1, .finite_size = true}); });
  add("ienks/lag_4/20_members",
      [=] { return Ienks<Lorenz, 20>(problem, {.lag = 4, .finite_size = true}); });
  add(
      "ienks/lag_4/20_members/0.2_apart",
      [=] { return Ienks<Lorenz, 20>(longer, {.lag = 4, .finite_size = true}); }, 0, longer);
  benchmark::RegisterBenchmark("enkf_n/20_members/16_experiments/threads", many)->Arg(1)->Arg(2);
  return true;
}();

}  // namespace
