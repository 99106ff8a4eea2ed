// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dan/analysis/cycle.hpp"
#include "dan/analysis/way_back.hpp"
#include "dan/core/error.hpp"
#include "dan/core/notice.hpp"
#include "dan/network/trained_for.hpp"
#include "dan/network/weights.hpp"
#include "dan/problem/describe.hpp"
#include "dan/problem/problem.hpp"

namespace dan {

/// Options of a learned analysis.
struct LearnedConfig {
  bool way_back = true;  ///< see Learned
};

/// The learned analysis (data assimilation network) as one more analysis.
///
/// Carries the state of every member and, for a recurrent network, its memory channels; `Runs`
/// independent runs are computed side by side, a lane each. The estimate is the mean over members.
/// As in training, departures and analyses are kept within `Network::bounds`.
///
/// With `way_back`, a run whose innovations contradict its forecasts, with what was usual in the
/// training (`TrainedFor::innovation_at`), is not left to the network but goes back: the memory is
/// emptied and the analysis of every member is the static one of `WayBack`.
/// The next cycle begins like a training's start: near the truth, with an empty memory. Where R is
/// larger than believed the way back does not help, and after a while is not taken any more.
///
/// Says once (`notice`) in what the problem lies outside that of the training.
/// Works in the precision of its parameters; first guess and observations are rounded to it.
/// Cost per cycle: one model step per member and one pass of the network. Memory: one cache of the
/// network per group of runs. Source of the way back: ours.
template <class Problem_, class Network_, std::size_t Runs = simd_width<float>, class Real_ = float>
class Learned : public AnalysisTypes<Problem_, Real_, Runs> {
 public:
  using Types = AnalysisTypes<Problem_, Real_, Runs>;
  using typename Types::Estimate, typename Types::FirstGuessBatch, typename Types::Observed;
  using Types::channels, Types::size, Types::slots;
  using Problem = Problem_;
  using Network = Network_;
  using Cycle = LearnedCycle<Problem, Network, Observed>;
  using T = lanes_t<Real_, Runs>;
  static constexpr std::size_t members = Network::members;
  static constexpr std::string_view method = "Learned";

  struct Carried {
    Batch<Real_, Cycle::carried, 1, Runs> values;  ///< members × points × channels, then memory
    std::unique_ptr<typename Cycle::template Cache<T>> cache;
    typename WayBack<Problem, Real_, Runs>::State way_back{};
    std::size_t cycle = 0;            ///< at which the next forecast begins
    bool analysed = false;            ///< since the start, or since it was loaded
    std::array<bool, Runs> silent{};  ///< nothing reported in the last analysis
  };

  Learned(const Problem& problem, const Trained<Network, Real_>& trained,
          const LearnedConfig& config = {})
      : problem_(problem),
        trained_(trained),
        config_(config),
        weights_(problem.weights()),
        deviations_(units(problem, trained)),
        scales_(scales_shown(problem, trained.network, deviations_)),
        way_back_(trained.network.input_deviation, trained.network.bounds()) {
    for (std::size_t i = 0; i < size; ++i)
      climate_variance_ += weights_[i] *
                           std::pow(trained.network.input_deviation[i % channels], 2) /
                           static_cast<double>(size);
    if (!trained.trained_for) return;
    const auto here = trained_for(problem, trained.network);
    way_back_ = {trained.network.input_deviation, trained.network.bounds(),
                 trained.trained_for->innovation_at(here)};
    std::string list;
    for (const auto& difference : differences(*trained.trained_for, here))
      list += "\n  " + difference;
    if (!list.empty())
      notice(
          to_text("Learned: the network was trained for another problem, so its scores may not "
                  "hold:",
                  list, "\n  trained for: ", trained.trained_for->problem,
                  "\n  here:        ", describe(problem)));
  }

