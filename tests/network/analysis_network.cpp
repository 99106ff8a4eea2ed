// SPDX-License-Identifier: BSD-3-Clause
#include "dan/network/analysis_network.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <numbers>
#include <numeric>
#include <set>
#include <vector>

#include "../support/map_battery.hpp"
#include "dan/geometry/interval.hpp"
#include "dan/geometry/lat_lon.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/geometry/torus.hpp"

using namespace dan;

namespace {
template <NetworkShape Shape, class Geometry = Ring<7>, std::size_t Channels = 1>
void check() {
  AnalysisNetwork<Shape, Geometry, Channels> network;
  network.input_mean.fill(0.3);
  network.input_deviation.fill(1.7);
  test::check_map(network);
}
}  // namespace

TEST_CASE("analysis network: derivatives of every variant") {
  check<NetworkShape{.filters = 5, .blocks = 2, .sub_blocks = 2, .kernel = 3}>();
  check<NetworkShape{
      .filters = 4, .blocks = 1, .sub_blocks = 3, .activation = Nonlinearity::tanh}>();
  check<NetworkShape{.filters = 4,
                     .blocks = 1,
                     .sub_blocks = 1,
                     .kernel = 3,
                     .head = Head::gain,
                     .memory = 2,
                     .gain_radius = 2}>();
  check<NetworkShape{.filters = 3, .blocks = 2, .sub_blocks = 1, .kernel = 3, .members = 3}>();
  check<NetworkShape{.filters = 3,
                     .blocks = 1,
                     .sub_blocks = 2,
                     .kernel = 3,
                     .activation = Nonlinearity::identity}>();
  check<NetworkShape{
      .filters = 3, .blocks = 1, .sub_blocks = 2, .kernel = 3, .sees_forecast = false}>();
  check<NetworkShape{.filters = 3,
                     .blocks = 1,
                     .sub_blocks = 2,
                     .kernel = 3,
                     .members = 2,
                     .memory = 1,
                     .sees_precision = true}>();
  check<NetworkShape{.filters = 4,
                     .blocks = 1,
                     .sub_blocks = 1,
                     .kernel = 1,
                     .members = 2,
                     .head = Head::gain,
                     .memory = 1,
                     .gain_radius = 0},
        Ring<1>, 3>();
  check<NetworkShape{.filters = 4,
                     .blocks = 2,
                     .sub_blocks = 2,
                     .kernel = 3,
                     .head = Head::gain,
                     .memory = 2,
                     .gain_radius = 1,
                     .products = 3}>();
}

TEST_CASE("analysis network: derivatives where it is shown precision and scales") {
  check<NetworkShape{.filters = 4,
                     .blocks = 1,
                     .sub_blocks = 2,
                     .kernel = 3,
                     .members = 2,
                     .head = Head::gain,
                     .memory = 2,
                     .gain_radius = 1,
                     .products = 2,
                     .sees_precision = true,
                     .sees_scales = true},
        Ring<6>, 2>();
}

TEST_CASE("analysis network: derivatives on grids with walls, two dimensions and poles") {
  static constexpr NetworkShape shape{.filters = 3,
                                      .blocks = 1,
                                      .sub_blocks = 2,
                                      .kernel = 3,
                                      .head = Head::gain,
                                      .memory = 1,
                                      .gain_radius = 1,
                                      .products = 2};
  check<shape, Interval<5>>();
  check<shape, Torus<4, 5>>();
  constexpr NetworkShape on_sphere = [] {
    NetworkShape with_place = shape;
    with_place.sees_place = true;
    return with_place;
  }();
  check<on_sphere, LatLon<3, 6>, 2>();
}

