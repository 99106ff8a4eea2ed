// SPDX-License-Identifier: BSD-3-Clause
#include "dan/autodiff/unroll.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "../support/map_battery.hpp"
#include "dan/analysis/cycle.hpp"
#include "dan/autodiff/derivatives.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz63.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/network/analysis_network.hpp"
#include "dan/network/weights.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/interpolate.hpp"
#include "dan/observe/nonlinear.hpp"
#include "dan/observe/subset.hpp"
#include "dan/observe/whitened.hpp"
#include "dan/problem/describe.hpp"

using namespace dan;

namespace {

using Small = Problem<Rk4<Lorenz96<8>>, ObserveSubset<8, 5>>;
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

/// x(k+1) = x(k), which has no units.
struct Still {
  static constexpr std::size_t points = 8, channels = 1;
  template <class T>
  static void step(const T* x, T* y) {
    std::copy_n(x, 8, y);
  }
};

/// Products of neighbours and sines.
struct Waves {
  static constexpr std::size_t points = 8, channels = 1, slots = 5;
  template <class T>
  void observe(const T* x, T* y) const {
    using std::sin;
    for (std::size_t j = 0; j < slots; ++j) y[j] = sin(0.3 * x[j]) + 0.2 * x[j] * x[j + 3];
  }
  static void available(const RandomKey&, bool* mask) { std::fill_n(mask, slots, true); }
};

/// x(k+1) = factor x(k), channel by channel.
struct Scaling {
  static constexpr std::size_t points = 8, channels = 2;
  std::array<double, 2> factor;
  template <class T>
  void step(const T* x, T* y) const {
    for (std::size_t i = 0; i < 16; ++i) y[i] = constant<T>(factor[i % 2]) * x[i];
  }
};

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
  const Small problem{.model = {.steps = 2}};
  Network network;
  network.input_deviation = {3.0};
  const auto observed = some_observations(7);
  const auto deviations = test::normal(8, 9, 0.1);
  std::vector<double> units(8);  // unlike for every element
  for (std::size_t i = 0; i < 8; ++i) units[i] = std::exp(deviations[i]);
  test::check_map(Cycle{problem, network, observed, units}, 0.3, 3.0);

  // Of nonlinear operators the derivative of ζ has their curvature; one is the library's with
  // derivatives by hand, one somebody's with those by machine.
  using Curved = AnalysisNetwork<[] {
    NetworkShape shape = Network::shape;
    shape.sees_precision = false;
    return shape;
  }(),
                                 Ring<8>>;
  Curved curved;
  curved.input_deviation = {3.0};
  const auto check_operator_of = [&](const auto& operation) {
    using Bent = Problem<Rk4<Lorenz96<8>>, std::decay_t<decltype(operation)>>;
    const Bent bent{.model = {.steps = 2}, .observe = operation};
    test::check_map(LearnedCycle<Bent, Curved, Observed>{bent, curved, observed, units}, 0.3, 3.0);
  };
  check_operator_of(Nonlinear<ObserveSubset<8, 5>, Arctan>{});
  check_operator_of(Differentiated<Waves>{});

  // The tangent knows no bounds: far departures count whole in its value and in its derivative.
  using Bent = Problem<Rk4<Lorenz96<8>>, Differentiated<Waves>>;
  const Bent bent;
  Observed far = observed;
  for (double& y : far.values.numbers()) y += 40;
  using Far = LearnedCycle<Bent, Curved, Observed>;
  AnalysisBounds<1> bounds;
  bounds.departure = 8;
  const Far cycle{bent, curved, far, units, bounds};
  const auto params = test::normal(Far::parameters, 11, 0.3);
  const std::vector<double> fixed(Far::parameters);
  const auto x = test::normal(Far::inputs, 12, 3), dx = test::normal(Far::inputs, 13);
  const auto along = [&](double step) {
    std::vector<double> in(Far::inputs), out(Far::outputs), slope(Far::outputs);
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = x[i] + step * dx[i];
    cycle.tangent(params.data(), fixed.data(), in.data(), dx.data(), out.data(), slope.data());
    return std::pair(out, slope);
  };
  const auto [above, up] = along(1e-5);
  const auto [below, down] = along(-1e-5);
  const auto [at, slope] = along(0);
  double size = 0, error = 0;
  for (std::size_t i = 0; i < at.size(); ++i) {
    size += slope[i] * slope[i];
    error += std::pow((above[i] - below[i]) / 2e-5 - slope[i], 2);
  }
  CHECK(std::sqrt(error / size) < 1e-6);  // 1.8 with the bound in the slope alone

