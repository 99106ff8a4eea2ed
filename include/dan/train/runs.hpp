// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "dan/analysis/cycle.hpp"
#include "dan/core/batch.hpp"
#include "dan/core/error.hpp"
#include "dan/core/random.hpp"
#include "dan/core/simd.hpp"
#include "dan/problem/truth.hpp"
#include "dan/train/config.hpp"

namespace dan {

/// The runs of a training: how they start, when they are lost, and how they go on then.
///
/// A run's state is what the analysis carries. Truth and observations come without end, so no data
/// is seen twice, unless `TrainConfig::stored` says so. A run is lost that is farther from its
/// target than one random state of the climate from another, with a mean squared error of more than
/// twice the climate's variance; it restarts from truth + noise: nearer than that it stays, so that
/// a network learns to find the truth again. With `renew_every`, healthy runs start anew as well,
/// in turn: else a long training never sees an empty memory again; with `upsets` some of them are
/// thrown off the truth instead, or see nothing for a while.
template <class Problem_, class Network_, std::size_t Lanes, class Real>
class Runs {
 public:
  using Problem = Problem_;
  using Network = Network_;
  using T = lanes_t<Real, Lanes>;
  using Observed = observed_t<typename Problem::Operator, Real, Lanes>;
  using Truth = Batch<Real, Problem::points, Problem::channels, Lanes>;
  using Cycle = LearnedCycle<Problem, Network, Observed>;

  /// `Lanes` runs.
  struct Group {
    std::size_t turn;  ///< of the truth that the first lane has, see `StoredTruths`
    TwinTruth<Problem, Lanes> twin;
    Aligned<T> carried = Aligned<T>(Cycle::carried);  ///< what the next cycle starts from
    std::array<std::size_t, Lanes> silent_until{};    ///< the last cycle of a lane's gap

    /// Is this cycle within a lane's gap?
    [[nodiscard]] bool silent(std::size_t lane, std::size_t cycle) const {
      return cycle <= silent_until[lane];
    }
  };

  /// `network`: its input scaling is that of the climate.
  Runs(const Problem& problem, const Network& network, const TrainConfig& config)
      : problem_(problem), config_(config), norm_(problem.weights()), mean_(network.input_mean) {
    for (std::size_t i = 0; i < Problem::size; ++i)
      climate_variance_ += norm_[i] * std::pow(network.input_deviation[i % Network::channels], 2) /
                           static_cast<double>(Problem::size);
  }

  /// Group `g`: its truth, and nothing carried yet.
  [[nodiscard]] Group group(std::size_t g) const {
    return {.turn = g * Lanes, .twin = truths(g * Lanes)};
  }
  /// Throws ConfigError if the truth is outside these bounds.
  void check(const Group& group, const AnalysisBounds<Network::channels>& bounds) const {
    require_within(bounds, group.twin.truth());
  }
  /// First guesses for all lanes.
  void start(Group& group) const {
    for (std::size_t l = 0; l < Lanes; ++l) start_lane(group, l, Purpose::first_guess);
  }

  /// The next cycle's observations, none of a lane in a gap, and its truth.
  /// Throws NumericalError if the truth is not finite.
  void next(Group& group, Observed& observed, Truth& truth) const {
    group.twin.next();
    for (const double x : group.twin.truth().numbers())
      if (!std::isfinite(x))
        throw NumericalError(to_text("Trainer::update: the truth is not finite in cycle ",
                                     group.twin.cycle(), "; take a smaller time step"));
    convert_precision(group.twin.observed(), observed);
    convert_precision(group.twin.truth(), truth);
    for (std::size_t l = 0; l < Lanes; ++l)
      for (std::size_t j = 0; j < Problem::slots && group.silent(l, group.twin.cycle()); ++j)
        observed.values.at(j, l) = observed.precision.at(j, l) = Real(0);
  }

  /// At the end of stored truths: first guesses of the next ones. Returns whether it was the end.
  bool turn_over(Group& group) const {
    if (!config_.stored.end(group.twin.cycle())) return false;
    group.turn += config_.groups * Lanes;
    group.twin = truths(group.turn);
    for (std::size_t l = 0; l < Lanes; ++l) start_lane(group, l, Purpose::first_guess);
    return true;
  }

  /// The mean squared distance of a state from the target.
  [[nodiscard]] double distance(const T* state, const Truth& target, std::size_t lane) const {
    double square = 0;
    for (std::size_t i = 0; i < Cycle::states; ++i)
      square +=
          norm_[i % Problem::size] *
          std::pow(
              static_cast<double>(lane_of(state[i], lane) - target.at(i % Problem::size, lane)), 2);
    return square / static_cast<double>(Cycle::states);
  }
  /// Is this state farther from the target than one random state of the climate from another?
  [[nodiscard]] bool lost(const T* state, const Truth& target, std::size_t lane) const {
    return !(distance(state, target, lane) <= 2 * climate_variance_);
  }

  /// After an update, number `update`, whose last analyses were `group.carried`: lost runs restart,
  /// and some are renewed. In a gap it is no wonder to be lost, and does not count. Returns the
  /// number of restarts.
  std::size_t go_on(Group& group, const Truth& target, std::size_t update) const {
    std::size_t restarts = 0;
    for (std::size_t l = 0; l < Lanes; ++l) {
      const std::size_t every = config_.renew_every;
      if (lost(group.carried.data(), target, l) && !group.silent(l, group.twin.cycle())) {
        ++restarts;
        start_lane(group, l, Purpose::restart);
      } else if (every > 0 && (update + l * every / Lanes) % every == 0) {
        renew_lane(group, l, update);
      }
    }
    return restarts;
  }

