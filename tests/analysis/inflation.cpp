// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/inflation.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "dan/analysis/denkf.hpp"
#include "dan/analysis/ekf.hpp"
#include "dan/analysis/enkf.hpp"
#include "dan/analysis/enkf_n.hpp"
#include "dan/analysis/enks.hpp"
#include "dan/analysis/ensrf.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/analysis/ienks.hpp"
#include "dan/analysis/letkf.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "support/battery.hpp"
#include "support/linear.hpp"

using namespace dan;

namespace {
constexpr std::size_t members = 5;
using T = lanes_t<double, members>;
constexpr double round_off = 1e-13;  // for numbers of order one, summed in any order

T row(std::uint64_t run) {
  const auto numbers = test::normal_numbers(members, run);
  double mean = 0;
  for (const double x : numbers) mean += x / members;
  T out(0);
  for (std::size_t m = 0; m < members; ++m) out[m] = numbers[m] - mean;
  return out;
}
double norm(const T& x) { return std::sqrt(sum_lanes(x * x)); }
}  // namespace

TEST_CASE("inflation: each part does what its equation says") {
  const T prior = row(1), posterior = 0.4 * row(2);
  CHECK(norm(Inflation{}.applied(prior, posterior) - posterior) == 0);
  CHECK(norm(Inflation{.factor = 1.5}.applied(prior, posterior) - 1.5 * posterior) <= round_off);
  const T mixed = Inflation{.relax_perturbations = 0.3}.applied(prior, posterior);
  CHECK(norm(mixed - (0.7 * posterior + 0.3 * prior)) <= round_off);
  const T relaxed = Inflation{.relax_spread = 0.3}.applied(prior, posterior);
  CHECK(std::abs(norm(relaxed) - (0.7 * norm(posterior) + 0.3 * norm(prior))) <= round_off);
  CHECK(norm(relaxed - norm(relaxed) / norm(posterior) * posterior) <= round_off);
  CHECK(std::abs(sum_lanes(relaxed)) <= round_off);
}

TEST_CASE("inflation: the ends of the range, and all parts together") {
  const T prior = row(1), posterior = 0.4 * row(2);
  CHECK(norm(Inflation{.relax_perturbations = 1}.applied(prior, posterior) - prior) <= round_off);
  CHECK(std::abs(norm(Inflation{.relax_spread = 1}.applied(prior, posterior)) - norm(prior)) <=
        round_off);
  CHECK(norm(Inflation{.relax_spread = 0.5}.applied(prior, T(0))) == 0);  // no spread is left
  const Inflation all{.relax_perturbations = 0.3, .relax_spread = 0.2, .factor = 1.1};
  const T mixed = 0.7 * posterior + 0.3 * prior;
  const double scale = 1.1 * (1 + 0.2 * (norm(prior) - norm(mixed)) / norm(mixed));
  CHECK(norm(all.applied(prior, posterior) - scale * mixed) <= round_off);
}

TEST_CASE("inflation: numbers out of range") {
  const auto check = [](const Inflation& inflation) { inflation.require_valid("here"); };
  CHECK_NOTHROW(check({}));
  CHECK_NOTHROW(check({.relax_perturbations = 1, .relax_spread = 1, .factor = 0.9}));
  CHECK_THROWS_WITH_AS(check({.factor = 0}), doctest::Contains("here: inflation.factor is 0"),
                       ConfigError);
  CHECK_THROWS_AS(check({.factor = std::nan("")}), ConfigError);
  CHECK_THROWS_WITH_AS(check({.before = -1}), doctest::Contains("here: inflation.before is -1"),
                       ConfigError);
  CHECK_THROWS_WITH_AS(check({.relax_spread = 1.5}),
                       doctest::Contains("inflation.relax_spread is 1.5, expected"), ConfigError);
  CHECK_THROWS_AS(check({.relax_perturbations = -0.1}), ConfigError);
  CHECK_THROWS_AS(check({.relax_perturbations = std::nan("")}), ConfigError);
}

