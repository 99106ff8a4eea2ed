// SPDX-License-Identifier: BSD-3-Clause
#include "dan/problem/truth.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "dan/geometry/ring.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/interpolate.hpp"
#include "dan/observe/random.hpp"
#include "dan/problem/climate.hpp"
#include "support/battery.hpp"

using namespace dan;

namespace {
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveRandom<40>>;
using FullProblem = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;

/// Truth, values and precisions of all elements of one lane.
template <class Truth>
test::Numbers lane_numbers(const Truth& twin, std::size_t lane) {
  test::Numbers out;
  for (std::size_t i = 0; i < 40; ++i) {
    out.push_back(twin.truth().at(i, lane));
    out.push_back(twin.observed().values.at(i, lane));
    out.push_back(twin.observed().precision.at(i, lane));
  }
  return out;
}

/// Lane l of a truth of `Runs` runs from `first` has the bits of lane first + l of `all`.
template <std::size_t Runs>
void check_same(std::size_t first) {
  const Lorenz problem{.start = {.spin_up = 20}};
  TwinTruth<Lorenz, 16> all(problem, {.seed = 5});
  TwinTruth<Lorenz, Runs> some(problem, {.seed = 5, .first_run = first});
  bool same = true;
  for (int cycle = 0; cycle < 10; ++cycle) {
    for (std::size_t l = 0; l < Runs; ++l)
      same = same && test::all_same_bits(lane_numbers(all, first + l), lane_numbers(some, l));
    all.next();
    some.next();
  }
  CAPTURE(Runs);
  CAPTURE(first);
  CHECK(same);
}
}  // namespace

TEST_CASE("truth: a run has the same bits for any number of lanes and any first run") {
  for (const std::size_t first : {0U, 1U, 7U, 15U}) check_same<1>(first);
  for (const std::size_t first : {0U, 3U, 11U}) check_same<5>(first);
  check_same<16>(0);
}

TEST_CASE("truth: lanes are the runs that are named, also twice the same") {
  const Lorenz problem{.start = {.spin_up = 20}};
  TwinTruth<Lorenz, 16> all(problem, {.seed = 5});
  TwinTruth<Lorenz, 3> some(problem, 5, {7, 2, 7});
  for (int cycle = 0; cycle < 3; ++cycle) {
    all.next();
    some.next();
    CHECK(test::all_same_bits(lane_numbers(some, 0), lane_numbers(all, 7)));
    CHECK(test::all_same_bits(lane_numbers(some, 1), lane_numbers(all, 2)));
    CHECK(test::all_same_bits(lane_numbers(some, 2), lane_numbers(all, 7)));
  }
  CHECK(some.key(2).run == 7);
}

TEST_CASE("truth: random places are those of run and cycle, and the truth is observed there") {
  using Operator = ObserveRandomPlaces<Ring<40>, 12>;
  using Moving = Problem<Rk4<Lorenz96<40>>, Operator>;
  const Moving problem{
      .observe = Operator(4, 12), .noise = DiagonalNoise<12>(0.25), .start = {.spin_up = 20}};
  TwinTruth<Moving, 3> all(problem, {.seed = 5, .first_run = 2});
  TwinTruth<Moving, 1> one(problem, {.seed = 5, .first_run = 3});
  bool same = true, right = true, elsewhere = false;
  std::array<double, 12> errors{};
  std::array<bool, 12> mask{};
  for (int cycle = 0; cycle < 20; ++cycle) {
    const double before = all.observed().places.sight(0, 0).place.position[0];
    all.next(), one.next();
    elsewhere = elsewhere || all.observed().places.sight(0, 0).place.position[0] != before;
    problem.noise.sample(all.key(1), errors);
    problem.observe.available(all.key(1), mask.data());
    for (std::size_t j = 0; j < 12; ++j) {
      const double at = all.observed().places.sight(1, j).place.position[0];
      same = same && at == one.observed().places.sight(0, j).place.position[0] &&
             all.observed().values.at(j, 1) == one.observed().values.at(j, 0);
      const auto p = static_cast<std::size_t>(at);
      const double part = at - std::floor(at);
      const double x = (1 - part) * all.truth().at(p, 1) + part * all.truth().at((p + 1) % 40, 1);
      const double y = mask[j] ? x + errors[j] : 0;
      right = right && std::abs(all.observed().values.at(j, 1) - y) <= 1e-13 &&
              all.observed().precision.at(j, 1) == (mask[j] ? 4 : 0);
    }
  }
  CHECK(same);
  CHECK(right);
  CHECK(elsewhere);
}

TEST_CASE("truth: seeds and runs differ") {
  const FullProblem problem{.start = {.spin_up = 5}};
  const TwinTruth<FullProblem, 2> a(problem, {.seed = 1});
  const TwinTruth<FullProblem, 2> b(problem, {.seed = 2});
  CHECK(a.truth().at(0, 0) != a.truth().at(0, 1));
  CHECK(a.truth().at(0, 0) != b.truth().at(0, 0));
}

TEST_CASE("truth: the truth is a trajectory of the model") {
  const FullProblem problem{.start = {.spin_up = 50}};
  TwinTruth<FullProblem, 3> twin(problem, {.seed = 3});
  CHECK(twin.cycle() == 0);
  test::Numbers x(40);
  for (std::size_t i = 0; i < 40; ++i) x[i] = twin.truth().at(i, 2);
  for (std::size_t cycle = 1; cycle <= 20; ++cycle) {
    twin.next();
    problem.model.step(x.data(), x.data());
    double error = 0;
    for (std::size_t i = 0; i < 40; ++i)
      error = std::max(error, std::abs(x[i] - twin.truth().at(i, 2)));
    CHECK(error < 1e-9);
    CHECK(twin.cycle() == cycle);
  }
}