TEST_CASE("analysis network: derivatives of gains of several levels") {
  static constexpr NetworkShape shape{.filters = 3,
                                      .blocks = 1,
                                      .sub_blocks = 1,
                                      .kernel = 3,
                                      .head = Head::gain,
                                      .gain_levels = 3,
                                      .gain_radius = 1};
  check<shape, Ring<9>, 2>();
  check<shape, Interval<6>>();
  check<[] {
    NetworkShape two = shape;
    two.gain_levels = 2, two.members = 2, two.memory = 1;
    return two;
  }(),
        LatLon<4, 6>>();
}

TEST_CASE("analysis network: derivatives with a last layer of one point") {
  constexpr NetworkShape shape{.filters = 3,
                               .blocks = 1,
                               .sub_blocks = 1,
                               .kernel = 3,
                               .output_kernel = 1,
                               .head = Head::gain,
                               .memory = 1,
                               .gain_radius = 1};
  check<shape, LatLon<4, 6>>();
}

TEST_CASE("analysis network: a gain of several levels is what its formula says") {
  // Σ_s S_s U_s S_sᵀ with dense matrices, S_s = B_1 … B_s, of a head with random numbers.
  const auto agrees = []<class Geometry>(Geometry) {
    constexpr std::size_t channels = 2, levels = 3, n = Geometry::points * channels;
    using Head = WideGainHead<Geometry, channels, 1, levels>;
    auto y = test::normal(Head::points * Head::per_point, 1);
    Head::prepare(y.data(), Head::per_point);
    // Tap j of three in every direction, `spacing` points apart.
    const auto tap = [](std::size_t p, std::size_t j, std::size_t spacing) {
      const std::size_t width = 2 * spacing + 1;
      return Geometry::tap(
          p, Geometry::dimensions == 2 ? (j / 3 * width + j % 3) * spacing : j * spacing, width);
    };
    constexpr std::size_t taps = Geometry::taps(3);
    const auto zeta = test::normal(n, 2);
    std::vector<double> expected(n);
    for (std::size_t i = 0; i < n; ++i)
      expected[i] = y[i / channels * Head::per_point + i % channels * Head::per_element];
    std::vector<double> smoothing(n * n);  // S
    for (std::size_t i = 0; i < n; ++i) smoothing[i * n + i] = 1;
    for (std::size_t level = 0; level < levels; ++level) {
      if (level > 0) {  // S ← S B
        std::vector<double> b(n * n), product(n * n);
        const double one_way[] = {0.25, 0.5, 0.25};
        for (std::size_t i = 0; i < n; ++i)
          for (std::size_t j = 0; j < taps; ++j)
            b[i * n + tap(i / channels, j, std::size_t{1} << (level - 1)) * channels +
              i % channels] += taps == 9 ? one_way[j / 3] * one_way[j % 3] : one_way[j];
        for (std::size_t i = 0; i < n; ++i)
          for (std::size_t k = 0; k < n; ++k)
            for (std::size_t j = 0; j < n; ++j)
              product[i * n + j] += smoothing[i * n + k] * b[k * n + j];
        smoothing = product;
      }
      std::vector<double> seen(n), gained(n);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t k = 0; k < n; ++k) seen[i] += smoothing[k * n + i] * zeta[k];
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < taps; ++j)
          for (std::size_t of = 0; of < channels; ++of)
            gained[i] +=
                y[i / channels * Head::per_point + Head::coefficient(level, i % channels, j, of)] *
                seen[tap(i / channels, j, std::size_t{1} << level) * channels + of];
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t k = 0; k < n; ++k) expected[i] += smoothing[i * n + k] * gained[k];
    }
    std::vector<double> found(n);
    Head::forward(y.data(), Head::per_point, zeta.data(), found.data());
    for (std::size_t i = 0; i < n; ++i)
      CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-12));
  };
  agrees(Ring<20>{});
  agrees(Interval<12>{});
  agrees(Torus<9, 10>{});
  agrees(LatLon<6, 10>{});
}

