// SPDX-License-Identifier: BSD-3-Clause
// Covariance localisation, in the serial and in the stochastic filter.
#include "dan/analysis/reaches.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "dan/analysis/enkf.hpp"
#include "dan/analysis/ensrf.hpp"
#include "dan/analysis/letkf.hpp"
#include "dan/core/linalg.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/observe/interpolate.hpp"
#include "dan/observe/nonlinear.hpp"
#include "dan/observe/whitened.hpp"
#include "support/battery.hpp"
#include "support/ensemble.hpp"

using namespace dan;

namespace {
constexpr std::size_t size = 12, members = 5, runs = 3;
using Model = Rk4<Lorenz96<size>>;
using Some = Nonlinear<ObserveSubset<size, 6>, Square>;
using Lorenz = Problem<Model, Some>;
constexpr std::size_t slots = 6;
Lorenz lorenz() { return {.observe = {ObserveSubset<size, slots>({0, 11, 3, 4, 8, 5}), {}}}; }

namespace test_operator {
/// Sees the sum of all, which is nowhere.
struct Sum {
  static constexpr std::size_t points = size, channels = 1, slots = 1;
  template <class T>
  void observe(const T* x, T* y) const {
    y[0] = x[0];
    for (std::size_t i = 1; i < size; ++i) y[0] += x[i];
  }
  void available(const RandomKey&, bool* mask) const { *mask = true; }
};
}  // namespace test_operator

/// ρ between the places of two numbers of the list: the state, then the slots.
double rho(std::size_t a, std::size_t b, double radius) {
  constexpr std::array<std::size_t, slots> seen{0, 11, 3, 4, 8, 5};
  const auto point = [&](std::size_t i) { return i < size ? i : seen[i - size]; };
  const auto steps = static_cast<double>((point(a) + size - point(b)) % size);
  const double taper =
      gaspari_cohn(std::min(steps, static_cast<double>(size) - steps), 1.82 * radius);
  return taper > 1e-3 ? taper : 0;
}

/// Members in columns: the state, then what is observed of it.
Matrix joint(const auto& at) {
  auto e = zero_tensor<double>(size + slots, members);
  for (std::size_t m = 0; m < members; ++m) {
    std::array<double, size> x;
    std::array<double, slots> h;
    for (std::size_t i = 0; i < size; ++i) x[i] = e(i, m) = at(i, m);
    lorenz().observe.observe(x.data(), h.data());
    for (std::size_t j = 0; j < slots; ++j) e(size + j, m) = h[j];
  }
  return e;
}
std::vector<double> centre(Matrix& e) {
  std::vector<double> mean(e.shape()[0]);
  for (std::size_t i = 0; i < mean.size(); ++i) {
    for (std::size_t m = 0; m < members; ++m) mean[i] += e(i, m) / members;
    for (std::size_t m = 0; m < members; ++m) e(i, m) -= mean[i];
  }
  return mean;
}
double covariance(const Matrix& x, std::size_t a, std::size_t b) {
  double sum = 0;
  for (std::size_t m = 0; m < members; ++m) sum += x(a, m) * x(b, m) / (members - 1.0);
  return sum;
}

template <class Filter>
typename Filter::Carried started(const Filter& filter) {
  typename Filter::FirstGuessBatch guess;
  guess.fill(1);
  return filter.start(guess, 0.7, {.seed = 3});
}
template <class Observed>
Observed some_observations() {
  Observed observed;
  fill_normal<double>({.seed = 4}, observed.values.numbers());
  for (std::size_t j = 0; j < Observed::slots; ++j)
    for (std::size_t l = 0; l < observed.values.padded; ++l)
      observed.precision.at(j, l) = (j + l) % 4 == 1 ? 0 : 0.5 + static_cast<double>(j);
  return observed;
}
}  // namespace

