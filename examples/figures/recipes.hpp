// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// How each learned row of the talk's table is trained; docs/training.md says why so.
#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "../support.hpp"

namespace example {

using Problem = dan::Setting<dan::Rk4<dan::Lorenz96<40>>, dan::FullNetwork<40>>;
/// Zero to forty observations at random places, others in every cycle.
using SparseProblem = dan::Setting<dan::Rk4<dan::Lorenz96<40>>, dan::RandomNetwork<40>>;

/// A network, the problem that it is trained for, and how, with how many runs in a group. `name` is
/// that of its weights file.
template <class Network_, std::size_t Lanes = 32, class Problem_ = Problem>
struct Recipe {
  static constexpr std::size_t lanes = Lanes;
  using Network = Network_;
  using Problem = Problem_;
  std::string name, method, published;
  dan::TrainConfig config;
  std::optional<dan::TrainConfig> finish = {};  ///< a second training, of the first one's weights

  [[nodiscard]] std::filesystem::path file(const std::filesystem::path& folder) const {
    return folder / (name + ".safetensors");
  }
};

/// Trains the recipe, in `updates` instead of its own number if that is not zero; with a folder for
/// checkpoints, from the checkpoint there, if there is one. Returns the trained network and what
/// the training did.
template <class Recipe>
auto train(const Recipe& recipe, const Options& options, std::size_t updates = 0,
           const std::filesystem::path& folder = {}) {
  using Network = typename Recipe::Network;
  const typename Recipe::Problem problem;
  if (!folder.empty()) std::filesystem::create_directories(folder);
  const auto run = [&](const auto& start, dan::TrainConfig config, const char* checkpoint) {
    config.threads = options.threads;
    // A shorter training has a shorter beginning.
    config.warm_up = std::min(config.warm_up, config.updates / 10);
    config.first_updates = std::min(config.first_updates, config.updates * 3 / 8);
    dan::Trainer<typename Recipe::Problem, Network, Recipe::lanes> trainer(problem, start, config);
    trainer.run(folder.empty() ? folder : folder / (recipe.name + checkpoint));
    return std::pair(trainer.trained(), trainer.report());
  };

  auto config = recipe.config;
  config.seed = options.seed;
  if (updates > 0) config.updates = updates;
  Network network;
  scale_inputs(problem, network, config.seed);
  auto first = run(network, config, ".checkpoint");
  if (!recipe.finish) return first;

  auto finish = *recipe.finish;
  finish.seed = options.seed + 1;  // other truths than at the beginning
  finish.updates =
      std::max<std::size_t>(1, finish.updates * config.updates / recipe.config.updates);
  auto last = run(first.first, finish, ".finish.checkpoint");
  auto& report = last.second;
  report.last_restart =
      report.restarts > 0 ? config.updates + report.last_restart : first.second.last_restart;
  report.restarts += first.second.restarts;
  report.seconds += first.second.seconds;
  return last;
}

/// The talk's wide network.
inline constexpr dan::NetworkShape wide_shape{.filters = 100, .blocks = 5, .sub_blocks = 5};
// The talk's linear and simplified networks, with fewer layers than the talk's.
inline constexpr dan::NetworkShape linear_shape{
    .filters = 40, .blocks = 2, .sub_blocks = 2, .activation = dan::Nonlinearity::identity};
inline constexpr dan::NetworkShape simplified_shape{
    .filters = 40, .blocks = 2, .sub_blocks = 2, .sees_forecast = false};
// The small network with three states: E^f and ζ as channels, an increment for each member.
inline constexpr dan::NetworkShape members_shape = [] {
  dan::NetworkShape shape = dan::pretrained::Small::shape;
  shape.members = 3;
  return shape;
}();

/// The best way that we know for networks with gain head and memory, for two groups of 16 runs;
/// docs/training.md compares.
inline dan::TrainConfig with_teacher(std::size_t updates) {
  return {.updates = updates,
          .groups = 2,
          .window = 8,
          .first_window = 4,
          .muon = {.rate = 12},
          .renew_every = 500,
          .taught = 0.85};
}

/// The same for the talk's networks, which have a plain head and no memory.
inline dan::TrainConfig plain_with_teacher(std::size_t updates) {
  return {.updates = updates,
          .groups = 2,
          .window = 4,
          .learning_rate = 1.5e-3,
          .renew_every = 500,
          .taught = 0.85};
}

/// The end of the training `config`: on the truth, in longer windows, from a twentieth of the rate.
inline dan::TrainConfig finish(dan::TrainConfig config, std::size_t updates, std::size_t window) {
  config.updates = updates;
  config.window = window;
  config.first_window = 0;
  config.learning_rate /= 20;
  config.warm_up = 50;
  config.taught = 0;
  return config;
}

/// call(recipe) for every learned row under full observation.
template <class Call>
void for_each_recipe(const Call& call) {
  using namespace dan;
  const auto plain = plain_with_teacher(48000), wide = plain_with_teacher(6000);
  const auto small = with_teacher(8000), recurrent = with_teacher(160000);
  auto members = small;
  members.renew_every = 100;
  call(Recipe<pretrained::Plain>{"plain", "40 filters", "0.191", plain, finish(plain, 500, 32)});
  call(Recipe<AnalysisNetwork<wide_shape>, 16>{"wide", "100 filters", "0.185", wide,
                                               finish(wide, 100, 32)});
  call(Recipe<AnalysisNetwork<linear_shape>>{
      "linear", "linear", "0.384", {.updates = 3000, .groups = 2, .window = 4}});
  call(Recipe<AnalysisNetwork<simplified_shape>>{
      "simplified", "does not see x^f", "0.382", {.updates = 4000, .groups = 2, .window = 4}});
  call(Recipe<pretrained::Small, 16>{"small", "products, gain head, memory", "-", small,
                                     finish(small, 250, 64)});
  call(Recipe<AnalysisNetwork<members_shape>, 16>{"members", "small with 3 states", "-", members,
                                                  finish(members, 250, 64)});
  call(Recipe<pretrained::Recurrent, 16>{"recurrent", "products, gain head, memory", "-", recurrent,
                                         finish(recurrent, 10000, 64)});
}

/// The recipe for random sparse networks.
inline Recipe<dan::pretrained::Sparse, 16, SparseProblem> sparse_recipe() {
  auto config = with_teacher(12000);
  config.renew_every = 100;
  config.teacher_inflation = 1.02;
  return {"sparse", "small, shown where it observes", "-", config, finish(config, 400, 64)};
}

}  // namespace example
