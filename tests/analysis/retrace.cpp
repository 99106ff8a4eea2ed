// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/retrace.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "../support/map_battery.hpp"
#include "../support/networks.hpp"
#include "../support/temporary_folder.hpp"
#include "dan/analysis/cycle.hpp"
#include "dan/analysis/learned.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/network/pretrained.hpp"
#include "dan/network/retraced.hpp"
#include "dan/network/weights.hpp"
#include "dan/observe/all.hpp"

using namespace dan;

namespace {

using Small = Problem<Rk4<Lorenz96<9>>, ObserveAll<9>>;
using Carried = test::RichNetwork;  // two members, and shown precision and scales
using Found = Retraced<Carried, 3>;
using Observed = Observations<double, 9>;

template <class Network>
using Cycle = LearnedCycle<Small, Network, Observed>;

const std::vector<double> scales = test::normal(18, 11);  // that the network is shown

Observed observations_of(const std::vector<double>& values) {
  Observed observed;
  for (std::size_t j = 0; j < 9; ++j) {
    observed.values.at(j, 0) = values[j];
    observed.precision.at(j, 0) = j == 2 ? 0 : 1.3;
  }
  return observed;
}

/// Two members, not far from each other, on the attractor.
std::vector<double> some_state() {
  const Small problem;
  auto x = test::normal(9, 5, 2);
  for (int n = 0; n < 200; ++n) problem.model.step(x.data(), x.data());
  auto members = x;
  for (const double value : x) members.push_back(value + 0.01);
  return members;
}

/// The analysis of `state` by a cycle that carries a memory, which begins empty `cycles` cycles
/// before: what it observes along the way is what is there, so that ζ = 0.
std::vector<double> by_carrying(const Trained<Carried, double>& trained,
                                const std::vector<double>& state, const Observed& observed,
                                std::size_t cycles) {
  const Small problem;
  const std::vector<double> units(9, 0.8);
  auto cache = std::make_unique<Cycle<Carried>::Cache<double>>();
  std::vector<double> carried(Cycle<Carried>::carried);
  for (std::size_t k = cycles + 1; k-- > 0;) {
    std::copy(state.begin(), state.end(), carried.begin());
    const Rk4<Lorenz96<9>> back{.time_step = -0.05};
    for (std::size_t n = 0; n < k; ++n)
      for (std::size_t m = 0; m < 2; ++m) back.step(&carried[m * 9], &carried[m * 9]);
    std::vector<double> mean(9);
    for (std::size_t i = 0; i < 9; ++i) mean[i] = (carried[i] + carried[9 + i]) / 2;
    const auto seen = k == 0 ? observed : observations_of(mean);
    Cycle<Carried>{problem, trained.network, seen, units, trained.network.bounds(), 0, scales}
        .analyse(trained.parameters.data(), carried.data(), carried.data(), *cache);
  }
  carried.resize(18);
  return carried;
}

std::vector<double> by_retracing(const Trained<Carried, double>& trained,
                                 const std::vector<double>& state, const Observed& observed) {
  const Small problem;
  const std::vector<double> units(9, 0.8);
  const auto found = retraced<3>(trained);
  auto cache = std::make_unique<Cycle<Found>::Cache<double>>();
  std::vector<double> analysis(18);
  Cycle<Found>{problem, found.network, observed, units, found.network.bounds(), 0, scales}.analyse(
      found.parameters.data(), state.data(), analysis.data(), *cache);
  return analysis;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

}  // namespace

TEST_CASE("retrace: the memory is the one of a network that followed the trajectory") {
  static_assert(Cycle<Found>::carried == 18);  // two states and nothing else
  const auto trained = test::random_weights<Carried, double>(2.3, 3.6, 7, 0.4);
  const auto state = some_state();
  const auto observed = observations_of(test::normal(9, 6, 3));
  const auto analysis = by_retracing(trained, state, observed);
  CHECK(largest_difference(analysis, by_carrying(trained, state, observed, 3)) < 1e-12);
  for (const std::size_t others : {0U, 2U, 4U})
    CHECK(largest_difference(analysis, by_carrying(trained, state, observed, others)) > 1e-6);
}

TEST_CASE("retrace: a trajectory is followed no farther than the climate reaches") {
  auto trained = test::random_weights<Carried, double>(2.3, 3.6, 7, 0.4);
  const auto observed = observations_of(test::normal(9, 6, 3));
  // A jagged state: what dissipation would have smoothed was larger before.
  auto state = some_state();
  for (std::size_t i = 0; i < 18; ++i) state[i] = i % 2 == 0 ? 7 : -2.5;
  const auto mean_square = [&](std::size_t back_by) {
    const Rk4<Lorenz96<9>> back{.time_step = -0.05};
    auto x = state;
    double sum = 0;
    for (std::size_t m = 0; m < 2; ++m)
      for (std::size_t n = 0; n < back_by; ++n) back.step(&x[m * 9], &x[m * 9]);
    for (const double value : x) sum += (value - 2.3) * (value - 2.3) / (3.6 * 3.6);
    return sum / 18;
  };
  std::size_t followed = 0;
  while (followed < 3 && mean_square(followed + 1) <= 1.5) ++followed;
  CHECK(followed < 3);  // else nothing is tested
  CHECK(largest_difference(by_retracing(trained, state, observed),
                           by_carrying(trained, state, observed, followed)) < 1e-12);

  std::ranges::fill(state, 30.0);  // runs away within a cycle
  for (const double value : by_retracing(trained, state, observed)) CHECK(std::isfinite(value));
}

TEST_CASE("retrace: derivatives, with a memory found along all of the trajectory or none") {
  const Small problem;
  const std::vector<double> units(9, 0.8);
  const auto observed = observations_of(test::normal(9, 6, 3));
  Found network;
  network.input_mean = {0.3};
  for (const double deviation : {6.0, 0.5}) {
    network.input_deviation = {deviation};
    test::check_map(Cycle<Found>{problem, network, observed, units, {}, 0, scales}, 0.3, 3.0);
  }
}

TEST_CASE("retrace: weights say that their memory is found anew") {
  const test::TemporaryFolder folder;
  const auto trained = test::random_weights<Carried, float>(2.3, 3.6, 7, 0.4);
  const auto file = folder / "found.safetensors";
  save_weights(file, retraced<3>(trained));
  CHECK(load_weights<Found>(file).parameters == trained.parameters);
  CHECK_THROWS_WITH_AS(void(load_weights<Carried>(file)),
                       doctest::Contains("a network with retrace = 3, expected a network without"),
                       FileError);
}
