// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <span>
#include <vector>

#include "../support/temporary_folder.hpp"
#include "dan/analysis/letkf.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/interpolate.hpp"
#include "dan/train/filter_teacher.hpp"
#include "dan/train/trainer.hpp"

using namespace dan;

namespace {
using Full = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
using Small = AnalysisNetwork<NetworkShape{.filters = 8, .blocks = 1, .sub_blocks = 2}, Ring<40>>;
constexpr std::size_t lanes = simd_width<float>;

Small scaled(const Full& problem) {
  Small network;
  scale_inputs(problem, network);
  return network;
}
/// Ten times the usual one, or as often as it is told.
struct OtherLoss {
  double times = 10;
  template <std::size_t Members, class T>
  double add(const T* states, const T* truth, std::span<const double> norm, double weight,
             double limit, T* d_states) const {
    return SupervisedLoss{}.add<Members>(states, truth, norm, times * weight, limit, d_states);
  }
};
}  // namespace

TEST_CASE("trainer: saved after any update and resumed, it ends with the same bits") {
  const Full problem;
  const auto network = scaled(problem);
  const TrainConfig config{.updates = 20, .groups = 2, .warm_up = 5, .progress = false};
  using T = Trainer<Full, Small, lanes>;
  T whole(problem, network, config);
  whole.run();
  const test::TemporaryFolder folder;
  const auto file = folder / "checkpoint.safetensors";
  for (const std::size_t moment : {1u, 2u, 3u, 5u, 7u, 8u, 11u, 13u, 17u, 19u}) {
    {
      T killed(problem, network, config);
      while (killed.updates() < moment) killed.update();
      killed.save_checkpoint(file);
      killed.update();  // lost work
    }
    T resumed(problem, network, config);
    resumed.resume(file);
    CHECK(resumed.updates() == moment);
    resumed.run();
    CHECK(resumed.trained().parameters == whole.trained().parameters);
    CHECK(resumed.report().rmse == whole.report().rmse);
    CHECK(resumed.report().restarts == whole.report().restarts);
  }
  CHECK(folder.files() == 1);

  auto other = config;
  other.seed = 2;
  T another(problem, network, other);
  CHECK_THROWS_WITH_AS(another.resume(file),
                       doctest::Contains("holds training.config.seed = 1, expected 2"), FileError);
  const Full forced{.model = {.ode = {.forcing = 7}}};
  T elsewhere(forced, network, config);
  CHECK_THROWS_AS(elsewhere.resume(file), FileError);
  CHECK_THROWS_AS(another.resume(folder / "none"), FileError);
  auto narrow = load_safetensors<double>(file);
  auto training = nlohmann::ordered_json::parse(narrow.metadata.at("training"));
  CHECK(training.at("simd") == nlohmann::ordered_json{simd_width<float>, simd_width<double>});
  // Of an earlier version, whose members had another order.
  narrow.metadata["training"] = with_sorted_keys(training).dump();
  CHECK(narrow.metadata["training"] != training.dump());
  save_safetensors(folder / "sorted", narrow);
  CHECK_NOTHROW(T(problem, network, config).resume(folder / "sorted"));
  // Of a program with another SIMD width, whose bits differ.
  training["simd"] = {1, 1};
  narrow.metadata["training"] = training.dump();
  save_safetensors(folder / "narrow", narrow);
  T wide(problem, network, config);
  CHECK_THROWS_WITH_AS(wide.resume(folder / "narrow"),
                       doctest::Contains("holds training.simd = [1,1], expected ["), FileError);
  // Of another loss.
  Trainer<Full, Small, lanes, OtherLoss> unlike(problem, network, config);
  CHECK_THROWS_WITH_AS(unlike.resume(file), doctest::Contains("holds training.loss = "), FileError);
  unlike.save_checkpoint(folder / "unlike");
  Trainer<Full, Small, lanes, OtherLoss> twenty(problem, network, config, OtherLoss{.times = 20});
  CHECK_THROWS_WITH_AS(twenty.resume(folder / "unlike"),
                       doctest::Contains("holds training.loss = "), FileError);
  // Of other kernels, or of a version that knew no others.
  Trainer<Full, Small, lanes, Choose<Kernels::direct>> direct(problem, network, config);
  CHECK_THROWS_WITH_AS(
      direct.resume(file),
      doctest::Contains("holds training.kernels = \"minimal\", expected \"direct\""), FileError);
  training = nlohmann::ordered_json::parse(load_safetensors<double>(file).metadata.at("training"));
  training.erase("kernels");
  narrow.metadata["training"] = training.dump();
  save_safetensors(folder / "old", narrow);
  CHECK_THROWS_WITH_AS(wide.resume(folder / "old"), doctest::Contains("training.kernels"),
                       FileError);
  std::filesystem::resize_file(file, 1000);
  T damaged(problem, network, config);
  CHECK_THROWS_AS(damaged.run(file), FileError);
}

