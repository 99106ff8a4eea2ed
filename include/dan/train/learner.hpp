// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "dan/analysis/cycle.hpp"
#include "dan/autodiff/map.hpp"
#include "dan/autodiff/unroll.hpp"
#include "dan/core/processes.hpp"
#include "dan/core/tensor.hpp"
#include "dan/network/weights.hpp"
#include "dan/problem/describe.hpp"
#include "dan/train/clip.hpp"
#include "dan/train/config.hpp"
#include "dan/train/innovation.hpp"
#include "dan/train/pool.hpp"

namespace dan {

/// A group's part of an update: its next cycles, their loss, and its gradient.
///
/// Of several problems each counts alike, however large its errors are and however fast they grow:
/// a group's gradient is given in units of its usual norm there (`NormLimit`), and
/// `TrainConfig::loss_limit` is in units of five usual errors, the mean over the last fifty updates
/// of the geometric mean of its runs'.
///
/// Nothing is learned from a run from the cycle on in which it is lost or its model not finite, nor
/// in a gap. Groups may learn at the same time, each in one thread; learners may share the `Chains`
/// that they compute in, threads × one `Unrolled`. See `Trainer`, `Runs` and `Lessons`.
template <class Runs, class Lessons, class Loss, Keep Policy>
class Learner {
 public:
  using Problem = typename Runs::Problem;
  using Network = typename Runs::Network;
  using Cycle = typename Lessons::Cycle;
  using T = typename Runs::T;
  using Real = real_t<T>;
  using Chains = Pool<Unrolled<Cycle, T, Policy>>;
  static constexpr std::size_t lanes = Runs::Truth::lanes;

  /// A group of runs, and what it finds in an update.
  struct Group {
    typename Runs::Group runs;
    std::optional<typename Lessons::Lesson> lesson{};
    std::vector<typename Runs::Observed> observed;
    std::vector<typename Runs::Truth> target;
    std::vector<double> innovations = std::vector<double>(lanes);  ///< 0: not known
    Tensor<Real, 1> gradient = zero_tensor<Real>(Network::parameters);
    double loss = 0;  ///< half the mean squared error of all groups' analyses from their targets
    // Of one of several problems:
    double usual = 0;  ///< the usual squared error
    NormLimit norm{};  ///< of the gradient
    std::size_t restarts = 0;

    Group(typename Runs::Group some_runs, std::size_t unroll)
        : runs(std::move(some_runs)), observed(unroll), target(unroll) {}

    /// Everyone has what process `from` found in its update; the runs stay where they are.
    void share(Processes auto& processes, std::size_t from) {
      const auto share_one = [&](auto& numbers) {
        processes.broadcast(std::as_writable_bytes(std::span(numbers.data(), numbers.size())),
                            from);
      };
      share_one(gradient);
      share_one(innovations);
      std::array<double, 2> rest{loss, static_cast<double>(restarts)};
      share_one(rest);
      loss = rest[0], restarts = static_cast<std::size_t>(rest[1]);
    }
  };

  /// `one_of_several`: the network learns from other problems, too.
  template <class Teacher>
  Learner(const Problem& problem, const Network& network, const TrainConfig& config,
          const Teacher& teacher, bool one_of_several = false, const Loss& loss = {})
      : one_of_several_(one_of_several),
        problem_(problem),
        network_(network),
        norm_(problem.weights()),
        deviations_(observation_deviations(problem, network)),
        scales_(scales_shown(problem, network, deviations_)),
        config_(in_units(config)),
        bounds_(network.bounds()),
        runs_(problem, network, config_),
        lessons_(teacher, problem, config_, deviations_),
        loss_(loss) {}

  /// Group `g`, not yet started.
  [[nodiscard]] Group group(std::size_t g) const { return {runs_.group(g), config_.unroll}; }
  /// Throws ConfigError if its truth is outside the bounds of the network's input scaling.
  void check(const Group& group) const { runs_.check(group.runs, bounds_); }
  /// First guesses for its runs and its teacher.
  void start(Group& group) const {
    runs_.start(group.runs);
    group.usual = std::pow(config_.first_guess_deviation, 2);
    group.norm = {.most = config_.clip};
    if (config_.taught > 0) group.lesson = lessons_.start(group.runs);
  }

