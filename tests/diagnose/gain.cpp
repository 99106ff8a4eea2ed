// SPDX-License-Identifier: BSD-3-Clause
#include "dan/diagnose/gain.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "dan/analysis/learned.hpp"
#include "dan/diagnose/spectrum.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/nonlinear.hpp"
#include "dan/observe/subset.hpp"
#include "dan/train/start.hpp"
#include "support/networks.hpp"

using namespace dan;
using test::normal, test::SteepNetwork;
using Rich = test::RichNetwork;

namespace {
using Plain =
    AnalysisNetwork<NetworkShape{.filters = 6, .blocks = 1, .sub_blocks = 1, .kernel = 3}, Ring<9>>;

double distance(const Matrix& a, const Matrix& b) {
  double squares = 0, all = 0;
  for (std::size_t n = 0; n < a.size(); ++n) {
    squares += std::pow(a.data()[n] - b.data()[n], 2);
    all += std::pow(b.data()[n], 2);
  }
  return std::sqrt(squares / all);
}

/// Jᵀ w and J v of a = s · mean of the members' increments along ζ, by the network's own
/// hand-written derivatives.
template <class Network>
std::vector<double> by_tangent(const SteepNetwork<Network>& some, std::span<const double> at,
                               std::span<const double> v) {
  std::vector<double> d_in(Network::inputs), none(Network::parameters), out(Network::outputs),
      d_out(Network::outputs), sum(Network::size);
  for (std::size_t i = 0; i < Network::size; ++i)
    d_in[Network::zeta_at + i] = some.deviations[i] * v[i];
  some.trained.network.tangent(some.trained.parameters.data(), none.data(), at.data(), d_in.data(),
                               out.data(), d_out.data());
  for (std::size_t m = 0; m < Network::members; ++m)
    for (std::size_t i = 0; i < Network::size; ++i)
      sum[i] += some.deviations[i] * d_out[m * Network::size + i] / Network::members;
  return sum;
}
template <class Network>
std::vector<double> by_backward(const SteepNetwork<Network>& some, std::span<const double> at,
                                std::span<const double> w) {
  std::vector<double> out(Network::outputs), d_out(Network::outputs), d_in(Network::inputs),
      d_params(Network::parameters), back(Network::size);
  auto cache = std::make_unique<typename Network::template Cache<double>>();
  some.trained.network.forward(some.trained.parameters.data(), at.data(), out.data(), *cache);
  for (std::size_t m = 0; m < Network::members; ++m)
    for (std::size_t i = 0; i < Network::size; ++i)
      d_out[m * Network::size + i] = some.deviations[i] * w[i] / Network::members;
  some.trained.network.backward(some.trained.parameters.data(), at.data(), *cache, d_out.data(),
                                d_in.data(), d_params.data());
  for (std::size_t i = 0; i < Network::size; ++i)
    back[i] = some.deviations[i] * d_in[Network::zeta_at + i];
  return back;
}
std::vector<double> times(const Matrix& a, std::span<const double> v) {
  std::vector<double> out(a.shape()[0]);
  for (std::size_t i = 0; i < out.size(); ++i)
    for (std::size_t j = 0; j < v.size(); ++j) out[i] += a(i, j) * v[j];
  return out;
}

template <class Network>
void check_covariance() {
  const SteepNetwork<Network> some;
  constexpr std::size_t size = Network::size;
  for (const auto about : {ExpandedAt::zero, ExpandedAt::innovation}) {
    auto at = some.input;
    if (about == ExpandedAt::zero) std::ranges::fill(some.increment().innovation(at.data()), 0.0);
    const Matrix p = learned_covariance(some.increment(), some.input, about);
    const auto along = normal(size, 20), w = normal(size, 21);
    const auto expected = by_tangent(some, at, along), found = times(p, along);
    const auto back = by_backward(some, at, w), found_back = times(transpose_of(p), w);
    for (std::size_t i = 0; i < size; ++i) {
      CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-12));
      CHECK(found_back[i] == doctest::Approx(back[i]).epsilon(1e-12));
    }
    // the same by the library's checks
    const auto tangent = [&](std::span<const double> u) { return times(p, u); };
    const auto adjoint = [&](std::span<const double> v) { return by_backward(some, at, v); };
    CHECK(dot_product_error(tangent, adjoint, along, w) < 1e-13);
    const auto value = [&](std::span<const double> zeta) {
      auto in = some.input;
      for (std::size_t i = 0; i < size; ++i)
        in[Network::zeta_at + i] = some.deviations[i] * zeta[i];
      std::vector<double> out(size);
      some.increment()(in.data(), out.data());
      return out;
    };
    std::vector<double> zeta(size);
    for (std::size_t i = 0; i < size; ++i) zeta[i] = at[Network::zeta_at + i] / some.deviations[i];
    const auto fit = taylor_slope(value, tangent, zeta, along);
    CHECK_MESSAGE(fit.passes(), "slope ", fit.slope, " over ", fit.points, " points");
  }
}