TEST_CASE("truth: observations are the truth plus the noise of their key") {
  const FullProblem problem{.noise = DiagonalNoise<40>(4), .start = {.spin_up = 10}};
  TwinTruth<FullProblem, 5> twin(problem, {.seed = 8, .first_run = 3});
  std::array<double, 40> errors{};
  double sum = 0, square = 0;
  constexpr std::size_t cycles = 200;
  for (std::size_t cycle = 1; cycle <= cycles; ++cycle) {
    twin.next();
    for (std::size_t l = 0; l < 5; ++l) {
      problem.noise.sample({.seed = 8, .run = 3 + l, .cycle = cycle}, errors);
      bool right = true;
      for (std::size_t i = 0; i < 40; ++i) {
        const double y = twin.observed().values.at(i, l), x = twin.truth().at(i, l);
        right = right && y == x + errors[i] && twin.observed().precision.at(i, l) == 0.25;
        sum += y - x;
        square += (y - x) * (y - x);
      }
      CHECK(right);
    }
  }
  constexpr double count = 40.0 * 5 * cycles;
  CHECK(std::abs(sum / count) < 5 * 2 / std::sqrt(count));
  CHECK(std::abs(square / count - 4) < 5 * std::sqrt(2.0) * 4 / std::sqrt(count));
}

TEST_CASE("truth: silent slots have value and precision zero, and padding repeats a run") {
  const Lorenz problem{.observe = ObserveRandom<40>(10, 20), .start = {.spin_up = 10}};
  constexpr std::size_t runs = simd_width<double> + 1;
  TwinTruth<Lorenz, runs> twin(problem, {.seed = 2});
  std::array<bool, 40> mask{};
  for (int cycle = 0; cycle < 20; ++cycle) {
    twin.next();
    const auto& [values, precision] = twin.observed();
    bool right = true, padded = true;
    for (std::size_t l = 0; l < runs; ++l) {
      problem.observe.available(twin.key(l), mask.data());
      for (std::size_t i = 0; i < 40; ++i)
        right =
            right && (values.at(i, l) != 0) == mask[i] && precision.at(i, l) == (mask[i] ? 1 : 0);
      const auto reporting = std::ranges::count(mask, true);
      right = right && reporting >= 10 && reporting <= 20;
    }
    for (std::size_t i = 0; i < 40; ++i)
      for (std::size_t l = runs; l < values.padded; ++l)
        padded = padded && values.at(i, l) == values.at(i, runs - 1) &&
                 precision.at(i, l) == precision.at(i, runs - 1) &&
                 twin.truth().at(i, l) == twin.truth().at(i, runs - 1);
    CHECK(right);
    CHECK(padded);
  }
}

TEST_CASE("truth: after the spin-up the truth is on the attractor") {
  const FullProblem problem;
  TwinTruth<FullProblem, 16> twin(problem, {});
  double sum = 0, square = 0, count = 0;
  for (int cycle = 0; cycle < 400; ++cycle) {
    twin.next();
    for (std::size_t i = 0; i < 40; ++i)
      for (std::size_t l = 0; l < 16; ++l) {
        sum += twin.truth().at(i, l);
        square += twin.truth().at(i, l) * twin.truth().at(i, l);
        ++count;
      }
  }
  const double mean = sum / count;
  CHECK(mean == doctest::Approx(2.34).epsilon(0.03));
  CHECK(std::sqrt(square / count - mean * mean) == doctest::Approx(3.64).epsilon(0.03));
}

namespace {
/// Lorenz 96 in kelvin: x + 270.
struct Kelvin {
  using Geometry = Ring<40>;
  static constexpr std::size_t points = 40, channels = 1;
  Rk4<Lorenz96<40>> inner{};
  template <class T>
  void step(const T* x, T* y) const {
    const T offset(real_t<T>(270));
    for (std::size_t i = 0; i < 40; ++i) y[i] = x[i] - offset;
    inner.step(y, y);
    for (std::size_t i = 0; i < 40; ++i) y[i] += offset;
  }
};
}  // namespace

TEST_CASE("truth: states that live elsewhere need a start there, and are told so") {
  using Warm = Problem<Kelvin, ObserveAll<40>>;
  const Warm problem{.start = {.mean = 272}};
  const TwinTruth<Warm, 2> twin(problem, {});
  for (std::size_t i = 0; i < 40; ++i) CHECK(std::abs(twin.truth().at(i, 1) - 270) < 20);
  // 200 cycles of 16 runs, of which each has some ten independent values of deviation 3.6: 0.3.
  CHECK(std::abs(climatology_of(problem, {.cycles = 200}).mean[0] - 272.34) < 4 * 0.3);
  CHECK_THROWS_WITH_AS((TwinTruth<Warm, 2>(Warm{}, {})),
                       doctest::Contains("give the problem a start in the units of the model"),
                       NumericalError);
  CHECK_THROWS_WITH_AS((void)climatology_of(Warm{}),
                       doctest::Contains("give the problem a start in the units of the model"),
                       NumericalError);
}