TEST_CASE("localised: the serial filter is the formula of the gain, run by run") {
  constexpr double radius = 0.5;
  using Filter = Ensrf<Lorenz, members, runs>;
  const Filter filter(lorenz(), {.inflation = 1.1, .localisation = {.radius = radius}});
  auto carried = started(filter);
  const auto before = carried.ensemble;
  const auto observed = some_observations<Filter::Observed>();
  filter.analyse(carried, observed, {});
  for (std::size_t l = 0; l < runs; ++l) {
    Matrix x = joint([&](std::size_t i, std::size_t m) { return before.at(m * size + i, l); });
    auto mean = centre(x);
    std::array<bool, size> heard{};
    for (std::size_t j = 0; j < slots; ++j) {
      if (observed.precision.at(j, l) == 0) continue;
      const double r = 1 / observed.precision.at(j, l), s = covariance(x, size + j, size + j);
      const double alpha = 1 / (1 + std::sqrt(r / (s + r)));
      const double departure = observed.values.at(j, l) - mean[size + j];
      const Matrix prior = x;
      for (std::size_t k = 0; k < size + slots; ++k) {
        const double gain = rho(k, size + j, radius) * covariance(prior, k, size + j) / (s + r);
        mean[k] += gain * departure;
        for (std::size_t m = 0; m < members; ++m) x(k, m) -= alpha * gain * prior(size + j, m);
        if (k < size) heard[k] = heard[k] || gain != 0;
      }
    }
    CHECK(std::ranges::count(heard, false) == (l == 0 ? 2 : l == 1 ? 4 : 0));
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t m = 0; m < members; ++m)
        CHECK(std::abs(carried.ensemble.at(m * size + i, l) -
                       (mean[i] + (heard[i] ? 1.1 : 1) * x(i, m))) <= 1e-12);
  }
}

TEST_CASE("localised: the stochastic filter is the formula of the gain") {
  constexpr double radius = 0.5;
  using Filter = Enkf<Lorenz, members>;
  const Filter filter(
      lorenz(), {.inflation = {.before = 1.2, .factor = 1.1}, .localisation = {.radius = radius}});
  auto carried = started(filter);
  const auto before = carried.ensemble;
  const auto observed = some_observations<Filter::Observed>();
  const RandomKey key{.seed = 5, .run = 1, .cycle = 2};
  filter.analyse(carried, observed, key);

  Matrix first = joint([&](std::size_t i, std::size_t m) { return before.at(i, m); });
  const auto middle = centre(first);
  Matrix x = joint([&](std::size_t i, std::size_t m) { return middle[i] + 1.2 * first(i, m); });
  const auto mean = centre(x);
  const std::array<std::size_t, 4> used{0, 2, 3, 4};
  auto c = zero_tensor<double>(4, 4), noise = zero_tensor<double>(4, members), steps = noise;
  std::vector<double> normal(slots * members);
  fill_normal<double>(key.with(Purpose::analysis), normal);
  for (std::size_t a = 0; a < 4; ++a)
    for (std::size_t m = 0; m < members; ++m) noise(a, m) = normal[used[a] * members + m];
  centre(noise);
  for (std::size_t a = 0; a < 4; ++a) {
    const std::size_t j = used[a];
    const double r = 1 / observed.precision[j];
    for (std::size_t b = 0; b < 4; ++b)
      c(a, b) = rho(size + j, size + used[b], radius) * covariance(x, size + j, size + used[b]) +
                (a == b ? r : 0);
    for (std::size_t m = 0; m < members; ++m)
      steps(a, m) = observed.values[j] - mean[size + j] - x(size + j, m) -
                    std::sqrt(r * members / (members - 1)) * noise(a, m);
  }
  CHECK(c(0, 1) == 0);  // some do not reach each other
  const Matrix z = solve_linear(c, steps);
  for (std::size_t i = 0; i < size; ++i) {
    std::array<double, members> e;
    double after = 0, weight = 0;
    for (std::size_t m = 0; m < members; ++m) {
      e[m] = mean[i] + x(i, m);
      for (std::size_t a = 0; a < 4; ++a) {
        const double taper = rho(i, size + used[a], radius);
        e[m] += taper * covariance(x, i, size + used[a]) * z(a, m);
        weight += taper;
      }
      after += e[m] / members;
    }
    for (std::size_t m = 0; m < members; ++m)
      CHECK(std::abs(carried.ensemble.at(i, m) -
                     (after + (weight > 0 ? 1.1 : 1 / 1.2) * (e[m] - after))) <= 1e-12);
  }
}