/// A wave on a ring of 9 points, all observed with variance 0.25.
struct Wave {
  static constexpr std::size_t points = 9, channels = 1;
  using Geometry = Ring<9>;
  template <class T>
  void step(const T* x, T* y) const {
    std::array<T, points> out;
    for (std::size_t i = 0; i < points; ++i)
      out[i] = T(0.9) * x[(i + points - 1) % points] + T(0.4) * x[i];
    std::ranges::copy(out, y);
  }
  template <class T>
  void step_tangent(const T*, const T* dx, T* dy) const {
    step(dx, dy);
  }
  template <class T>
  void step_adjoint(const T*, const T* d_y, T* d_x) const {
    for (std::size_t i = 0; i < points; ++i)
      d_x[i] += T(0.9) * d_y[(i + 1) % points] + T(0.4) * d_y[i];
  }
};

/// P^a in the steady state of P^f = M P^a Mᵀ, P^a = P^f − P^f (P^f + r I)⁻¹ P^f.
Matrix kalman_covariance(double r) {
  auto m = zero_tensor<double>(9, 9), p = zero_tensor<double>(9, 9);
  for (std::size_t i = 0; i < 9; ++i) m(i, (i + 8) % 9) = 0.9, m(i, i) = 0.4, p(i, i) = 1;
  for (int cycle = 0; cycle < 2000; ++cycle) {
    const Matrix forecast = matrix_product(matrix_product(m, p), transpose_of(m));
    Matrix innovation = forecast;
    for (std::size_t i = 0; i < 9; ++i) innovation(i, i) += r;
    p = matrix_product(forecast, solve_linear(innovation, forecast));
    for (std::size_t n = 0; n < p.size(); ++n) p.data()[n] = forecast.data()[n] - p.data()[n];
  }
  return p;
}
}  // namespace

TEST_CASE("learned covariance: is the derivative that backward, tangent and Taylor know") {
  check_covariance<Plain>();
  check_covariance<Rich>();
}

TEST_CASE("learned covariance: dual numbers in float lanes agree with double") {
  const SteepNetwork<Rich> some;
  Trained<Rich, float> rounded(some.trained.network);
  for (std::size_t n = 0; n < Rich::parameters; ++n)
    rounded.parameters[n] = static_cast<float>(some.trained.parameters[n]);
  const std::vector<float> input(some.input.begin(), some.input.end());
  const LearnedIncrement<Rich, float> increment(rounded, some.deviations);
  CHECK(distance(learned_covariance(increment, input),
                 learned_covariance(some.increment(), some.input)) < 1e-5);
}

