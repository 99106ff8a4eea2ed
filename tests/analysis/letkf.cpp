// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/letkf.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

#include "dan/analysis/etkf.hpp"
#include "dan/observe/nonlinear.hpp"
#include "dan/observe/random.hpp"
#include "dan/observe/whitened.hpp"
#include "support/battery.hpp"
#include "support/ensemble.hpp"

using namespace dan;

static_assert(Analysis<Letkf<test::Sakov, 7>>);

namespace {
using Model = Rk4<Lorenz96<9>>;
using Full = Problem<Model, ObserveAll<9>>;

/// An ensemble around one, and observations of which slot 2 is silent.
template <class Filter>
typename Filter::Carried ensemble_of(const Filter& filter) {
  typename Filter::FirstGuessBatch guess;
  guess.fill(1);
  return filter.start(guess, 2, {.seed = 3});
}
template <class Filter>
typename Filter::Observed observations_of(std::size_t silent = 2) {
  typename Filter::Observed observed;
  const auto values = test::normal_numbers(Filter::slots, 7);
  set_observations<double, Filter::slots, 1>(observed, 0, values,
                                             DiagonalNoise<Filter::slots>(0.5));
  if (silent < Filter::slots) observed.precision.at(silent, 0) = 0;
  return observed;
}
template <class A, class B>
double difference(const A& a, const B& b) {
  double worst = 0;
  for (std::size_t i = 0; i < A::size; ++i)
    for (std::size_t m = 0; m < A::lanes; ++m)
      worst = std::max(worst, std::abs(a.at(i, m) - b.at(i, m)));
  return worst;
}
}  // namespace

TEST_CASE("letkf: six cycles agree with DAPPER") {
  const Letkf<test::Sakov, 20> filter({}, {.radius = 4, .batch = 2, .inflation = {.factor = 1.04}});
  test::check_against_dapper(filter, "analysis_letkf_infl1.04_r4.npy", 1e-10);
}

using Half = ObserveSubset<9, 4>;
using HalfSquared = Nonlinear<Half, Square>;
TEST_CASE_TEMPLATE("letkf: without taper it is the ETKF, whatever the batch and the operator",
                   Network, ObserveAll<9>, ObserveRandom<9>, Half, HalfSquared) {
  using Lorenz = Problem<Model, Network>;
  for (const bool rotation : {false, true})
    for (const Inflation& inflation : test::inflations) {
      const Etkf<Lorenz, 5> etkf(Lorenz{}, {.inflation = inflation, .rotation = rotation});
      auto expected = ensemble_of(etkf);
      const auto observed = observations_of<Etkf<Lorenz, 5>>();
      etkf.analyse(expected, observed, {.seed = 8});
      for (const std::size_t batch : std::array<std::size_t, 4>{1, 4, 9, 100}) {
        const Letkf<Lorenz, 5> letkf(
            Lorenz{},
            {.radius = 1e9, .batch = batch, .inflation = inflation, .rotation = rotation});
        auto carried = ensemble_of(letkf);
        letkf.analyse(carried, observed, {.seed = 8});
        CHECK(difference(carried.ensemble, expected.ensemble) <= 1e-10);
      }
    }
}

TEST_CASE("letkf: an observation changes the points in its reach and no other") {
  const Letkf<Full, 5> filter(Full{}, {.radius = 1});  // reach 2 · 1.82 grid steps
  auto carried = ensemble_of(filter);
  const auto before = carried;
  auto observed = observations_of<Letkf<Full, 5>>(9);
  for (std::size_t j = 0; j < 9; ++j)
    if (j != 8) observed.precision.at(j, 0) = 0;
  filter.analyse(carried, observed, {});
  for (std::size_t i = 0; i < 9; ++i) {
    const double distance = Ring<9>::distance(i, {8});
    double moved = 0;
    for (std::size_t m = 0; m < 5; ++m)
      moved = std::max(moved, std::abs(carried.ensemble.at(i, m) - before.ensemble.at(i, m)));
    CHECK((moved > 1e-4) == (distance <= 3));
    if (distance > 3) CHECK(moved <= 1e-12);  // T = I to round-off
  }
}

TEST_CASE("letkf: no observation leaves the ensemble, and its spread") {
  const Letkf<Full, 5> filter(Full{}, {.inflation = {.before = 3, .factor = 2}});
  auto carried = ensemble_of(filter);
  std::array<double, 1> before{}, after{};
  Letkf<Full, 5>::Estimate mean, mean_after;
  filter.spread(carried, before);
  filter.estimate(carried, mean);
  filter.analyse(carried, {}, {});
  filter.spread(carried, after);
  filter.estimate(carried, mean_after);
  CHECK(std::abs(after[0] - before[0]) <= 1e-12);
  CHECK(difference(mean, mean_after) <= 1e-12);
}

TEST_CASE("letkf: the rotation keeps mean and covariance of every pair of elements") {
  const Letkf<Full, 5> plain(Full{}, {.radius = 1}),
      turned(Full{}, {.radius = 1, .rotation = true});
  auto a = ensemble_of(plain), b = ensemble_of(turned);
  const auto observed = observations_of<Letkf<Full, 5>>();
  plain.analyse(a, observed, {.seed = 1});
  turned.analyse(b, observed, {.seed = 1});
  CHECK(difference(a.ensemble, b.ensemble) > 0.1);
  const auto product = [](const auto& ensemble, std::size_t i, std::size_t k) {
    double sum = 0;
    for (std::size_t m = 0; m < 5; ++m) sum += ensemble.at(i, m) * (k < 9 ? ensemble.at(k, m) : 1);
    return sum;
  };
  for (std::size_t i = 0; i < 9; ++i)
    for (std::size_t k = 0; k <= 9; ++k)
      CHECK(std::abs(product(a.ensemble, i, k) - product(b.ensemble, i, k)) <= 1e-12);
}

TEST_CASE("letkf: bad input") {
  using Filter = Letkf<Full, 5>;
  constexpr double infinite = std::numeric_limits<double>::infinity();
  for (const double radius : {0.0, -1.0, infinite, std::nan("")})
    CHECK_THROWS_AS(Filter(Full{}, {.radius = radius}), ConfigError);
  CHECK_THROWS_WITH(Filter(Full{}, {.radius = 0}), doctest::Contains("take Etkf"));
  CHECK_THROWS_AS(Filter(Full{}, {.batch = 0}), ConfigError);
  CHECK_THROWS_WITH_AS(Filter(Full{}, {.inflation = {.factor = -1}}), doctest::Contains("Letkf"),
                       ConfigError);
  test::check_divergence(Filter(Full{}), "Letkf::analyse");
  test::check_observations(Filter(Full{}), "Letkf::analyse");
}
