// SPDX-License-Identifier: BSD-3-Clause
#include "dan/train/trainer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "../support/far_model.hpp"
#include "dan/analysis/learned.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/random.hpp"

using namespace dan;

namespace {
using Full = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
using Small = AnalysisNetwork<NetworkShape{.filters = 8, .blocks = 1, .sub_blocks = 2}, Ring<40>>;
using Gain = AnalysisNetwork<
    NetworkShape{.filters = 16, .blocks = 1, .sub_blocks = 1, .kernel = 3, .head = Head::gain},
    Ring<40>>;
constexpr std::size_t lanes = simd_width<float>;

/// NaN where a state is larger than any of the attractor, as some starts are.
struct Wild : Rk4<Lorenz96<40>> {
  template <class T>
  void step(const T* x, T* y) const {
    Rk4<Lorenz96<40>>::step(x, y);
    for (std::size_t l = 0; l < lanes_of<T>; ++l)
      if (std::abs(lane_of(y[0], l)) > 16)
        lane_of(y[1], l) = std::numeric_limits<real_t<T>>::quiet_NaN();
  }
};

template <class S>
Small scaled(const S& problem) {
  Small network;
  scale_inputs(problem, network);
  return network;
}

template <class S>
auto train(const S& problem, std::size_t threads, std::size_t updates = 25) {
  Trainer<S, Small, lanes> trainer(
      problem, scaled(problem),
      {.updates = updates, .groups = 3, .warm_up = 10, .threads = threads, .progress = false});
  trainer.run();
  return std::pair(trainer.trained().parameters, trainer.report().rmse);
}
}  // namespace

TEST_CASE("trainer: threads change no bit") {
  const Full problem;
  const auto one = train(problem, 1);
  CHECK(one == train(problem, 2));
  CHECK(one == train(problem, 5));
}

TEST_CASE("trainer: learns to assimilate, also under a random network") {
  // An observation has error 1; an untrained network lets the error grow to the climate's 5. Five
  // seeds of this small network reached 0.3 to 0.4 and 0.5 to 0.9; the bounds leave a factor.
  const auto last = [](const std::vector<float>& rmse) {
    return std::accumulate(rmse.end() - 20, rmse.end(), 0.0) / 20;
  };
  CHECK(last(train(Full{}, 2, 400).second) < 0.75);
  using Sparse = Problem<Rk4<Lorenz96<40>>, ObserveRandom<40>>;
  const Sparse sparse{.observe = ObserveRandom<40>(20, 40)};
  CHECK(last(train(sparse, 2, 400).second) < 1.5);
}

TEST_CASE("trainer: lanes that have lost the truth restart and recover") {
  const Full problem;
  Trainer<Full, Small, lanes> trainer(
      problem, scaled(problem),
      {.updates = 100, .groups = 1, .warm_up = 10, .first_guess_deviation = 50, .progress = false});
  trainer.update();
  CHECK(trainer.report().restarts == lanes);  // an error of 50, bounded to some 20, is no forecast
  CHECK(trainer.report().last_restart == 0);
  CHECK(std::isfinite(trainer.report().rmse.back()));
}

TEST_CASE("trainer: averaged weights are the running mean, and leave the training alone") {
  const Full problem;
  TrainConfig config{.updates = 30, .groups = 1, .warm_up = 10, .progress = false};
  using T = Trainer<Full, Small, lanes>;
  T plain(problem, scaled(problem), config);
  config.average = 0.6;
  T averaged(problem, scaled(problem), config);
  auto expected = plain.trained().parameters;
  for (int n = 1; n <= 30; ++n) {
    const auto decay = static_cast<float>(std::min(0.6, (1.0 + n) / (10.0 + n)));
    CHECK(plain.update() == averaged.update());
    for (std::size_t i = 0; i < expected.size(); ++i)
      expected[i] = decay * expected[i] + (1 - decay) * plain.trained().parameters[i];
  }
  double error = 0, distance = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const float mean = averaged.trained().parameters[i];
    error = std::max(error, static_cast<double>(std::abs(mean - expected[i])));
    distance =
        std::max(distance, static_cast<double>(std::abs(mean - plain.trained().parameters[i])));
  }
  CHECK(error < 1e-6);
  CHECK(distance > 1e-4);
  CHECK(&averaged.run() == &averaged.trained());
}

TEST_CASE("trainer: scaling of states far from zero") {
  const Problem<test::FarModel, ObserveAll<4>> problem;
  struct {
    std::array<double, 1> input_mean{}, input_deviation{};
  } network;
  scale_inputs(problem, network);
  CHECK(std::abs(network.input_mean[0] - test::FarModel::mean) < 0.1);
  CHECK(network.input_deviation[0] == doctest::Approx(1).epsilon(0.01));
}

TEST_CASE("trainer: wrong scaling and a diverging model are told") {
  const Full problem;
  using T = Trainer<Full, Small, lanes>;
  CHECK_THROWS_WITH_AS(T(problem, Small{}, {}), doctest::Contains("call scale_inputs"),
                       ConfigError);
  const Full wild{.model = {.time_step = 0.5}};
  Small network;
  CHECK_THROWS_AS(scale_inputs(wild, network), NumericalError);
}

