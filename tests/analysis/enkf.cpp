// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/enkf.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "dan/core/linalg.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/nonlinear.hpp"
#include "support/battery.hpp"
#include "support/ensemble.hpp"

using namespace dan;

static_assert(Analysis<Enkf<test::Sakov, 20>>);

namespace {
constexpr std::size_t members = 7, slots = 4;
using Network = Nonlinear<ObserveSubset<6, slots>, Square>;
using Lorenz = Problem<Rk4<Lorenz96<6>>, Network>;
using Filter = Enkf<Lorenz, members>;
}  // namespace

TEST_CASE("enkf: the gain form with the documented perturbations, and a silent slot") {
  const DiagonalNoise<slots> noise(std::array{0.5, 1.0, 2.0, 3.0});
  const Filter filter({.noise = noise}, {.inflation = {.factor = 1.1}});
  Filter::FirstGuessBatch guess;
  guess.fill(1);
  auto carried = filter.start(guess, 0.7, {.seed = 4});
  const auto before = carried.ensemble;
  Filter::Observed observed;
  const auto y = test::normal_numbers(slots, 3);
  set_observations<double, slots, 1>(observed, 0, y, noise);
  observed.precision.at(2, 0) = 0;
  const RandomKey key{.seed = 5, .run = 1, .cycle = 2};
  filter.analyse(carried, observed, key);

  // E + X Yᵀ (Y Yᵀ + (N−1) R)⁻¹ (y − D − H(E)) on the slots that report.
  const std::array<std::size_t, 3> used{0, 1, 3};
  test::Numbers normal(slots * members);
  fill_normal<double>(key.with(Purpose::analysis), normal);
  auto x = zero_tensor<double>(6, members), h = zero_tensor<double>(3, members), d = h,
       departure = h;
  for (std::size_t m = 0; m < members; ++m) {
    for (std::size_t i = 0; i < 6; ++i) x(i, m) = before.at(i, m);
    std::array<double, 6> state;
    std::array<double, slots> seen;
    for (std::size_t i = 0; i < 6; ++i) state[i] = x(i, m);
    Network{}.observe(state.data(), seen.data());
    for (std::size_t k = 0; k < 3; ++k) {
      h(k, m) = seen[used[k]];
      d(k, m) = std::sqrt(noise.variance(used[k])) * normal[used[k] * members + m];
    }
  }
  const auto centre = [](Matrix& a) {
    for (std::size_t i = 0; i < a.shape()[0]; ++i) {
      double mean = 0;
      for (std::size_t m = 0; m < members; ++m) mean += a(i, m) / members;
      for (std::size_t m = 0; m < members; ++m) a(i, m) -= mean;
    }
  };
  centre(d);
  for (double& error : span_of(d)) error *= std::sqrt(members / (members - 1.0));
  for (std::size_t k = 0; k < 3; ++k)
    for (std::size_t m = 0; m < members; ++m) departure(k, m) = y[used[k]] - d(k, m) - h(k, m);
  auto anomalies = x;
  centre(anomalies);
  centre(h);
  Matrix c = matrix_product(h, transpose_of(h));
  for (std::size_t k = 0; k < 3; ++k) c(k, k) += (members - 1) * noise.variance(used[k]);
  const Matrix gain = matrix_product(anomalies, transpose_of(h));
  const Matrix step = matrix_product(gain, solve_linear(c, departure));
  for (std::size_t i = 0; i < 6; ++i) {
    double mean = 0;
    for (std::size_t m = 0; m < members; ++m) mean += (x(i, m) + step(i, m)) / members;
    for (std::size_t m = 0; m < members; ++m) {
      const double expected = mean + 1.1 * (x(i, m) + step(i, m) - mean);
      CHECK(std::abs(carried.ensemble.at(i, m) - expected) <= 1e-12);
    }
  }
}

TEST_CASE("enkf: the perturbations depend on seed, run and cycle") {
  const Filter filter{Lorenz{}};
  const auto carried = filter.start({}, 1, {});
  Filter::Observed observed;
  set_observations<double, slots, 1>(observed, 0, test::normal_numbers(slots),
                                     DiagonalNoise<slots>{});
  const auto member = [&](const RandomKey& key) {
    auto copy = carried;
    filter.analyse(copy, observed, key);
    return copy.ensemble.at(0, 0);
  };
  CHECK(member({.seed = 1, .cycle = 3}) == member({.seed = 1, .cycle = 3}));
  CHECK(member({.seed = 1, .cycle = 3}) != member({.seed = 1, .cycle = 4}));
  CHECK(member({.seed = 1, .cycle = 3}) != member({.seed = 1, .run = 1, .cycle = 3}));
}

TEST_CASE("enkf: bad input") {
  CHECK_THROWS_WITH_AS((Filter({}, {.inflation = {.relax_spread = 2}})),
                       doctest::Contains("Enkf: inflation.relax_spread is 2"), ConfigError);
  test::check_divergence(Filter(Lorenz{}), "Enkf::analyse");
  test::check_observations(Filter(Lorenz{}), "Enkf::analyse");
}

namespace {
/// Stays as it is, on a ring that is longer than the tapers.
struct Still {
  using Geometry = Ring<200>;
  static constexpr std::size_t points = 200, channels = 1;
  template <class T>
  void step(const T* x, T* y) const {
    if (x != y) std::copy_n(x, points, y);
  }
};
}  // namespace

TEST_CASE(
    "enkf: a localised covariance is positive definite, also where observations are precise") {
  // Errors alike everywhere, so that the covariance is the taper's. Without weights below 1e-3 its
  // least eigenvalue is −0.001.
  using World = Problem<Still, ObserveAll<200>>;
  const World world{.noise = DiagonalNoise<200>(1e-4)};
  const Enkf<World, 20> filter(world, {.localisation = {.radius = 16}});
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    auto carried = filter.start({}, 1, {.seed = seed});
    for (std::size_t i = 1; i < 200; ++i)
      for (std::size_t m = 0; m < 20; ++m) carried.ensemble.at(i, m) = carried.ensemble.at(0, m);
    Enkf<World, 20>::Observed observed;
    observed.values.fill(0.1);
    observed.precision.fill(1e4);
    CHECK_NOTHROW(filter.analyse(carried, observed, {.seed = 1, .cycle = 1}));
  }
  // A taper that closes upon itself on a ring is none.
  using Short = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
  const Short wrapped{.noise = DiagonalNoise<40>(1e-6)};
  const Enkf<Short, 20> wide(wrapped, {.localisation = {.radius = 12}});
  auto carried = wide.start({}, 1, {.seed = 1});
  for (std::size_t i = 1; i < 40; ++i)
    for (std::size_t m = 0; m < 20; ++m) carried.ensemble.at(i, m) = carried.ensemble.at(0, m);
  Enkf<Short, 20>::Observed observed;
  observed.precision.fill(1e6);
  CHECK_THROWS_WITH_AS(wide.analyse(carried, observed, {.seed = 1, .cycle = 1}),
                       doctest::Contains("with a radius of less than a seventh of the domain"),
                       NumericalError);
}
