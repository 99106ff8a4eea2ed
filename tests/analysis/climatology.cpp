// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/climatology.hpp"

#include <doctest/doctest.h>

#include <cstddef>

#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"

using namespace dan;

namespace {
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
/// Two channels at a point, of which the first diverges.
struct Half {
  static constexpr std::size_t points = 4, channels = 2;
  template <class T>
  void step(const T* x, T* y) const {
    for (std::size_t i = 0; i < 8; ++i) y[i] = i % 2 == 0 ? T(1e200) * x[i] : x[i];
  }
};
}  // namespace

static_assert(Analysis<Climatology<Lorenz>>);

TEST_CASE("climatology: mean and covariance of Lorenz 96") {
  // Known: mean 2.34, standard deviation 3.63 at every point, and rotational symmetry. Sampling
  // error of a point: 16 · 100 time units at about one independent sample a unit, 3.63/40 = 0.09.
  const auto climate = climatology_of(Lorenz{});
  double mean = 0, variance = 0, neighbour = 0;
  for (std::size_t i = 0; i < 40; ++i) {
    CHECK(std::abs(climate.mean[i] - 2.34) < 0.4);
    mean += climate.mean[i] / 40, variance += climate.covariance(i, i) / 40;
    neighbour += climate.covariance(i, (i + 1) % 40) / 40;
    for (std::size_t j = 0; j < i; ++j) CHECK(climate.covariance(i, j) == climate.covariance(j, i));
  }
  CHECK(std::abs(mean - 2.34) < 0.03);
  CHECK(std::abs(std::sqrt(variance) - 3.63) < 0.05);
  CHECK(std::abs(neighbour) < 0.15 * variance);  // neighbours are nearly uncorrelated
}

TEST_CASE("climatology: the same seed gives the same bits, another seed does not") {
  const auto of = [](std::uint64_t seed) {
    return climatology_of(Lorenz{.start = {.spin_up = 10}}, {.seed = seed, .cycles = 10});
  };
  CHECK(of(1).covariance(3, 4) == of(1).covariance(3, 4));
  CHECK(of(1).mean[0] != of(2).mean[0]);
}

TEST_CASE("climatology: always estimates the mean") {
  const auto climate = climatology_of(Lorenz{.start = {.spin_up = 10}}, {.cycles = 10});
  const Climatology<Lorenz, 3> analysis(climate);
  auto carried = analysis.start({}, 1, {});
  analysis.forecast(carried);
  analysis.analyse(carried, {}, {});
  Climatology<Lorenz, 3>::Estimate estimate;
  analysis.estimate(carried, estimate);
  for (std::size_t l = 0; l < 3; ++l) CHECK(estimate.at(7, l) == climate.mean[7]);
}

TEST_CASE("climatology: bad input") {
  using Diverging = Problem<Half, ObserveAll<4, 2>>;
  CHECK_THROWS_WITH_AS((void)climate_moments_of(Diverging{.start = {.spin_up = 1}}),
                       doctest::Contains("the model run is not finite"), NumericalError);
  CHECK_THROWS_AS((void)climatology_of(Lorenz{}, {.cycles = 0}), ConfigError);
  const Climate small{zero_tensor<double>(3), zero_tensor<double>(3, 3)};
  CHECK_THROWS_WITH_AS(Climatology<Lorenz>{small},
                       "Climatology: climate.mean has shape (3), expected (40), one per state "
                       "element",
                       ShapeError);
  Lorenz coarse;
  coarse.model.time_step = 10;
  CHECK_THROWS_AS((void)climatology_of(coarse), NumericalError);
}