  // No slot reports: with the precision shown, the memory goes on; else it stays.
  Observed silent = observed;
  silent.precision.fill(0);
  test::check_map(Cycle{problem, network, silent, units}, 0.3, 3.0);
  using Blind = AnalysisNetwork<NetworkShape{.filters = 3,
                                             .blocks = 1,
                                             .sub_blocks = 1,
                                             .kernel = 3,
                                             .head = Head::gain,
                                             .memory = 2,
                                             .gain_radius = 1},
                                Ring<8>>;
  const Blind blind;
  using BlindCycle = LearnedCycle<Small, Blind, Observed>;
  test::check_map(BlindCycle{problem, blind, observed, units}, 0.3, 3.0);
  test::check_map(BlindCycle{problem, blind, silent, units}, 0.3, 3.0);

  // Shown the scales.
  using Seeing = AnalysisNetwork<[] {
    NetworkShape shape = Network::shape;
    shape.sees_scales = true;
    return shape;
  }(),
                                 Ring<8>>;
  Seeing seeing;
  seeing.input_deviation = {3.0};
  const auto scales = scales_shown(problem, seeing, units);
  test::check_map(
      LearnedCycle<Small, Seeing, Observed>{problem, seeing, observed, units, {}, 0, scales}, 0.3,
      3.0);

  using L63 = Problem<Rk4<Lorenz63>, ObserveAll<1, 3>>;
  using Tiny =
      AnalysisNetwork<NetworkShape{.filters = 5, .blocks = 1, .sub_blocks = 1, .kernel = 1},
                      Ring<1>, 3>;
  const L63 lorenz63{.model = {.time_step = 0.01, .steps = 5}};
  const Tiny tiny;
  Observations<double, 3> seen;
  seen.precision.fill(0.5);
  const std::vector<double> ones(3, 1.0);
  test::check_map(LearnedCycle<L63, Tiny, Observations<double, 3>>{lorenz63, tiny, seen, ones}, 0.3,
                  5.0);
}

TEST_CASE("cycle: observations and increments are in units of the observations' errors") {
  // The deviations of the errors, of what is seen twice, and of what is never seen.
  // Alone, what is seen twice, and what is never seen; then beside a more precise one.
  using Twice = Problem<Rk4<Lorenz96<6>>, ObserveSubset<6, 3>>;
  const Twice twice{.observe = ObserveSubset<6, 3>({1, 1, 3}),
                    .noise = DiagonalNoise<3>({0.5, 0.5, 0.01})};
  const auto units_of = [&]<std::size_t Kernel>() {
    using Net =
        AnalysisNetwork<NetworkShape{.filters = 2, .blocks = 1, .sub_blocks = 1, .kernel = Kernel},
                        Ring<6>>;
    return observation_deviations(twice, Net{});
  };
  const auto alone = units_of.operator()<1>(), beside = units_of.operator()<3>();
  CHECK(alone[1] == doctest::Approx(0.5));
  CHECK(alone[3] == doctest::Approx(0.1));
  CHECK(alone[0] == doctest::Approx(std::sqrt((0.25 + 0.01) / 2)));
  CHECK(alone[5] == alone[0]);
  CHECK(beside[0] == doctest::Approx(0.5));
  CHECK(beside[2] == doctest::Approx(0.1));
  CHECK(beside[4] == doctest::Approx(0.1));

  // The same network in a world of other units: the same analysis, ten times smaller.
  using Still8 = Problem<Still, ObserveAll<8>>;
  using Net = AnalysisNetwork<NetworkShape{.filters = 4,
                                           .blocks = 1,
                                           .sub_blocks = 1,
                                           .kernel = 3,
                                           .head = Head::gain,
                                           .memory = 1,
                                           .gain_radius = 2},
                              Ring<8>>;
  Trained<Net, double> trained;
  Net::initialise(3, span_of(trained.parameters));
  for (auto& p : trained.parameters) p *= 1.5;
  const auto x = test::normal(8, 1), y = test::normal(8, 2);
  const auto analysis = [&](double unit) {
    Still8 world{.noise = DiagonalNoise<8>(unit * unit)};
    Net network = trained.network;
    network.input_deviation = {unit};
    Observations<double, 8> seen;
    std::vector<double> in(16), out(16);
    for (std::size_t i = 0; i < 8; ++i) {
      in[i] = unit * x[i];
      seen.values.at(i, 0) = unit * y[i], seen.precision.at(i, 0) = 1 / (unit * unit);
    }
    using C = LearnedCycle<Still8, Net, Observations<double, 8>>;
    const auto units = observation_deviations(world, Net{});
    auto cache = std::make_unique<C::Cache<double>>();
    C{world, network, seen, units, network.bounds()}.analyse(trained.parameters.data(), in.data(),
                                                             out.data(), *cache);
    return out;
  };
  const auto large = analysis(1), small = analysis(0.1);
  for (std::size_t i = 0; i < 8; ++i)
    CHECK(small[i] == doctest::Approx(0.1 * large[i]).epsilon(1e-12).scale(0));
  for (std::size_t i = 8; i < 16; ++i)
    CHECK(small[i] == doctest::Approx(large[i]).epsilon(1e-12).scale(0));
}

