// SPDX-License-Identifier: BSD-3-Clause
// "Transdimensional transfer": networks trained on Lorenz 96 with 40 variables, unchanged on rings
// of 20 to 160, beside one that was trained there and the EnKF-N with as many members as variables;
// all observed every 0.05, R = I.
// After the talk's figures on scalability; drawn by scripts/plot.py transfer FOLDER.
#include "sweep.hpp"

namespace {

using namespace dan;

template <std::size_t N>
using Lorenz = Problem<Rk4<Lorenz96<N>>, ObserveAll<N>>;

/// A row of weights that were trained with 40 variables.
template <class Network, std::size_t N>
void add_shipped(example::SweepFigure& figure, const std::string& name) {
  const Lorenz<N> problem;
  using Here = AnalysisNetwork<Network::shape, Ring<N>>;
  figure.add(name + ", weights of 40 variables", {{"N_x", N}}, problem,
             [=, file = figure.shipped(name)] {
               return Learned<Lorenz<N>, Here, 16>(problem, load_weights<Here>(file));
             });
}

template <std::size_t N>
void add_size(example::SweepFigure& figure) {
  const Lorenz<N> problem;
  figure.add("EnKF-N, N_x members", {{"N_x", N}}, problem,
             [=] { return EnkfN<Lorenz<N>, N>(problem); });
  add_shipped<pretrained::Plain, N>(figure, "plain");
  add_shipped<pretrained::Small, N>(figure, "small");
  add_shipped<pretrained::Recurrent, N>(figure, "recurrent");
}

/// The small network, trained where it is used; the teacher's members span the unstable modes.
template <std::size_t N>
void add_retrained(example::SweepFigure& figure) {
  const Recipe<EnsrfTeacher<N <= 40 ? 64 : 128>> recipe{.training = training_with_memory(8000),
                                                        .finish = {.share = 0.5}};
  figure.add_trained<AnalysisNetwork<pretrained::Small::shape, Ring<N>>, 16>(
      "small, trained there", {{"N_x", N}}, Lorenz<N>(), recipe);
}

void transfer(example::SweepFigure& figure) {
  add_size<20>(figure);
  add_size<40>(figure);
  add_size<80>(figure);
  add_size<160>(figure);
  add_retrained<20>(figure);
  add_retrained<80>(figure);
  (void)figure.run("N_x");
}

}  // namespace

int main(int argc, char** argv) {
  return example::run_sweep(argc, argv, "transfer",
                            "Networks trained with 40 variables on rings of 20 to 160, unchanged.",
                            true, transfer);
}
