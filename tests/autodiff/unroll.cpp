// SPDX-License-Identifier: BSD-3-Clause
#include "dan/autodiff/unroll.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "../support/map_battery.hpp"
#include "dan/analysis/cycle.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz63.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/network/analysis_network.hpp"
#include "dan/observe/full.hpp"
#include "dan/observe/subset.hpp"

using namespace dan;

namespace {

using Small = Setting<Rk4<Lorenz96<8>>, SubsetNetwork<8, 5>>;
using Network = AnalysisNetwork<NetworkShape{.filters = 4,
                                             .blocks = 1,
                                             .sub_blocks = 2,
                                             .kernel = 3,
                                             .members = 2,
                                             .head = Head::gain,
                                             .memory = 2,
                                             .gain_radius = 2,
                                             .sees_precision = true},
                                Ring<8>>;
using Observed = Observations<double, Small::slots>;
using Cycle = LearnedCycle<Small, Network, Observed>;

Observed some_observations(std::uint64_t stream) {
  Observed observed;
  const auto y = test::normal(Observed::slots, stream, 3);
  for (std::size_t j = 0; j < Observed::slots; ++j) {
    observed.values.at(j, 0) = y[j];
    observed.precision.at(j, 0) = j == 2 ? 0 : 1.3;
  }
  return observed;
}

}  // namespace

TEST_CASE("cycle: derivatives of forecast, observation and analysis together") {
  const Small setting{.model = {.steps = 2}};
  Network network;
  network.input_deviation = {3.0};
  const auto observed = some_observations(7);
  const Cycle cycle{setting, network, observed};
  test::check_map(cycle, 0.3, 3.0);

  using L63 = Setting<Rk4<Lorenz63>, FullNetwork<1, 3>>;
  using Tiny =
      AnalysisNetwork<NetworkShape{.filters = 5, .blocks = 1, .sub_blocks = 1, .kernel = 1},
                      Ring<1>, 3>;
  const L63 lorenz63{.model = {.time_step = 0.01, .steps = 5}};
  const Tiny tiny;
  Observations<double, 3> seen;
  seen.precision.fill(0.5);
  test::check_map(LearnedCycle<L63, Tiny, Observations<double, 3>>{lorenz63, tiny, seen}, 0.3, 5.0);
}

TEST_CASE("unroll: recomputing gives the plain gradient bit for bit, and both are right") {
  const Small setting;
  Network network;
  network.input_deviation = {3.0};
  constexpr std::size_t cycles = 4, P = Network::parameters, C = Cycle::carried;
  std::vector<Observed> observed;
  for (std::size_t n = 0; n < cycles; ++n) observed.push_back(some_observations(20 + n));
  const auto at = [&](std::size_t n) { return Cycle{setting, network, observed[n]}; };
  std::vector<double> x = test::normal(P + C, 1, 0.1);
  const auto start = test::normal(C, 2, 3.0);
  std::copy(start.begin(), start.end(), x.begin() + P);
  const auto weights = test::normal(cycles * C, 3);  // of a linear loss over all carried states

  const auto loss = [&](std::span<const double> from) {
    Unrolled<Cycle, double> window(cycles);
    std::copy_n(from.data() + P, C, window.state(0));
    window.forward(from.data(), at, cycles);
    double sum = 0;
    for (std::size_t n = 0; n < cycles; ++n)
      for (std::size_t i = 0; i < C; ++i) sum += weights[n * C + i] * window.state(n + 1)[i];
    return std::vector<double>{sum};
  };
  const auto gradient = [&](auto& window) {
    std::vector<double> d(P + C);
    std::copy_n(x.data() + P, C, window.state(0));
    window.forward(x.data(), at, cycles);
    window.backward(
        x.data(), at,
        [&](std::size_t n, double* d_state) {
          for (std::size_t i = 0; i < C; ++i) d_state[i] += weights[(n - 1) * C + i];
        },
        d.data() + P, d.data());
    return d;
  };
  Unrolled<Cycle, double, Keep::everything> plain(cycles);
  Unrolled<Cycle, double, Keep::inputs> recompute(cycles);
  const auto d = gradient(plain);
  CHECK(d == gradient(recompute));
  CHECK_THROWS_WITH_AS(plain.forward(x.data(), at, cycles + 1),
                       doctest::Contains("found 5 cycles, expected at most 4"), ShapeError);

  const auto u = test::normal(P + C, 4);
  const auto along = [&](std::span<const double> v) {
    double sum = 0;
    for (std::size_t i = 0; i < P + C; ++i) sum += d[i] * v[i];
    return std::vector<double>{sum};
  };
  const auto fit = taylor_slope(loss, along, x, u, 1e-3);
  CHECK_MESSAGE(fit.passes(), "slope ", fit.slope, " over ", fit.points, " points");
}