using Lorenz = Problem<Rk4<Lorenz96<6>>, ObserveAll<6>>;
using Stochastic = Enkf<Lorenz, members>;
using Deterministic = Denkf<Lorenz, members>;
using Local = Letkf<Lorenz, members>;
using FiniteSize = EnkfN<Lorenz, members>;
using Root = Etkf<Lorenz, members>;
using CurvedRoot = Etkf<Problem<Rk4<Lorenz96<8>>, test::Curved>, members>;
TEST_CASE_TEMPLATE("inflation: before the analysis is the analysis of the inflated ensemble",
                   Filter, Stochastic, Deterministic, Local, FiniteSize, Root, CurvedRoot) {
  constexpr std::size_t size = Filter::size;
  const Inflation rest{.relax_perturbations = 0.2, .relax_spread = 0.3, .factor = 1.1};
  Inflation inflation = rest;
  inflation.before = 1.3;
  const Filter filter({}, {.inflation = inflation}), plain({}, {.inflation = rest});
  auto carried = filter.start({}, 1, {}), other = carried;
  typename Filter::Estimate mean;
  filter.estimate(carried, mean);
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t m = 0; m < members; ++m)
      other.ensemble.at(i, m) = mean[i] + 1.3 * (carried.ensemble.at(i, m) - mean[i]);
  other.ensemble.repeat_last_lane();
  typename Filter::Observed observed;
  set_observations<double, size, 1>(observed, 0, test::normal_numbers(size),
                                    DiagonalNoise<size>(0.5));
  filter.analyse(carried, observed, {});
  plain.analyse(other, observed, {});
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t m = 0; m < members; ++m)
      CHECK(std::abs(carried.ensemble.at(i, m) - other.ensemble.at(i, m)) <= 1e-12);
}

TEST_CASE_TEMPLATE("inflation: in a filter, full relaxation gives the prior anomalies back", Filter,
                   Stochastic, Deterministic, Local) {
  const Filter filter({}, {.inflation = {.relax_perturbations = 1}}), plain({}, {});
  auto carried = filter.start({}, 1, {}), other = carried;
  const auto before = carried;
  typename Filter::Observed observed;
  set_observations<double, 6, 1>(observed, 0, test::normal_numbers(6), DiagonalNoise<6>(0.5));
  filter.analyse(carried, observed, {});
  plain.analyse(other, observed, {});
  typename Filter::Estimate mean, mean_before, mean_plain;
  filter.estimate(carried, mean);
  filter.estimate(before, mean_before);
  filter.estimate(other, mean_plain);
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(std::abs(mean.at(i, 0) - mean_plain.at(i, 0)) <= round_off);
    for (std::size_t m = 0; m < members; ++m) {
      const double now = carried.ensemble.at(i, m) - mean.at(i, 0);
      CHECK(std::abs(now - (before.ensemble.at(i, m) - mean_before.at(i, 0))) <= round_off);
    }
  }
}

namespace {
constexpr std::size_t ring = 12;
/// Carries a state once around the ring in 12 cycles, or leaves it where it is: nothing grows.
template <std::size_t Steps>
struct Carousel {
  static constexpr std::size_t points = ring, channels = 1;
  using Geometry = Ring<ring>;
  template <class T>
  void step(const T* x, T* y) const {
    std::array<T, ring> out;
    for (std::size_t i = 0; i < ring; ++i) out[(i + Steps) % ring] = x[i];
    std::ranges::copy(out, y);
  }
  template <class T>
  void step_tangent(const T*, const T* dx, T* dy) const {
    step(dx, dy);
  }
  template <class T>
  void step_adjoint(const T*, const T* d_y, T* d_x) const {
    for (std::size_t i = 0; i < ring; ++i) d_x[i] += d_y[(i + Steps) % ring];
  }
};
constexpr Inflation strong{.before = 1.1, .relax_perturbations = 0.1, .factor = 1.1};
constexpr Localisation narrow{.radius = 1};  // reaches 3 points to each side
constexpr std::size_t gap = 200;
}  // namespace

