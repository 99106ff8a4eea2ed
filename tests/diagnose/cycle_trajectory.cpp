// SPDX-License-Identifier: BSD-3-Clause
#include "dan/diagnose/cycle_trajectory.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "dan/analysis/learned.hpp"
#include "dan/analysis/var3d.hpp"
#include "dan/autodiff/checks.hpp"
#include "dan/core/linalg.hpp"
#include "dan/diagnose/lyapunov.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/interpolate.hpp"
#include "dan/problem/climate.hpp"
#include "support/linear.hpp"

using namespace dan;

namespace {
using Small = Problem<Rk4<Lorenz96<8>>, ObserveAll<8>>;
using Numbers = std::vector<double>;

/// A network with a memory, of random weights.
using Network = AnalysisNetwork<NetworkShape{.filters = 8,
                                             .blocks = 1,
                                             .sub_blocks = 2,
                                             .kernel = 3,
                                             .head = Head::gain,
                                             .memory = 2,
                                             .gain_radius = 2,
                                             .products = 4},
                                Ring<8>>;
template <class N>
Trained<N, double> random_network(double size) {
  N network;
  network.input_mean = {2.3};
  network.input_deviation = {3.6};
  Trained<N, double> trained(network);
  fill_normal<double>({.seed = 4, .purpose = Purpose::weights}, span_of(trained.parameters));
  for (double& w : span_of(trained.parameters)) w *= size;
  return trained;
}

/// How many vectors a test compares with differences of the nonlinear map.
constexpr std::size_t vectors = 3;

/// Taylor test of `tangent` of a cycle at the state x, for some directions.
template <class Cycle, class Observed>
void check_tangent(Cycle& cycle, const Observed& observed, const Numbers& x) {
  const auto run = [&](std::span<const double> at, std::span<const double> d, bool tangent) {
    const auto lanes = in_all_lanes(at), d_lanes = in_all_lanes(d);
    Aligned<TangentLanes> y(at.size()), dy(at.size());
    cycle.tangent(observed, lanes.data(), d_lanes.data(), y.data(), dy.data());
    Numbers out(at.size());
    for (std::size_t i = 0; i < at.size(); ++i) out[i] = tangent ? dy[i][0] : y[i][0];
    return out;
  };
  for (std::size_t v = 0; v < vectors; ++v) {
    Numbers u(x.size());
    fill_normal<double>({.seed = 9, .purpose = Purpose::user, .run = v}, std::span(u));
    const auto fit =
        taylor_slope([&](std::span<const double> at) { return run(at, u, false); },
                     [&](std::span<const double> d) { return run(x, d, true); }, x, u, 0.003);
    CAPTURE(fit.slope);
    CHECK(fit.passes());
  }
}

/// The observations of a truth's next cycle in all lanes, and a state near it.
template <class Problem>
auto next_observed(TwinTruth<Problem, tangent_lanes>& twin) {
  twin.next();
  return twin.observed();
}
}  // namespace

TEST_CASE("cycle_trajectory: tangents of the cycles") {
  const Small problem;
  TwinTruth<Small, tangent_lanes> twin(problem, {});
  Numbers near(Small::size);
  for (std::size_t i = 0; i < near.size(); ++i)
    near[i] = twin.truth().at(i, 0) + 0.1 * std::cos(static_cast<double>(i));
  const auto observed = next_observed(twin);
  Var3dTangent var3d(problem, climatology_of(problem, {.cycles = 100}));
  check_tangent(var3d, observed, near);

  LearnedTangent learned(problem, random_network<Network>(0.1));
  Numbers carried(near);
  for (std::size_t i = near.size(); i < decltype(learned)::size; ++i)
    carried.push_back(0.3 * std::sin(static_cast<double>(i)));
  check_tangent(learned, observed, carried);
}

TEST_CASE("cycle_trajectory: it is what the analyses do in a twin experiment") {
  const Small problem;
  const TruthConfig truth{.seed = 3, .first_run = 2};
  TwinTruth<Small, 1> twin(problem, truth);
  const auto climate = climatology_of(problem, {.cycles = 100});
  CycleTrajectory var3d(Var3dTangent(problem, climate, 0.05), problem, truth);
  const auto trained = random_network<Network>(0.05);
  CycleTrajectory learned(LearnedTangent(problem, trained), problem, truth);

  Batch<double, 8, 1, 1> guess;
  std::ranges::copy(var3d.state(), guess.data());
  CHECK(std::ranges::equal(learned.state().first(8), var3d.state()));
  CHECK(rmse(guess, twin.truth(), 0) > 0.3);
  CHECK(rmse(guess, twin.truth(), 0) < 3);
  const Var3d<Small, 1> method(problem, climate, 0.05);
  const Learned<Small, Network, 1, double> network(problem, trained, {.way_back = false});
  auto carried = method.start(guess, 1, {});
  auto remembered = network.start(guess, 1, {});
  auto none = zero_tensor<double>(Small::size, 0);
  auto unused = zero_tensor<double>(decltype(learned)::size, 0);
  for (std::size_t k = 0; k < 20; ++k) {
    twin.next();
    method.forecast(carried), network.forecast(remembered);
    method.analyse(carried, twin.observed(), {}), network.analyse(remembered, twin.observed(), {});
    var3d.advance(none), learned.advance(unused);
    CHECK(std::ranges::equal(var3d.truth(), std::span(twin.truth().data(), 8)));
    for (std::size_t i = 0; i < 8; ++i)
      CHECK(std::abs(var3d.state()[i] - carried.state.at(i, 0)) < 1e-10);
    for (std::size_t i = 0; i < decltype(learned)::size; ++i)
      CHECK(std::abs(learned.state()[i] - remembered.values.at(i, 0)) < 1e-10);
  }
}

