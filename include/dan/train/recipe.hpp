// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/fields.hpp"
#include "dan/network/weights.hpp"
#include "dan/problem/scaling.hpp"
#include "dan/train/config.hpp"
#include "dan/train/start.hpp"
#include "dan/train/teacher.hpp"
#include "dan/train/trainer.hpp"

/// \file
/// The best training that we know, in one call; docs/training.md compares it with others:
///     const Recipe<EnsrfTeacher<64>> recipe{.training = training_with_memory(8000),
///                                           .finish = {.share = 0.5}};
///     const auto [trained, report] = train<Network, 16>(problem, recipe, "small");

namespace dan {

/// A second training, of the weights of the first one: on the truth, through more cycles, from a
/// twentieth of the learning rate, with as many upsets as in the end of the first; with a loss
/// limit of 0.3 and a warm-up of 50, or a tenth of its updates, whatever the first had.
struct Finish {
  double share = 0;         ///< of the first training's cycles; 0: no second training
  std::size_t unroll = 64;  ///< cycles that a gradient goes through

  static constexpr auto fields() {
    return std::tuple(field("share", &Finish::share, Range::from_zero()),
                      field("unroll", &Finish::unroll, Range::at_least_one()));
  }

  /// The second training after one of `config`.
  [[nodiscard]] TrainConfig after(TrainConfig config) const {
    require_fields("Finish", *this);
    const auto cycles = share * static_cast<double>(config.updates * config.unroll);
    config.updates =
        std::max<std::size_t>(1, static_cast<std::size_t>(cycles / static_cast<double>(unroll)));
    if (config.renew_every > 0)
      config.renew_every = std::max<std::size_t>(1, config.renew_every * config.unroll / unroll);
    config.stay = std::max<std::size_t>(1, config.stay * config.unroll / unroll);
    config.upsets.first = config.upsets.last;
    config.loss_limit = 0.3;  // runs that are upset have gradients that good ones would not survive
    config.unroll = unroll;
    config.first_unroll = 0;
    config.learning_rate /= 20;
    config.warm_up = std::min<std::size_t>(50, config.updates / 10);
    config.taught = 0;
    if (config.stored.number == 0) ++config.seed;  // other truths
    return config;
  }
  /// The same for weights that were finished before: at a fifth of the rate, since they shall not
  /// lose what they know, on other truths than in the training and its finish, unless they are
  /// stored (another seed of `config` has others once more); `updates` of them, 0: as many as after
  /// a first training.
  [[nodiscard]] TrainConfig again(const TrainConfig& config, std::size_t updates = 0) const {
    TrainConfig next = after(config);
    next.learning_rate /= 5;
    if (config.stored.number == 0) next.seed += 10;
    if (updates > 0) next.updates = updates;
    return next;
  }
};

/// A training and its finish.
template <class Teacher = NoTeacher>
struct Recipe {
  TrainConfig training{};
  Finish finish{};
  Teacher teacher{};
};

/// For networks with gain head and memory: two groups, of 16 runs, and an EnsrfTeacher<64>.
inline TrainConfig training_with_memory(std::size_t updates) {
  return {.updates = updates,
          .groups = 2,
          .unroll = 8,
          .first_unroll = 4,
          .muon = {.rate = 12},
          .renew_every = 200,
          .upsets = {.last = 0.5},
          .taught = 0.85};
}
/// The same for networks with a plain head and no memory.
inline TrainConfig training_without_memory(std::size_t updates) {
  return {.updates = updates,
          .groups = 2,
          .unroll = 4,
          .learning_rate = 1.5e-3,
          .renew_every = 200,
          .upsets = {.last = 0.5},
          .taught = 0.85};
}

namespace detail {
/// A problem, or the first one of several. Throws ConfigError if there is none.
template <class Problem>
const Problem& first_of(const Problem& problem) {
  return problem;
}
template <class Problem>
const Problem& first_of(const std::vector<Problem>& problems) {
  require_at_least("train", "the number of problems", problems.size(), 1);
  return problems.front();
}

/// Makes the folder of a checkpoint.
inline void make_folder_of(const std::filesystem::path& name) {
  std::error_code error;
  if (name.has_parent_path()) std::filesystem::create_directories(name.parent_path(), error);
  if (error)
    throw FileError(
        to_text("train: cannot make the folder of ", name.string(), ": ", error.message()));
}

/// One training, as `shortened()`. Goes on from `checkpoint`, if there is one.
template <std::size_t Lanes, class Problems, class Start, class Teacher, class... Given>
auto train_once(const Problems& problem, const Start& start, const TrainConfig& config,
                const Teacher& teacher, const std::filesystem::path& checkpoint,
                const Given&... given) {
  Trainer<std::remove_cvref_t<decltype(first_of(problem))>, typename Start::Network, Lanes, Teacher,
          typename Start::Real, Given...>
  trainer(problem, start, config.shortened(), teacher, given...);
  trainer.run(checkpoint);
  return std::pair(trainer.trained(), trainer.report());
}
/// NAME and an ending; nothing for no name.
inline std::filesystem::path checkpoint_of(const std::filesystem::path& name, const char* ending) {
  return name.empty() ? name : std::filesystem::path(name.string() + ending);
}
}  // namespace detail

/// Trains a network from the weights `start`, those of a neighbouring problem perhaps, as the
/// recipe says (`TrainConfig::shortened`), then its finish. The scaling of its inputs stays that of
/// `start`.
///
/// `problem`: a problem, or several in a vector for one network that shall serve all of them, see
/// `Trainer`; it should then see the scales (`NetworkShape::sees_scales`).
/// `given`: a loss, or processes among which groups are dealt out, as `Trainer` takes them.
/// `name`: path and name of the checkpoints, NAME.checkpoint and NAME.finish.checkpoint, from which
/// the same call goes on when it was stopped; its folder is made. Empty: none are written. Returns
/// the trained network and the report of both trainings. Throws as `Trainer`, and FileError for a
/// folder that cannot be made and for a NAME.finish.checkpoint of another training.
template <std::size_t Lanes, class Problem, class Network, class Teacher, class... Given>
auto train(const Problem& problem, const Trained<Network>& start, const Recipe<Teacher>& recipe,
           const std::filesystem::path& name = {}, const Given&... given) {
  detail::make_folder_of(name);
  const auto first = detail::checkpoint_of(name, ".checkpoint"),
             second = detail::checkpoint_of(name, ".finish.checkpoint");
  if (!name.empty() && !std::filesystem::exists(first) && std::filesystem::exists(second))
    throw FileError(to_text("train: there is ", second.string(), " without ", first.string(),
                            ": it is of another training; remove it, or take another name"));
  auto [trained, report] =
      detail::train_once<Lanes>(problem, start, recipe.training, recipe.teacher, first, given...);
  if (recipe.finish.share > 0) {
    const auto [finished, more] = detail::train_once<Lanes>(
        problem, trained, recipe.finish.after(recipe.training), recipe.teacher, second, given...);
    trained = finished;
    report.append(more);
  }
  return std::pair(trained, report);
}

/// The same from random weights, with inputs scaled by the climate of the model, the first
/// problem's.
template <class Network, std::size_t Lanes, class Problem, class Teacher, class... Given>
auto train(const Problem& problem, const Recipe<Teacher>& recipe,
           const std::filesystem::path& name = {}, const Given&... given) {
  Network network;
  scale_inputs(detail::first_of(problem), network, recipe.training.seed);
  return train<Lanes>(problem, random_start<float>(network, recipe.training.seed), recipe, name,
                      given...);
}

/// The recipe's finish alone, of weights that were trained before, see `Finish::again`.
/// `name`: as in `train`.
template <std::size_t Lanes, class Problem, class Network, class Teacher>
auto finish(const Problem& problem, const Trained<Network>& start, const Recipe<Teacher>& recipe,
            const std::filesystem::path& name = {}, std::size_t updates = 0) {
  detail::make_folder_of(name);
  return detail::train_once<Lanes>(problem, start, recipe.finish.again(recipe.training, updates),
                                   recipe.teacher,
                                   detail::checkpoint_of(name, ".finish.checkpoint"));
}

}  // namespace dan
