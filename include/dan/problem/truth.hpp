// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/interrupt.hpp"
#include "dan/core/random.hpp"
#include "dan/problem/problem.hpp"

namespace dan {

/// Which truths.
struct TruthConfig {
  std::uint64_t seed = 1;
  std::size_t first_run = 0;  ///< lane l is run first_run + l
};

/// Endless truth and observations of `Runs` independent runs.
///
/// Truth: a model trajectory from the problem's random start keyed by (seed, run), after its
/// spin-up; noise of the model, if the problem has it, is keyed by (seed, run, cycle), also in the
/// spin-up, whose cycles end with 0.
/// Observations: y = H(x) + ε on the reporting slots, and their places if the operator draws them,
/// keyed by (seed, run, cycle).
/// Run r is the same bits for any `Runs` and any first run, because the truth is always computed
/// in SIMD registers of double. Cost: one model step per `next`; memory: three states per run.
template <class Problem_, std::size_t Runs>
class TwinTruth {
 public:
  using Problem = Problem_;
  static constexpr std::size_t runs = Runs, size = Problem::size, slots = Problem::slots;
  using Truth = Batch<double, Problem::points, Problem::channels, Runs>;
  using Observed = observed_t<typename Problem::Operator, double, Runs>;

  /// Throws NumericalError if the model diverges in the spin-up, Interrupted when told to stop
  /// during it.
  TwinTruth(const Problem& problem, const TruthConfig& config)
      : TwinTruth(problem, config.seed, from(config.first_run)) {}

  /// The same; lane l is run `lanes[l]`, several may be the same.
  TwinTruth(const Problem& problem, std::uint64_t seed,
            const std::array<std::uint64_t, Runs>& lanes)
      : problem_(problem), seed_(seed), lanes_(lanes) {
    if constexpr (requires { problem.model.require_valid(); }) problem.model.require_valid();
    std::vector<double> start(size);
    const bool stopping = interrupted();
    for (std::size_t g = 0; g < groups; ++g) {
      for (std::size_t l = 0; l < width; ++l) {
        const std::size_t run = std::min(g * width + l, Runs - 1);
        problem_.start(key(run).with(Purpose::truth), start);
        for (std::size_t i = 0; i < size; ++i) lane_of(columns_[g][i], l) = start[i];
      }
      for (std::size_t n = 0; n < problem_.start.spin_up; ++n) {
        if (!stopping)  // else the caller says what is kept
          throw_if_interrupted("TwinTruth", n, " of ", problem_.start.spin_up,
                               " cycles of the spin-up; nothing is kept");
        step(g, spin_up_cycle(n, problem_.start.spin_up));
      }
    }
    copy_truth();
    for (std::size_t l = 0; l < Runs; ++l)
      for (std::size_t i = 0; i < size; ++i)
        if (!std::isfinite(truth_.at(i, l)))
          throw NumericalError(
              to_text("TwinTruth: the truth of run ", lanes_[l],
                      " is not finite after the spin-up of ", problem_.start.spin_up,
                      " cycles; give the problem a start in the units of the model "
                      "(Problem::start), or take a smaller time step"));
  }

  /// Advances the truth by one cycle and observes it.
  void next() {
    ++cycle_;
    for (std::size_t g = 0; g < groups; ++g) step(g, cycle_);
    copy_truth();
    auto &x = state_, &y = seen_;
    std::array<bool, slots> mask;
    for (std::size_t l = 0; l < Runs; ++l) {
      for (std::size_t i = 0; i < size; ++i) x[i] = truth_.at(i, l);
      if constexpr (PlacedOperator<typename Problem::Operator>) {
        const auto places = problem_.observe.draw(key(l));
        problem_.observe.at(places).observe(x.data(), y.data());
        observed_.places.set_lane(l, places);
      } else {
        problem_.observe.observe(x.data(), y.data());
      }
      problem_.observe.available(key(l), mask.data());
      problem_.noise.sample(key(l), std::span<double, slots>(errors_));
      for (std::size_t j = 0; j < slots; ++j) {
        observed_.values.at(j, l) = mask[j] ? y[j] + errors_[j] : 0;
        observed_.precision.at(j, l) = mask[j] ? problem_.noise.precision(j) : 0;
      }
    }
    observed_.values.repeat_last_lane();
    observed_.precision.repeat_last_lane();
  }

  /// Cycles so far; the truth before the first `next` is cycle 0.
  [[nodiscard]] std::size_t cycle() const { return cycle_; }
  [[nodiscard]] const Truth& truth() const { return truth_; }
  [[nodiscard]] const Observed& observed() const { return observed_; }
  /// The truth's state, for a checkpoint: runs × size numbers that `restore` takes back.
  [[nodiscard]] std::vector<double> save() const {
    std::vector<double> numbers;
    for (std::size_t l = 0; l < Runs; ++l)
      for (std::size_t i = 0; i < size; ++i) numbers.push_back(truth_.at(i, l));
    return numbers;
  }
  /// Goes on from a saved truth after `cycle` cycles, with the same bits as without a break and
  /// for any SIMD width. Throws ShapeError for a wrong number of numbers.
  void restore(std::size_t cycle, std::span<const double> numbers) {
    require_size("TwinTruth::restore", "numbers", numbers.size(), Runs * size,
                 "number of the truth");
    for (std::size_t g = 0; g < groups; ++g)
      for (std::size_t l = 0; l < width; ++l)
        for (std::size_t i = 0; i < size; ++i)
          lane_of(columns_[g][i], l) = numbers[std::min(g * width + l, Runs - 1) * size + i];
    cycle_ = cycle;
    copy_truth();
  }

  /// Seed, run and cycle of lane `lane`.
  [[nodiscard]] RandomKey key(std::size_t lane) const {
    return {seed_, Purpose::truth, lanes_[lane], cycle_};
  }

 private:
  static constexpr std::size_t width = simd_width<double>;
  static constexpr std::size_t groups = (Runs + width - 1) / width;

  [[nodiscard]] static std::array<std::uint64_t, Runs> from(std::uint64_t first) {
    std::array<std::uint64_t, Runs> lanes;
    for (std::size_t l = 0; l < Runs; ++l) lanes[l] = first + l;
    return lanes;
  }

  /// The runs of group g one cycle on, to cycle `cycle`.
  void step(std::size_t g, std::uint64_t cycle) {
    at_time(problem_.model, start_of_cycle(cycle)).step(columns_[g].data(), columns_[g].data());
    add_noise_to_truth(problem_.model_noise, columns_[g], [&](std::size_t l) {
      const std::size_t run = std::min(g * width + l, Runs - 1);
      return RandomKey{seed_, Purpose::truth, lanes_[run], cycle};
    });
  }

  void copy_truth() {
    for (std::size_t g = 0; g < groups; ++g)
      for (std::size_t l = 0; l < width && g * width + l < Runs; ++l)
        for (std::size_t i = 0; i < size; ++i)
          truth_.at(i, g * width + l) = lane_of(columns_[g][i], l);
    truth_.repeat_last_lane();
  }

  Problem problem_;
  std::uint64_t seed_;
  std::array<std::uint64_t, Runs> lanes_;
  std::array<Batch<double, Problem::points, Problem::channels, width>, groups> columns_;
  Truth truth_;
  Observed observed_;
  std::size_t cycle_ = 0;
  /// Of one run at a time.
  std::vector<double> state_ = std::vector<double>(size), seen_ = std::vector<double>(slots),
                      errors_ = seen_;
};

}  // namespace dan
