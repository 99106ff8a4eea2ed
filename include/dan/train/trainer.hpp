// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dan/analysis/cycle.hpp"
#include "dan/analysis/ensrf.hpp"
#include "dan/autodiff/unroll.hpp"
#include "dan/core/interrupt.hpp"
#include "dan/core/parallel.hpp"
#include "dan/core/progress.hpp"
#include "dan/network/weights.hpp"
#include "dan/problem/describe.hpp"
#include "dan/problem/scaling.hpp"
#include "dan/problem/truth.hpp"
#include "dan/train/loss.hpp"
#include "dan/train/optimiser.hpp"
#include "dan/train/schedule.hpp"
#include "dan/train/upsets.hpp"

namespace dan {

/// How to train. The number of parallel runs is groups · Lanes.
struct TrainConfig {
  std::size_t updates = 5000;       ///< parameter updates in all
  std::size_t groups = 4;           ///< groups of Lanes runs, each with a gradient slot
  std::size_t window = 4;           ///< chained cycles that a gradient goes through, N_iter
  std::size_t first_window = 0;     ///< the same for the unstable first updates; 0: no difference
  std::size_t first_updates = 800;  ///< how many updates have the first window
  double learning_rate = 3e-3;      ///< peak of the schedule
  std::size_t warm_up = 500;        ///< updates of linear warm-up
  double clip = 3;                  ///< largest norm of a gradient, in units of its running mean
  /// A run with a larger RMSE counts logarithmically: one that has lost the truth must not outweigh
  /// all others.
  double loss_limit = 1;
  double average = 0;    ///< decay per update of a running mean of the weights; 0: off
  bool use_muon = true;  ///< Muon for the hidden convolutions, else Adam for all
  AdamConfig adam{};
  MuonConfig muon{};
  double first_guess_deviation = 1;  ///< error of a run's first state, at the start and restarts
  std::size_t renew_every = 0;       ///< updates after which a run starts anew; 0: never
  Upsets upsets{};                   ///< what may happen to it then instead
  /// Share of the updates, the first ones, that learn from an EnSRF's analyses, not the truth.
  double taught = 0;
  double teacher_inflation = 1.01;  ///< inflation of that EnSRF
  /// Weight w of the EnSRF's covariances as the target of a gain head, as long as it is taught;
  /// adds w s̄²/2 · r · Σ_j (u_{i,j} − P^a_{i,i+j}/(s_i s_{i+j}))², mean over runs, cycles and
  /// elements i, summed over the members, to the loss; s as in LearnedCycle, s̄² the mean of s²,
  /// and r ≤ 1 falls far from the teacher. 0: none.
  double taught_gain = 40;
  std::uint64_t seed = 1;
  std::size_t threads = 0;  ///< 0: all cores
  bool progress = true;     ///< show a progress bar
};

/// What a training did.
struct TrainReport {
  std::vector<float> rmse;       ///< per update: RMSE of the window's analyses from their targets
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
};

/// Trains an analysis network by truncated backpropagation through chained cycles.
///
/// Persistent runs: the analysis of a window's last cycle starts the next window, detached. Truth
/// and observations come from the model without end, so no data is seen twice in a training. A lane
/// that is farther from the truth than one random state of the climate from another, with a mean
/// squared error of more than twice the climate's variance, restarts from truth + noise: nearer
/// than that it stays, so that the network learns to find the truth again; farther away, or once it
/// is not finite, nothing is learned from it. With `renew_every`, healthy runs are restarted as
/// well, in turn: else a long training never sees an empty memory again; with `upsets` some of them
/// are thrown off the truth, or see nothing for a while, during which nothing is learned from them.
/// With `taught`, the target of the first updates
/// is not the truth, but where it has an RMSE below `first_guess_deviation` the analysis of an
/// `Ensrf` of 64 members, rotated, with the same observations. What no observation tells of the
/// truth, no analysis can know: in the target it is noise, most of the gradient once the network is
/// good. The teacher's analysis is free of it, and what is wrong with the teacher is for the last
/// updates, which learn from the truth. A gain head learns its gain from the teacher as well, whose
/// covariances say far more than its mean: see `GainTarget`.
///
/// Runs are cut into groups of `Lanes`; each group has its own gradient slot, the slots are summed
/// in order, so the number of threads changes no bit of the result.
///
/// Memory: threads × the memory of one `Unrolled` window; groups × (the teacher's ensembles and the
/// window's cycles × `Network::gains` covariances).
template <class Problem_, class Network_, std::size_t Lanes, Keep Policy = Keep::everything,
          class Real = float, class Loss = SupervisedLoss>
class Trainer {
 public:
  using Problem = Problem_;
  using Network = Network_;
  static_assert(Lanes % simd_width<Real> == 0,
                "Trainer: Lanes must be a multiple of dan::simd_width<Real>");
  static_assert(DifferentiableModel<typename Problem::Model>,
                "Trainer: the model must have step_tangent and step_adjoint; write them, or put it "
                "into Differentiated<...>");
  static constexpr std::size_t lanes = Lanes;

  /// Trains from random weights. Throws ConfigError for a value out of range.
  Trainer(const Problem& problem, const Network& network, const TrainConfig& config)
      : Trainer(problem, random_start(network, config.seed), config) {}