TEST_CASE("analysis network: a gain of several levels is symmetric and reaches as far as it says") {
  const auto symmetric = []<class Geometry>(Geometry) {
    constexpr std::size_t channels = 2, n = Geometry::points * channels;
    using Head = WideGainHead<Geometry, channels, 1, 3>;
    auto y = test::normal(Head::points * Head::per_point, 1);
    Head::prepare(y.data(), Head::per_point);
    const std::vector<double> nothing(n);
    std::vector<double> bias(n), u(n * n);
    Head::forward(y.data(), Head::per_point, nothing.data(), bias.data());
    for (std::size_t k = 0; k < n; ++k) {
      std::vector<double> unit(n), column(n);
      unit[k] = 1;
      Head::forward(y.data(), Head::per_point, unit.data(), column.data());
      for (std::size_t i = 0; i < n; ++i) u[i * n + k] = column[i] - bias[i];
    }
    double worst = 0;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < n; ++k)
        worst = std::max(worst, std::abs(u[i * n + k] - u[k * n + i]));
    CHECK(worst < 1e-13);
    // Taps four points apart, smoothed over three points before and after.
    if constexpr (Geometry::dimensions == 1 && Geometry::points > 21) {
      double farthest = 0;
      const std::size_t from = Geometry::points / 2;
      for (std::size_t k = 0; k < n; ++k)
        if (std::abs(u[from * channels * n + k]) > 1e-14)
          farthest = std::max(farthest, Geometry::distance(from, Geometry::position(k / channels)));
      CHECK(farthest == 10);
    }
  };
  symmetric(Ring<30>{});
  symmetric(Interval<30>{});
  symmetric(Torus<9, 10>{});
  symmetric(LatLon<6, 10>{});
}

TEST_CASE("analysis network: features tell the latitude where they are asked to") {
  using Grid = LatLon<4, 6>;
  constexpr NetworkShape shape{.memory = 1, .sees_place = true};
  using Shown = Features<shape, Grid, 2>;
  static_assert(Shown::count == 2 + 2 + 1 + 1);
  Shown features;
  features.deviation.fill(1);
  const std::vector<double> in(Shown::inputs);
  std::vector<double> x(Shown::outputs), d_x(Shown::outputs, 7);
  features.forward(in.data(), x.data());
  features.tangent(in.data(), d_x.data());
  for (std::size_t p = 0; p < Grid::points; ++p) {
    const double sine = std::sin(Grid::latitude(p / 6) * std::numbers::pi / 180);
    CHECK(x[(p + 1) * Shown::count - 1] == doctest::Approx(sine).epsilon(1e-14));
    CHECK(d_x[(p + 1) * Shown::count - 1] == 0);
  }
}

TEST_CASE("analysis network: the gain is symmetric across poles and at walls") {
  const auto symmetric = []<class Geometry>(Geometry) {
    constexpr NetworkShape shape{
        .filters = 3, .blocks = 1, .kernel = 3, .head = Head::gain, .gain_radius = 2};
    using Network = AnalysisNetwork<shape, Geometry, 2>;
    const Network network;
    const auto params = test::normal(Network::parameters, 1, 0.3);
    const auto in = test::normal(Network::inputs, 2);
    std::vector<double> out(Network::outputs);
    const auto cache = std::make_unique<typename Network::template Cache<double>>();
    network.forward(params.data(), in.data(), out.data(), *cache);
    // The whole matrix: several taps of a point may be the same point.
    constexpr std::size_t size = Network::size, window = Network::Head::window;
    std::vector<double> u(size * size);
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t j = 0; j < window; ++j)
        for (std::size_t c = 0; c < 2; ++c)
          u[i * size + Geometry::tap(i / 2, j, 5) * 2 + c] +=
              Network::gain_row(*cache, 0, i)[j * 2 + c];
    double worst = 0, largest = 0;
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t k = 0; k < size; ++k) {
        worst = std::max(worst, std::abs(u[i * size + k] - u[k * size + i]));
        largest = std::max(largest, std::abs(u[i * size + k]));
      }
    CHECK(worst <= 1e-14 * largest);
  };
  symmetric(Ring<7>{});
  symmetric(Interval<6>{});
  symmetric(Torus<5, 6>{});
  symmetric(LatLon<4, 8>{});
}

