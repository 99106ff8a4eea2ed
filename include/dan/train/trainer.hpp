// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "dan/autodiff/unroll.hpp"
#include "dan/core/interrupt.hpp"
#include "dan/core/notice.hpp"
#include "dan/core/parallel.hpp"
#include "dan/core/processes.hpp"
#include "dan/core/progress.hpp"
#include "dan/io/archive.hpp"
#include "dan/io/deal_out.hpp"
#include "dan/network/weights.hpp"
#include "dan/problem/describe.hpp"
#include "dan/problem/scaling.hpp"
#include "dan/train/average.hpp"
#include "dan/train/clip.hpp"
#include "dan/train/config.hpp"
#include "dan/train/fingerprint.hpp"
#include "dan/train/innovation.hpp"
#include "dan/train/itinerary.hpp"
#include "dan/train/learner.hpp"
#include "dan/train/lessons.hpp"
#include "dan/train/loss.hpp"
#include "dan/train/optimiser.hpp"
#include "dan/train/parts.hpp"
#include "dan/train/runs.hpp"
#include "dan/train/schedule.hpp"
#include "dan/train/start.hpp"
#include "dan/train/teacher.hpp"
#include "dan/train/watch.hpp"

namespace dan {

/// Trains an analysis network by truncated backpropagation through chained cycles.
///
/// In every update each run goes on by `unroll` cycles (see `Runs`); the loss of all their analyses
/// goes backwards through them (see `Learner`), and the last analysis starts the next update,
/// detached. Targets are the truth, or what the `Teacher` says (see `Lessons`).
///
/// Runs are cut into groups of `Lanes`; each group has its own gradient slot, the slots are summed
/// in order, so the number of threads changes no bit of the result. Nor does the number of
/// processes (`MpiRanks`), among which groups are dealt out: every process learns from its groups,
/// then all have all gradients and make the same update. Each update costs groups × parameters
/// numbers of communication; take as many groups as processes, or a multiple. Rank 0 writes the
/// checkpoints.
///
/// A network that shall serve several problems, of one type, learns from all of them: groups go
/// from one to the next, and stay `TrainConfig::stay` updates at each.
///
/// A model without an adjoint (a `BlackBox`) can be trained on with `unroll` 1: the gradient then
/// ends at the forecast.
///
/// Further template arguments, in any order, are what is not as by default: a teacher (NoTeacher),
/// a loss (SupervisedLoss), processes (OneProcess), the numbers (float), Choose<Keep::inputs> where
/// memory is short, Choose<Kernels::direct>:
///     Trainer<Problem, Network, 16, EnsrfTeacher<64>, MyLoss, double>
/// By default convolutions are computed by minimal filtering where that is faster: the last bits of
/// gradients are others than by direct sums, what is learned is as good (docs/performance.md).
///
/// Memory: threads × the memory of one `Unrolled`; groups × unroll × observations and targets, and
/// the teacher's; a teacher's filter for each problem. Source: Bocquet et al., Chaos 34 (2024)
/// 091104, section II; persistent runs, restarts and teacher are ours.
template <class Problem_, class Network_, std::size_t Lanes, class... Parts>
class Trainer {
 public:
  using Problem = Problem_;
  using Network = Network_;
  static constexpr std::size_t lanes = Lanes;

 private:
  using These = detail::TrainingParts<Problem, Network, Lanes, Parts...>;

 public:
  using Real = typename These::Real;
  using Teacher = typename These::Teacher;
  using Loss = typename These::Loss;
  using Ranks = typename These::Ranks;
  static_assert(Lanes % simd_width<Real> == 0,
                "Trainer: Lanes must be a multiple of dan::simd_width<Real>");

  /// Trains on `problems`, a problem or a vector of them.
  ///
  /// `start` is a network, for random weights, or a trained one, for example of `load_weights`,
  /// whose weights are trained further with their input scaling; optimiser, schedule and runs begin
  /// anew: with another `seed` than the training before they see other truths. `given`: values of
  /// the teacher, the loss and the processes, in any order, as far as they are not those by
  /// default. Throws ConfigError for a value out of range, and if there is no problem.
  template <class... Given>
  requires((std::same_as<Given, Teacher> || std::same_as<Given, Loss> ||
            std::same_as<Given, Ranks>)&&...)
      Trainer(const detail::ProblemList<Problem>& problems,
              const detail::StartingWeights<Network, Real>& start, const TrainConfig& config,
              const Given&... given)
      : Trainer(problems.list, start.of(config.seed), config,
                std::tuple<const Given&...>(given...)) {}

