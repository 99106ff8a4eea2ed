// SPDX-License-Identifier: BSD-3-Clause
// Accuracy against the number of residual blocks, N_b, and of convolutions in each, N_sb: the
// talk's network, N_f = 40, trained for each; Lorenz 96 with 40 variables, all observed every 0.05,
// R = I. After the talk's figure on the architecture; drawn by scripts/plot.py architecture FOLDER.
#include "sweep.hpp"

namespace {

using namespace dan;
using example::Lorenz;

template <std::size_t SubBlocks, std::size_t... Blocks>
void add_networks(example::SweepFigure& figure) {
  const Recipe<EnsrfTeacher<64>> recipe{.training = training_without_memory(4000),
                                        .finish = {.share = 0.25, .unroll = 32}};
  (figure.add_trained<
       AnalysisNetwork<NetworkShape{.filters = 40, .blocks = Blocks, .sub_blocks = SubBlocks},
                       Ring<40>>,
       16>(to_text("N_sb = ", SubBlocks), {{"N_b", Blocks}}, Lorenz(), recipe),
   ...);
}

void architecture(example::SweepFigure& figure) {
  add_networks<1, 1, 3, 5>(figure);
  add_networks<3, 1, 3, 5>(figure);
  add_networks<5, 1, 3, 5>(figure);
  (void)figure.run("N_b");
}

}  // namespace

int main(int argc, char** argv) {
  return example::run_sweep(argc, argv, "architecture",
                            "Accuracy against the numbers of blocks and of convolutions in them.",
                            true, architecture);
}
