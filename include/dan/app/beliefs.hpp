// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <nlohmann/json.hpp>

#include "dan/core/error.hpp"
#include "dan/diagnose/belief.hpp"
#include "dan/diagnose/crps.hpp"
#include "dan/diagnose/rank_histogram.hpp"
#include "dan/diagnose/reduced_centred.hpp"
#include "dan/diagnose/spread_skill.hpp"

namespace dan::app {

/// Whether a method says what it believes of its error.
template <class Method>
concept Believes = HasMembers<Method> || HasVariances<Method>;

/// Everything in diagnose/ that scores beliefs, if it is wanted; the type is the same if it is not,
/// so that a twin experiment is compiled once.
template <class Method>
class Beliefs : public EmptyRecorder {
 public:
  explicit Beliefs(bool wanted) : wanted_(wanted) {}

  void after_analysis(const auto& view) {
    if constexpr (Believes<Method>)
      if (wanted_) scores_.after_analysis(view);
  }
  void merge(const Beliefs& next) { scores_.merge(next.scores_); }

  /// {"crps": …, "rank_histogram": […], "reduced_centred": {…}, "spread_skill": […]}.
  [[nodiscard]] nlohmann::ordered_json json() const {
    const auto& [crps, ranks, centred, skill] = scores_.all;
    nlohmann::ordered_json json{
        {"crps", crps.score.mean()},
        {"rank_histogram", ranks.score.counts()},
        {"reduced_centred",
         {{"bias", centred.score.bias()}, {"dispersion", centred.score.dispersion()}}}};
    if (crps.score.count() >= bins)
      for (const auto& bin : skill.score.bins(bins))
        json["spread_skill"].push_back(
            {{"spread", bin.spread}, {"skill", bin.skill}, {"count", bin.count}});
    return json;
  }

 private:
  static constexpr std::size_t bins = 10;
  static constexpr std::size_t classes = [] {  // of the rank histogram
    if constexpr (HasMembers<Method>)
      return Method::members + 1;
    else
      return std::size_t{20};
  }();

  bool wanted_;
  Recorders<BeliefRecorder<MeanCrps>, BeliefRecorder<RankHistogram>, BeliefRecorder<ReducedCentred>,
            BeliefRecorder<SpreadSkill>>
      scores_{{{}, BeliefRecorder(RankHistogram(classes)), {}, {}}};
};

}  // namespace dan::app
