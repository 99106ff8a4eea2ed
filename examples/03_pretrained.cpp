// SPDX-License-Identifier: BSD-3-Clause
// Loads a trained network and lets it run on observations that it has never seen.
#include "support.hpp"

int main(int argc, char** argv) {
  using namespace dan;
  using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
  using Network = pretrained::Recurrent;

  std::string file = "weights/recurrent.safetensors";
  return example::run(
      argc, argv, "Loads the most accurate trained network and scores it on unseen data.", {},
      [&](const example::Options& options) {
        const Lorenz problem;
        const auto trained = load_weights<Network>(file);
        const Learned<Lorenz, Network> dan{problem, trained};
        const TwinConfig unseen{.runs = 64,
                                .cycles = options.quick ? 20u : 1600u,
                                .burn_in = options.quick ? 10u : 100u,
                                .seed = options.seed + 1000,
                                .threads = options.threads};
        const std::vector<example::Row> rows{{file, run_twin(problem, dan, unseen)}};
        example::print_heading();
        example::print_row(rows.front());
        const auto json = example::result("03_pretrained", {{"seed", options.seed}}, rows);
        example::write_results(options, "results.json", json);
      },
      [&](CLI::App& app) { app.add_option("--weights", file, "The file, of this architecture"); });
}