TEST_CASE("localised: with a taper of one everywhere it is the filter without") {
  const auto difference = [&](const auto& a, const auto& b) {
    auto one = started(a), other = started(b);
    const auto before = one.ensemble;
    const auto observed = some_observations<typename std::decay_t<decltype(a)>::Observed>();
    a.analyse(one, observed, {.seed = 9});
    b.analyse(other, observed, {.seed = 9});
    CHECK(std::abs(one.ensemble.at(0, 0) - before.at(0, 0)) > 1e-3);
    double worst = 0;
    for (std::size_t n = 0; n < one.ensemble.numbers().size(); ++n)
      worst = std::max(worst, std::abs(one.ensemble.numbers()[n] - other.ensemble.numbers()[n]));
    return worst;
  };
  const Taper one = [](double, double) { return 1.0; };
  const Localisation wide{.radius = 3, .taper = one};
  using Serial = Ensrf<Lorenz, members, runs>;
  using Stochastic = Enkf<Lorenz, members>;
  CHECK(difference(Serial(lorenz()), Serial(lorenz(), {.localisation = wide})) == 0);
  const Inflation inflation{.before = 1.2, .relax_perturbations = 0.3, .factor = 1.1};
  CHECK(difference(Stochastic(lorenz(), {.inflation = inflation}),
                   Stochastic(lorenz(), {.inflation = inflation, .localisation = wide})) <= 1e-11);
}

TEST_CASE("localised: places between grid points, other ones in every lane, and given ones") {
  using At = ObserveAt<Ring<size>, 2>;
  using Moving = Problem<Model, At>;
  using Fixed = Problem<Model, Located<ObserveSubset<size, 2>, 1>>;
  // At grid points, so that the fixed operator sees the same; the places say more or less.
  const std::vector<std::vector<Place<1>>> places{{{{2}}, {{5}}}, {{{7}}, {{11}}}};
  const std::vector<double> values{1, 2}, variances{1, 0.5};
  const EnsrfConfig config{.localisation = {.radius = 0.8}};
  const Ensrf<Moving, members, 2> moving({}, config);
  auto a = started(moving);
  decltype(moving)::Observed observed;
  for (std::size_t l = 0; l < 2; ++l) set_observations(observed, l, values, variances, places[l]);
  observed.values.repeat_last_lane(), observed.precision.repeat_last_lane();
  const auto before = a.ensemble;
  moving.analyse(a, observed, {});
  for (std::size_t l = 0; l < 2; ++l) {
    const auto element = [&](std::size_t j) {
      return static_cast<std::size_t>(places[l][j].position[0]);
    };
    const Ensrf<Fixed, members, 1> fixed(
        {.observe = {ObserveSubset<size, 2>({element(0), element(1)}),
                     {places[l][0], places[l][1]}}},
        config);
    auto b = fixed.start({}, 1, {});
    for (std::size_t n = 0; n < members * size; ++n) b.ensemble.at(n, 0) = before.at(n, l);
    decltype(fixed)::Observed one;
    set_observations(one, 0, values, variances);
    fixed.analyse(b, one, {});
    for (std::size_t n = 0; n < members * size; ++n)
      CHECK(std::abs(a.ensemble.at(n, l) - b.ensemble.at(n, 0)) <= 1e-13);
    const std::size_t far = l == 0 ? 9 : 2;
    CHECK(std::abs(a.ensemble.at(far, l) - before.at(far, l)) <= 1e-13);
  }
  // The distance of slots between grid points is theirs, not that of points.
  const auto between =
      reaches<Ring<size>, double>({.radius = 1, .taper = tapers::boxcar}, {{{2.5}, {3.6}, {1.5}}});
  REQUIRE(between[0].slots.size() == 1);
  CHECK(between[0].slots[0].index == 2);
  CHECK(between[0].points.size() == 2);
}