TEST_CASE("cycle: a network that sees the scales is shown their logarithms") {
  using World = Problem<Scaling, ObserveAll<8, 2>>;
  using Plain = AnalysisNetwork<NetworkShape{.filters = 2, .sees_scales = true}, Ring<8>, 2>;
  Plain network;
  network.input_mean = {100, 0}, network.input_deviation = {4, 0.5};
  std::vector<double> units(16, 2);
  units[4] = 1e-9, units[6] = 1e9;
  // The change of channel c has a deviation of |factor − 1| of its own; the mean of the first
  // moves by 100 · (1.5 − 1). One that is not finite counts as a large one.
  const auto known = scales_shown(World{.model = {{1.5, 0.9}}}, network, units);
  const auto none = scales_shown(World{.model = {{1, 1}}}, network, units);
  const auto wild = scales_shown(World{.model = {{1e308, 1}}}, network, units);
  REQUIRE(known.size() == 32);
  for (std::size_t i = 0; i < 16; ++i) {
    const double size = i == 4 ? 1.0 / 50 : i == 6 ? 50 : i % 2 == 0 ? 0.5 : 4;
    CHECK(known[i] == doctest::Approx(std::log(size)));
    // 1,024 numbers of a channel: a sampling error of 2 %
    CHECK(std::exp(known[16 + i]) == doctest::Approx(i % 2 == 0 ? 0.5 : 0.1).epsilon(0.1).scale(0));
    CHECK(none[16 + i] == doctest::Approx(-std::log(50)));
    if (i % 2 == 0) CHECK(wild[16 + i] == doctest::Approx(std::log(50)));
  }

  using Seeing = AnalysisNetwork<NetworkShape{.filters = 2, .sees_scales = true}, Ring<8>>;
  using C = LearnedCycle<Small, Seeing, Observed>;
  const Small problem;
  const Seeing seeing;
  const auto observed = some_observations(7);
  const std::vector<double> in(8), scales = test::normal(16, 3);
  const std::vector<float> weights(Seeing::parameters);
  std::vector<double> out(8);
  const auto cache = std::make_unique<C::Cache<double>>();
  C{problem, seeing, observed, units, {}, 0, scales}.analyse(weights.data(), in.data(), out.data(),
                                                             *cache);
  for (std::size_t i = 0; i < 16; ++i) CHECK(cache->network_in[Seeing::scales_at + i] == scales[i]);
}

