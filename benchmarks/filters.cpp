// SPDX-License-Identifier: BSD-3-Clause
// Cycles per second of the analyses on Lorenz 96 (40 variables, all observed) on one core, truth
// and observations not counted. GFLOP/s count the products with the ensemble's anomalies only
// (4 · 40 · N² flops a cycle) and are given as a share of the FMA peak measured just before.
#include <benchmark/benchmark.h>

#include "dan/dan.hpp"
#include "peak.hpp"

namespace {
using namespace dan;
using Problem = Setting<Rk4<Lorenz96<40>>, FullNetwork<40>>;

template <class Method>
void cycles(benchmark::State& state, const Method& analysis, double flops) {
  ObservationStream<Problem, Method::runs> stream(Problem{}, {});
  typename Method::FirstGuessBatch guess = stream.truth();
  auto carried = analysis.start(guess, 1, {});
  std::vector<typename Method::Observed> observed(512);
  for (auto& o : observed) {
    stream.next();
    convert(stream.observed().values, o.values);
    convert(stream.observed().precision, o.precision);
  }
  Workers one(1);
  const double peak = bench::fma_peak<double>(one), begin = bench::seconds();
  std::size_t n = 0;
  double counted = 0;
  for (auto _ : state) {
    if (n % observed.size() == 0) {  // the same 512 cycles again, from the same start
      carried = analysis.start(guess, 1, {});
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

void var3d(benchmark::State& state) {
  cycles(state, Var3d<Problem>(Problem{}, climatology_of(Problem{})), 4.0 * 40 * 40);
}
void etkf(benchmark::State& state) {
  cycles(state, Etkf<Problem, 20>(Problem{}, {.inflation = {.factor = 1.04}}), 4.0 * 40 * 20 * 20);
}
void enkf_n(benchmark::State& state) {
  cycles(state, EnkfN<Problem, 20>(Problem{}), 4.0 * 40 * 20 * 20);
}
BENCHMARK(var3d);
BENCHMARK(etkf)->Name("etkf/20_members");
BENCHMARK(enkf_n)->Name("enkf_n/20_members");

}  // namespace