TEST_CASE("analysis network: the gain is symmetric, and a loss of it has the right gradient") {
  constexpr std::size_t N = 5, channels = 2, members = 2, window = 3;
  using Network = AnalysisNetwork<NetworkShape{.filters = 4,
                                               .blocks = 1,
                                               .sub_blocks = 1,
                                               .kernel = 3,
                                               .members = members,
                                               .head = Head::gain,
                                               .memory = 1,
                                               .gain_radius = 1},
                                  Ring<N>, channels>;
  static_assert(Network::gains == N * channels * window * channels);
  const Network network;
  auto cache = std::make_unique<Network::Cache<double>>();
  const auto gain = [&](std::size_t m, std::size_t p, std::size_t c, std::size_t j,
                        std::size_t of) {
    return Network::gain_row(*cache, m, p * channels + c)[j * channels + of];
  };
  const auto covariance = test::normal(Network::gains, 7);  // no symmetry assumed
  constexpr std::size_t P = Network::parameters, I = Network::inputs;
  const auto at = test::normal(P + I, 1, 0.3), u = test::normal(P + I, 3);
  double asymmetry = 0;
  const auto loss = [&](std::span<const double> x) {
    std::vector<double> out(Network::outputs);
    network.forward(x.data(), x.data() + P, out.data(), *cache);
    double sum = 0;
    std::size_t n = 0;
    for (std::size_t p = 0; p < N; ++p)
      for (std::size_t c = 0; c < channels; ++c)
        for (std::size_t j = 0; j < window; ++j)
          for (std::size_t of = 0; of < channels; ++of, ++n)
            for (std::size_t m = 0; m < members; ++m) {
              const double here = gain(m, p, c, j, of);
              sum += 0.7 / 2 * std::pow(here - covariance[n], 2);
              const double there = gain(m, (p + j + N - 1) % N, of, window - 1 - j, c);
              asymmetry = std::max(asymmetry, std::abs(here - there));
            }
    return std::vector<double>{sum};
  };
  const auto tangent = [&](std::span<const double> v) {
    loss(at);
    std::vector<double> d(P + I);
    const std::vector<double> none(Network::outputs);
    std::vector<double> d_gain;  // of a loss that pulls the gain of every member to `covariance`
    for (std::size_t m = 0; m < members; ++m)
      for (std::size_t p = 0; p < N; ++p)
        for (std::size_t c = 0; c < channels; ++c)
          for (std::size_t j = 0; j < window; ++j)
            for (std::size_t of = 0; of < channels; ++of)
              d_gain.push_back(0.7 *
                               (gain(m, p, c, j, of) - covariance[d_gain.size() % Network::gains]));
    network.backward(at.data(), at.data() + P, *cache, none.data(), d.data() + P, d.data(),
                     d_gain.data());
    return std::vector<double>{std::inner_product(d.begin(), d.end(), v.begin(), 0.0)};
  };
  const auto fit = taylor_slope(loss, tangent, at, u);
  CHECK_MESSAGE(fit.passes(), "slope ", fit.slope, " over ", fit.points, " points");
  CHECK(asymmetry == 0);
  for (std::size_t p = 0; p < N; ++p)
    for (std::size_t c = 0; c < channels; ++c)
      CHECK(
          Network::variance(*cache, p * channels + c) ==
          doctest::Approx((gain(0, p, c, 1, c) + gain(1, p, c, 1, c)) / 2).epsilon(1e-12).scale(0));
}

