// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/fields.hpp"
#include "dan/train/adam.hpp"
#include "dan/train/muon.hpp"
#include "dan/train/stored_truths.hpp"
#include "dan/train/upsets.hpp"

namespace dan {

/// How to train. The number of parallel runs is groups · Lanes.
struct TrainConfig {
  std::size_t updates = 5000;       ///< parameter updates in all
  std::size_t groups = 4;           ///< groups of Lanes runs, each with a gradient slot
  std::size_t unroll = 4;           ///< chained cycles that a gradient goes through, N_iter
  std::size_t first_unroll = 0;     ///< the same for the unstable first updates; 0: no difference
  std::size_t first_updates = 800;  ///< how many updates have `first_unroll`
  double learning_rate = 3e-3;      ///< peak of the schedule
  std::size_t warm_up = 500;        ///< updates of linear warm-up
  /// Largest norm of a gradient, in units of its running mean; with several problems the gradients
  /// of each are limited in the same way.
  double clip = 3;
  /// A run with a larger RMSE counts logarithmically: one that has lost the truth must not outweigh
  /// all others. Of several problems: in units of five usual errors of each.
  double loss_limit = 1;
  double average = 0;    ///< decay per update of a running mean of the weights; 0: off
  bool use_muon = true;  ///< Muon for the hidden convolutions, else Adam for all
  AdamConfig adam{};
  MuonConfig muon{};
  /// Error of a run's first state, at the start and restarts, in units of the norm, or of the
  /// observations' errors (their root mean square in the norm) where these are smaller.
  double first_guess_deviation = 1;
  std::size_t renew_every = 0;  ///< updates after which a run starts anew; 0: never
  Upsets upsets{};              ///< what may happen to it then instead
  std::size_t stay = 200;       ///< updates that a group stays at one of several problems
  StoredTruths stored{};        ///< the data; by default without end
  /// Share of the updates, the first ones, that learn from the teacher's analyses, not the truth.
  double taught = 0;
  /// Weight w of the teacher's covariances as the target of a gain head of one level, as long as
  /// taught, see `GainTarget`; 0: none.
  double taught_gain = 40;
  std::uint64_t seed = 1;
  std::size_t threads = 0;  ///< 0: all cores
  bool progress = true;     ///< show a progress bar

  /// All that decides about the result: not `threads` and `progress`.
  static constexpr auto fields() {
    using C = TrainConfig;
    return std::tuple(
        field("updates", &C::updates, Range::at_least_one()),
        field("groups", &C::groups, Range::at_least_one()),
        field("unroll", &C::unroll, Range::at_least_one()), field("first_unroll", &C::first_unroll),
        field("first_updates", &C::first_updates),
        field("learning_rate", &C::learning_rate, Range::positive()), field("warm_up", &C::warm_up),
        field("clip", &C::clip, Range::positive()),
        field("loss_limit", &C::loss_limit, Range::positive()),
        field("average", &C::average, Range::fraction()), field("use_muon", &C::use_muon),
        field("adam", &C::adam), field("muon", &C::muon),
        field("first_guess_deviation", &C::first_guess_deviation, Range::positive()),
        field("renew_every", &C::renew_every), field("upsets", &C::upsets),
        field("stay", &C::stay, Range::at_least_one()), field("stored", &C::stored),
        field("taught", &C::taught, Range::share()),
        field("taught_gain", &C::taught_gain, Range::from_zero()), field("seed", &C::seed));
  }

  /// The same with a beginning that suits few updates, as recipes train: `warm_up` at most a tenth
  /// of them, `first_updates` three eighths.
  [[nodiscard]] TrainConfig shortened() const {
    TrainConfig config = *this;
    config.warm_up = std::min(warm_up, updates / 10);
    config.first_updates = std::min(first_updates, updates * 3 / 8);
    return config;
  }

  /// Throws ConfigError, in the name of `function`, for a value out of its range.
  void require_valid(std::string_view function) const {
    require_fields(function, *this);
    if (first_unroll > unroll)
      throw ConfigError(to_text(function, ": first_unroll is ", first_unroll,
                                ", expected at most unroll, ", unroll));
    if (warm_up >= updates)
      throw ConfigError(to_text(function, ": warm_up is ", warm_up, ", expected fewer than the ",
                                updates, " updates"));
  }
};

/// The listed fields of a configuration: {"updates": 5000, …, "adam.beta1": 0.9, …}.
template <class Config>
[[nodiscard]] nlohmann::ordered_json json_of_fields(const Config& config) {
  nlohmann::ordered_json json;
  for_each_field(config, [&](const std::string& name, const auto& value, const Range&) {
    json[name] = value;
  });
  return json;
}

/// What a training did.
struct TrainReport {
  std::vector<float> rmse;       ///< per update: RMSE of its cycles' analyses from their targets
  std::size_t restarts = 0;      ///< lanes restarted because they lost the truth
  std::size_t last_restart = 0;  ///< the update of the last restart
  std::size_t skipped = 0;       ///< updates left out because the gradient was not finite
  double seconds = 0;

  /// Adds what the next training of the same weights did.
  void append(const TrainReport& next) {
    if (next.restarts > 0) last_restart = rmse.size() + next.last_restart;
    rmse.insert(rmse.end(), next.rmse.begin(), next.rmse.end());
    restarts += next.restarts;
    skipped += next.skipped;
    seconds += next.seconds;
  }

  /// What a checkpoint must hold, see io/archive.hpp.
  template <class Archive>
  void transfer(Archive& archive) {
    archive.series("rmse", rmse);
    archive.count("restarts", restarts);
    archive.count("last_restart", last_restart);
    archive.count("skipped", skipped);
    archive.number("seconds", seconds);
  }
};

/// Sets fields of a recipe's training by name, as texts, and shortens its beginning. Throws
/// ConfigError, in the name of `function`, as `set_field`, and for a field that `shortened()` would
/// change.
template <class Fields>
void set_fields(std::string_view function, TrainConfig& config, const Fields& fields) {
  for (const auto& [name, value] : fields) set_field(function, config, name, value);
  const auto given = json_of_fields(config);
  config = config.shortened();
  const auto used = json_of_fields(config);
  for (const auto& [name, value] : fields)
    if (used[name] != given[name])
      throw ConfigError(to_text(function, ": ", name, " is ", value, ", expected at most ",
                                used[name].dump(), " of ", config.updates, " updates"));
}

}  // namespace dan