  /// The same with the teacher first, whose numbers may stand in braces.
  template <class... Given>
  Trainer(const detail::ProblemList<Problem>& problems,
          const detail::StartingWeights<Network, Real>& start, const TrainConfig& config,
          const Teacher& teacher, const Given&... given)
      : Trainer(problems.list, start.of(config.seed), config,
                std::tuple<const Teacher&, const Given&...>(teacher, given...)) {}

  /// One unroll of every run and one update of the parameters; returns the RMSE from the target.
  double update() {
    const bool first = config_.first_unroll > 0 && now_.updates < config_.first_updates;
    const std::size_t cycles = first ? config_.first_unroll : config_.unroll;
    team_.for_each(config_.groups, [&](std::size_t g) {
      if (owner_of(processes_, g) == processes_.rank())
        learner(g, now_.updates)
            .learn(now_.groups[g], now_.trained.parameters, cycles, now_.updates, chains_);
    });
    for (std::size_t g = 0; g < config_.groups; ++g)
      now_.groups[g].share(processes_, owner_of(processes_, g));
    double loss = 0;
    std::size_t restarts = 0;
    std::vector<std::vector<double>> seen(learners_.size());
    std::vector<std::span<Real>> gradients;
    for (std::size_t g = 0; g < config_.groups; ++g) {
      auto& group = now_.groups[g];
      loss += group.loss;
      restarts += group.restarts;
      auto& here = seen[itinerary_.problem(g, now_.updates)];
      here.insert(here.end(), group.innovations.begin(), group.innovations.end());
      gradients.push_back(span_of(group.gradient));
    }
    now_.report.restarts += restarts;
    if (restarts > 0) now_.report.last_restart = now_.updates;
    const double norm = sum_gradients(gradients, team_);
    if (std::isfinite(norm)) {
      now_.optimiser.update(span_of(now_.trained.parameters), gradients.front(),
                            schedule_.rate(now_.updates), team_, now_.limit.factor(norm));
      if (config_.average > 0)
        now_.average.update(span_of(now_.trained.parameters), now_.optimiser.updates());
    } else {
      ++now_.report.skipped;
    }
    for (std::size_t n = 0; n < seen.size(); ++n) follow_innovations(seen[n], innovation(now_, n));
    settle_innovations(now_);
    now_.watch.add(static_cast<double>(restarts) / static_cast<double>(config_.groups * Lanes),
                   !std::isfinite(norm));
    ++now_.updates;
    team_.for_each(config_.groups, [&](std::size_t g) {
      if (itinerary_.begins(g, now_.updates)) now_.groups[g] = beginning(g, now_.updates);
    });
    now_.report.rmse.push_back(static_cast<float>(std::sqrt(2 * loss)));
    return now_.report.rmse.back();
  }

  /// All updates that are left, with a progress bar; returns the trained network.
  ///
  /// Throws Interrupted when told to stop; nothing is kept then.
  /// Throws NumericalError when nothing is learned: from 500 updates after the warm-up on, and in
  /// the end, when in the mean of about the last 100 updates more than half of the runs lost the
  /// truth in every update, or more than half of the updates were left out.
  const Trained<Network, Real>& run() {
    return run_keeping([] {}, [](double) { return false; },
                       "nothing is kept: give `run` a checkpoint");
  }
  /// The same with a checkpoint: goes on from that file if it is there, else writes it at once, so
  /// that a place that cannot be written is an error before the work; then writes it every
  /// `seconds_between` seconds: a training that is killed loses no more than that. An interrupted
  /// one (see core/interrupt.hpp) finishes its update, writes it and loses nothing.
  /// An empty path: no checkpoint. Throws as `run`, and FileError as `resume` and
  /// `save_checkpoint`.
  const Trained<Network, Real>& run(const std::filesystem::path& checkpoint,
                                    double seconds_between = 60) {
    if (checkpoint.empty()) return run();
    const bool first = processes_.rank() == 0;
    if (processes_.any(first && std::filesystem::exists(checkpoint)))
      resume(checkpoint);
    else
      save_checkpoint(checkpoint);
    return run_keeping(
        [&] { save_checkpoint(checkpoint); },
        [&](double seconds) { return processes_.any(first && seconds >= seconds_between); },
        to_text("the same call goes on from ", checkpoint.string()));
  }

  /// Writes everything that `resume` needs to go on with the same bits; all or nothing.
  /// Throws FileError if the file cannot be written.
  /// Of several processes the first one writes; all of them must make this call.
  [[gnu::cold]] void save_checkpoint(const std::filesystem::path& path) {
    for (std::size_t g = 0; g < config_.groups; ++g) share_runs(g);
    if (processes_.rank() > 0) return;
    ArchiveWriter writer;
    transfer(now_, writer);
    writer.save(path);
  }