TEST_CASE("inflation: in a gap of 200 cycles the spread stays what the model makes it") {
  using Around = Problem<Carousel<1>, ObserveAll<ring>>;
  const auto check = [](const auto& filter) {
    using Filter = std::decay_t<decltype(filter)>;
    auto carried = filter.start({}, 1, {});
    std::array<double, Filter::runs> first{}, last{};
    filter.spread(carried, first);
    for (std::size_t cycle = 1; cycle <= gap; ++cycle) {
      filter.forecast(carried);
      filter.analyse(carried, {}, {.cycle = cycle});
    }
    filter.spread(carried, last);
    for (std::size_t l = 0; l < Filter::runs; ++l) CHECK(std::abs(last[l] - first[l]) <= 1e-11);
  };
  check(Etkf<Around, members>({}, {.inflation = strong}));
  check(Etkf<Around, members>({}, {.inflation = strong, .rotation = true}));
  check(Enks(Etkf<Around, members>({}, {.inflation = strong}), 2));
  check(Denkf<Around, members>({}, {.inflation = strong}));
  check(Enkf<Around, members>({}, {.inflation = strong}));
  check(Enkf<Around, members>({}, {.inflation = strong, .localisation = narrow}));
  check(Letkf<Around, members>({}, {.inflation = strong, .rotation = true}));
  check(EnkfN<Around, members>({}, {.inflation = strong}));
  check(Ensrf<Around, 4>({}, {.inflation = 1.1, .rotation = true}));
  check(Ensrf<Around, members>({}, {.inflation = 1.1, .localisation = narrow}));
  check(Ienks<Around, members>({}, {.lag = 2, .inflation = strong}));
  check(Ekf<Around>({}, {.inflation = 1.1}));
}

TEST_CASE("inflation: one run's gap is not another's") {
  using Still = Problem<Carousel<0>, ObserveAll<ring>>;
  using Filter = Ensrf<Still, members, 2>;
  const Filter filter({}, {.inflation = 1.5});
  auto carried = filter.start({}, 1, {}), other = carried;
  Filter::Observed observed;
  for (std::size_t j = 0; j < ring; ++j) observed.precision.at(j, 0) = 1;
  std::array<double, 2> before{}, after{}, plain{};
  filter.spread(carried, before);
  filter.analyse(carried, observed, {});
  Filter({}).analyse(other, observed, {});
  filter.spread(carried, after);
  filter.spread(other, plain);
  CHECK(std::abs(after[0] - 1.5 * plain[0]) <= round_off);
  CHECK(std::abs(after[1] - before[1]) <= round_off);
}

TEST_CASE("inflation: of local filters, none in a region that is never observed") {
  using Still = Problem<Carousel<0>, ObserveSubset<ring, 4>>;
  const Still problem{.observe = ObserveSubset<ring, 4>({0, 1, 2, 3})};  // 7 and 8 are out of reach
  const auto check = [&](const auto& filter, const auto& at) {
    using Filter = std::decay_t<decltype(filter)>;
    auto carried = filter.start({}, 1, {});
    const auto first = carried.ensemble;
    typename Filter::Observed observed;
    observed.precision.fill(1);
    for (std::size_t cycle = 1; cycle <= gap; ++cycle) {
      filter.forecast(carried);
      filter.analyse(carried, observed, {.cycle = cycle});
    }
    double seen = 0;
    for (std::size_t m = 0; m < members; ++m) {
      for (const std::size_t i : std::array<std::size_t, 2>{7, 8})
        CHECK(std::abs(at(carried.ensemble, i, m) - at(first, i, m)) <= 1e-11);
      seen = std::max(seen, std::abs(at(carried.ensemble, 2, m) - at(first, 2, m)));
    }
    CHECK(seen > 0.1);
  };
  const auto in_lanes = [](const auto& e, std::size_t i, std::size_t m) { return e.at(i, m); };
  const auto in_rows = [](const auto& e, std::size_t i, std::size_t m) {
    return e.at(m * ring + i, e.lanes - 1);
  };
  check(Letkf<Still, members>(problem, {.radius = 1, .inflation = strong}), in_lanes);
  check(Enkf<Still, members>(problem, {.inflation = strong, .localisation = narrow}), in_lanes);
  check(Ensrf<Still, members>(problem, {.inflation = 1.1, .localisation = narrow}), in_rows);
}
