// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <nlohmann/json.hpp>
#include <type_traits>

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
      if (wanted_) {
        crps_.after_analysis(view);
        ranks_.after_analysis(view);
        centred_.after_analysis(view);
        skill_.after_analysis(view);
      }
  }
  void merge(const Beliefs& next) {
    crps_.merge(next.crps_);
    ranks_.merge(next.ranks_);
    centred_.merge(next.centred_);
    skill_.merge(next.skill_);
  }

  /// {"crps": …, "rank_histogram": […], "reduced_centred": {…}, "spread_skill": […]}.
  [[nodiscard]] nlohmann::ordered_json json() const {
    nlohmann::ordered_json json{
        {"crps", crps_.score.mean()},
        {"rank_histogram", ranks_.score.counts()},
        {"reduced_centred",
         {{"bias", centred_.score.bias()}, {"dispersion", centred_.score.dispersion()}}}};
    if (crps_.score.count() >= bins)
      for (const auto& bin : skill_.score.bins(bins))
        json["spread_skill"].push_back(
            {{"spread", bin.spread}, {"skill", bin.skill}, {"count", bin.count}});
    return json;
  }

 private:
  static constexpr std::size_t bins = 10;
  static constexpr std::size_t ranks = [] {
    if constexpr (HasMembers<Method>)
      return Method::members + 1;
    else
      return std::size_t{20};
  }();

  bool wanted_;
  BeliefRecorder<MeanCrps> crps_{};
  BeliefRecorder<RankHistogram> ranks_{RankHistogram(ranks)};
  BeliefRecorder<ReducedCentred> centred_{};
  BeliefRecorder<SpreadSkill> skill_{};
};

}  // namespace dan::app
