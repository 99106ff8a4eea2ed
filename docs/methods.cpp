// SPDX-License-Identifier: BSD-3-Clause
// What the pages of docs/methods show, each method on the same truths and observations: Lorenz 96
// with 40 variables, all observed every 0.05 with errors of variance 1. Run it where weights/ is;
// the scored cycles of each run may be given, 1000 if they are not.
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "dan/dan.hpp"

namespace {
using namespace dan;
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;

void show(const char* method, const TwinScores& scores) {
  std::printf("%-28s %.3f ± %.3f, ", method, scores.analysis_rmse,
              (scores.interval.high - scores.interval.low) / 2);
  if (std::isfinite(scores.spread)) std::printf("spread %.3f, ", scores.spread);
  std::printf("runs lost: %zu\n", scores.lost.size() + scores.failures.size());
}

void oi(const Lorenz& problem, const TwinConfig& unseen) {
  const Climate climate = climatology_of(problem);
  const Oi<Lorenz> oi(problem, climate);
  show("OI", run_twin(problem, oi, unseen));
  const Climatology<Lorenz> climatology(climate);
  show("climatology", run_twin(problem, climatology, unseen));
}

void var3d(const Lorenz& problem, const TwinConfig& unseen) {
  const Climate climate = climatology_of(problem);
  const Var3d<Lorenz> three(problem, climate, 0.02);  // x_B
  show("3D-Var", run_twin(problem, three, unseen));
}

void var4d(const Lorenz& problem, const TwinConfig& unseen) {
  const Climate climate = climatology_of(problem);
  const Var4d<Lorenz> four(problem, climate, {.scale = 3e-4, .lag = 10, .use = WindowUse::all});
  const TwinScores scores = run_twin(problem, four, unseen);
  show("4D-Var, lag 10", scores);
  std::printf("  ten cycles later: %.3f\n", scores.smoothing_rmse);
}

void ekf(const Lorenz& problem, const TwinConfig& unseen) {
  const Ekf<Lorenz> ekf(problem, {.inflation = 1.06});
  show("extended Kalman filter", run_twin(problem, ekf, unseen));
}

void backward_kalman(const Lorenz& problem, const TwinConfig& unseen) {
  const BackwardKalman<Lorenz> backward(problem,
                                        {.cycles = 20, .start_variance = 0.01, .inflation = 1.015});
  show("20 cycles back", run_twin(problem, backward, unseen));
}

void enkf(const Lorenz& problem, const TwinConfig& unseen) {
  const Enkf<Lorenz, 40> enkf(problem, {.inflation = {.factor = 1.06}});
  show("EnKF, 40 members", run_twin(problem, enkf, unseen));
  const Enkf<Lorenz, 10> local(problem,
                               {.inflation = {.factor = 1.08}, .localisation = {.radius = 5}});
  show("EnKF, 10 members, localised", run_twin(problem, local, unseen));
}

void denkf(const Lorenz& problem, const TwinConfig& unseen) {
  const Denkf<Lorenz, 40> denkf(problem, {.inflation = {.factor = 1.01}});
  show("DEnKF, 40 members", run_twin(problem, denkf, unseen));
}

void etkf(const Lorenz& problem, const TwinConfig& unseen) {
  const Etkf<Lorenz, 20> etkf(problem, {.inflation = {.factor = 1.05}, .rotation = true});
  show("ETKF, 20 members", run_twin(problem, etkf, unseen));
}

void ensrf(const Lorenz& problem, const TwinConfig& unseen) {
  const Ensrf<Lorenz, 64> ensrf(problem, {.inflation = 1.015, .rotation = true});
  show("EnSRF, 64 members", run_twin(problem, ensrf, unseen));
  const Ensrf<Lorenz, 7> local(problem, {.inflation = 1.07, .localisation = {.radius = 6}});
  show("EnSRF, 7 members, localised", run_twin(problem, local, unseen));
}

void enkf_n(const Lorenz& problem, const TwinConfig& unseen) {
  const EnkfN<Lorenz, 20> enkf_n(problem);
  show("EnKF-N, 20 members", run_twin(problem, enkf_n, unseen));
}

void enks(const Lorenz& problem, const TwinConfig& unseen) {
  const Enks smoother(EnkfN<Lorenz, 20>(problem), 10);  // cycles
  const TwinScores scores = run_twin(problem, smoother, unseen);
  show("EnKS, 20 members, lag 10", scores);
  std::printf("  ten cycles later: %.3f\n", scores.smoothing_rmse);
}

void letkf(const Lorenz& problem, const TwinConfig& unseen) {
  const Letkf<Lorenz, 7> letkf(problem,
                               {.radius = 4, .inflation = {.factor = 1.05}, .rotation = true});
  show("LETKF, 7 members", run_twin(problem, letkf, unseen));
}

void ienks(const Lorenz& problem, const TwinConfig& unseen) {
  const Ienks<Lorenz, 40> filter(problem,
                                 {.lag = 1, .inflation = {.factor = 1.01}, .rotation = true});
  show("IEnKF, 40 members", run_twin(problem, filter, unseen));
  const Ienks<Lorenz, 20> smoother(problem, {.lag = 10, .finite_size = true});
  const TwinScores scores = run_twin(problem, smoother, unseen);
  show("IEnKS-N, 20 members, lag 10", scores);
  std::printf("  ten cycles later: %.3f\n", scores.smoothing_rmse);
}

void learned(const Lorenz& problem, const TwinConfig& unseen) {
  using Network = pretrained::Recurrent;
  const Learned<Lorenz, Network> dan(problem,
                                     load_weights<Network>("weights/recurrent.safetensors"));
  show("learned, one state", run_twin(problem, dan, unseen));
}
}  // namespace

int main(int argc, char** argv) {
  TwinConfig unseen{.runs = 16, .cycles = 1200, .burn_in = 200, .seed = 3};
  if (argc == 2) unseen.cycles = unseen.burn_in + std::strtoul(argv[1], nullptr, 10);
  return run_main([&] {
    for (const auto method : {oi, var3d, var4d, ekf, backward_kalman, enkf, denkf, etkf, ensrf,
                              enkf_n, enks, letkf, ienks, learned})
      method({}, unseen);
  });
}