  /// The next cycles, in update number `update`, with these weights; then some runs start anew.
  void learn(Group& group, const Tensor<Real, 1>& weights, std::size_t cycles, std::size_t update,
             Chains& chains) const {
    auto* const lesson = lessons_.teach_in(update) ? &*group.lesson : nullptr;
    for (std::size_t n = 0; n < cycles; ++n) {
      runs_.next(group.runs, group.observed[n], group.target[n]);
      if (lesson != nullptr)
        lessons_.teach(*lesson, n, group.runs, group.observed[n], group.target[n]);
    }
    const std::size_t before = group.runs.twin.cycle() - cycles;
    const auto cycle = [&](std::size_t n) {
      return lessons_.cycle({problem_, network_, group.observed[n], deviations_, bounds_,
                             static_cast<double>(before + n), scales_},
                            lesson, n);
    };
    const Real* const params = weights.data();
    auto chain = chains.take();
    std::copy_n(group.runs.carried.data(), Cycle::carried, chain->state(0));
    chain->forward(params, cycle, cycles);
    const auto lost_at = first_lost(group, *chain, cycles);
    innovations(cycle(cycles - 1), chain->state(cycles - 1), group.innovations);
    for (std::size_t l = 0; l < lanes; ++l)
      if (lost_at[l] <= cycles) group.innovations[l] = 0;
    const double weight = 1 / static_cast<double>(config_.groups * lanes * cycles * Problem::size);
    group.gradient.fill(Real(0));
    group.loss = 0;
    const double limit = config_.loss_limit * (one_of_several_ ? 5 * std::sqrt(group.usual) : 1);
    Scratch<T> d_first(Cycle::carried);
    chain->backward(
        params, cycle,
        [&](std::size_t n, T* d) {
          // An adjoint of a step that runs away makes NaN of zero.
          for (std::size_t l = 0; l < lanes; ++l)
            if (n + 1 == lost_at[l]) no_gradient(d, l);
          group.loss += loss_.template add<Network::members>(
              chain->state(n), group.target[n - 1].data(), norm_, weight, limit, d);
          lessons_.weigh(lesson, n - 1, chain->state(n), group.target[n - 1], weight);
          // Through a gap no gradient passes: what is unknown after it cannot be learned before.
          for (std::size_t l = 0; l < lanes; ++l) {
            if (n < lost_at[l] && !group.runs.silent(l, before + n)) continue;
            no_gradient(d, l);
            lessons_.silence(lesson, n - 1, l);
          }
        },
        d_first.data(), group.gradient.data());
    std::copy_n(chain->state(cycles), Cycle::carried, group.runs.carried.data());
    chains.give_back(std::move(chain));
    if (one_of_several_) {
      follow_usual(group, group.target[cycles - 1]);
      in_units_of_usual(group);
    }
    group.restarts = runs_.go_on(group.runs, group.target[cycles - 1], update);
    if (runs_.turn_over(group.runs) && group.lesson) group.lesson = lessons_.start(group.runs);
  }

  /// Changes with all that decides about the teacher; 0: nobody teaches.
  [[nodiscard]] double fingerprint(const Group& group) const {
    return group.lesson ? lessons_.fingerprint(*group.lesson, group.runs) : 0;
  }

  /// What a checkpoint must hold of a group, see io/archive.hpp.
  template <class Archive>
  void transfer(Group& group, Archive& archive) const {
    archive.part("runs", [&](auto& part) { runs_.transfer(group.runs, part); });
    if (one_of_several_) {
      archive.number("usual", group.usual);
      archive.part("norm", group.norm);
    }
    if (auto& lesson = group.lesson)
      archive.part("teacher", [&](auto& part) { lessons_.transfer(*lesson, part); });
  }

 private:
  /// The cycle, from 1 on, in which each lane is lost, outside of its gaps; else cycles + 1.
  template <class Chain>
  [[nodiscard]] std::array<std::size_t, lanes> first_lost(const Group& group, const Chain& chain,
                                                          std::size_t cycles) const {
    const std::size_t before = group.runs.twin.cycle() - cycles;
    std::array<std::size_t, lanes> lost_at;
    for (std::size_t l = 0; l < lanes; ++l)
      for (lost_at[l] = 1; lost_at[l] <= cycles; ++lost_at[l])
        if (!group.runs.silent(l, before + lost_at[l]) &&
            runs_.lost(chain.state(lost_at[l]), group.target[lost_at[l] - 1], l))
          break;
    return lost_at;
  }
  static void no_gradient(T* d, std::size_t lane) {
    for (std::size_t i = 0; i < Cycle::carried; ++i) lane_of(d[i], lane) = Real(0);
  }

  /// The running mean of the geometric mean of the squared errors of a group's last analyses.
  void follow_usual(Group& group, const typename Runs::Truth& target) const {
    double sum = 0;
    for (std::size_t l = 0; l < lanes; ++l) {
      const double square = runs_.distance(group.runs.carried.data(), target, l);
      sum += std::log(std::isfinite(square) && square > 0 ? square : group.usual);
    }
    group.usual += (std::exp(sum / lanes) - group.usual) / 50;
  }

  /// A gradient that is not finite stays so: its update is left out.
  static void in_units_of_usual(Group& group) {
    double squares = 0;
    for (const Real d : group.gradient) squares += static_cast<double>(d) * static_cast<double>(d);
    if (!(squares > 0 && std::isfinite(squares))) return;
    const double factor = group.norm.factor(std::sqrt(squares));
    group.gradient *= static_cast<Real>(factor / group.norm.mean);
  }

  /// The same with `first_guess_deviation` in units of the norm.
  [[nodiscard]] TrainConfig in_units(TrainConfig config) const {
    double squares = 0;
    for (std::size_t i = 0; i < Problem::size; ++i)
      squares += norm_[i] * deviations_[i] * deviations_[i];
    config.first_guess_deviation *= std::min(1.0, std::sqrt(squares / Problem::size));
    return config;
  }

  bool one_of_several_;
  Problem problem_;
  Network network_;
  std::vector<double> norm_;        ///< weights of the norm
  std::vector<double> deviations_;  ///< s, see LearnedCycle
  std::vector<double> scales_;      ///< see `scales_shown`
  TrainConfig config_;
  AnalysisBounds<Network::channels> bounds_;
  Runs runs_;
  Lessons lessons_;
  Loss loss_;
};

}  // namespace dan
