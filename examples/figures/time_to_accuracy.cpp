// SPDX-License-Identifier: BSD-3-Clause
// How far does a minute of training get? aRMSE on unseen data against the wall-clock of training,
// for small recipes that add one idea each; Lorenz 96 with 40 variables, all observed every 0.05.
//
// Every point is a training of its own, since the learning rate must fall to zero before the
// weights are worth scoring. Draw it with scripts/plot.py time_to_accuracy FOLDER.
#include "recipes.hpp"

namespace {

using namespace dan;
using nlohmann::ordered_json;

struct Study {
  std::vector<std::size_t> updates{500, 1000, 2000, 4000};
  std::size_t seeds = 1;
  std::string only;
};

constexpr NetworkShape talk_shape{.filters = 24};
constexpr NetworkShape gain_shape{
    .filters = 24, .blocks = 5, .sub_blocks = 2, .head = Head::gain, .gain_radius = 9};
constexpr NetworkShape memory_shape{.filters = 32,
                                    .blocks = 5,
                                    .sub_blocks = 2,
                                    .kernel = 3,
                                    .head = Head::gain,
                                    .memory = 8,
                                    .gain_radius = 9};

/// call(row) for every recipe, the talk's first.
template <class Call>
void for_each_idea(const Call& call) {
  using example::LearnedRow, example::Lorenz;
  using Talk = LearnedRow<AnalysisNetwork<talk_shape, Ring<40>>, 32, Lorenz, NoTeacher>;
  using Gain = LearnedRow<AnalysisNetwork<gain_shape, Ring<40>>, 32, Lorenz, NoTeacher>;
  using Memory = LearnedRow<AnalysisNetwork<memory_shape, Ring<40>>, 32, Lorenz, NoTeacher>;
  using Products = LearnedRow<pretrained::Small, 32, Lorenz, NoTeacher>;
  const TrainConfig four{.groups = 2, .unroll = 4};
  const TrainConfig eight{.groups = 2, .unroll = 8, .first_unroll = 4};
  TrainConfig adam = four;
  adam.use_muon = false;
  call(Talk{"adam", "plain head, 3 x 3, Adam", "", {.training = adam}});
  call(Talk{"muon", "plain head, 3 x 3, Muon", "", {.training = four}});
  call(Gain{"gain", "gain head, 5 x 2", "", {.training = four}});
  call(Memory{"memory", "and 8 memory channels, 3 taps", "", {.training = eight}});
  call(Products{"products", "and products, 16 memory channels", "", {.training = eight}});
  call(LearnedRow<pretrained::Small, 16>{"small",
                                         "and a teacher, its covariances, half the runs",
                                         "",
                                         {.training = training_with_memory(1)}});
}

void study(const example::Options& options, Study study) {
  if (options.quick) study.updates = {20};
  const example::Lorenz problem;
  const TwinConfig unseen{.runs = 64,
                          .cycles = options.quick ? 30u : 1400u,
                          .burn_in = options.quick ? 10u : 400u,
                          .seed = options.seed + 1000,
                          .threads = options.threads};
  ordered_json curves = ordered_json::array();
  std::printf("%-56s %8s %5s %8s %8s  %-18s %s\n", "recipe", "updates", "seed", "seconds", "aRMSE",
              "95 % interval", "restarts, last at");
  for_each_idea([&]<class Row>(const Row& row) {
    if (row.name.find(study.only) == std::string::npos) return;
    ordered_json points = ordered_json::array();
    for (const std::size_t updates : study.updates)
      for (std::uint64_t seed = options.seed; seed < options.seed + study.seeds; ++seed) {
        auto recipe = row.recipe;
        TrainConfig& config = recipe.training;
        config.updates = updates, config.seed = seed, config.threads = options.threads;
        if (config.renew_every > 0) config.renew_every = 500;
        config.upsets = {};  // accuracy alone, not robustness
        const auto [trained, training] = train<typename Row::Network, Row::lanes>(problem, recipe);
        const auto scores = run_twin(
            problem, Learned<example::Lorenz, typename Row::Network, 16>(problem, trained), unseen);
        std::printf("%-56s %8zu %5zu %8.0f %8.4f  %-18s %zu, %zu\n",
                    to_text(row.name, ": ", row.method).c_str(), updates,
                    static_cast<std::size_t>(seed), training.seconds, scores.analysis_rmse,
                    example::text_of(scores.interval).c_str(), training.restarts,
                    training.last_restart);
        example::print_failures(scores);
        points.push_back({{"updates", updates},
                          {"seed", seed},
                          {"seconds", training.seconds},
                          {"analysis_rmse", scores.analysis_rmse},
                          {"interval", {scores.interval.low, scores.interval.high}},
                          {"restarts", training.restarts},
                          {"last_restart", training.last_restart}});
      }
    curves.push_back({{"recipe", row.name},
                      {"method", row.method},
                      {"weights", Row::Network::parameters},
                      {"points", std::move(points)}});
  });
  const ordered_json json{{"example", "time_to_accuracy"},
                          {"version", library_version},
                          {"config", {{"seed", options.seed}, {"seeds", study.seeds}}},
                          {"curves", std::move(curves)}};
  example::write_results(options, "time_to_accuracy.json", json);
}

}  // namespace

int main(int argc, char** argv) {
  Study options_of_study;
  return example::run(
      argc, argv,
      "Accuracy against training time for recipes that add one idea each; about 8\n"
      "minutes on two cores.",
      {}, [&](const example::Options& options) { study(options, options_of_study); },
      [&](CLI::App& app) {
        app.add_option("--updates", options_of_study.updates, "Lengths of training")
            ->check(CLI::Range(std::size_t{1}, std::size_t{100'000'000}));
        app.add_option("--seeds", options_of_study.seeds, "Trainings per point")
            ->check(CLI::Range(std::size_t{1}, std::size_t{1000}));
        app.add_option("--only", options_of_study.only,
                       "Only recipes whose name contains this text");
      });
}