TEST_CASE("localised: with ten members neither filter loses the truth of 40 variables") {
  const test::Sakov problem;
  const TwinConfig config{.runs = 8,
                          .cycles = 600,
                          .burn_in = 200,
                          .seed = 3,
                          .threads = 1,
                          .first_guess_deviation = 0.3,
                          .progress = false};
  const auto score = [&](const auto& method) {
    const auto scores = run_twin(problem, method, config);
    CHECK(scores.failures.empty());
    MESSAGE("aRMSE ", scores.analysis_rmse);
    return scores.analysis_rmse;
  };
  const Inflation inflation{.factor = 1.04};
  const double local = score(Letkf<test::Sakov, 10>(
      problem, {.radius = 6, .batch = 2, .inflation = inflation, .rotation = true}));
  CHECK(std::abs(score(Ensrf<test::Sakov, 10>(problem,
                                              {.inflation = 1.04, .localisation = {.radius = 6}})) -
                 local) < 0.02);
  CHECK(score(Enkf<test::Sakov, 10>(
            problem, {.inflation = {.factor = 1.1}, .localisation = {.radius = 4}})) < 0.35);
  CHECK(score(Ensrf<test::Sakov, 10>(problem, {.inflation = 1.04})) > 1);
  CHECK(score(Enkf<test::Sakov, 10>(problem, {.inflation = {.factor = 1.1}})) > 1);
}

TEST_CASE("localised: what cannot be") {
  using Serial = Ensrf<Lorenz, members>;
  using Stochastic = Enkf<Lorenz, members>;
  const auto refused = [](const Localisation& localisation, const char* message) {
    CHECK_THROWS_WITH_AS(Serial(lorenz(), {.localisation = localisation}),
                         doctest::Contains(message), ConfigError);
    CHECK_THROWS_WITH_AS(Stochastic(lorenz(), {.localisation = localisation}),
                         doctest::Contains(message), ConfigError);
  };
  refused({.radius = 0}, "radius is 0, expected a number of grid steps greater than zero");
  refused({.radius = std::nan("")}, "radius is nan");
  refused({.radius = 4, .taper = nullptr}, "there is no taper, expected a function");
  refused({.radius = 4, .taper = [](double, double) { return 0.5; }},
          "the taper is 0.5 at the distance 0, expected 1");
  refused({.radius = 4, .taper = [](double d, double) { return d > 2 ? HUGE_VAL : 1; }},
          "the taper is inf at the distance 3, expected a finite number");

  using Blurred = Problem<Model, test_operator::Sum>;
  CHECK_NOTHROW(Ensrf<Blurred, members>{Blurred{}});
  CHECK_THROWS_WITH_AS((Ensrf<Blurred, members>({}, {.localisation = {.radius = 4}})),
                       doctest::Contains("Ensrf: radius is 4, but there is no distance"),
                       ConfigError);
  using Correlated = Problem<Model, Whitened<ObserveAll<size>>>;
  auto r = zero_tensor<double>(size, size);
  for (std::size_t i = 0; i < size; ++i) r(i, i) = 1;
  const Correlated correlated{.observe = Whitened(ObserveAll<size>{}, r)};
  CHECK_NOTHROW(Ensrf<Correlated, members>{correlated});
  CHECK_THROWS_WITH_AS((Ensrf<Correlated, members>(correlated, {.localisation = {.radius = 4}})),
                       doctest::Contains("Ensrf: one whitened observation after the other"),
                       ConfigError);

  // All members agree in all points: three slots of a boxcar, of which the outer two do not reach
  // each other, make a matrix with an eigenvalue below zero.
  using Three = Problem<Model, ObserveSubset<size, 3>>;
  const Enkf<Three, 2> filter({.observe = ObserveSubset<size, 3>({2, 3, 4})},
                              {.localisation = {.radius = 1, .taper = tapers::boxcar}});
  auto carried = filter.start({}, 1, {});
  for (std::size_t i = 0; i < size; ++i)
    carried.ensemble.at(i, 0) = 1, carried.ensemble.at(i, 1) = -1;
  carried.ensemble.repeat_last_lane();
  decltype(filter)::Observed observed;
  observed.precision.fill(10);
  CHECK_THROWS_WITH_AS(filter.analyse(carried, observed, {}),
                       doctest::Contains("Enkf::analyse: the localised covariance"),
                       NumericalError);
}