TEST_CASE("trainer: runs start anew, one after the other") {
  const Full problem;
  const auto rmse = [&](std::size_t renew_every) {
    Trainer<Full, Small, lanes> trainer(problem, scaled(problem),
                                        {.updates = 60,
                                         .groups = 1,
                                         .unroll = 2,
                                         .warm_up = 10,
                                         .loss_limit = 3,
                                         .first_guess_deviation = 3,
                                         .renew_every = renew_every,
                                         .progress = false});
    trainer.run();
    CHECK(trainer.report().restarts < 60);  // of lost runs; renewals do not count
    return trainer.report().rmse;
  };
  const auto never = rmse(0), always = rmse(1), sometimes = rmse(20);
  CHECK(always[0] == never[0]);
  CHECK(always.back() > 1.5F * never.back());
  // Only a few runs at a time start anew.
  CHECK(sometimes.back() < 0.5F * (always.back() + never.back()));
}

TEST_CASE("trainer: upset runs are learned from, and gaps are not held against the network") {
  // Upsets in every update make the error larger than renewals do, but nothing is lost or skipped.
  const Full problem;
  const auto rmse = [&](double share) {
    Trainer<Full, Gain, lanes> trainer(
        problem,
        [&] {
          Gain network;
          scale_inputs(problem, network);
          return network;
        }(),
        {.updates = 120,
         .groups = 1,
         .unroll = 4,
         .warm_up = 10,
         .renew_every = 30,
         .upsets = {.first = share, .last = share, .farthest = 4, .longest_gap = 6},
         .progress = false});
    trainer.run();
    CHECK(trainer.report().skipped == 0);
    CHECK(trainer.report().restarts < 60);
    return std::accumulate(trainer.report().rmse.end() - 60, trainer.report().rmse.end(), 0.0) / 60;
  };
  CHECK(rmse(1) > 1.05 * rmse(0));
}

TEST_CASE("trainer: first guesses are as good as a precise observation") {
  // Of the first analyses, with a gain of 0.2 everywhere: √(0.8² + 0.2²).
  const auto rmse = [](double variance, double deviation = 1) {
    const Full problem{.noise = DiagonalNoise<40>(variance)};
    Gain network;
    scale_inputs(problem, network);
    Trainer<Full, Gain, lanes> trainer(problem, network,
                                       {.updates = 1000,
                                        .unroll = 1,
                                        .learning_rate = 1e-9,
                                        .first_guess_deviation = deviation,
                                        .progress = false});
    return trainer.update();
  };
  const double usual = rmse(1);
  CHECK(usual > 0.7);
  CHECK(usual < 1);
  // The same in such units, but for single precision.
  CHECK(rmse(1e-4) == doctest::Approx(0.01 * usual).epsilon(0.01).scale(0));
  CHECK(rmse(1e-4, 3) == doctest::Approx(0.03 * usual).epsilon(0.1).scale(0));
  CHECK(rmse(9) < 1.5 * usual);  // √(0.8² + 0.6²), not 3 times that
}

TEST_CASE("trainer: the innovations of a training go into the weights' record") {
  // A gain of 0.2 everywhere has an analysis error of 0.4, a forecast error of 0.45.
  const Full problem{.noise = DiagonalNoise<40>(0.25)};
  Gain network;
  scale_inputs(problem, network);
  Trainer<Full, Gain, lanes> trainer(
      problem, network,
      {.updates = 600, .groups = 1, .unroll = 1, .learning_rate = 1e-9, .progress = false});
  trainer.run();
  const auto record = *trainer.trained().trained_for;
  CHECK(record.least_variance == 0.25);
  CHECK(record.most_variance == 0.25);
  CHECK(record.least_observed == 1);
  const auto forecasts =
      run_twin(problem, Learned<Full, Gain, lanes>(problem, trainer.trained()),
               {.runs = lanes, .cycles = 300, .burn_in = 100, .seed = 3, .progress = false})
          .forecast_rmse;
  // δ²/R = 1 + (forecast error)²/R, of which the record has a median: smaller, not by much.
  const double excess = forecasts * forecasts / 0.25;
  CHECK(record.innovation - 1 == doctest::Approx(excess).epsilon(0.1).scale(0));
}

TEST_CASE("trainer: a model that runs away in one lane spoils no update") {
  using WildProblem = Problem<Wild, ObserveAll<40>>;
  const WildProblem wild;
  const Full problem;
  Trainer<WildProblem, Small, lanes> trainer(wild, scaled(problem),
                                             {.updates = 40,
                                              .groups = 1,
                                              .unroll = 3,
                                              .warm_up = 5,
                                              .first_guess_deviation = 5,
                                              .renew_every = 2,
                                              .progress = false});
  for (int n = 0; n < 40; ++n) trainer.update();
  CHECK(trainer.report().skipped == 0);
  CHECK(trainer.report().restarts > 0);
  for (const float w : trainer.trained().parameters) CHECK(std::isfinite(w));
}

TEST_CASE("trainer: a training that learns nothing ends with an error that says so") {
  const Full problem;
  Trainer<Full, Small, lanes> trainer(
      problem, scaled(problem),
      {.updates = 300, .groups = 1, .warm_up = 10, .first_guess_deviation = 50, .progress = false});
  CHECK_THROWS_WITH_AS(trainer.run(),
                       doctest::Contains("nothing is learned: in the mean of the last updates, up "
                                         "to update 300, 100 % of the runs lost the truth"),
                       NumericalError);
}
