// SPDX-License-Identifier: BSD-3-Clause
// Accuracy against the number of stored trajectories that a training has, N_T, of 64 cycles each,
// with their observations, beside one without end: the talk's network and the
// small one with memory. Lorenz 96 with 40 variables, all observed every 0.05, R = I.
// After the talk's figure on N_T; drawn by scripts/plot.py trajectories FOLDER.
#include "sweep.hpp"

namespace {

using namespace dan;
using example::Lorenz;

void add_networks(example::SweepFigure& figure, const StoredTruths& stored) {
  const auto add = [&]<class Network>(Network, const std::string& name, TrainConfig training,
                                      const Finish& finish) {
    training.stored = stored;
    const bool endless = stored.number == 0;
    auto varied = nlohmann::ordered_json::object();
    if (!endless) varied["N_T"] = stored.number;
    figure.add_trained<Network, 16>(
        endless ? name + ", endless" : name, varied, Lorenz(),
        Recipe<EnsrfTeacher<64>>{.training = training, .finish = finish});
  };
  add(pretrained::Plain(), "plain", training_without_memory(4000), {.share = 0.25, .unroll = 32});
  add(pretrained::Small(), "small", training_with_memory(4000), {.share = 0.5});
}

void trajectories(example::SweepFigure& figure) {
  for (const std::size_t number : figure.values(std::vector<std::size_t>{32, 128, 512, 2048, 8192}))
    add_networks(figure, {.number = number, .cycles = 64});
  add_networks(figure, {});
  (void)figure.run("N_T");
}

}  // namespace

int main(int argc, char** argv) {
  return example::run_sweep(argc, argv, "trajectories",
                            "Accuracy against the number of stored trajectories.", true,
                            trajectories);
}
