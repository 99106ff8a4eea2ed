// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "dan/core/batch.hpp"
#include "dan/core/error.hpp"
#include "dan/core/random.hpp"
#include "dan/train/config.hpp"
#include "dan/train/loss.hpp"
#include "dan/train/runs.hpp"
#include "dan/train/teacher.hpp"
#include "dan/train/training_cycle.hpp"

namespace dan {

/// What a training learns from its teacher in the first updates: where the teacher's analysis has
/// an RMSE below `first_guess_deviation`, it is the target instead of the truth.
///
/// What no observation tells of the truth, no analysis can know: in the target it is noise, most of
/// the gradient once the network is good. The teacher's analysis is free of it, and what is wrong
/// with the teacher is for the last updates, which learn from the truth. A gain head of one
/// level learns its gain from the teacher as well, whose covariances say far more than its mean:
/// see `GainTarget`. Memory of a group's lesson: what the teacher carries, and unroll ×
/// `Network::gains` covariances.
template <class Teacher, class Runs>
class Lessons {
 public:
  using Problem = typename Runs::Problem;
  using Network = typename Runs::Network;
  using T = typename Runs::T;
  using Real = real_t<T>;
  using Truth = typename Runs::Truth;
  using Observed = typename Runs::Observed;
  using Filter = decltype(std::declval<const Teacher&>().template filter<Real, Truth::lanes>(
      std::declval<const Problem&>()));
  static_assert(TeachingFilter<Filter>,
                "Trainer: the teacher's filter lacks something of a TeachingFilter "
                "(train/teacher.hpp)");
  static constexpr bool teaches_gain = [] {
    if constexpr (Network::gain)
      return requires(const Filter filter, const typename Filter::Carried& carried, T* to) {
        filter.template covariances<typename Network::Grid, Network::Head::width>(carried, to);
      };
    else
      return false;
  }();
  using Cycle = std::conditional_t<teaches_gain, TaughtCycle<Problem, Network, Observed, T>,
                                   BoundedCycle<Problem, Network, Observed>>;

  /// A group's teacher, and what it says of the cycles of an update.
  struct Lesson {
    typename Filter::Carried carried;
    typename Filter::Estimate estimate{};  ///< the teacher's analysis of one cycle
    Aligned<T> covariances;                ///< cycle by cycle
    std::vector<GainTarget<T>> gain;
  };

  /// `deviations`: s of `observation_deviations`.
  Lessons(const Teacher& teacher, const Problem& problem, const TrainConfig& config,
          std::span<const double> deviations)
      : filter_(teacher.template filter<Real, Truth::lanes>(problem)),
        problem_(problem),
        config_(config),
        norm_(problem.weights()),
        deviations_(deviations.begin(), deviations.end()) {
    for (std::size_t i = 0; i < Problem::size; ++i)
      mean_square_ += norm_[i] * deviations_[i] * deviations_[i] / Problem::size;
    if constexpr (teaches_gain)
      parts_ = detail::tap_parts<typename Network::Grid>(Network::Head::width);
  }

  /// Whether update number `update` is taught.
  [[nodiscard]] bool teach_in(std::size_t update) const {
    return static_cast<double>(update) < config_.taught * static_cast<double>(config_.updates);
  }

  /// A teacher for this group, around first guesses.
  [[nodiscard]] Lesson start(const typename Runs::Group& group) const {
    typename Filter::FirstGuessBatch guess;
    for (std::size_t l = 0; l < Truth::lanes; ++l) {
      const auto one = guess_of(group, l);
      for (std::size_t i = 0; i < Problem::size; ++i) guess.at(i, l) = one[i];
    }
    guess.repeat_last_lane();
    Lesson lesson{.carried = filter_.start(guess, config_.first_guess_deviation, group.twin.key(0)),
                  .covariances = {},
                  .gain = std::vector<GainTarget<T>>(config_.unroll)};
    if constexpr (teaches_gain)
      if (config_.taught_gain > 0) lesson.covariances.resize(config_.unroll * Network::gains);
    return lesson;
  }