  /// Trains the weights of `start` further, for example those of `load_weights`, with their input
  /// scaling; optimiser, schedule and runs begin anew: with another `seed` than the training before
  /// they see other truths. Throws ConfigError for a value out of range.
  Trainer(const Problem& problem, const Trained<Network, Real>& start, const TrainConfig& config)
      : problem_(problem),
        config_(config),
        start_(checksum_of(start)),
        trained_(start),
        averaged_(start),
        optimiser_(Network::parameters, config.adam,
                   config.use_muon ? hidden_matrices() : std::vector<MatrixPlace>{}, config.muon),
        limit_{config.clip},
        teacher_(problem, {.inflation = config.teacher_inflation, .rotation = true}),
        norm_(problem.weights()),
        deviations_(observation_deviations(problem, start.network)),
        workers_(config.threads),
        windows_(config.window) {
    constexpr auto name = "Trainer";
    require_at_least(name, "updates", config.updates, 1);
    require_at_least(name, "groups", config.groups, 1);
    require_at_least(name, "window", config.window, 1);
    if (config.first_window > config.window)
      throw ConfigError(text("Trainer: first_window is ", config.first_window,
                             ", expected at most the window, ", config.window));
    if (config.warm_up >= config.updates)
      throw ConfigError(text("Trainer: warm_up is ", config.warm_up, ", expected fewer than the ",
                             config.updates, " updates"));
    require_positive(name, "learning_rate", config.learning_rate);
    require_positive(name, "clip", config.clip);
    require_positive(name, "adam.epsilon", config.adam.epsilon);
    require_positive(name, "muon.rate", config.muon.rate);
    if (!(config.taught_gain >= 0 && std::isfinite(config.taught_gain)))
      throw ConfigError(text("Trainer: taught_gain is ", config.taught_gain,
                             ", expected a finite number from zero"));
    require_fraction("adam.beta1", config.adam.beta1);
    require_fraction("adam.beta2", config.adam.beta2);
    require_fraction("muon.momentum", config.muon.momentum);
    require_fraction("average", config.average);
    if (!(config.taught >= 0 && config.taught <= 1))
      throw ConfigError(
          text("Trainer: taught is ", config.taught, ", expected a share from 0 to 1"));
    const Network& network = start.network;
    require_positive(name, "first_guess_deviation", config.first_guess_deviation);
    require_positive(name, "loss_limit", config.loss_limit);
    config.upsets.require_valid(name);
    for (std::size_t i = 0; i < Problem::size; ++i)
      mean_square_ +=
          norm_[i] * deviations_[i] * deviations_[i] / static_cast<double>(Problem::size);
    trained_.trained_for = trained_for(problem, network);
    averaged_.trained_for = trained_.trained_for;
    for (const Real weight : start.parameters)
      if (!std::isfinite(weight))
        throw ConfigError(text("Trainer: start has a weight ", weight, ", expected finite"));
    for (std::size_t c = 0; c < Network::channels; ++c) {
      const double mean = network.input_mean[c], deviation = network.input_deviation[c];
      require_positive(name, "network.input_deviation", deviation);
      if (!std::isfinite(mean))
        throw ConfigError(text("Trainer: network.input_mean is ", mean, ", expected finite"));
    }
    for (std::size_t i = 0; i < Problem::size; ++i)
      climate_variance_ += norm_[i] * std::pow(network.input_deviation[i % Network::channels], 2) /
                           static_cast<double>(Problem::size);
    bounds_ = network.bounds();
    for (std::size_t g = 0; g < config.groups; ++g)
      groups_.push_back(std::make_unique<Group>(problem, config, g));
    workers_.for_each(config.groups, [&](std::size_t g) {
      require_within_bounds(groups_[g]->twin.truth());
      for (std::size_t l = 0; l < Lanes; ++l) start_lane(*groups_[g], l, Purpose::first_guess);
      if (config.taught > 0)
        for (std::size_t l = 0; l < Lanes; ++l) start_teacher(*groups_[g], l);
    });
  }

  /// One window of every run and one update of the parameters; returns the RMSE from the target.
  double update() {
    const bool first = config_.first_window > 0 && updates_ < config_.first_updates;
    const std::size_t cycles = first ? config_.first_window : config_.window;
    const double weight = 1 / static_cast<double>(config_.groups * Lanes * cycles * Problem::size);
    workers_.for_each(config_.groups,
                      [&](std::size_t g) { run_window(*groups_[g], cycles, weight); });
    double loss = 0;
    for (auto& group : groups_) {
      loss += group->loss;
      if (group->restarts > 0) report_.last_restart = updates_;
      report_.restarts += group->restarts;
    }
    std::vector<std::span<Real>> gradients;
    for (auto& group : groups_) gradients.push_back(span_of(group->gradient));
    const double norm = sum_gradients(gradients, workers_);
    if (std::isfinite(norm)) {
      const CosineSchedule schedule{
          .peak = config_.learning_rate, .warm_up = config_.warm_up, .updates = config_.updates};
      optimiser_.update(span_of(trained_.parameters), gradients.front(), schedule.rate(updates_),
                        workers_, limit_.factor(norm));
      if (config_.average > 0) average();
    } else {
      ++report_.skipped;
    }
    watch(std::isfinite(norm));
    ++updates_;
    report_.rmse.push_back(static_cast<float>(std::sqrt(2 * loss)));
    return report_.rmse.back();
  }