  /// What a checkpoint must hold of a group, see io/archive.hpp.
  template <class Archive>
  void transfer(Group& group, Archive& archive) const {
    archive.numbers("carried", std::span<T>(group.carried), Lanes);
    auto truth = group.twin.save();
    std::size_t cycle = group.twin.cycle();
    archive.count("turn", group.turn);
    archive.numbers("truth", std::span<double>(truth), 1);
    archive.count("cycle", cycle);
    if constexpr (Archive::reads) {
      if (config_.stored.number > 0) group.twin = truths(group.turn);
      group.twin.restore(cycle, truth);
    }
    for (std::size_t l = 0; l < Lanes; ++l)
      archive.count(to_text("silent_until.", l), group.silent_until[l]);
  }

 private:
  [[nodiscard]] TwinTruth<Problem, Lanes> truths(std::size_t turn) const {
    return {problem_, config_.seed, config_.stored.template truths<Lanes>(training_runs, turn)};
  }

  /// Lane `lane` becomes a first guess, truth + noise, with an empty memory; several members are
  /// spread around it as by `Learned::start`.
  void start_lane(Group& group, std::size_t lane, Purpose purpose) const {
    set_lane(group, lane, purpose, config_.first_guess_deviation,
             [&](std::size_t i) { return group.twin.truth().at(i, lane); });
    forget(group, lane);
    group.silent_until[lane] = 0;
  }

  /// Lane `lane` becomes centre(i) + deviation · N(0, 1) units, the same for all members, and for
  /// several members noise of their own of the usual deviation.
  template <class Centre>
  void set_lane(Group& group, std::size_t lane, Purpose purpose, double deviation,
                const Centre& centre) const {
    constexpr std::size_t size = Problem::size, members = Network::members;
    // Of unit deviation: first the one of all members, then their own.
    const auto error =
        problem_.errors(group.twin.key(lane).with(purpose), 1, members > 1 ? 1 + members : 1);
    for (std::size_t i = 0; i < Cycle::states; ++i) {
      double noise = deviation * error[i % size];
      if constexpr (members > 1) noise += config_.first_guess_deviation * error[size + i];
      lane_of(group.carried[i], lane) = static_cast<Real>(centre(i % size) + noise);
    }
  }
  static void forget(Group& group, std::size_t lane) {
    for (std::size_t i = Cycle::states; i < Cycle::carried; ++i)
      lane_of(group.carried[i], lane) = Real(0);
  }

  /// A healthy run starts anew, or is upset.
  void renew_lane(Group& group, std::size_t lane, std::size_t update) const {
    const auto draw = config_.upsets.draw(
        group.twin.key(lane), static_cast<double>(update) / static_cast<double>(config_.updates));
    const auto& truth = group.twin.truth();
    switch (draw.kind) {
      case Upset::none:
        return start_lane(group, lane, Purpose::restart);
      case Upset::gap:
        group.silent_until[lane] = group.twin.cycle() + draw.gap;
        return;
      case Upset::far:
      case Upset::jump:
        set_lane(group, lane, Purpose::restart, draw.size,
                 [&](std::size_t i) { return truth.at(i, lane); });
        break;
      case Upset::climate:
        set_lane(group, lane, Purpose::restart, 0,
                 [&](std::size_t i) { return mean_[i % Problem::channels]; });
        break;
      case Upset::elsewhere:
      case Upset::leap:
        set_lane(group, lane, Purpose::restart, 0,
                 [&, other = other_truth(truth, lane)](std::size_t i) {
                   return other == lane ? mean_[i % Problem::channels] : truth.at(i, other);
                 });
        break;
    }
    if (draw.kind != Upset::jump && draw.kind != Upset::leap) forget(group, lane);
  }

  /// The next lane with another truth; the same one where all have that, of stored truths.
  [[nodiscard]] static std::size_t other_truth(const auto& truth, std::size_t lane) {
    for (std::size_t n = 1; n < Lanes; ++n)
      if (const std::size_t other = (lane + n) % Lanes; truth.at(0, other) != truth.at(0, lane))
        return other;
    return lane;
  }

  template <class States>
  static void require_within(const AnalysisBounds<Network::channels>& bounds, const States& truth) {
    for (std::size_t i = 0; i < Problem::size; ++i)
      for (std::size_t l = 0; l < Lanes; ++l) {
        const double x = truth.at(i, l);
        const std::size_t c = i % Problem::channels;
        if (!(x >= bounds.low[c] && x <= bounds.high[c]))
          throw ConfigError(to_text("Trainer: the truth has a value ", x, " outside the bounds ",
                                    bounds.low[c], " to ", bounds.high[c],
                                    " of the network's input scaling; call "
                                    "scale_inputs(problem, network) before its first training"));
      }
  }

  Problem problem_;
  TrainConfig config_;
  std::vector<double> norm_;  ///< weights of the norm
  std::array<double, Network::channels> mean_;
  double climate_variance_ = 0;
};

}  // namespace dan
