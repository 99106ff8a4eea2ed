// SPDX-License-Identifier: BSD-3-Clause
// How many chained cycles a gradient must go through, N_iter = 1 to 32: the talk's network and the
// small one with memory, at equal updates and at equal cost (equal cycles in all), learning from
// the truth alone. Lorenz 96 with 40 variables, all observed every 0.05, R = I. After the talk's
// figure on the truncation of backpropagation; drawn by scripts/plot.py truncation FOLDER.
#include "sweep.hpp"

namespace {

using namespace dan;
using example::Lorenz;

template <class Network>
void add_network(example::SweepFigure& figure, const std::string& name, std::size_t unroll) {
  for (const bool equal_updates : {true, false}) {
    TrainConfig config{.updates = equal_updates ? 2000 : 8000 / unroll,
                       .groups = 2,
                       .unroll = unroll,
                       .first_unroll = std::min<std::size_t>(unroll, 4),
                       .renew_every = std::max<std::size_t>(1, 800 / unroll)};
    config.warm_up = config.updates / 20;
    figure.add_trained<Network, 16>(name + (equal_updates ? ", equal updates" : ", equal cost"),
                                    {{"N_iter", unroll}}, Lorenz(), Recipe<>{.training = config});
  }
}

void truncation(example::SweepFigure& figure) {
  for (const std::size_t unroll : figure.values(std::vector<std::size_t>{1, 2, 4, 8, 16, 32})) {
    add_network<pretrained::Plain>(figure, "plain", unroll);
    add_network<pretrained::Small>(figure, "small", unroll);
  }
  (void)figure.run("N_iter");
}

}  // namespace

int main(int argc, char** argv) {
  return example::run_sweep(argc, argv, "truncation",
                            "How many chained cycles a gradient must go through, 1 to 32.", true,
                            truncation);
}
