// SPDX-License-Identifier: BSD-3-Clause
// Accuracy against the share of the state that is observed, at random places that change from cycle
// to cycle: one network, trained under zero to forty observations, beside the EnKF-N with 40
// members and an LETKF with 20 that is tuned for every share; Lorenz 96 with 40 variables, every
// 0.05, error variance 1. After the talk's figure on sparsity; drawn by scripts/plot.py sparsity
// FOLDER.
#include "sweep.hpp"

namespace {

using namespace dan;
using example::SparseProblem;

void sparsity(example::SweepFigure& figure) {
  const std::vector<std::size_t> numbers{40, 36, 32, 28, 24, 20, 16, 12, 8, 4};
  for (const std::size_t number : figure.values(numbers)) {
    const SparseProblem problem{.observe = ObserveRandom<40>(number, number)};
    const nlohmann::ordered_json observed{{"observed", static_cast<double>(number) / 40}};
    figure.add("EnKF-N, 40 members", observed, problem,
               [=] { return EnkfN<SparseProblem, 40>(problem); });
    figure.add("LETKF, 20 members, tuned", observed, problem, [=, twin = figure.tuning(2)] {
      const auto make = [&](std::span<const double> v) {
        return Letkf<SparseProblem, 20>(
            problem, {.radius = v[0], .inflation = {.factor = v[1]}, .rotation = true});
      };
      const auto tuning =
          tune_analysis(problem, {{"radius", {4, 7, 10}}, {"inflation", {1.02, 1.04, 1.07, 1.1}}},
                        make, twin, {.threads = 1});
      return make(tuning.best.values);
    });
    using Network = pretrained::Sparse;
    figure.add("DAN, one state and memory", observed, problem,
               [=, file = figure.shipped("sparse")] {
                 return Learned<SparseProblem, Network, 16>(problem, load_weights<Network>(file));
               });
  }
  (void)figure.run("observed");
}

}  // namespace

int main(int argc, char** argv) {
  return example::run_sweep(argc, argv, "sparsity",
                            "Accuracy against the share of the state that is observed.", false,
                            sparsity);
}