  /// The teacher's analysis of cycle `n` becomes its target, in the lanes where it is near the
  /// truth; where it has lost it, it starts anew.
  void teach(Lesson& lesson, std::size_t n, const typename Runs::Group& group,
             const Observed& observed, Truth& target) const {
    filter_.forecast(lesson.carried);
    filter_.analyse(lesson.carried, observed, group.twin.key(0));
    filter_.estimate(lesson.carried, lesson.estimate);
    const bool gain_taught = !lesson.covariances.empty();
    T* const covariances = gain_taught ? &lesson.covariances[n * Network::gains] : nullptr;
    if constexpr (teaches_gain)
      if (gain_taught) {
        filter_.template covariances<typename Network::Grid, Network::Head::width>(lesson.carried,
                                                                                   covariances);
        in_units_of_errors(covariances);
      }
    lesson.gain[n] = {covariances, T(Real(0))};
    const double near = std::pow(config_.first_guess_deviation, 2) * Problem::size;
    for (std::size_t l = 0; l < Truth::lanes; ++l) {
      double square = 0;
      for (std::size_t i = 0; i < Problem::size; ++i)
        square += norm_[i] * std::pow(lesson.estimate.at(i, l) - group.twin.truth().at(i, l), 2);
      if (square <= near) {
        lane_of(lesson.gain[n].weight, l) = Real(1);
        for (std::size_t i = 0; i < Problem::size; ++i)
          target.at(i, l) = static_cast<Real>(lesson.estimate.at(i, l));
        continue;
      }
      // They may be NaN, which times a weight of zero is still NaN.
      if constexpr (teaches_gain)
        for (std::size_t i = 0; gain_taught && i < Network::gains; ++i)
          lane_of(covariances[i], l) = Real(0);
      if (!(square <= 4 * near)) start_lane(lesson, group, l);
    }
  }

  /// The map of cycle `n`, with a target for its gain in a lesson.
  [[nodiscard]] Cycle cycle(const typename Runs::Cycle& plain, const Lesson* lesson,
                            std::size_t n) const {
    if constexpr (teaches_gain)
      return {{plain}, has_gain(lesson) ? &lesson->gain[n] : nullptr};
    else
      return {plain};
  }

  /// The gain's target in cycle `n`, whose analysis is `states`, gets its weight, with the loss's
  /// `weight` = 1/(runs · cycles · size); none in a lane that is silenced after.
  void weigh(Lesson* lesson, std::size_t n, const T* states, const Truth& target,
             double weight) const {
    if constexpr (teaches_gain)
      if (has_gain(lesson)) {
        auto& gain = lesson->gain[n];
        gain.weight *=
            T(static_cast<Real>(weight * config_.taught_gain * mean_square_)) *
            gain_trust<Network>(states, target.data(), norm_, gain.covariance, deviations_);
      }
  }
  void silence(Lesson* lesson, std::size_t n, std::size_t lane) const {
    if (lesson != nullptr) lane_of(lesson->gain[n].weight, lane) = Real(0);
  }

  /// A number that changes with all that decides about the teacher's analyses: the weighted sum of
  /// its second one. Cost: two cycles of a group's teacher.
  [[nodiscard]] double fingerprint(const Lesson& lesson, const typename Runs::Group& group) const {
    auto twin = group.twin;
    auto carried = lesson.carried;
    auto estimate = lesson.estimate;
    Observed observed;
    for (int n = 0; n < 2; ++n) {
      twin.next();
      convert_precision(twin.observed(), observed);
      filter_.forecast(carried);
      filter_.analyse(carried, observed, twin.key(0));
    }
    filter_.estimate(carried, estimate);
    double sum = 0;
    for (std::size_t i = 0; i < Problem::size; ++i)
      for (std::size_t l = 0; l < Truth::lanes; ++l)
        sum += static_cast<double>(i * Truth::lanes + l + 1) * estimate.at(i, l);
    return sum;
  }