  /// Goes on from a checkpoint of the same training: the final weights are bit for bit those of an
  /// uninterrupted run. Throws FileError, and changes nothing, if the file is missing, damaged, or
  /// of a training with another architecture or configuration.
  [[gnu::cold]] void resume(const std::filesystem::path& path) {
    ArchiveReader reader("Trainer::resume", path,
                         "; it is of another training: remove it, or give this one another name");
    State saved = now_;
    transfer(saved, reader);
    reader.finish();
    now_ = std::move(saved);
  }

  /// Updates done so far.
  [[nodiscard]] std::size_t updates() const { return now_.updates; }
  /// The network with its latest weights, or with `TrainConfig::average` their running mean.
  [[nodiscard]] const Trained<Network, Real>& trained() const {
    return config_.average > 0 ? now_.average.mean : now_.trained;
  }
  [[nodiscard]] const TrainReport& report() const { return now_.report; }

 private:
  using TheRuns = Runs<Problem, typename Network::template With<These::kernels>, Lanes, Real>;
  using TheLearner = Learner<TheRuns, Lessons<Teacher, TheRuns>, Loss, These::keep>;

  template <class... Given>
  Trainer(const std::vector<Problem>& problems, const Trained<Network, Real>& start,
          const TrainConfig& config, const std::tuple<const Given&...>& given)
      : config_(checked(config, start)),
        schedule_{
            .peak = config.learning_rate, .warm_up = config.warm_up, .updates = config.updates},
        itinerary_{.problems = problems.size(),
                   .groups = config.groups,
                   .stay = config.stay,
                   .updates = config.updates},
        chains_(config.unroll),
        team_(config.threads),
        processes_(detail::given_or_default<Ranks>(given)),
        now_{.trained = start,
             .average = {config.average, start},
             .optimiser = Optimiser<Real>(
                 Network::parameters, config.adam,
                 config.use_muon ? hidden_matrices<Network>() : std::vector<MatrixPlace>{},
                 config.muon),
             .limit = {config.clip},
             .watch = {},
             .report = {},
             .groups = {}} {
    if (!DifferentiableModel<typename Problem::Model> && config.unroll > 1)
      throw ConfigError(
          to_text("Trainer: unroll is ", config.unroll,
                  ", expected 1 for a model without step_adjoint; write it, or put the "
                  "model into Differentiated<...>"));
    require_at_least("Trainer", "the number of problems", problems.size(), 1);
    const auto teacher = detail::given_or_default<Teacher>(given);
    const auto loss = detail::given_or_default<Loss>(given);
    if constexpr (requires { Teacher::of_one_problem; })
      if (problems.size() > 1)
        throw ConfigError(
            to_text("Trainer: the teacher is a filter of one problem, found ", problems.size(),
                    " problems; take an EnsrfTeacher, or a teacher of yours whose filter(problem) "
                    "is made for the problem"));
    for (const auto& problem : problems)
      learners_.emplace_back(problem, start.network.template with<These::kernels>(), config,
                             teacher, problems.size() > 1, loss);
    auto record = trained_for(problems.front(), start.network);
    for (std::size_t n = 1; n < problems.size(); ++n)
      record.join(trained_for(problems[n], start.network));
    if (problems.size() > 1)
      record.problem += to_text(" (the first of ", problems.size(), " problems)");
    if (start.trained_for && record.problems.empty())
      record.innovation = start.trained_for->innovation;
    for (auto& problem : record.problems)
      if (start.trained_for) problem.innovation = start.trained_for->innovation_of(problem);
    now_.trained.trained_for = now_.average.mean.trained_for = record;
    for (std::size_t g = 0; g < config.groups; ++g)
      now_.groups.push_back(learner(g, 0).group(itinerary_.number(g, 0)));
    for (std::size_t g = 0; g < config.groups; ++g) learner(g, 0).check(now_.groups[g]);
    team_.for_each(config.groups, [&](std::size_t g) { learner(g, 0).start(now_.groups[g]); });
    for (std::size_t n = config.groups; n < problems.size(); ++n)
      learners_[n].check(learners_[n].group(n));  // what cannot start later is said now
    if (const std::size_t left = itinerary_.not_reached(); left > 0 && processes_.rank() == 0)
      notice(to_text("Trainer: ", left, " of ", problems.size(), " problems are not reached in ",
                     config.updates, " updates; take more updates, more groups or a shorter stay"));
    origin_ = training_origin(problems, start, learners_.front().fingerprint(now_.groups.front()),
                              loss_fingerprint<Network>(loss));
  }