TEST_CASE("cycle_trajectory: 3D-Var of a linear model has the exponents of (I - K H) M") {
  using test::Advection, test::Linear;
  const Linear problem;
  Climate climate{zero_tensor<double>(8), zero_tensor<double>(8, 8)};
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t j = 0; j < 8; ++j)
      climate.covariance(i, j) =
          std::exp(-0.5 * std::pow(std::min((i + 8 - j) % 8, (j + 8 - i) % 8), 2));
  // (I - K H) M by the formula; H takes every second element, R = I.
  auto h = zero_tensor<double>(4, 8), s = zero_tensor<double>(4, 4);
  for (std::size_t j = 0; j < 4; ++j) h(j, problem.observe.element(j)) = 1;
  const Matrix bht = matrix_product(climate.covariance, transpose_of(h));
  s = matrix_product(h, bht);
  for (std::size_t j = 0; j < 4; ++j) s(j, j) += 1;
  const Matrix kt = solve_linear(s, transpose_of(bht)), kh = matrix_product(transpose_of(kt), h);
  auto rest = zero_tensor<double>(8, 8);
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t j = 0; j < 8; ++j) rest(i, j) = (i == j ? 1 : 0) - kh(i, j);
  const Matrix a = matrix_product(rest, Advection::matrix());

  CycleTrajectory trajectory(Var3dTangent(problem, climate, 1), problem);
  const auto spectrum = lyapunov_spectrum(trajectory, {.cycles = 2000});
  REQUIRE(spectrum.failure.empty());
  // The product of all eigenvalues, and the largest by the growth of a high power.
  double logarithm = 0;
  const Vector values = singular_values(a);
  for (const double value : span_of(values)) logarithm += std::log(value);
  CHECK(std::abs(spectrum.sum.mean - logarithm) < 1e-10);
  Matrix power = a;
  double scale = 0;
  for (int n = 0; n < 10; ++n) {  // a^(2^n) exp(-scale)
    power = matrix_product(power, power);
    const double largest = singular_values(power)[0];
    for (double& x : span_of(power)) x /= largest;
    scale = 2 * scale + std::log(largest);
  }
  CHECK(std::abs(spectrum.exponents[0].mean - scale / 1024) < 3e-3);
  CHECK(spectrum.exponents[0].mean < 0);
}

TEST_CASE("cycle_trajectory: an analysis that does nothing leaves the model's exponents") {
  using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
  using Idle =
      AnalysisNetwork<NetworkShape{.filters = 4, .blocks = 1, .sub_blocks = 1, .kernel = 3},
                      Ring<40>>;
  const Lorenz problem;
  CycleTrajectory idle(LearnedTangent(problem, random_network<Idle>(0)), problem);
  ModelTrajectory model(problem.model, idle.state());
  const LyapunovConfig config{.exponents = 10, .spin_up = 40, .cycles = 200};
  const auto of_cycle = lyapunov_spectrum(idle, config);
  const auto of_model = lyapunov_spectrum(model, config);
  REQUIRE(of_cycle.failure.empty());
  for (std::size_t k = 0; k < 10; ++k)
    CHECK(std::abs(of_cycle.exponents[k].mean - of_model.exponents[k].mean) < 1e-6);
}

TEST_CASE("cycle_trajectory: observations at places of their own in every cycle") {
  using Moving = Problem<Rk4<Lorenz96<8>>, ObserveAt<Ring<8>, 6>>;
  const Moving problem;
  CycleTrajectory trajectory(Var3dTangent(problem, climatology_of(problem, {.cycles = 100}), 0.1),
                             problem);
  const auto spectrum = lyapunov_spectrum(trajectory, {.exponents = 2, .cycles = 400});
  CHECK(spectrum.failure.empty());
  CHECK(spectrum.exponents[0].mean < 1);  // Lorenz 96 of 8 variables alone: more
}

TEST_CASE("cycle_trajectory: a cycle that loses the truth ends the run, with the results so far") {
  const Small problem;
  CycleTrajectory trajectory(LearnedTangent(problem, random_network<Network>(3)), problem);
  const auto s = lyapunov_spectrum(trajectory, {.exponents = 2, .spin_up = 0, .cycles = 50});
  CHECK(s.failure.starts_with("lyapunov_spectrum: ended in cycle "));
  CHECK(s.failure.find("LearnedTangent: element ") != std::string::npos);
  CHECK(s.failure.find("expected a number between the network's bounds -15.7 and 20.3; the cycle "
                       "has lost the truth") != std::string::npos);
  CHECK(s.cycles < 50);
  CHECK(std::isfinite(s.exponents[0].mean) == (s.cycles > 0));
}