  /// What a checkpoint must hold of a lesson between two updates.
  template <class Archive>
  void transfer(Lesson& lesson, Archive& archive) const {
    filter_.transfer(lesson.carried, archive);
  }

 private:
  [[nodiscard]] static bool has_gain(const Lesson* lesson) {
    return lesson != nullptr && !lesson->covariances.empty();
  }

  /// truth + noise.
  [[nodiscard]] std::vector<double> guess_of(const typename Runs::Group& group,
                                             std::size_t lane) const {
    auto guess =
        problem_.errors(group.twin.key(lane).with(Purpose::restart), config_.first_guess_deviation);
    for (std::size_t i = 0; i < Problem::size; ++i) guess[i] += group.twin.truth().at(i, lane);
    return guess;
  }
  void start_lane(Lesson& lesson, const typename Runs::Group& group, std::size_t lane) const {
    const auto guess = guess_of(group, lane);
    filter_.start_lane(lesson.carried, lane, std::span<const double, Problem::size>(guess),
                       config_.first_guess_deviation, group.twin.key(lane));
  }

  /// P^a_{i,k} ← P^a_{i,k} / (s_i s_k), and of that a part for each tap that meets the same point.
  void in_units_of_errors(T* covariances) const {
    using Grid = typename Network::Grid;
    constexpr std::size_t channels = Problem::channels, width = Network::Head::width;
    for (std::size_t i = 0; i < Problem::size; ++i)
      for (std::size_t j = 0; j < Grid::taps(width); ++j)
        for (std::size_t c = 0; c < channels; ++c, ++covariances) {
          const std::size_t k = Grid::tap(i / channels, j, width) * channels + c;
          double unit = deviations_[i] * deviations_[k];
          if (!parts_.empty()) unit *= parts_[i / channels * Grid::taps(width) + j];
          *covariances *= T(static_cast<Real>(1 / unit));
        }
  }

  Filter filter_;
  Problem problem_;
  TrainConfig config_;
  std::vector<double> norm_;            ///< weights of the norm
  std::vector<double> deviations_;      ///< s
  double mean_square_ = 0;              ///< of s, in the norm
  std::vector<std::uint32_t> parts_{};  ///< see tap_parts
};

/// No lessons.
template <class Runs>
class Lessons<NoTeacher, Runs> {
 public:
  using Cycle =
      BoundedCycle<typename Runs::Problem, typename Runs::Network, typename Runs::Observed>;
  struct Lesson {};

  /// Throws ConfigError if some updates are to be taught.
  Lessons(NoTeacher, const typename Runs::Problem&, const TrainConfig& config,
          std::span<const double>) {
    if (config.taught > 0)
      throw ConfigError(
          to_text("Trainer: taught is ", config.taught,
                  " without a teacher, expected 0; name one: Trainer<Problem, Network, "
                  "Lanes, EnsrfTeacher<64>>"));
  }
  [[nodiscard]] bool teach_in(std::size_t) const { return false; }
  [[nodiscard]] Lesson start(const typename Runs::Group&) const { return {}; }
  void teach(Lesson&, std::size_t, const typename Runs::Group&, const typename Runs::Observed&,
             typename Runs::Truth&) const {}
  [[nodiscard]] Cycle cycle(const typename Runs::Cycle& plain, const Lesson*, std::size_t) const {
    return {plain};
  }
  void weigh(Lesson*, std::size_t, const typename Runs::T*, const typename Runs::Truth&,
             double) const {}
  void silence(Lesson*, std::size_t, std::size_t) const {}
  [[nodiscard]] double fingerprint(const Lesson&, const typename Runs::Group&) const { return 0; }
  template <class Archive>
  void transfer(Lesson&, Archive&) const {}
};

}  // namespace dan
