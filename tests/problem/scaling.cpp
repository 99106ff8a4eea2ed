// SPDX-License-Identifier: BSD-3-Clause
#include "dan/problem/scaling.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>

#include "dan/autodiff/derivatives.hpp"
#include "dan/core/random.hpp"
#include "dan/integrate/repeated.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/network/analysis_network.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/interpolate.hpp"
#include "dan/observe/nonlinear.hpp"
#include "dan/problem/observation_deviations.hpp"
#include "dan/problem/problem.hpp"
#include "dan/problem/truth.hpp"

using namespace dan;

namespace {
constexpr std::size_t size = 100;
/// Stays as it is.
struct Still {
  static constexpr std::size_t points = size, channels = 1;
  template <class T>
  void step(const T* x, T* y) const {
    if (x != y) std::copy_n(x, points, y);
  }
};
/// 3 ± 1 by turns, and `peak` at the first point.
struct Peak {
  double peak = 2;
  std::size_t spin_up = 0;
  void operator()(const RandomKey&, std::span<double> x) const {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = i % 2 == 0 ? 2 : 4;
    x[0] = peak;
  }
};
struct Scaled {
  std::array<double, 1> input_mean{}, input_deviation{};
};
}  // namespace

TEST_CASE("scale_inputs: mean and deviation, and room for the largest values") {
  Problem<Still, ObserveAll<size>, Peak> problem;
  Scaled network;
  scale_inputs(problem, network);
  CHECK(network.input_mean[0] == doctest::Approx(3).epsilon(1e-12));
  CHECK(network.input_deviation[0] == doctest::Approx(1).epsilon(1e-12));
  problem.start.peak = 13;  // the mean is 3.11, the standard deviation 1.41
  scale_inputs(problem, network);
  CHECK(network.input_mean[0] == doctest::Approx(3.11).epsilon(1e-12));
  CHECK(network.input_deviation[0] == doctest::Approx((13 - 3.11) / 4).epsilon(1e-12));
}

TEST_CASE("scale_inputs: a channel that never changes is refused") {
  struct Constant {
    std::size_t spin_up = 0;
    void operator()(const RandomKey&, std::span<double> x) const { std::ranges::fill(x, 0.27); }
  };
  Scaled network;
  CHECK_THROWS_WITH_AS(
      scale_inputs(Problem<Still, ObserveAll<size>, Constant>{}, network),
      doctest::Contains("scale_inputs: channel 0 of the truth is 0.27 at every point and time"),
      ConfigError);
}

namespace {
/// Radiance of a state in kelvin, W/m².
struct Radiance {
  static constexpr std::size_t points = 8, channels = 1, slots = 8;
  template <class T>
  void observe(const T* x, T* y) const {
    for (std::size_t i = 0; i < 8; ++i) y[i] = 5.67e-8 * (x[i] * x[i]) * (x[i] * x[i]);
  }
  static void available(const RandomKey&, bool* mask) { std::fill_n(mask, slots, true); }
};
}  // namespace

TEST_CASE("scaling: a nonlinear operator's precision is that of its slope in the climate") {
  using World = Problem<Rk4<Lorenz96<8>>, Differentiated<Radiance>>;
  using Network = NetworkFor<World, NetworkShape{.filters = 2, .blocks = 1, .sub_blocks = 1}>;
  const World world{.noise = DiagonalNoise<8>(5.5 * 5.5)};
  Network network;
  network.input_mean = {290}, network.input_deviation = {5};
  // dy/dT = 4 σ T³ = 5.53 W/m²/K at 290 K, so that an error of 5.5 W/m² is one of 1 K.
  for (const double s : observation_deviations(world, network))
    CHECK(s == doctest::Approx(5.5 / 5.53).epsilon(0.01));
}

namespace {
/// The identity, as a nonlinear observation.
struct Same {
  template <class T>
  T value(const T& x) const {
    return x;
  }
  template <class T>
  T slope(const T&) const {
    return T(real_t<T>(1));
  }
};
}  // namespace

TEST_CASE("scaling: of a nonlinear operator at moving places the slope counts, not the weights") {
  using At = ObserveAt<Ring<40>, 2>;
  const At between({Place<1>{{3.5}}, Place<1>{{7.25}}});
  using World = Problem<Rk4<Lorenz96<40>>, Nonlinear<At, Same>>;
  using Network = NetworkFor<World, NetworkShape{.filters = 2, .blocks = 1, .sub_blocks = 1}>;
  const World world{.observe = Nonlinear<At, Same>{between}};
  Network network;
  network.input_mean = {2}, network.input_deviation = {3};
  for (const double s : observation_deviations(world, network)) CHECK(s == 1);
}

TEST_CASE("truth: a model without a step, or with one backwards, is refused") {
  using Twice = Problem<Repeated<Rk4<Lorenz96<8>>>, ObserveAll<8>>;
  CHECK_THROWS_WITH_AS((TwinTruth<Twice, 1>(Twice{.model = {.count = 0}}, {.seed = 1})),
                       doctest::Contains("Repeated: count is 0"), ConfigError);
  CHECK_THROWS_WITH_AS((TwinTruth<Twice, 1>(Twice{.model = {.model = {.steps = 0}}}, {.seed = 1})),
                       doctest::Contains("RungeKutta: steps is 0"), ConfigError);
  using World = Problem<Rk4<Lorenz96<8>>, ObserveAll<8>>;
  CHECK_THROWS_WITH_AS((TwinTruth<World, 1>(World{.model = {.steps = 0}}, {.seed = 1})),
                       doctest::Contains("RungeKutta: steps is 0"), ConfigError);
  CHECK_THROWS_WITH_AS((TwinTruth<World, 1>(World{.model = {.time_step = -0.1}}, {.seed = 1})),
                       doctest::Contains("RungeKutta: time_step is -0.1"), ConfigError);
}
