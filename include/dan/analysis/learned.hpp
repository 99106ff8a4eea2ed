// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>

#include "dan/analysis/cycle.hpp"
#include "dan/analysis/setting.hpp"
#include "dan/analysis/weights.hpp"
#include "dan/core/error.hpp"

namespace dan {

/// The learned analysis (data assimilation network) as one more analysis.
///
/// Carries the state of every member and, for a recurrent network, its memory channels; `Runs`
/// independent runs are computed side by side, a lane each. The estimate is the mean over members.
/// As in training, uplift and analyses are kept within `Network::bounds`.
/// Works in the precision of its parameters; first guess and observations are rounded to it.
/// Cost per cycle: one model step per member and one pass of the network. Memory: one cache of the
/// network per group of runs.
template <class Setting_, class Network_, std::size_t Runs = simd_width<float>, class Real_ = float>
class Learned : public AnalysisTypes<Setting_, Real_, Runs> {
 public:
  using Types = AnalysisTypes<Setting_, Real_, Runs>;
  using typename Types::Estimate, typename Types::FirstGuessBatch, typename Types::Observed;
  using Setting = Setting_;
  using Network = Network_;
  using Cycle = LearnedCycle<Setting, Network, Observed>;
  using T = lanes_t<Real_, Runs>;
  static constexpr std::size_t members = Network::members;

  struct Carried {
    Batch<Real_, Cycle::carried, 1, Runs> values;  ///< members × points × channels, then memory
    std::unique_ptr<typename Cycle::template Cache<T>> cache;
  };

  Learned(const Setting& setting, const Trained<Network, Real_>& trained)
      : setting_(setting), trained_(trained) {}

  /// The first guess, with members (if more than one) spread around it; an empty memory.
  [[nodiscard]] Carried start(const FirstGuessBatch& guess, double deviation,
                              const RandomKey& key) const {
    Carried carried{{}, std::make_unique<typename Cycle::template Cache<T>>()};
    std::array<double, Cycle::states> error{};
    for (std::size_t l = 0; l < Runs; ++l) {
      if constexpr (members > 1)
        fill_normal<double>(RandomKey{key.seed, Stream::ensemble, key.run + l, key.cycle}, error);
      for (std::size_t i = 0; i < Cycle::states; ++i)
        carried.values.at(i, l) =
            static_cast<Real_>(guess.at(i % Types::size, l) + deviation * error[i]);
    }
    carried.values.repeat_last_lane();
    return carried;
  }

  void forecast(Carried& carried) const {
    for (std::size_t m = 0; m < members; ++m) {
      T* state = carried.values.data() + m * Types::size;
      setting_.model.step(state, state);
    }
  }

  /// Throws NumericalError for an observation that is not valid.
  void analyse(Carried& carried, const Observed& observed, const RandomKey&) const {
    require_valid_observations("Learned::analyse", observed);
    T* values = carried.values.data();
    const Cycle cycle{setting_, trained_.network, observed, trained_.network.bounds()};
    cycle.analyse(trained_.parameters.data(), values, values, *carried.cache);
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
  /// (`TrainConfig::taught_gain`).
  void spread(const Carried& carried, std::span<double> to) const requires(Network::gain) {
    T sum(Real_(0));
    for (std::size_t i = 0; i < Types::size; ++i)
      sum += Network::variance(carried.cache->network, i);
    for (std::size_t l = 0; l < Runs; ++l)
      to[l] = std::sqrt(std::max(static_cast<double>(lane_of(sum, l)) / Types::size, 0.0));
  }

 private:
  Setting setting_;
  Trained<Network, Real_> trained_;
};

}  // namespace dan
