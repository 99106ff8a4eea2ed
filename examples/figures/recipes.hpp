// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// How each learned row of the talk's table is trained; docs/training.md says why so.
#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>

#include "../support.hpp"

namespace example {

using Lorenz = dan::Problem<dan::Rk4<dan::Lorenz96<40>>, dan::ObserveAll<40>>;
/// Zero to forty observations at random places, others in every cycle.
using SparseProblem = dan::Problem<dan::Rk4<dan::Lorenz96<40>>, dan::ObserveRandom<40>>;

/// A second training, of the weights of the first one: on the truth, through longer windows, from a
/// twentieth of the learning rate, with as many upsets as in the end of the first.
struct Finish {
  double share = 0;  ///< of the first training's cycles; 0: no second training
  std::size_t window = 64;

  [[nodiscard]] dan::TrainConfig after(dan::TrainConfig config) const {
    const auto cycles = share * static_cast<double>(config.updates * config.window);
    config.updates =
        std::max<std::size_t>(1, static_cast<std::size_t>(cycles / static_cast<double>(window)));
    if (config.renew_every > 0)
      config.renew_every = std::max<std::size_t>(1, config.renew_every * config.window / window);
    config.upsets.first = config.upsets.last;
    config.loss_limit = 0.3;  // runs that are upset have gradients that good ones would not survive
    config.window = window;
    config.first_window = 0;
    config.learning_rate /= 20;
    config.warm_up = 50;
    config.taught = 0;
    ++config.seed;  // other truths
    return config;
  }
};

/// A network, the problem that it is trained for, and how, with how many runs in a group. `name` is
/// that of its weights file.
template <class Network_, std::size_t Lanes = 32, class Problem_ = Lorenz>
struct Recipe {
  static constexpr std::size_t lanes = Lanes;
  using Network = Network_;
  using Problem = Problem_;
  std::string name, method, published;
  dan::TrainConfig config;
  Finish finish = {};

  [[nodiscard]] std::filesystem::path file(const std::filesystem::path& folder) const {
    return folder / (name + ".safetensors");
  }
};

/// Trains the recipe as `config` says, then its finish if it has one; with weights in the file
/// `from`, the finish alone, at a fifth of its rate, of `updates` updates (0: as after a first
/// one). With a folder, goes on from NAME.checkpoint and NAME.finish.checkpoint there. Returns the
/// trained network and what both trainings did.
template <class Recipe>
auto train(const Recipe& recipe, const dan::TrainConfig& config,
           const std::filesystem::path& folder = {}, const std::filesystem::path& from = {},
           std::size_t updates = 0) {
  using Network = typename Recipe::Network;
  const typename Recipe::Problem problem;
  if (!folder.empty()) std::filesystem::create_directories(folder);
  const auto run = [&](const auto& start, dan::TrainConfig part, const char* checkpoint) {
    // A shorter training has a shorter beginning.
    part.warm_up = std::min(part.warm_up, part.updates / 10);
    part.first_updates = std::min(part.first_updates, part.updates * 3 / 8);
    dan::Trainer<typename Recipe::Problem, Network, Recipe::lanes> trainer(problem, start, part);
    trainer.run(folder.empty() ? folder : folder / (recipe.name + checkpoint));
    return std::pair(trainer.trained(), trainer.report());
  };
  if (!from.empty()) {
    auto finish = recipe.finish.after(config);
    finish.learning_rate /= 5;  // they are finished already, and shall not lose what they know
    finish.seed += 10;          // other truths than in any training before
    if (updates > 0) finish.updates = updates;
    return run(dan::load_weights<Network>(from), finish, ".finish.checkpoint");
  }
  Network network;
  scale_inputs(problem, network, config.seed);
  auto [trained, report] = run(network, config, ".checkpoint");
  if (recipe.finish.share > 0) {
    const auto [finished, more] = run(trained, recipe.finish.after(config), ".finish.checkpoint");
    trained = finished;
    report.append(more);
  }
  return std::pair(trained, report);
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
          .renew_every = 200,
          .upsets = {.last = 0.5},
          .taught = 0.85};
}

/// The same for the talk's networks, which have a plain head and no memory.
inline dan::TrainConfig plain_with_teacher(std::size_t updates) {
  return {.updates = updates,
          .groups = 2,
          .window = 4,
          .learning_rate = 1.5e-3,
          .renew_every = 200,
          .upsets = {.last = 0.5},
          .taught = 0.85};
}

/// call(recipe) for every learned row under full observation.
template <class Call>
void for_each_recipe(const Call& call) {
  using namespace dan;
  call(Recipe<pretrained::Plain>{
      "plain", "40 filters", "0.191", plain_with_teacher(60000), {.share = 0.25, .window = 32}});
  call(Recipe<AnalysisNetwork<wide_shape, Ring<40>>, 16>{
      "wide", "100 filters", "0.185", plain_with_teacher(4000), {.share = 0.25, .window = 32}});
  call(Recipe<AnalysisNetwork<linear_shape, Ring<40>>>{
      "linear", "linear", "0.384", {.updates = 3000, .groups = 2, .window = 4}});
  call(Recipe<AnalysisNetwork<simplified_shape, Ring<40>>>{
      "simplified", "does not see x^f", "0.382", {.updates = 4000, .groups = 2, .window = 4}});
  call(Recipe<pretrained::Small, 16>{
      "small", "products, gain head, memory", "-", with_teacher(8000), {.share = 0.5}});
  call(Recipe<AnalysisNetwork<members_shape, Ring<40>>, 16>{
      "members", "small with 3 states", "-", with_teacher(8000), {.share = 0.25}});
  call(Recipe<pretrained::Recurrent, 16>{"recurrent",
                                         "products, gain head, memory",
                                         "-",
                                         with_teacher(160000),
                                         {.share = 0.5, .window = 32}});
}

/// The recipe for random sparse networks.
inline Recipe<dan::pretrained::Sparse, 16, SparseProblem> sparse_recipe() {
  auto config = with_teacher(12000);
  config.teacher_inflation = 1.02;
  return {"sparse", "small, shown where it observes", "-", config, {.share = 0.25}};
}

}  // namespace example
