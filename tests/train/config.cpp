// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "../support/temporary_folder.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
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
}  // namespace

TEST_CASE("trainer: reports of two trainings are joined") {
  TrainReport report{.rmse = {3, 2}, .restarts = 4, .last_restart = 1, .skipped = 1, .seconds = 2};
  report.append({.rmse = {1}, .seconds = 0.5});
  CHECK(report.rmse == std::vector<float>{3, 2, 1});
  CHECK(report.last_restart == 1);
  report.append({.rmse = {1, 1}, .restarts = 2, .last_restart = 1, .skipped = 3, .seconds = 1});
  CHECK(report.restarts == 6);
  CHECK(report.last_restart == 4);
  CHECK(report.skipped == 4);
  CHECK(report.seconds == 3.5);
}

TEST_CASE("trainer: bad configurations are refused") {
  const Full problem;
  const auto network = scaled(problem);
  using T = Trainer<Full, Small, lanes>;
  CHECK_THROWS_WITH_AS(T(problem, network, {.unroll = 0}),
                       "Trainer: unroll is 0, expected at least 1", ConfigError);
  CHECK_THROWS_AS(T(problem, network, {.groups = 0}), ConfigError);
  CHECK_THROWS_WITH_AS(T(problem, network, {.unroll = 2, .first_unroll = 3}),
                       doctest::Contains("first_unroll is 3, expected at most unroll, 2"),
                       ConfigError);
  CHECK_THROWS_AS(T(problem, network, {.updates = 100, .warm_up = 100}), ConfigError);
  CHECK_THROWS_AS(T(problem, network, {.adam = {.beta2 = 1}}), ConfigError);
  CHECK_THROWS_AS(T(problem, network, {.learning_rate = -1}), ConfigError);
  CHECK_THROWS_AS(T(problem, network, {.average = 1}), ConfigError);
  CHECK_THROWS_AS(T(problem, network, {.clip = std::nan("")}), ConfigError);
  CHECK_THROWS_WITH_AS(T(problem, network, {.taught = 1.5}),
                       "Trainer: taught is 1.5, expected a share from 0 to 1", ConfigError);
  CHECK_THROWS_WITH_AS(T(problem, network, {.upsets = {.last = 1.5}}),
                       "Trainer: upsets.last is 1.5, expected a share from 0 to 1", ConfigError);
  CHECK_THROWS_WITH_AS(T(problem, network, {.stored = {.number = 5, .cycles = 0}}),
                       "Trainer: stored.cycles is 0, expected at least 1", ConfigError);
  CHECK_THROWS_WITH_AS(T(problem, network, {.taught = 0.8}),
                       "Trainer: taught is 0.8 without a teacher, expected 0; name one: "
                       "Trainer<Problem, Network, Lanes, EnsrfTeacher<64>>",
                       ConfigError);
  CHECK_THROWS_WITH_AS(T(problem, network, {.taught_gain = -1}),
                       "Trainer: taught_gain is -1, expected a finite number from zero",
                       ConfigError);
}

namespace {
struct Anything {
  template <class T>
  operator T() const;  // NOLINT(google-explicit-constructor)
};
/// Number of members of an aggregate.
template <class C, class... A>
constexpr std::size_t members_of() {
  if constexpr (requires { C{A{}..., Anything{}}; })
    return members_of<C, A..., Anything>();
  else
    return sizeof...(A);
}
template <class C>
constexpr std::size_t fields_of = std::tuple_size_v<decltype(C::fields())>;
}  // namespace

TEST_CASE("config: every member is listed, but those that decide about no result") {
  static_assert(fields_of<TrainConfig> == members_of<TrainConfig>() - 2);  // threads, progress
  static_assert(fields_of<AdamConfig> == members_of<AdamConfig>());
  static_assert(fields_of<MuonConfig> == members_of<MuonConfig>());
  static_assert(fields_of<Upsets> == members_of<Upsets>());
  static_assert(fields_of<StoredTruths> == members_of<StoredTruths>());
  const auto json = json_of_fields(TrainConfig{});
  CHECK(json.size() == fields_of<TrainConfig> - 4 + 3 + 2 + 4 + 2);
  CHECK(json["updates"] == 5000);
  CHECK(json["adam.beta2"] == 0.99);
  CHECK(json["upsets.longest_gap"] == 50);
}

TEST_CASE("config: a checkpoint of a training with any other field is refused") {
  const Full problem;
  const auto network = scaled(problem);
  const TrainConfig config{.updates = 20, .groups = 1, .warm_up = 5, .progress = false};
  using T = Trainer<Full, Small, lanes, EnsrfTeacher<2>>;
  const test::TemporaryFolder folder;
  const auto file = folder / "checkpoint";
  T(problem, network, config).save_checkpoint(file);
  std::size_t count = 0;
  std::vector<std::string> names;
  for_each_field(
      config, [&](const std::string& name, const auto&, const Range&) { names.push_back(name); });
  for (const auto& changed : names) {
    TrainConfig other = config;
    for_each_field(other, [&](const std::string& name, auto& value, const Range& range) {
      if (name != changed) return;
      using Value = std::remove_cvref_t<decltype(value)>;
      if constexpr (std::is_same_v<Value, bool>)
        value = !value;
      else if constexpr (std::is_integral_v<Value>)
        ++value;
      else
        value = value > 0 ? value * 0.99 : 0.5;
      CHECK(range.contains(static_cast<double>(value)));
    });
    if (changed == "upsets.farthest") CHECK(other.upsets.farthest < 7);
    CAPTURE(changed);
    T another(problem, network, other);
    const std::string named = "holds training.config." + changed + " = ";
    CHECK_THROWS_WITH_AS(another.resume(file), doctest::Contains(named.c_str()), FileError);
    ++count;
  }
  CHECK(count == json_of_fields(config).size());
  T same(problem, network, config);
  CHECK_NOTHROW(same.resume(file));
  auto allowed = config;
  allowed.threads = 1, allowed.progress = true;
  T also(problem, network, allowed);
  CHECK_NOTHROW(also.resume(file));
}

TEST_CASE("config: another inflation of the teacher is noticed") {
  const Full problem;
  const auto network = scaled(problem);
  const TrainConfig config{
      .updates = 20, .groups = 1, .warm_up = 5, .taught = 0.5, .progress = false};
  using T = Trainer<Full, Small, lanes, EnsrfTeacher<2>>;
  const test::TemporaryFolder folder;
  const auto file = folder / "checkpoint";
  T(problem, network, config).save_checkpoint(file);
  T other(problem, network, config, {.inflation = 1.02});
  CHECK_THROWS_WITH_AS(other.resume(file), doctest::Contains("holds training.teacher = "),
                       FileError);
  T same(problem, network, config);
  CHECK_NOTHROW(same.resume(file));
  CHECK_THROWS_AS(T(problem, network, config, {.inflation = 0}), ConfigError);
}