TEST_CASE("unroll: recomputing gives the plain gradient bit for bit, and both are right") {
  const Small problem;
  Network network;
  network.input_deviation = {3.0};
  constexpr std::size_t cycles = 4, P = Network::parameters, C = Cycle::carried;
  std::vector<Observed> observed;
  for (std::size_t n = 0; n < cycles; ++n) observed.push_back(some_observations(20 + n));
  const std::vector<double> ones(8, 1.0);
  const auto at = [&](std::size_t n) { return Cycle{problem, network, observed[n], ones}; };
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

TEST_CASE("cycle: a curved operator whose places or factors are others in every lane") {
  constexpr std::size_t runs = 3;
  constexpr NetworkShape shape{.filters = 3, .blocks = 1, .sub_blocks = 1, .kernel = 3};
  using Net = AnalysisNetwork<shape, Ring<8>>;
  Net network;
  network.input_deviation = {3.0};
  const std::vector<double> units(8, 1.0), x = test::normal(8 * runs, 3, 3.0);
  const auto direction = test::normal(8 * runs, 4);
  std::vector<double> parameters(Net::parameters);
  const auto random = test::normal(Net::parameters, 5, 0.3);
  std::copy(random.begin(), random.end(), parameters.begin());
  // The gradient of a lane is that of this lane alone.
  const auto check = [&](const auto& problem, const auto& observe_lane) {
    using World = std::decay_t<decltype(problem)>;
    using Operator = typename World::Operator;
    const auto gradient = [&]<std::size_t Lanes>(std::size_t first) {
      using Seen = observed_t<Operator, double, Lanes>;
      using C = LearnedCycle<World, Net, Seen>;
      using T = lanes_t<double, Lanes>;
      Seen seen;
      for (std::size_t l = 0; l < Lanes; ++l) observe_lane(seen, l, first + l);
      seen.values.repeat_last_lane(), seen.precision.repeat_last_lane();
      Aligned<T> in(8), out(8), d_out(8), d_in(8, T(0.0));
      std::vector<double> d_params(Net::parameters);
      for (std::size_t i = 0; i < 8; ++i)
        for (std::size_t l = 0; l < lanes_of<T>; ++l) {
          const std::size_t run = first + std::min(l, Lanes - 1);
          lane_of(in[i], l) = x[run * 8 + i], lane_of(d_out[i], l) = direction[run * 8 + i];
        }
      const auto cache = std::make_unique<typename C::template Cache<T>>();
      const C cycle{problem, network, seen, units};
      cycle.forward(parameters.data(), in.data(), out.data(), *cache);
      cycle.backward(parameters.data(), in.data(), *cache, d_out.data(), d_in.data(),
                     d_params.data());
      std::vector<double> result;
      for (std::size_t l = 0; l < Lanes; ++l)
        for (std::size_t i = 0; i < 8; ++i) result.push_back(lane_of(d_in[i], l));
      return result;
    };
    const auto together = gradient.template operator()<runs>(0);
    for (std::size_t run = 0; run < runs; ++run) {
      const auto alone = gradient.template operator()<1>(run);
      for (std::size_t i = 0; i < 8; ++i)
        CHECK(together[run * 8 + i] == doctest::Approx(alone[i]).epsilon(1e-12));
    }
  };
  const auto values = test::normal(4 * runs, 6, 3.0);
  const std::vector<double> variances{1, 0.5, 2, 0.25};
  check(Problem<Rk4<Lorenz96<8>>, Nonlinear<ObserveAt<Ring<8>, 4>, Arctan>>{},
        [&](auto& seen, std::size_t lane, std::size_t run) {
          std::vector<Place<1>> places(4);
          for (std::size_t j = 0; j < 4; ++j)
            places[j].position = {0.75 + static_cast<double>(j + run)};
          set_observations(seen, lane, std::span(values).subspan(4 * run, 4),
                           std::span<const double>(variances), std::span<const Place<1>>(places));
        });
  using Correlated = Whitened<Nonlinear<ObserveSubset<8, 4>, Arctan>>;
  auto r = zero_tensor<double>(4, 4);
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t j = 0; j < 4; ++j) r(i, j) = i == j ? 1 : 0.3;
  const Problem<Rk4<Lorenz96<8>>, Correlated> correlated{.observe = Correlated({}, r)};
  check(correlated, [&](auto& seen, std::size_t lane, std::size_t run) {
    std::vector<double> y(values.begin() + static_cast<std::ptrdiff_t>(4 * run),
                          values.begin() + static_cast<std::ptrdiff_t>(4 * run + 4));
    y[run] = std::nan("");
    set_observations(seen, lane, y, correlated.observe, MissingValues::unobserved);
  });
}
