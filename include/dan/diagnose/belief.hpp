// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "dan/core/random.hpp"
#include "dan/experiment/record.hpp"

/// \file
/// What a method believes of its own analysis, and how well that fits the truth.
///
/// A score of beliefs is an object with `add(belief, truth, uniform)` and `merge(next)`, and for
/// several processes `transfer(archive)`; the library's are MeanCrps, RankHistogram, ReducedCentred
/// and SpreadSkill. In a twin experiment:
///
///     BeliefRecorder<MeanCrps> crps;
///     BeliefRecorder ranks{RankHistogram(41)};
///     run_twin(problem, EnkfN<MyProblem, 40>(problem), config, crps, ranks);
///     crps.score.mean();

namespace dan {

/// What is believed of one number: a Gaussian distribution, or that of the members if there are
/// any, of which mean and variance (of the sample, by N − 1) are then these.
struct Belief {
  double mean = 0, variance = 0;
  std::span<const double> members{};

  /// Of an ensemble of at least 2.
  [[nodiscard]] static Belief of(std::span<const double> members) {
    const auto n = static_cast<double>(members.size());
    double sum = 0, squares = 0;
    for (const double x : members) sum += x;
    for (const double x : members) squares += (x - sum / n) * (x - sum / n);
    return {sum / n, squares / (n - 1), members};
  }
};

/// The variance that the error of a belief's mean has if the belief is right: of an ensemble of N
/// members (N + 1)/N of the variance, because its mean is one of a sample.
[[nodiscard]] inline double variance_of_error(const Belief& belief) {
  const auto n = static_cast<double>(belief.members.size());
  return n > 0 ? belief.variance * (n + 1) / n : belief.variance;
}

/// Scores what a method believes of every element after every scored analysis of a twin experiment.
///
/// Belief: the members of a method that has some (HasMembers), else N(estimate, variances)
/// (HasVariances); analyses whose variances are not known (NaN) are left out. Element i is
/// multiplied by √w_i, w the weights of the problem's norm, so that all are in one unit and a mean
/// square is that of the norm. `uniform` is keyed by (seed, run, cycle, element). Cost: that of the
/// score for each element; memory: that of the score.
template <class Score>
struct BeliefRecorder : EmptyRecorder {
  Score score;

  BeliefRecorder() = default;
  explicit BeliefRecorder(Score of) : score(std::move(of)) {}

  void after_analysis(const auto& view) {
    using Method = std::decay_t<decltype(view.method)>;
    static_assert(
        HasMembers<Method> || HasVariances<Method>,
        "BeliefRecorder: the method does not say what it believes; take one with an "
        "ensemble, an Ekf, or a network with a gain head (NetworkShape::head) of one level");
    if (!view.scored()) return;
    for (std::size_t l = 0; l < view.runs; ++l)
      if (view.going(l)) add(view, l);
  }
  // By an argument: in a generic lambda clang 14 takes `score` for a member of somebody else.
  template <class Archive>
  requires requires(Score& of, Archive& archive) { of.transfer(archive); }
  void transfer(Archive& archive) { score.transfer(archive); }
  void merge(const BeliefRecorder& next) { score.merge(next.score); }

 private:
  void add(const auto& view, std::size_t lane) {
    using Method = std::decay_t<decltype(view.method)>;
    const std::size_t size = view.weights.size();
    std::vector<double> uniform(size), numbers(size);
    fill_uniform<double>(view.twin.key(lane).with(Purpose::ties), uniform);
    const auto truth = [&](std::size_t i) {
      return std::sqrt(view.weights[i]) * view.twin.truth().at(i, lane);
    };
    if constexpr (HasMembers<Method>) {
      constexpr std::size_t members = Method::members;
      std::vector<double> rows(size * members);
      for (std::size_t m = 0; m < members; ++m) {
        view.method.member(view.carried, lane, m, numbers);
        for (std::size_t i = 0; i < size; ++i)
          rows[i * members + m] = std::sqrt(view.weights[i]) * numbers[i];
      }
      for (std::size_t i = 0; i < size; ++i)
        score.add(Belief::of(std::span(rows).subspan(i * members, members)), truth(i), uniform[i]);
    } else {
      view.method.variances(view.carried, lane, numbers);
      if (std::isnan(numbers[0])) return;
      for (std::size_t i = 0; i < size; ++i)
        score.add(
            {std::sqrt(view.weights[i]) * view.estimate.at(i, lane), view.weights[i] * numbers[i]},
            truth(i), uniform[i]);
    }
  }
};

}  // namespace dan
