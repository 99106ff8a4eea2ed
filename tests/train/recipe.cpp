// SPDX-License-Identifier: BSD-3-Clause
#include "dan/train/recipe.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <tuple>
#include <vector>

#include "../support/temporary_folder.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"

using namespace dan;

TEST_CASE("recipe: a finish is the second part of a training") {
  const TrainConfig first{.updates = 1000,
                          .unroll = 8,
                          .first_unroll = 4,
                          .learning_rate = 1e-2,
                          .renew_every = 200,
                          .upsets = {.last = 0.5},
                          .taught = 0.85,
                          .seed = 7};
  const Finish finish{.share = 0.5, .unroll = 32};
  const auto second = finish.after(first);
  CHECK(second.updates == 125);  // half of 8,000 cycles
  CHECK(second.unroll == 32);
  CHECK(second.first_unroll == 0);
  CHECK(second.renew_every == 50);
  CHECK(second.upsets.first == 0.5);
  CHECK(second.learning_rate == 1e-2 / 20);
  CHECK(second.taught == 0);
  CHECK(second.seed == 8);
  const auto again = finish.again(first, 99);
  CHECK(again.updates == 99);
  CHECK(again.learning_rate == 1e-2 / 20 / 5);
  CHECK(again.seed == 18);
  auto stored = first;
  stored.stored.number = 32;  // that is all there is to learn from
  CHECK(finish.after(stored).seed == 7);
  CHECK(finish.again(stored).seed == 7);
  CHECK_THROWS_WITH_AS(std::ignore = (Finish{.share = -1}.after(first)),
                       "Finish: share is -1, expected a finite number from zero", ConfigError);
  CHECK_THROWS_AS(std::ignore = (Finish{.share = 1, .unroll = 0}.after(first)), ConfigError);
}

namespace {
/// The distance of the first element only.
struct FirstElement : SupervisedLoss {
  template <std::size_t Members, class T>
  double add(const T* states, const T* truth, std::span<const double> norm, double weight,
             double limit, T* d_states) const {
    return SupervisedLoss::add<Members>(states, truth, norm.first(1), weight, limit, d_states);
  }
};
}  // namespace

TEST_CASE("recipe: both trainings have the loss that is given") {
  using Full = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
  using Network =
      AnalysisNetwork<NetworkShape{.filters = 4, .blocks = 1, .sub_blocks = 1}, Ring<40>>;
  constexpr std::size_t lanes = simd_width<float>;
  const Recipe<NoTeacher> recipe{
      .training = {.updates = 40, .groups = 1, .unroll = 2, .progress = false},
      .finish = {.share = 0.5, .unroll = 4}};
  const auto trained = train<Network, lanes>(Full{}, recipe, {}, FirstElement{}).first.parameters;
  CHECK(trained != train<Network, lanes>(Full{}, recipe).first.parameters);
  Network network;
  scale_inputs(Full{}, network, recipe.training.seed);
  using T = Trainer<Full, Network, lanes, FirstElement>;
  T one(Full{}, network, recipe.training.shortened());
  T two(Full{}, one.run(), recipe.finish.after(recipe.training).shortened());
  CHECK(two.run().parameters == trained);
}

TEST_CASE("recipe: two trainings in one call, which goes on where it was stopped") {
  using Full = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
  using Network =
      AnalysisNetwork<NetworkShape{.filters = 4, .blocks = 1, .sub_blocks = 1}, Ring<40>>;
  constexpr std::size_t lanes = simd_width<float>;
  const Full problem;
  const Recipe<EnsrfTeacher<8>> recipe{
      .training = {.updates = 60, .groups = 1, .unroll = 2, .taught = 0.5, .progress = false},
      .finish = {.share = 0.5, .unroll = 4}};
  const test::TemporaryFolder folder;
  const auto name = folder / "new/small";
  const auto whole = train<Network, lanes>(problem, recipe, name);
  CHECK(whole.second.rmse.size() == 60 + 15);
  CHECK(std::filesystem::exists(folder / "new/small.checkpoint"));
  CHECK(std::filesystem::exists(folder / "new/small.finish.checkpoint"));
  CHECK_THROWS_WITH_AS(std::ignore = (train<Network, lanes>(std::vector<Full>{}, recipe)),
                       doctest::Contains("the number of problems is 0, expected at least 1"),
                       ConfigError);
  // By hand: the same two trainings, with beginnings as short as they are.
  Network network;
  scale_inputs(problem, network, recipe.training.seed);
  auto first = recipe.training;
  first.warm_up = 6, first.first_updates = 22;
  using T = Trainer<Full, Network, lanes, EnsrfTeacher<8>>;
  T one(problem, network, first);
  auto second = recipe.finish.after(recipe.training);
  second.warm_up = 1, second.first_updates = 5;
  T two(problem, one.run(), second);
  CHECK(two.run().parameters == whole.first.parameters);
  // Done already: the same call trains nothing more.
  const auto again = train<Network, lanes>(problem, recipe, name);
  CHECK(again.first.parameters == whole.first.parameters);
  CHECK(again.second.rmse == whole.second.rmse);

  // What is left of another training is found before the first one, not after.
  std::filesystem::remove(folder / "new/small.checkpoint");
  CHECK_THROWS_WITH_AS(std::ignore = (train<Network, lanes>(problem, recipe, name)),
                       doctest::Contains("small.checkpoint: it is of another training; remove it"),
                       FileError);

  const auto finished = finish<lanes>(problem, whole.first, recipe, {}, 12);
  CHECK(finished.second.rmse.size() == 12);
  CHECK_FALSE(finished.first.parameters == whole.first.parameters);

  // From given weights: a training that begins there.
  auto onward = recipe;
  onward.finish.share = 0;
  T three(problem, whole.first, first);
  CHECK(train<lanes>(problem, whole.first, onward).first.parameters == three.run().parameters);
}