  /// The first guess, with members (if more than one) spread around it; an empty memory.
  [[nodiscard]] Carried start(const FirstGuessBatch& guess, double deviation,
                              const RandomKey& key) const {
    Carried carried{{}, std::make_unique<typename Cycle::template Cache<T>>(), {}, key.cycle};
    for (std::size_t l = 0; l < Runs; ++l) {
      const auto error = problem_.errors(key.with(Purpose::ensemble).of_lane(l),
                                         members > 1 ? deviation : 0, members);
      for (std::size_t i = 0; i < Cycle::states; ++i)
        carried.values.at(i, l) = static_cast<Real_>(guess.at(i % Types::size, l) + error[i]);
    }
    carried.values.repeat_last_lane();
    return carried;
  }

  void forecast(Carried& carried) const {
    const auto time = static_cast<double>(carried.cycle++);
    for (std::size_t m = 0; m < members; ++m) {
      T* state = carried.values.data() + m * size;
      at_time(problem_.model, time).step(state, state);
    }
  }

  /// Throws NumericalError for an observation that is not valid.
  void analyse(Carried& carried, const Observed& observed, const RandomKey&) const {
    require_valid_observations("Learned::analyse", observed);
    T* values = carried.values.data();
    carried.analysed = true;
    carried.silent.fill(true);
    for (std::size_t j = 0; j < slots; ++j)
      for (std::size_t l = 0; l < Runs; ++l)
        if (observed.precision.at(j, l) > 0) carried.silent[l] = false;
    const auto here = cycle(observed);
    const auto& operation = placed(problem_.observe, observed);
    Scratch<T> mean(size, Unset{}), forecast(Cycle::states, Unset{});
    Cycle::mean_of_members(values, mean.data());
    const bool back =
        config_.way_back && way_back_.find(operation, observed, mean.data(), carried.way_back);
    if (back)
      std::copy_n(values, Cycle::states, forecast.data());
    else
      carried.way_back.variance.fill(0);
    here.analyse(trained_.parameters.data(), values, values, *carried.cache);
    if (!back) return;
    for (std::size_t m = 0; m < members; ++m)
      way_back_.analyse(operation, observed, carried.way_back, &forecast[m * size],
                        values + m * size);
    for (std::size_t l = 0; l < Runs; ++l)  // the memory is emptied
      for (std::size_t i = Cycle::states; i < Cycle::carried && carried.way_back.variance[l] > 0;
           ++i)
        carried.values.at(i, l) = Real_(0);
    carried.values.repeat_last_lane();
  }

  /// The mean over members, in double.
  void estimate(const Carried& carried, Estimate& to) const {
    for (std::size_t i = 0; i < Types::size; ++i)
      for (std::size_t l = 0; l < Runs; ++l) {
        double sum = 0;
        for (std::size_t m = 0; m < members; ++m)
          sum += static_cast<double>(carried.values.at(m * Types::size + i, l));
        to.at(i, l) = sum / static_cast<double>(members);
      }
    to.repeat_last_lane();
  }

  /// √ of the mean variance of the analysis' error according to the network's own gain, a number
  /// for each run, 0 if that is negative; worth as much as the gain was taught
  /// (`TrainConfig::taught_gain`). Where the last analysis was static, that of B. In the problem's
  /// norm. NaN, not known, before there is an analysis, since a start or since it was loaded, and
  /// after one in which nothing reported: the gain, which was not used, does not tell of a
  /// forecast.
  void spread(const Carried& carried, std::span<double> to) const requires(Network::gain) {
    if (!carried.analysed) {
      std::ranges::fill(to, std::numeric_limits<double>::quiet_NaN());
      return;
    }
    T sum(Real_(0));
    for (std::size_t i = 0; i < Types::size; ++i)
      sum += T(static_cast<Real_>(weights_[i] * deviations_[i] * deviations_[i])) *
             Network::variance(carried.cache->network, i);
    for (std::size_t l = 0; l < Runs; ++l) {
      const double v = carried.way_back.variance[l];
      const double mean = static_cast<double>(lane_of(sum, l)) / Types::size;
      to[l] = carried.silent[l] ? std::numeric_limits<double>::quiet_NaN()
                                : std::sqrt(v > 0 ? v * climate_variance_ : std::max(mean, 0.0));
    }
  }

