// SPDX-License-Identifier: BSD-3-Clause
// Trains a small data assimilation network (DAN) on Lorenz 96 from scratch, then runs it against
// climatology, 3D-Var and the EnKF-N on the same unseen truth and observations.
#include "comparison.hpp"

namespace {

using namespace dan;

// The problem of Bocquet et al., Chaos 34 (2024) 091104: 40 variables, all observed at every
// step of 0.05 with error variance 1.
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;

// Three blocks of products; the last layer gives a local gain and 16 memory channels per point,
// which are carried from cycle to cycle beside the state.
using Network = pretrained::Small;

using nlohmann::ordered_json;

/// The fields and curves that scripts/plot.py draws.
ordered_json figure_of(const TrainReport& training, const std::vector<example::Row>& rows) {
  ordered_json figure{{"training_rmse", training.rmse}};
  for (const auto& row : rows)
    figure["methods"].push_back({{"method", row.method},
                                 {"rmse", row.scores.series},
                                 {"truth", row.scores.truth},
                                 {"analysis", row.scores.analysis}});
  return figure;
}

void quickstart(const example::Options& options) {
  const Lorenz problem;
  const std::size_t updates = options.quick ? 100 : 3000;

  std::printf("Training a DAN of %zu weights on Lorenz 96 (%zu updates) ...\n", Network::parameters,
              updates);
  Network network;
  scale_inputs(problem, network, options.seed);
  Trainer<Lorenz, Network, 16, EnsrfTeacher<64>> trainer(problem, network,
                                                         {.updates = updates,
                                                          .groups = 2,
                                                          .unroll = 8,
                                                          .first_unroll = 4,
                                                          .warm_up = updates / 10,
                                                          .muon = {.rate = 12},
                                                          .taught = 0.85,
                                                          .seed = options.seed,
                                                          .threads = options.threads});
  // With --out, Ctrl-C loses nothing: the same command goes on.
  const auto checkpoint =
      options.out.empty() ? "" : std::filesystem::path(options.out) / "dan.checkpoint";
  const auto& trained = trainer.run(checkpoint);
  const auto& training = trainer.report();
  std::printf("trained in %.0f s", training.seconds);
  if (training.restarts > 0)
    std::printf(", %zu lanes restarted, the last one at update %zu", training.restarts,
                training.last_restart);
  if (training.skipped > 0) std::printf(", %zu updates skipped", training.skipped);
  std::printf("\n\n");

  // Unseen data: another seed. The burn-in is for the EnKF-N, whose first ensemble is noise.
  example::Comparison compare("01_quickstart", options, problem,
                              {.runs = 32,
                               .cycles = 1400,
                               .burn_in = 400,
                               .seed = 1000,
                               .keep_series = 200,
                               .keep_fields = 100});
  const auto climate = climatology_of(problem);
  compare.add("climatology", Climatology<Lorenz>(climate));
  const double x_b = tune_var3d(problem, climate);
  compare.add(to_text("3D-Var, x_B = ", x_b), Var3d<Lorenz>(problem, climate, x_b));
  compare.add("EnKF-N, 20 members", EnkfN<Lorenz, 20>(problem));
  compare.add("DAN, one state", Learned<Lorenz, Network>(problem, trained)).more = {
      {"training_seconds", training.seconds}, {"weights", Network::parameters}};
  compare.write({{"updates", updates}, {"architecture", detail::architecture<Network>()}});
  if (!options.out.empty()) {
    const std::filesystem::path out = options.out;
    save_weights(out / "dan.safetensors", trained,
                 {{"command", to_text("01_quickstart --seed ", options.seed)},
                  {"training_seconds", to_text(training.seconds)}});
    std::filesystem::remove(checkpoint);
    write_json(out / "figure.json", figure_of(training, compare.rows()));
    std::printf("\nwrote weights, results and figure data to %s\n", out.c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  return example::run(
      argc, argv,
      "Trains a small data assimilation network on Lorenz 96 (one to two minutes on two cores) "
      "and\n"
      "compares it with climatology, 3D-Var and the EnKF-N on the same unseen observations.",
      {}, quickstart);
}
