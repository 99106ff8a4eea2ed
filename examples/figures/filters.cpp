// SPDX-License-Identifier: BSD-3-Clause
// Accuracy against the number of filters, N_f: the talk's network, N_b = N_sb = 5, trained for
// each; Lorenz 96 with 40 variables, all observed every 0.05, R = I. After the talk's figure on
// N_f; drawn by scripts/plot.py filters FOLDER.
#include "sweep.hpp"

namespace {

using namespace dan;
using example::Lorenz;

template <std::size_t Filters>
void add_network(example::SweepFigure& figure) {
  using Network =
      AnalysisNetwork<NetworkShape{.filters = Filters, .blocks = 5, .sub_blocks = 5}, Ring<40>>;
  const Recipe<EnsrfTeacher<64>> recipe{.training = training_without_memory(4000),
                                        .finish = {.share = 0.25, .unroll = 32}};
  figure.add_trained<Network, 16>("DAN, one state", {{"N_f", Filters}}, Lorenz(), recipe);
}

void filters(example::SweepFigure& figure) {
  add_network<5>(figure);
  add_network<10>(figure);
  add_network<20>(figure);
  add_network<40>(figure);
  (void)figure.run("N_f");
}

}  // namespace

int main(int argc, char** argv) {
  return example::run_sweep(argc, argv, "filters", "Accuracy against the number of filters.", true,
                            filters);
}