  /// The variance of each element of lane `run`'s last analysis, not known (NaN) where `spread` is
  /// not; 0 where the gain's is negative.
  void variances(const Carried& carried, std::size_t run, std::span<double> to) const
      requires(Network::gain) {
    if (!carried.analysed || carried.silent[run]) {
      std::ranges::fill(to, std::numeric_limits<double>::quiet_NaN());
      return;
    }
    const double v = carried.way_back.variance[run];
    for (std::size_t i = 0; i < Types::size; ++i) {
      const T own = Network::variance(carried.cache->network, i);
      to[i] = v > 0 ? v * std::pow(trained_.network.input_deviation[i % channels], 2)
                    : std::pow(deviations_[i], 2) *
                          std::max(static_cast<double>(lane_of(own, run)), 0.0);
    }
  }

  /// Whether the last analysis of each run was the static one of the way back: 1, else 0.
  void went_back(const Carried& carried, std::span<double> to) const {
    for (std::size_t l = 0; l < Runs; ++l) to[l] = carried.way_back.variance[l] > 0 ? 1 : 0;
  }

  /// The share of the state that is at the bounds, a number for each run.
  void at_bounds(const Carried& carried, std::span<double> to) const {
    const auto bounds = trained_.network.bounds();
    for (std::size_t l = 0; l < Runs; ++l) {
      std::size_t count = 0;
      for (std::size_t i = 0; i < Cycle::states; ++i) {
        const Real_ x = carried.values.at(i, l);
        count += x <= static_cast<Real_>(bounds.low[i % channels]) ||
                 x >= static_cast<Real_>(bounds.high[i % channels]);
      }
      to[l] = static_cast<double>(count) / Cycle::states;
    }
  }

  /// Number i of member m of run l; the memory stays as it is.
  [[nodiscard]] static auto& element(Carried& carried, std::size_t m, std::size_t i,
                                     std::size_t l) {
    return carried.values.at(m * size + i, l);
  }

  /// What of it outlives a process, see save_carried; a memory means nothing to other weights.
  template <class Archive>
  void transfer(Carried& carried, Archive& archive) const {
    if constexpr (Cycle::carried > Cycle::states)
      archive.same("weights",
                   detail::checksum({{reinterpret_cast<const char*>(trained_.parameters.data()),
                                      Network::parameters * sizeof(Real_)}}));
    archive.batch("values", carried.values);
    archive.count("time", carried.cycle);
    carried.way_back.transfer(archive);
  }

  [[nodiscard]] const Trained<Network, Real_>& trained() const { return trained_; }
  /// s, see `observation_deviations`; one per element of the state.
  [[nodiscard]] std::span<const double> deviations() const { return deviations_; }

  /// The cycle with these observations, as it was trained.
  [[nodiscard]] Cycle cycle(const Observed& observed) const {
    return {.problem = problem_,
            .network = trained_.network,
            .observed = observed,
            .deviations = deviations_,
            .bounds = trained_.network.bounds(),
            .scales = scales_};
  }

 private:
  /// s, see `observation_deviations`. Where places come with the observations so do their errors,
  /// and those of the problem are nobody's: s is that of the training, if it is known. A network
  /// that sees the scales, or was trained for several problems with unlike errors, has that of the
  /// problem, which should suit the observations.
  static std::vector<double> units(const Problem& problem, const Trained<Network, Real_>& trained) {
    if constexpr (MovingOperator<typename Problem::Operator> && !Network::shape.sees_scales)
      if (const auto& known = trained.trained_for; known && known->one_unit()) {
        std::vector<double> s(size);
        for (std::size_t i = 0; i < size; ++i) {
          s[i] = known->deviation(i % channels);
          require_positive("Learned", "deviations of trained_for", s[i]);
        }
        return s;
      }
    return observation_deviations(problem, trained.network);
  }

  Problem problem_;
  Trained<Network, Real_> trained_;
  LearnedConfig config_;
  std::vector<double> weights_;     ///< of the norm
  std::vector<double> deviations_;  ///< see `observation_deviations`
  std::vector<double> scales_;      ///< see `scales_shown`
  double climate_variance_ = 0;     ///< in the norm
  WayBack<Problem, Real_, Runs> way_back_;
};

}  // namespace dan
