// SPDX-License-Identifier: BSD-3-Clause
// Accuracy against the variance of the observations' errors, 0.1 to 10: the shipped networks,
// trained for variance 1, unchanged; the recurrent one, trained on for each variance; and the
// EnKF-N with 40 members. Lorenz 96 with 40 variables, all observed every 0.05.
// After the talk's "robust to noise"; drawn by scripts/plot.py noise FOLDER.
#include "sweep.hpp"

namespace {

using namespace dan;
using example::Lorenz;

template <class Network>
void add_shipped(example::SweepFigure& figure, const std::string& name, const Lorenz& problem,
                 const nlohmann::ordered_json& variance) {
  figure.add(name + ", trained for variance 1", variance, problem,
             [=, file = figure.shipped(name)] {
               return Learned<Lorenz, Network, 16>(problem, load_weights<Network>(file));
             });
}

/// The recurrent network, from its shipped weights at half the rate: a thirtieth of the cycles that
/// these have seen.
void add_trained(example::SweepFigure& figure, const Lorenz& problem,
                 const nlohmann::ordered_json& variance) {
  TrainConfig config = training_with_memory(2000);
  config.learning_rate /= 2;
  const Recipe<EnsrfTeacher<64>> recipe{
      .training = config, .finish = {.share = 0.5, .unroll = 16}, .teacher = {.inflation = 1.015}};
  figure.add_trained<pretrained::Recurrent, 16>("recurrent, trained for each", variance, problem,
                                                recipe, "recurrent");
}

void noise(example::SweepFigure& figure) {
  const std::vector<double> variances{0.1, 0.2, 0.5, 1, 2, 5, 10};
  for (const double variance : figure.values(variances)) {
    const Lorenz problem{.noise = DiagonalNoise<40>(variance)};
    const nlohmann::ordered_json varied{{"variance", variance}};
    figure.add("EnKF-N, 40 members", varied, problem, [=] { return EnkfN<Lorenz, 40>(problem); });
    add_shipped<pretrained::Plain>(figure, "plain", problem, varied);
    add_shipped<pretrained::Recurrent>(figure, "recurrent", problem, varied);
    if (variance != 1) add_trained(figure, problem, varied);
  }
  (void)figure.run("variance");
}

}  // namespace

int main(int argc, char** argv) {
  return example::run_sweep(argc, argv, "noise",
                            "Accuracy against the variance of the observations' errors.", true,
                            noise);
}