  /// All updates that are left, with a progress bar; returns the trained network.
  ///
  /// With `checkpoint`, goes on from that file if it is there, else writes it at once, so that a
  /// place that cannot be written is told before the work; then writes it every `seconds_between`
  /// seconds: a training that is killed loses no more than that. An interrupted one (see
  /// core/interrupt.hpp) finishes its update, writes it and loses nothing.
  ///
  /// Throws Interrupted when told to stop.
  /// Throws NumericalError when nothing is learned: from 500 updates after the warm-up on, and in
  /// the end, when in the mean of about the last 100 updates more than half of the runs lost the
  /// truth in every update, or more than half of the updates were left out.
  const Trained<Network, Real>& run(const std::filesystem::path& checkpoint = {},
                                    double seconds_between = 60) {
    using Clock = std::chrono::steady_clock;
    const auto since = [](Clock::time_point begin) {
      return std::chrono::duration<double>(Clock::now() - begin).count();
    };
    if (!checkpoint.empty()) {
      if (std::filesystem::exists(checkpoint))
        resume(checkpoint);
      else
        save_checkpoint(checkpoint);
    }
    Progress progress("training", config_.updates, config_.progress, stderr, updates_);
    auto begin = Clock::now();
    const auto keep = [&] {
      report_.seconds += since(begin);
      begin = Clock::now();
      if (!checkpoint.empty()) save_checkpoint(checkpoint);
    };
    while (updates_ < config_.updates) {
      if (interrupted()) {
        keep();
        throw_if_interrupted("Trainer::run", updates_, " of ", config_.updates, " updates; ",
                             checkpoint.empty() ? "nothing is kept: give `run` a checkpoint"
                                                : "the same call goes on from ",
                             checkpoint.string());
      }
      const double rmse = update();
      progress.advance(1, text("RMSE ", std::round(rmse * 1e4) / 1e4));
      require_learning();
      if (!checkpoint.empty() && since(begin) >= seconds_between) keep();
    }
    keep();
    return trained();
  }

  /// Writes everything that `resume` needs to go on with the same bits; all or nothing.
  /// Throws FileError if the file cannot be written.
  void save_checkpoint(const std::filesystem::path& path) {
    TensorFile<double> file;
    file.metadata = {{"format", std::string(checkpoint_format)}, {"training", description()}};
    for_each_array([&](const std::string& name, auto values) {
      file.tensors.push_back({name, {values.size()}, {values.begin(), values.end()}});
    });
    file.tensors.push_back(
        {"report.rmse", {report_.rmse.size()}, {report_.rmse.begin(), report_.rmse.end()}});
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      const auto truth = groups_[g]->twin.save();
      file.tensors.push_back({text("groups.", g, ".truth"), {truth.size()}, truth});
      const auto& silent = groups_[g]->silent_until;
      file.tensors.push_back(
          {text("groups.", g, ".silent_until"), {Lanes}, {silent.begin(), silent.end()}});
    }
    const auto cycle = static_cast<double>(groups_.front()->twin.cycle());
    file.tensors.push_back(
        {"counters",
         {11},
         {static_cast<double>(updates_), static_cast<double>(optimiser_.updates()), cycle,
          static_cast<double>(report_.restarts), static_cast<double>(report_.last_restart),
          static_cast<double>(report_.skipped), report_.seconds, limit_.mean,
          trained_.trained_for->innovation, lost_share_, skipped_share_}});
    save_safetensors(path, file);
  }

  /// Goes on from a checkpoint of the same training: the final weights are bit for bit those of an
  /// uninterrupted run. Throws FileError, and changes nothing, if the file is missing, damaged, or
  /// of a training with another architecture or configuration.
  void resume(const std::filesystem::path& path) {
    const auto file = load_safetensors<double>(path);
    const auto value = [&](const std::string& key) {
      const auto at = file.metadata.find(key);
      return at == file.metadata.end() ? std::string("nothing") : at->second;
    };
    const auto fail = [&](const auto&... what) {
      throw FileError(text("Trainer::resume: ", path.string(), " ", what...));
    };
    if (value("format") != checkpoint_format)
      fail("has format '", value("format"), "', expected '", checkpoint_format,
           "'; start the training again");
    if (!file.checked) fail("has no checksum, expected one; start the training again");
    if (value("training") != description())
      fail("is of the training ", value("training"), ", expected ", description());
    const auto size_of = [&](const std::string& name, std::size_t expected) {
      if (file.at(name).values.size() != expected)
        fail("has ", file.at(name).values.size(), " numbers in ", name, ", expected ", expected);
    };
    for_each_array([&](const std::string& name, auto values) { size_of(name, values.size()); });
    size_of("counters", 11);
    const auto& counters = file.at("counters").values;
    for (const double c : counters)
      if (!(c >= 0 && c < 1e15)) fail("has the counter ", c, ", expected a number from zero");
    for (std::size_t i = 0; i < 6; ++i)
      if (counters[i] != std::floor(counters[i]))
        fail("has the counter ", counters[i], ", expected a whole number");
    const auto counter = [&](std::size_t i) { return static_cast<std::size_t>(counters[i]); };
    size_of("report.rmse", counter(0));
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      size_of(text("groups.", g, ".truth"), groups_[g]->twin.save().size());
      size_of(text("groups.", g, ".silent_until"), Lanes);
    }