TEST_CASE("analysis network: the places cover the parameters without gap or overlap") {
  using Network = AnalysisNetwork<NetworkShape{.filters = 24, .memory = 3}, Ring<40>>;
  std::size_t next = 0;
  std::set<std::string> names;
  for (const auto& place : Network::places()) {
    CHECK(place.offset == next);
    next += place.weights() + place.out;
    names.insert(place.name);
  }
  CHECK(next == Network::parameters);
  CHECK(names.size() == 11);
  using Products =
      AnalysisNetwork<NetworkShape{
                          .filters = 24, .blocks = 3, .sub_blocks = 2, .kernel = 3, .products = 16},
                      Ring<40>>;
  CHECK(Products::places().at(1).out == 32);
  CHECK(Products::places().at(2).in == 16);
  const auto last = Products::places().back();
  CHECK(last.offset + last.weights() + last.out == Products::parameters);
  CHECK(AnalysisNetwork<NetworkShape{.filters = 40, .blocks = 5, .sub_blocks = 5},
                        Ring<40>>::parameters ==
        5 * 2 * 40 + 40 + 25 * (5 * 40 * 40 + 40) + 5 * 40 + 1);
}

TEST_CASE("analysis network: turning the ring turns the increment") {
  using Network =
      AnalysisNetwork<NetworkShape{.filters = 6, .head = Head::gain, .memory = 2}, Ring<13>>;
  const Network network;
  std::vector<double> params(Network::parameters);
  Network::initialise(3, std::span<double>(params));
  for (auto& p : params) p += 0.01;
  constexpr std::size_t N = 13, shift = 4;
  const auto in = test::normal(Network::inputs, 1);
  std::vector<double> turned(in.size()), out(Network::outputs), out_turned(Network::outputs);
  for (std::size_t p = 0; p < N; ++p) {
    const std::size_t q = (p + shift) % N;
    for (std::size_t block = 0; block < 2; ++block) turned[block * N + q] = in[block * N + p];
    for (std::size_t j = 0; j < 2; ++j) turned[2 * N + 2 * q + j] = in[2 * N + 2 * p + j];
  }
  auto cache = std::make_unique<Network::Cache<double>>();
  network.forward(params.data(), in.data(), out.data(), *cache);
  network.forward(params.data(), turned.data(), out_turned.data(), *cache);
  for (std::size_t p = 0; p < N; ++p) {
    const std::size_t q = (p + shift) % N;
    CHECK(out_turned[q] == doctest::Approx(out[p]).epsilon(1e-12));
    for (std::size_t j = 0; j < 2; ++j)
      CHECK(out_turned[N + 2 * q + j] == doctest::Approx(out[N + 2 * p + j]).epsilon(1e-12));
  }
}

TEST_CASE("analysis network: float lanes agree with double") {
  using Network =
      AnalysisNetwork<NetworkShape{.filters = 8, .head = Head::gain, .memory = 2}, Ring<11>>;
  constexpr std::size_t lanes = simd_width<float>;
  using T = lanes_t<float, lanes>;
  const Network network;
  std::vector<double> params(Network::parameters), out(Network::outputs);
  Network::initialise(3, std::span<double>(params));
  const std::vector<float> single(params.begin(), params.end());
  Scratch<T> x(Network::inputs), y(Network::outputs);
  for (std::size_t l = 0; l < lanes; ++l) {
    const auto in = test::normal(Network::inputs, 1 + l);
    for (std::size_t i = 0; i < in.size(); ++i) lane_of(x[i], l) = static_cast<float>(in[i]);
  }
  auto wide = std::make_unique<Network::Cache<T>>();
  auto narrow = std::make_unique<Network::Cache<double>>();
  network.forward(single.data(), x.data(), y.data(), *wide);
  for (std::size_t l = 0; l < lanes; ++l) {
    const auto in = test::normal(Network::inputs, 1 + l);
    network.forward(params.data(), in.data(), out.data(), *narrow);
    for (std::size_t i = 0; i < out.size(); ++i)
      CHECK(static_cast<double>(lane_of(y[i], l)) ==
            doctest::Approx(out[i]).epsilon(1e-4));  // ~10 layers of float round-off
  }
}
