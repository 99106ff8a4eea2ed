// SPDX-License-Identifier: BSD-3-Clause
// The whole idea in twenty lines: train an analysis, then let it compete with an EnKF-N.
#include <cstdio>

#include "dan/dan.hpp"

int main() {
  using namespace dan;
  using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;  // truth, observations, noise
  using Network =
      NetworkFor<Lorenz,
                 NetworkShape{.filters = 24, .blocks = 3, .sub_blocks = 2, .head = Head::gain}>;
  const Lorenz problem;
  Network network;
  scale_inputs(problem, network);
  Trainer<Lorenz, Network, 16, EnsrfTeacher<64>> trainer(
      problem, network, {.updates = 1000, .warm_up = 100, .taught = 0.8});
  const Learned<Lorenz, Network> dan{problem, trainer.run()};

  const TwinConfig unseen{.runs = 16, .cycles = 1000, .burn_in = 100, .seed = 2};
  std::printf("DAN, one state:       %.3f\n", run_twin(problem, dan, unseen).analysis_rmse);
  const EnkfN<Lorenz, 20> ensemble{problem};
  std::printf("EnKF-N, 20 members:   %.3f\n", run_twin(problem, ensemble, unseen).analysis_rmse);
}