    for_each_array([&](const std::string& name, auto values) {
      std::ranges::transform(file.at(name).values, values.begin(),
                             [](double x) { return static_cast<Real>(x); });
    });
    const auto& rmse = file.at("report.rmse").values;
    report_.rmse.assign(rmse.size(), 0);
    std::ranges::transform(rmse, report_.rmse.begin(),
                           [](double x) { return static_cast<float>(x); });
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      groups_[g]->twin.restore(counter(2), file.at(text("groups.", g, ".truth")).values);
      std::ranges::transform(file.at(text("groups.", g, ".silent_until")).values,
                             groups_[g]->silent_until.begin(),
                             [](double x) { return static_cast<std::size_t>(x); });
    }
    updates_ = counter(0);
    optimiser_.updates() = counter(1);
    report_.restarts = counter(3);
    report_.last_restart = counter(4);
    report_.skipped = counter(5);
    report_.seconds = counters[6];
    limit_.mean = counters[7];
    trained_.trained_for->innovation = averaged_.trained_for->innovation = counters[8];
    lost_share_ = counters[9];
    skipped_share_ = counters[10];
  }

  /// Updates done so far.
  [[nodiscard]] std::size_t updates() const { return updates_; }
  /// The network with its latest weights, or with `TrainConfig::average` their running mean.
  [[nodiscard]] const Trained<Network, Real>& trained() const {
    return config_.average > 0 ? averaged_ : trained_;
  }
  [[nodiscard]] const TrainReport& report() const { return report_; }

 private:
  using T = lanes_t<Real, Lanes>;
  using Observed = observed_t<typename Problem::Operator, Real, Lanes>;
  /// A cycle that may have a target for its gain, and keeps a lane whose model runs away finite:
  /// NaN in one lane would be NaN in the sum of all gradients.
  struct Cycle : LearnedCycle<Problem, Network, Observed> {
    using Base = LearnedCycle<Problem, Network, Observed>;
    const GainTarget<T>* target = nullptr;

    template <class Cache>
    void forward(const Real* params, const T* in, T* out, Cache& cache) const {
      Base::forecast(in, out);
      for (std::size_t i = 0; i < Base::states; ++i) {
        const std::size_t c = i % Network::channels;
        const double low = Base::bounds.low[c], high = Base::bounds.high[c], room = high - low;
        // NaN becomes the upper bound, whose lane is lost.
        out[i] = maximum(T(static_cast<Real>(low - room)),
                         minimum(out[i], T(static_cast<Real>(high + room))));
      }
      Base::analyse(params, out, out, cache);
    }
    template <class Cache>
    void backward(const Real* params, const T* in, const Cache& cache, const T* d_out, T* d_in,
                  Real* d_params) const {
      Scratch<T> d_gain(target != nullptr ? Network::members * Network::gains : 0, Unset{});
      if constexpr (Network::gain)
        if (target != nullptr) gain_loss_gradient<Network>(cache.network, *target, d_gain.data());
      Base::backward(params, in, cache, d_out, d_in, d_params,
                     target != nullptr ? d_gain.data() : nullptr);
    }
  };
  using Truth = Batch<Real, Problem::points, Problem::channels, Lanes>;

  using Teacher = Ensrf<Problem, 64, Lanes, Real>;

  static Trained<Network, Real> random_start(const Network& network, std::uint64_t seed) {
    Trained<Network, Real> start(network);
    Network::initialise(seed, span_of(start.parameters));
    return start;
  }
  static std::string checksum_of(const Trained<Network, Real>& start) {
    return detail::checksum({{reinterpret_cast<const char*>(start.parameters.data()),
                              Network::parameters * sizeof(Real)}});
  }

  static constexpr std::string_view checkpoint_format = "dan training checkpoint 5";

  static void require_fraction(std::string_view argument, double value) {
    if (!(value >= 0 && value < 1))
      throw ConfigError(
          text("Trainer: ", argument, " is ", value, ", expected a number from 0 to below 1"));
  }

  /// Numbers that change with model, observation operator or noise, and with the order of their
  /// numbers: one step from a fixed state, its observations, the errors of one cycle and the slots
  /// that report in several.
  [[nodiscard]] std::vector<double> fingerprint() const {
    std::array<double, Problem::size> x;
    std::array<double, Problem::slots> y, errors;
    std::array<bool, Problem::slots> mask;
    fill_normal<double>({1, Purpose::fingerprint}, x);
    problem_.model.step(x.data(), x.data());
    problem_.observe.observe(x.data(), y.data());
    problem_.noise.sample({1, Purpose::fingerprint}, errors);
    std::vector<double> sums(4);
    const auto weighted = [](std::size_t i, double value) {
      return static_cast<double>(i + 1) * value;
    };
    for (std::size_t i = 0; i < Problem::size; ++i) sums[0] += weighted(i, x[i]);
    for (std::size_t j = 0; j < Problem::slots; ++j)
      sums[1] += weighted(j, y[j]), sums[2] += weighted(j, errors[j]);
    for (std::size_t cycle = 0; cycle < 8; ++cycle) {
      problem_.observe.available({1, Purpose::fingerprint, 0, cycle}, mask.data());
      for (std::size_t j = 0; j < Problem::slots; ++j)
        sums[3] += weighted(cycle * Problem::slots + j, mask[j]);
    }
    return sums;
  }

  /// Architecture and configuration, all that must agree for the same bits.
  [[nodiscard]] std::string description() const {
    const auto& c = config_;
    return nlohmann::ordered_json{
        {"architecture", detail::architecture<Network>()},
        {"start", start_},
        {"points", Problem::points},
        {"lanes", Lanes},
        {"bytes", sizeof(Real)},
        {"simd", {simd_width<Real>, simd_width<double>}},
        {"setting", fingerprint()},
        {"groups", c.groups},
        {"updates", c.updates},
        {"window", {c.window, c.first_window, c.first_updates}},
        {"rate", {c.learning_rate, static_cast<double>(c.warm_up), c.clip}},
        {"average", c.average},
        {"optimiser",
         {c.adam.beta1, c.adam.beta2, c.adam.epsilon, static_cast<double>(c.use_muon),
          c.muon.momentum, c.muon.rate}},
        {"scaling", {trained_.network.input_mean, trained_.network.input_deviation}},
        {"first_guess_deviation", c.first_guess_deviation},
        {"loss_limit", c.loss_limit},
        {"renew_every", c.renew_every},
        {"upsets",
         {c.upsets.first, c.upsets.last, c.upsets.farthest,
          static_cast<double>(c.upsets.longest_gap)}},
        {"taught", {c.taught, c.teacher_inflation, Network::gain ? c.taught_gain : 0.0}},
        {"seed", c.seed}}
        .dump();
  }

  /// use(name, numbers) for every array of Real that the next update depends on.
  template <class Use>
  void for_each_array(const Use& use) {
    use("parameters", span_of(trained_.parameters));
    if (config_.average > 0) use("average", span_of(averaged_.parameters));
    use("optimiser.first", optimiser_.first());
    use("optimiser.second", optimiser_.second());
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      use(text("groups.", g, ".carried"),
          std::span<Real>(reinterpret_cast<Real*>(groups_[g]->carried.data()),
                          Cycle::carried * Lanes));
      if (config_.taught > 0)
        use(text("groups.", g, ".teacher"), groups_[g]->teacher.ensemble.numbers());
    }
  }

  /// The weights of the residual blocks as (kernel · in) × out matrices.
  static std::vector<MatrixPlace> hidden_matrices() {
    std::vector<MatrixPlace> matrices;
    for (const auto& place : Network::places())
      if (place.name.starts_with("blocks"))
        matrices.push_back({place.offset, place.kernel * place.in, place.out});
    return matrices;
  }

  /// Moves the running mean towards the weights; fast at first, so that it forgets its beginning.
  void average() {
    const auto n = static_cast<double>(optimiser_.updates());
    const auto share = static_cast<Real>(1 - std::min(config_.average, (1 + n) / (10 + n)));
    for (std::size_t i = 0; i < Network::parameters; ++i)
      averaged_.parameters[i] += share * (trained_.parameters[i] - averaged_.parameters[i]);
  }

  struct Group {
    TwinTruth<Problem, Lanes> twin;
    std::vector<Observed> observed;
    std::vector<Truth> target;
    std::vector<T, AlignedAllocator<T>> carried;  ///< what the next window starts from
    typename Teacher::Carried teacher;
    typename Teacher::Estimate taught;                ///< the teacher's analysis of one cycle
    std::vector<T, AlignedAllocator<T>> covariances;  ///< of the teacher, cycle by cycle
    std::vector<GainTarget<T>> gain;
    std::array<std::size_t, Lanes> silent_until{};  ///< the last cycle of a lane's gap
    std::vector<double> innovations;                ///< see measure_innovations
    Tensor<Real, 1> gradient = zeros<Real>(Network::parameters);
    double loss = 0;
    std::size_t restarts = 0;

    Group(const Problem& problem, const TrainConfig& config, std::size_t g)
        : twin(problem, {.seed = config.seed, .first_run = training_runs + g * Lanes}),
          observed(config.window),
          target(config.window),
          carried(Cycle::carried),
          covariances(config.taught > 0 && config.taught_gain > 0 ? config.window * Network::gains
                                                                  : 0),
          gain(config.window),
          innovations(Lanes) {}
  };

  /// Windows that no group is using: no more than threads, so that short ones stay in the cache.
  class Windows {
   public:
    using Window = Unrolled<Cycle, T, Policy>;
    explicit Windows(std::size_t longest) : longest_(longest) {}

    std::unique_ptr<Window> take() {
      const std::lock_guard lock(mutex_);
      if (free_.empty()) return std::make_unique<Window>(longest_);
      auto window = std::move(free_.back());
      free_.pop_back();
      return window;
    }
    void give_back(std::unique_ptr<Window> window) {
      const std::lock_guard lock(mutex_);
      free_.push_back(std::move(window));
    }

   private:
    std::size_t longest_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Window>> free_;
  };

  /// Lane `lane` of the next window's input becomes a first guess, truth + noise, with an empty
  /// memory; several members are spread around it as by `Learned::start`.
  void start_lane(Group& group, std::size_t lane, Purpose purpose) {
    set_lane(group, lane, purpose, config_.first_guess_deviation,
             [&](std::size_t i) { return group.twin.truth().at(i, lane); });
    forget(group, lane);
    group.silent_until[lane] = 0;
  }

  /// Lane `lane` becomes centre(i) + deviation · N(0, 1) units, the same for all members, and for
  /// several members noise of their own of the usual deviation.
  template <class Centre>
  void set_lane(Group& group, std::size_t lane, Purpose purpose, double deviation,
                const Centre& centre) {
    constexpr std::size_t size = Problem::size, members = Network::members;
    std::vector<double> error(size + (members > 1 ? members * size : 0));
    fill_normal<double>(group.twin.key(lane).with(purpose), std::span(error));
    T* state = group.carried.data();
    for (std::size_t i = 0; i < Cycle::states; ++i) {
      double noise = deviation * error[i % size];
      if constexpr (members > 1) noise += config_.first_guess_deviation * error[size + i];
      lane_of(state[i], lane) =
          static_cast<Real>(centre(i % size) + problem_.unit(i % size) * noise);
    }
  }
  void forget(Group& group, std::size_t lane) {
    for (std::size_t i = Cycle::states; i < Cycle::carried; ++i)
      lane_of(group.carried[i], lane) = Real(0);
  }

  /// A healthy run starts anew, or is upset.
  void renew_lane(Group& group, std::size_t lane) {
    const auto draw = config_.upsets.draw(
        group.twin.key(lane), static_cast<double>(updates_) / static_cast<double>(config_.updates));
    const auto& truth = group.twin.truth();
    const auto other = [&](std::size_t i) { return truth.at(i, (lane + 1) % Lanes); };
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
                 [&](std::size_t i) { return trained_.network.input_mean[i % Problem::channels]; });
        break;
      case Upset::elsewhere:
      case Upset::leap:
        set_lane(group, lane, Purpose::restart, 0, other);
        break;
    }
    if (draw.kind != Upset::jump && draw.kind != Upset::leap) forget(group, lane);
  }

  void run_window(Group& group, std::size_t cycles, double weight) {
    const bool taught =
        static_cast<double>(updates_) < config_.taught * static_cast<double>(config_.updates);
    const bool gain_taught = taught && Network::gain && config_.taught_gain > 0;
    for (std::size_t n = 0; n < cycles; ++n) {
      group.twin.next();
      convert(group.twin.observed(), group.observed[n]);
      convert(group.twin.truth(), group.target[n]);
      for (std::size_t l = 0; l < Lanes; ++l)
        for (std::size_t j = 0; j < Problem::slots && group.twin.cycle() <= group.silent_until[l];
             ++j)
          group.observed[n].values.at(j, l) = group.observed[n].precision.at(j, l) = Real(0);
      if (taught) teach(group, n);
    }
    for (const double x : group.twin.truth().numbers())
      if (!std::isfinite(x))
        throw NumericalError(text("Trainer::update: the truth is not finite in cycle ",
                                  group.twin.cycle(), "; take a smaller time step"));
    const auto cycle = [&](std::size_t n) {
      return Cycle{{problem_, trained_.network, group.observed[n], deviations_, bounds_},
                   gain_taught ? &group.gain[n] : nullptr};
    };
    const Real* params = trained_.parameters.data();
    auto window = windows_.take();
    std::copy_n(group.carried.data(), Cycle::carried, window->state(0));
    window->forward(params, cycle, cycles);
    group.gradient.fill(Real(0));
    group.loss = 0;
    // Nothing is learned from a lane once it is lost: its gradient may have any size. In a gap it
    // is no wonder, and does not count.
    const std::size_t before = group.twin.cycle() - cycles;
    std::array<std::size_t, Lanes> lost_at;
    for (std::size_t l = 0; l < Lanes; ++l)
      for (lost_at[l] = 1; lost_at[l] <= cycles; ++lost_at[l])
        if (before + lost_at[l] > group.silent_until[l] &&
            lost(window->state(lost_at[l]), group.target[lost_at[l] - 1], l))
          break;
    measure_innovations(group, *window, cycles, lost_at);
    Scratch<T> d_first(Cycle::carried);
    window->backward(
        params, cycle,
        [&](std::size_t n, T* d) {
          // An adjoint of a step that runs away makes NaN of zero.
          for (std::size_t l = 0; l < Lanes; ++l)
            if (n + 1 == lost_at[l]) no_gradient(d, l);
          group.loss += loss_.template add<Network::members>(
              window->state(n), group.target[n - 1].data(), norm_, weight, config_.loss_limit, d);
          if constexpr (Network::gain)
            if (gain_taught) weigh_gain(group, n - 1, window->state(n), weight);
          // Through a gap no gradient passes: what is unknown after it cannot be learned before.
          for (std::size_t l = 0; l < Lanes; ++l) {
            if (n < lost_at[l] && before + n > group.silent_until[l]) continue;
            no_gradient(d, l);
            lane_of(group.gain[n - 1].weight, l) = Real(0);
          }
        },
        d_first.data(), group.gradient.data());
    std::copy_n(window->state(cycles), Cycle::carried, group.carried.data());
    windows_.give_back(std::move(window));
    group.restarts = 0;
    for (std::size_t l = 0; l < Lanes; ++l) {
      const bool renewed = config_.renew_every > 0 &&
                           (updates_ + l * config_.renew_every / Lanes) % config_.renew_every == 0;
      const bool is_lost = lost(group.carried.data(), group.target[cycles - 1], l);
      const bool in_gap = group.twin.cycle() <= group.silent_until[l];
      if (is_lost && !in_gap) ++group.restarts;
      if (is_lost && !in_gap)
        start_lane(group, l, Purpose::restart);
      else if (renewed)
        renew_lane(group, l);
    }
  }

  static void no_gradient(T* d, std::size_t lane) {
    for (std::size_t i = 0; i < Cycle::carried; ++i) lane_of(d[i], lane) = Real(0);
  }

  /// The mean of δ²/R of every lane in the window's last cycle, δ from the forecast; 0 for a lane
  /// that is lost or sees nothing.
  template <class Window>
  void measure_innovations(Group& group, const Window& window, std::size_t cycles,
                           const std::array<std::size_t, Lanes>& lost_at) const {
    constexpr std::size_t size = Problem::size, slots = Problem::slots;
    Scratch<T> x(Cycle::carried, Unset{}), mean(size, Unset{}), h(slots, Unset{});
    const LearnedCycle<Problem, Network, Observed> last{
        problem_, trained_.network, group.observed[cycles - 1], deviations_, bounds_};
    last.forecast(window.state(cycles - 1), x.data());
    last.mean_of_members(x.data(), mean.data());
    placed(problem_.observe, group.observed[cycles - 1]).observe(mean.data(), h.data());
    T squares(Real(0)), count(Real(0));
    for (std::size_t j = 0; j < slots; ++j) {
      const T p = group.observed[cycles - 1].precision[j];
      const T d = departure_of(group.observed[cycles - 1], j, h[j]);
      squares += p * d * d;
      count += where_positive(p, T(Real(1)), T(Real(0)));
    }
    for (std::size_t l = 0; l < Lanes; ++l) {
      const auto n = static_cast<double>(lane_of(count, l));
      group.innovations[l] =
          n > 0 && lost_at[l] > cycles ? static_cast<double>(lane_of(squares, l)) / n : 0;
    }
  }

  /// After an update: the usual innovation, and how many runs are lost and updates left out.
  void watch(bool finite) {
    std::vector<double> known;
    std::size_t lost = 0;
    for (const auto& group : groups_) {
      lost += group->restarts;
      for (const double x : group->innovations)
        if (x > 0) known.push_back(x);
    }
    if (!known.empty()) {  // the median: upset runs do not count
      const auto middle = known.begin() + static_cast<std::ptrdiff_t>(known.size() / 2);
      std::ranges::nth_element(known, middle);
      double& usual = trained_.trained_for->innovation;
      usual = std::max(1.0, usual + 0.05 * (*middle - usual));
      averaged_.trained_for->innovation = usual;
    }
    const double share = static_cast<double>(lost) / static_cast<double>(groups_.size() * Lanes);
    lost_share_ += 0.01 * (share - lost_share_);
    skipped_share_ += 0.01 * ((finite ? 0 : 1) - skipped_share_);
  }

  void require_learning() const {
    if (updates_ < config_.warm_up + 500 && updates_ < config_.updates) return;
    const double known = 1 - std::pow(0.99, static_cast<double>(updates_));  // of running means
    const auto fail = [&](double share, std::string_view of) {
      throw NumericalError(
          text("Trainer::run: nothing is learned: in the mean of the last updates, up to update ",
               updates_, ", ", std::round(100 * share), " % of ", of,
               "; lower learning_rate, shorten the window or the interval between observations, or "
               "look whether another method finds the truth in this problem"));
    };
    if (lost_share_ > 0.5 * known)
      fail(lost_share_ / known, "the runs lost the truth and restarted in each update");
    if (skipped_share_ > 0.5 * known)
      fail(skipped_share_ / known,
           "the updates were left out, because their gradient was not finite");
  }

  template <class States>
  void require_within_bounds(const States& truth) const {
    for (std::size_t i = 0; i < Problem::size; ++i)
      for (std::size_t l = 0; l < Lanes; ++l) {
        const double x = truth.at(i, l);
        const std::size_t c = i % Problem::channels;
        if (!(x >= bounds_.low[c] && x <= bounds_.high[c]))
          throw ConfigError(text("Trainer: the truth has a value ", x, " outside the bounds ",
                                 bounds_.low[c], " to ", bounds_.high[c],
                                 " of the network's input scaling; call "
                                 "scale_inputs(problem, network) before its first training"));
      }
  }

  /// Lane `lane` of the teacher starts anew around a first guess.
  void start_teacher(Group& group, std::size_t lane) {
    std::vector<double> guess(Problem::size);
    fill_normal<double>(group.twin.key(lane).with(Purpose::restart), guess);
    for (std::size_t i = 0; i < Problem::size; ++i)
      guess[i] = group.twin.truth().at(i, lane) +
                 config_.first_guess_deviation * problem_.unit(i) * guess[i];
    teacher_.start_lane(group.teacher, lane, std::span<const double, Problem::size>(guess),
                        config_.first_guess_deviation, group.twin.key(lane));
  }

  /// The teacher's analysis of cycle `n` becomes its target, in the lanes where it is near the
  /// truth; where it has lost it, it starts anew.
  void teach(Group& group, std::size_t n) {
    teacher_.forecast(group.teacher);
    teacher_.analyse(group.teacher, group.observed[n], group.twin.key(0));
    teacher_.estimate(group.teacher, group.taught);
    const bool gain_taught = !group.covariances.empty();
    T* const covariances = gain_taught ? &group.covariances[n * Network::gains] : nullptr;
    if constexpr (Network::gain)
      if (gain_taught) {
        teacher_.template covariances<typename Network::Grid, Network::Head::width>(group.teacher,
                                                                                    covariances);
        in_units_of_errors(covariances);
      }
    group.gain[n] = {covariances, T(Real(0))};
    const double near = std::pow(config_.first_guess_deviation, 2) * Problem::size;
    for (std::size_t l = 0; l < Lanes; ++l) {
      double square = 0;
      for (std::size_t i = 0; i < Problem::size; ++i)
        square += norm_[i] * std::pow(group.taught.at(i, l) - group.twin.truth().at(i, l), 2);
      if (square <= near) {
        lane_of(group.gain[n].weight, l) = Real(1);
        for (std::size_t i = 0; i < Problem::size; ++i)
          group.target[n].at(i, l) = static_cast<Real>(group.taught.at(i, l));
        continue;
      }
      // They may be NaN, which no weight makes harmless.
      for (std::size_t i = 0; gain_taught && i < Network::gains; ++i)
        lane_of(covariances[i], l) = Real(0);
      if (!(square <= 4 * near)) start_teacher(group, l);
    }
  }

  /// P^a_{i,k} ← P^a_{i,k} / (s_i s_k).
  void in_units_of_errors(T* covariances) const {
    using Grid = typename Network::Grid;
    constexpr std::size_t channels = Problem::channels, width = Network::Head::width;
    for (std::size_t i = 0; i < Problem::size; ++i)
      for (std::size_t j = 0; j < Grid::taps(width); ++j)
        for (std::size_t c = 0; c < channels; ++c, ++covariances) {
          const std::size_t k = Grid::tap(i / channels, j, width) * channels + c;
          *covariances *= T(static_cast<Real>(1 / (deviations_[i] * deviations_[k])));
        }
  }

  /// Multiplies the weight of the gain's target in cycle `n`, whose analysis is `state`, with all
  /// of `TrainConfig::taught_gain`: r is 1 unless the network is farther from the teacher than the
  /// teacher expects to be from the truth, and falls with the square of the distance. There the
  /// network needs a larger gain. r is not differentiated.
  void weigh_gain(Group& group, std::size_t n, const T* state, double weight) const {
    auto& target = group.gain[n];
    Scratch<T> error(Problem::size, Unset{});
    squared_error<Network::members>(state, group.target[n].data(), norm_, error.data());
    T squares(Real(0));
    T variance(Real(0));
    for (std::size_t i = 0; i < Problem::size; ++i) {
      const T scaled = T(static_cast<Real>(1 / deviations_[i])) * error[i];
      squares += scaled * scaled;
      variance += target.covariance[(i * Network::Head::window + Network::Head::window / 2) *
                                        Problem::channels +
                                    i % Problem::channels];
    }
    target.weight *= T(static_cast<Real>(weight * config_.taught_gain * mean_square_)) *
                     (variance / maximum(variance, squares));
  }

  /// Is this state farther from the target than one random state of the climate from another?
  bool lost(const T* state, const Truth& target, std::size_t lane) const {
    double square = 0;
    for (std::size_t i = 0; i < Cycle::states; ++i)
      square +=
          norm_[i % Problem::size] *
          std::pow(
              static_cast<double>(lane_of(state[i], lane) - target.at(i % Problem::size, lane)), 2);
    return !(square <= 2 * climate_variance_ * static_cast<double>(Cycle::states));
  }

  Problem problem_;
  TrainConfig config_;
  std::string start_;  ///< checksum of the weights at the start
  Trained<Network, Real> trained_, averaged_;
  Optimiser<Real> optimiser_;
  NormLimit limit_;
  Teacher teacher_;
  Loss loss_{};
  std::vector<double> norm_;        ///< weights of the norm
  std::vector<double> deviations_;  ///< s, see LearnedCycle
  double mean_square_ = 0;          ///< of s, in the norm
  Workers workers_;
  std::vector<std::unique_ptr<Group>> groups_;
  Windows windows_;
  TrainReport report_;
  std::size_t updates_ = 0;
  AnalysisBounds<Network::channels> bounds_;
  double climate_variance_ = 0;
  double lost_share_ = 0, skipped_share_ = 0;  ///< running means over about 100 updates
};

}  // namespace dan