TEST_CASE("learned covariance: of a Kalman filter's gain it is the filter's P^a") {
  using Waves = Problem<Wave, ObserveAll<9>>;
  using Network = AnalysisNetwork<NetworkShape{.filters = 1,
                                               .blocks = 1,
                                               .sub_blocks = 1,
                                               .kernel = 1,
                                               .head = Head::gain,
                                               .gain_radius = 4},
                                  Ring<9>>;
  Waves problem;
  std::array<double, 9> variances;
  variances.fill(0.25);
  problem.noise = DiagonalNoise<9>(variances);
  const Matrix expected = kalman_covariance(0.25);
  REQUIRE(expected(0, 1) > 0.01);  // correlated

  // The biases of the output layer alone are the gain, in units of the observations' errors.
  Trained<Network, double> trained;
  for (std::size_t n = 0; n < 9; ++n)
    trained.parameters[Network::parameters - 9 + n] = expected(4, n) / 0.25;
  using Method = Learned<Waves, Network, 2, double>;
  const Method method(problem, trained, {.way_back = false});
  const LearnedIncrement increment(method);

  Method::FirstGuessBatch guess;
  Method::Observed observed;
  observed.precision.fill(4);
  const auto x = normal(9, 1), y = normal(9, 2);
  for (std::size_t l = 0; l < 2; ++l)
    guess.set_lane(l, x.data()), observed.values.set_lane(l, y.data());
  observed.precision.at(3, 1) = 0;
  auto carried = method.start(guess, 1, {});
  method.analyse(carried, observed, {});
  const auto in = increment.input(carried, 0), beside = increment.input(carried, 1);
  for (std::size_t i = 0; i < 9; ++i) {
    CHECK(in[i] == x[i]);
    CHECK(increment.innovation(in.data())[i] ==
          doctest::Approx((y[i] - x[i]) / 0.5).epsilon(1e-12));
  }
  CHECK(increment.innovation(beside.data())[3] == 0);

  CHECK(distance(learned_covariance(increment, in), expected) < 1e-13);
  CHECK(distance(head_covariance(increment, in), expected) < 1e-13);

  // The increment is the Kalman filter's, and regression on few innovations finds its gain.
  std::vector<double> a(9);
  increment(in.data(), a.data());
  for (std::size_t i = 0; i < 9; ++i) {
    double kalman = 0;
    for (std::size_t j = 0; j < 9; ++j) kalman += expected(i, j) * 4 * (y[j] - x[j]);
    CHECK(std::abs(a[i] - kalman) < 1e-12);
    CHECK(std::abs(carried.values.at(i, 0) - (x[i] + kalman)) < 1e-12);
  }
  const std::span<const double> at(in);
  const auto all = uplift_of(problem, observed, 0, at);
  Matrix gain = expected;
  for (std::size_t n = 0; n < gain.size(); ++n) gain.data()[n] *= 4;
  CHECK(distance(sampled_gain(increment, at, all, {.seed = 1}, {.samples = 20}), gain) < 1e-12);
  // with a silent slot: the columns of the others
  const auto some = uplift_of(problem, observed, 1, at);
  REQUIRE(some.deviations == std::vector<double>(8, 0.5));
  const Matrix less = sampled_gain(increment, at, some, {.seed = 1}, {.samples = 20});
  for (std::size_t i = 0; i < 9; ++i)
    for (std::size_t j = 0; j < 8; ++j)
      CHECK(std::abs(less(i, j) - gain(i, j < 3 ? j : j + 1)) < 1e-12);
}

TEST_CASE("learned covariance: a head's own differs from the increment's by the bias") {
  const SteepNetwork<Rich> some;
  const Matrix head = head_covariance(some.increment(), some.input);
  CHECK(asymmetry(head) < 1e-14);
  CHECK(head(0, 4) == 0);  // beyond the reach of 2
  CHECK(distance(learned_covariance(some.increment(), some.input), head) > 0.01);
  // Without what the bias learned (its row of the output layer) there is no difference.
  SteepNetwork<Rich> unbiased;
  const auto place = Rich::places().back();
  for (std::size_t m = 0; m < 2; ++m)
    for (std::size_t row = 0; row < place.weights(); row += place.out)
      unbiased.trained.parameters[place.offset + row + m * Rich::Head::per_point] = 0;
  CHECK(distance(learned_covariance(unbiased.increment(), some.input),
                 head_covariance(unbiased.increment(), some.input)) < 1e-12);
}

TEST_CASE("uplift: of several members where the analysis linearises, at their mean") {
  using World = Problem<Rk4<Lorenz96<12>>, Nonlinear<ObserveAll<12>, Square>>;
  using Members =
      NetworkFor<World, NetworkShape{.filters = 4, .blocks = 1, .sub_blocks = 1, .members = 3}>;
  const World world{.noise = DiagonalNoise<12>(4)};
  Members network;
  network.input_mean = {2}, network.input_deviation = {3};
  using Method = Learned<World, Members, 8>;
  const Method method(world, random_start<float>(network, 3), {.way_back = false});
  Method::FirstGuessBatch guess;
  guess.fill(3);
  auto carried = method.start(guess, 1, {.seed = 1});
  Method::Observed observed;
  observed.values.fill(9.5);
  observed.precision.fill(0.25);
  Method::Estimate forecast;
  method.estimate(carried, forecast);
  method.analyse(carried, observed, {});
  const LearnedIncrement increment(method);
  const auto in = increment.input(carried, 0);
  const auto mean = increment.mean_state(in);
  const auto uplift = uplift_of(world, observed, 0, std::span<const float>(mean));
  for (std::size_t i = 0; i < 12; ++i) {
    CHECK(mean[i] == doctest::Approx(forecast.at(i, 0)).epsilon(1e-5));
    const double zeta = uplift.matrix(i, i) * (9.5 - std::pow(forecast.at(i, 0), 2));
    CHECK(in[Members::zeta_at + i] ==
          doctest::Approx(zeta * increment.deviations()[i]).epsilon(1e-4));
  }
}