  /// The updates that are left; calls `keep` whenever it is `due` after so many seconds, and in the
  /// end. `kept`: what is said when told to stop.
  const Trained<Network, Real>& run_keeping(const auto& keep, const auto& due,
                                            const std::string& kept) {
    using Clock = std::chrono::steady_clock;
    Progress progress("training", config_.updates, config_.progress && processes_.rank() == 0,
                      stderr, updates());
    auto begin = Clock::now();
    const auto seconds = [&] {
      return std::chrono::duration<double>(Clock::now() - begin).count();
    };
    const auto take_stock = [&] {
      now_.report.seconds += seconds();
      begin = Clock::now();
      keep();
    };
    while (updates() < config_.updates) {
      if (processes_.any(interrupted())) {
        take_stock();
        throw Interrupted(to_text("Trainer::run: interrupted after ", updates(), " of ",
                                  config_.updates, " updates; ", kept));
      }
      const double rmse = update();
      progress.advance(1, to_text("RMSE ", std::round(rmse * 1e4) / 1e4));
      if (updates() >= std::min(config_.updates, config_.warm_up + 500))
        now_.watch.require_learning("Trainer::run", updates());
      if (due(seconds())) take_stock();
    }
    take_stock();
    return trained();
  }

  /// Of the problem that group `g` is at.
  [[nodiscard]] const TheLearner& learner(std::size_t g, std::size_t update) const {
    return learners_[itinerary_.problem(g, update)];
  }
  /// The group as it begins there.
  [[nodiscard]] typename TheLearner::Group beginning(std::size_t g, std::size_t update) const {
    auto group = learner(g, update).group(itinerary_.number(g, update));
    learner(g, update).start(group);
    return group;
  }

  /// All that changes from update to update.
  struct State {
    Trained<Network, Real> trained;
    WeightAverage<Network, Real> average;
    Optimiser<Real> optimiser;
    NormLimit limit;
    Watch watch;
    TrainReport report;
    std::deque<typename TheLearner::Group> groups;
    std::size_t updates = 0;
  };

  /// That of problem `n` in the record of the weights, see `follow_innovations`.
  static double& innovation(State& state, std::size_t n) {
    auto& record = *state.trained.trained_for;
    return record.problems.empty() ? record.innovation : record.problems[n].innovation;
  }
  static void settle_innovations(State& state) {
    auto& record = *state.trained.trained_for;
    if (!record.problems.empty())
      record.innovation =
          std::ranges::max(record.problems, {}, &TrainedProblem::innovation).innovation;
    state.average.mean.trained_for = record;
  }

  template <class Archive>
  [[gnu::cold]] void transfer(State& state, Archive& archive) const {
    archive.same("format", "dan training checkpoint 8");
    archive.same("training", training_description<Lanes, These::kernels, Problem, Real>(
                                 origin_, state.trained.network, config_));
    archive.count("updates", state.updates, config_.updates);
    if constexpr (Archive::reads)
      for (std::size_t g = 0; g < config_.groups && learners_.size() > 1; ++g)
        state.groups[g] = beginning(g, state.updates);
    archive.numbers("parameters", span_of(state.trained.parameters), 1);
    for (std::size_t n = 0; n < learners_.size(); ++n)
      archive.number(to_text("innovation.", n), innovation(state, n));
    settle_innovations(state);
    if (config_.average > 0) archive.part("average", state.average);
    archive.part("optimiser", state.optimiser);
    archive.part("clip", state.limit);
    archive.part("watch", state.watch);
    archive.part("report", state.report);
    for (std::size_t g = 0; g < state.groups.size(); ++g)
      archive.part(to_text("groups.", g),
                   [&](auto& part) { learner(g, state.updates).transfer(state.groups[g], part); });
  }

  /// Everyone has the runs of group `g` as the process that learns from them.
  void share_runs(std::size_t g) {
    broadcast_value(
        processes_,
        [&](auto& archive) { learner(g, now_.updates).transfer(now_.groups[g], archive); },
        owner_of(processes_, g));
  }

  static const TrainConfig& checked(const TrainConfig& config,
                                    const Trained<Network, Real>& start) {
    config.require_valid("Trainer");
    require_usable("Trainer", start);
    return config;
  }

  TrainConfig config_;
  CosineSchedule schedule_;
  std::deque<TheLearner> learners_;     ///< one for each problem
  Itinerary itinerary_;                 ///< which group is at which
  typename TheLearner::Chains chains_;  ///< of all of them
  Threads team_;
  Ranks processes_;
  State now_;
  TrainingOrigin origin_{};
};

}  // namespace dan