namespace {
/// Floats that drift along the ring, at a speed of somebody's own.
struct Floats : ObserveAt<Ring<40>, 20> {
  double speed = 0.3;
  [[nodiscard]] Places<1> draw(const RandomKey& key) const {
    Places<1> places;
    for (std::size_t j = 0; j < slots; ++j) {
      const double drift = speed * static_cast<double>(key.cycle % 1000);
      const double place = std::fmod(2.0 * static_cast<double>(j) + drift, 40.0);
      places.set(0, j, Places<1>::sight_at({{place}, 0}));
    }
    return places;
  }
};
}  // namespace

TEST_CASE("trainer: a checkpoint of observations at other places of one's own is refused") {
  using Drifting = Problem<Rk4<Lorenz96<40>>, Floats>;
  const Drifting problem;
  Small network;
  scale_inputs(problem, network);
  const TrainConfig config{.updates = 2, .groups = 1, .warm_up = 1, .progress = false};
  const test::TemporaryFolder folder;
  Trainer<Drifting, Small, lanes>(problem, network, config).save_checkpoint(folder / "slow");
  Drifting fast;
  fast.observe.speed = 0.7;
  Trainer<Drifting, Small, lanes> other(fast, network, config);
  CHECK_THROWS_WITH_AS(other.resume(folder / "slow"), doctest::Contains("holds training.setting"),
                       FileError);
}

TEST_CASE("trainer: the noise of truths and of a teacher's members goes on with the same bits") {
  using Noisy = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>, GaussianStart, DiagonalModelNoise<40>>;
  const Noisy problem{.model_noise = DiagonalModelNoise<40>(0.1)};
  Small network;
  scale_inputs(problem, network);
  const auto check = [&]<class Teacher>(const Teacher& teacher) {
    using T = Trainer<Noisy, Small, lanes, Teacher>;
    const TrainConfig config{
        .updates = 6, .groups = 2, .warm_up = 2, .taught = 1, .progress = false};
    T whole(problem, network, config, teacher), killed(problem, network, config, teacher);
    whole.run();
    const test::TemporaryFolder folder;
    const auto file = folder / "checkpoint.safetensors";
    while (killed.updates() < 3) killed.update();
    killed.save_checkpoint(file);
    T resumed(problem, network, config, teacher);
    resumed.resume(file);
    resumed.run();
    CHECK(resumed.trained().parameters == whole.trained().parameters);
    CHECK(resumed.report().rmse == whole.report().rmse);
    auto other = problem;
    other.model_noise = DiagonalModelNoise<40>(0.2);
    T elsewhere(other, network, config, teacher);
    CHECK_THROWS_AS(elsewhere.resume(file), FileError);
  };
  check(EnsrfTeacher<16>{});
  using Local = Letkf<Noisy, 7>;
  check(FilterTeacher<Local>{Local(problem)});
}

TEST_CASE("trainer: trained weights are a start") {
  const Full problem;
  const auto network = scaled(problem);
  TrainConfig config{.updates = 40, .groups = 1, .warm_up = 5, .progress = false};
  using T = Trainer<Full, Small, lanes>;
  T random(problem, network, config);
  Trained<Small, float> start(network);
  Small::initialise(config.seed, span_of(start.parameters));
  T same(problem, start, config);
  CHECK(same.trained().parameters == start.parameters);
  random.run(), same.run();
  CHECK(same.trained().parameters == random.trained().parameters);
  CHECK(same.report().rmse == random.report().rmse);

  // What was usual in the first training is the beginning of a further one.
  auto known = random.trained();
  known.trained_for->innovation = 3;
  CHECK(T(problem, known, config).trained().trained_for->innovation == 3);

  const test::TemporaryFolder folder;
  const auto file = folder / "checkpoint.safetensors";
  T further(problem, random.trained(), config);
  CHECK(further.trained().parameters == random.trained().parameters);
  CHECK(further.update() < random.report().rmse.front());
  further.save_checkpoint(file);
  T again(problem, random.trained(), config), elsewhere(problem, network, config);
  again.resume(file);
  CHECK(again.trained().parameters == further.trained().parameters);
  CHECK_THROWS_AS(elsewhere.resume(file), FileError);

  config.average = 0.9;
  CHECK(T(problem, random.trained(), config).trained().parameters == random.trained().parameters);
  start.parameters[3] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH_AS(T(problem, start, config),
                       "Trainer: start has a weight inf, expected finite", ConfigError);
}