TEST_CASE("sampled gain: tends to the mean of the exact gain, and to the tangent at zero") {
  const SteepNetwork<Plain> some;
  const std::span<const double> in(some.input);
  Problem<Wave, ObserveSubset<9, 3>> problem;
  Observations<double, 3> observed;
  observed.precision.fill(2);
  const auto uplift = uplift_of(problem, observed, 0, in);

  // Stein: the mean over δ ~ N(0, R) of ∂a/∂ζ · Hᵀ R⁻¹, with draws of its own.
  constexpr std::size_t draws = 4000;
  auto mean = zero_tensor<double>(9, 3);
  for (std::size_t n = 0; n < draws; ++n) {
    auto at = some.input;
    const auto delta = normal(3, 1000 + n, 1 / std::sqrt(2.0));
    const auto zeta = times(uplift.matrix, delta);
    for (std::size_t i = 0; i < 9; ++i) at[Plain::zeta_at + i] = some.deviations[i] * zeta[i];
    const Matrix exact = matrix_product(
        learned_covariance(some.increment(), at, ExpandedAt::innovation), uplift.matrix);
    for (std::size_t i = 0; i < mean.size(); ++i) mean.data()[i] += exact.data()[i] / draws;
  }
  const auto error = [&](std::size_t samples) {
    return distance(sampled_gain(some.increment(), in, uplift, {.seed = 5}, {.samples = samples}),
                    mean);
  };
  CHECK(error(50) > 3 * error(50000));
  CHECK(error(50000) < 0.02);

  const Matrix at_zero = matrix_product(learned_covariance(some.increment(), in), uplift.matrix);
  CHECK(distance(mean, at_zero) > 0.05);  // the network is not linear
  const auto left = [&](double scale) {
    return distance(
        sampled_gain(some.increment(), in, uplift, {.seed = 5}, {.samples = 100, .scale = scale}),
        at_zero);
  };
  CHECK(left(1e-2) < 1e-2);
  CHECK(left(1e-4) < 1.2e-2 * left(1e-2));
}

TEST_CASE("regressed gain: finds the gain of a linear map, and says what it lacks") {
  auto departures = zero_tensor<double>(4, 3), increments = zero_tensor<double>(4, 2);
  CHECK_THROWS_WITH_AS(
      (void)regressed_gain(zero_tensor<double>(3, 3), zero_tensor<double>(3, 2)),
      doctest::Contains("regressed_gain: there are 3 samples, expected at least 4 for 3"),
      ConfigError);
  CHECK_THROWS_WITH_AS((void)regressed_gain(departures, zero_tensor<double>(5, 2)),
                       doctest::Contains("rows of the increments has shape (5), expected (4)"),
                       ShapeError);
  CHECK_THROWS_AS((void)regressed_gain(departures, increments), NumericalError);
  for (std::size_t n = 0; n < 4; ++n) {
    for (std::size_t j = 0; j < 3; ++j) departures(n, j) = n == j ? 1 : 5;
    increments(n, 0) = 7 + 2 * departures(n, 0) - departures(n, 2);
    increments(n, 1) = -1 + 3 * departures(n, 1);
  }
  const Matrix gain = regressed_gain(departures, increments);
  const std::vector<double> expected{2, 0, -1, 0, 3, 0};
  for (std::size_t n = 0; n < 6; ++n) CHECK(std::abs(gain.data()[n] - expected[n]) < 1e-12);

  const SteepNetwork<Plain> some;
  const std::span<const double> in(some.input);
  const Uplift uplift{zero_tensor<double>(9, 9), std::vector<double>(9, 1.0)};
  CHECK_THROWS_WITH_AS(
      (void)sampled_gain(some.increment(), in, uplift, {}, {.samples = 9}),
      doctest::Contains("sampled_gain: samples is 9, expected at least 10 for 9 observations"),
      ConfigError);
  CHECK_THROWS_WITH_AS((void)sampled_gain(some.increment(), in, uplift, {}, {.scale = 0}),
                       doctest::Contains("sampled_gain: scale is 0"), ConfigError);
  CHECK_THROWS_WITH_AS((void)learned_covariance(some.increment(), in.first(4)),
                       doctest::Contains("LearnedIncrement: input has shape (4), expected (18)"),
                       ShapeError);
  const std::vector<double> few(3);
  CHECK_THROWS_WITH_AS((LearnedIncrement<Plain, double>(some.trained, few)),
                       doctest::Contains("deviations has shape (3), expected (9)"), ShapeError);
}
