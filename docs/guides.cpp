// SPDX-License-Identifier: BSD-3-Clause
// The programs of docs/tuning.md, docs/diagnosing.md and docs/cycling.md.
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <span>
#include <string>

#include "dan/dan.hpp"

namespace {
using namespace dan;

void tuning() {
  using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
  const Lorenz problem;
  const Tuning tuning = tune_analysis(
      problem, {{"radius", {2, 3, 4}}, {"inflation", {1.01, 1.03, 1.06}}},
      [&](std::span<const double> v) {
        return Letkf<Lorenz, 10>(problem, {.radius = v[0], .inflation = {.factor = v[1]}});
      },
      tuning_twin(), {.threads = 0, .file = "letkf.json"});  // stopped, it goes on from the file
  for (const auto& trial : tuning.trials)
    std::printf("%4.0f %5.2f  %.4f %s\n", trial.values[0], trial.values[1], trial.score,
                trial.reason.c_str());
  const auto& best = tuning.best.values;
  const Letkf<Lorenz, 10> letkf(problem, {.radius = best[0], .inflation = {.factor = best[1]}});
  const auto scores = run_twin(problem, letkf, {.seed = 3});
  std::printf("on other truths %.3f, runs lost: %zu\n", scores.analysis_rmse, scores.lost.size());
}

void diagnosing() {
  using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
  const Lorenz problem;
  BeliefRecorder<MeanCrps> crps;
  BeliefRecorder<ReducedCentred> centred;
  BeliefRecorder ranks{RankHistogram(21)};
  WaveSpectrum<RingPower<40>> spectrum;
  const auto scores = run_twin(problem, EnkfN<Lorenz, 20>(problem), {.runs = 8, .cycles = 600},
                               crps, centred, ranks, spectrum);
  std::printf("aRMSE %.3f, CRPS %.3f, dispersion %.2f\n", scores.analysis_rmse, crps.score.mean(),
              centred.score.dispersion());
  const auto& counts = ranks.score.counts();
  std::printf("truth below all members: %.1f times as often as it should be; wave 8: %.4f\n",
              21.0 * static_cast<double>(counts[0]) /
                  static_cast<double>(std::accumulate(counts.begin(), counts.end(), 0ULL)),
              spectrum.analysis()[8]);
}

void cycling(const std::string& observations) {
  using Grid = Ring<40>;
  using Mine =
      Problem<Rk4<Lorenz96<40>>, ObserveAt<Grid, 30>>;  // at most 30 a cycle, at any places
  using Filter = Letkf<Mine, 20>;
  const Mine problem;
  const Filter filter(problem, {.inflation = {.factor = 1.03}});
  const CycleTimes times{.interval = 0.05};
  const auto table = load_observations<Grid>(observations);  // <Grid, 2>: of two channels

  Filter::FirstGuessBatch guess;
  guess.fill(2.3);  // the climate's mean and below its deviation; of channels each its own
  OperationalRun run(filter, filter.start(guess, 3.6, {.seed = 1}), "letkf.safetensors");
  while (run.cycle() < last_cycle(table, times)) {
    throw_if_interrupted("cycling", run.cycle(), " cycles; the same command goes on");
    run.next(rows_of(table, times, run.cycle() + 1));  // none: a gap
    run.save();
    std::printf("%zu: %.2f, spread %.2f\n", run.cycle(), run.estimate().at(0, 0), run.spread());
  }
}
}  // namespace

int main(int argc, char** argv) {
  return run_main([&] {
    if (argc == 2) return cycling(argv[1]);
    tuning();
    diagnosing();
  });
}
