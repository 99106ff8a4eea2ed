// SPDX-License-Identifier: BSD-3-Clause
// Every analysis with correlated errors of which some are missing.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "../support/temporary_folder.hpp"
#include "dan/analysis/carried.hpp"
#include "dan/analysis/denkf.hpp"
#include "dan/analysis/ekf.hpp"
#include "dan/analysis/enkf.hpp"
#include "dan/analysis/enkf_n.hpp"
#include "dan/analysis/enks.hpp"
#include "dan/analysis/ensrf.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/analysis/ienks.hpp"
#include "dan/analysis/learned.hpp"
#include "dan/analysis/letkf.hpp"
#include "dan/analysis/oi.hpp"
#include "dan/analysis/var3d.hpp"
#include "dan/analysis/var4d.hpp"
#include "dan/core/linalg.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/random.hpp"
#include "dan/observe/whitened.hpp"
#include "dan/train/filter_teacher.hpp"
#include "support/battery.hpp"
#include "support/ensemble.hpp"

using namespace dan;

namespace {
constexpr std::size_t size = 8, members = 6, runs = 3;
using Model = Rk4<Lorenz96<size>>;
using Independent = Problem<Model, ObserveAll<size>>;
using Correlated = Problem<Model, Whitened<ObserveAll<size>>>;

/// Variances 0.3 … 1, correlations that fall with the distance.
double r(std::size_t i, std::size_t j) {
  const auto deviation = [](std::size_t k) {
    return std::sqrt(0.3 + 0.1 * static_cast<double>(k));
  };
  return deviation(i) * deviation(j) * std::pow(0.6, Ring<size>::distance(i, {double(j)}));
}
Matrix matrix_of(const auto& at) {
  auto out = zero_tensor<double>(size, size);
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t j = 0; j < size; ++j) out(i, j) = at(i, j);
  return out;
}
Correlated correlated() { return {.observe = Whitened(ObserveAll<size>{}, matrix_of(r))}; }
double diagonal(std::size_t i, std::size_t j) { return i == j ? r(i, i) : 0; }
Correlated uncorrelated() { return {.observe = Whitened(ObserveAll<size>{}, matrix_of(diagonal))}; }
Independent independent() {
  std::array<double, size> variances;
  for (std::size_t i = 0; i < size; ++i) variances[i] = r(i, i);
  return {.noise = DiagonalNoise<size>(variances)};
}

/// In every third cycle all report, else some of them, other ones in each run.
bool missing(std::size_t j, std::size_t cycle, std::size_t lane) {
  return (cycle + lane) % 3 != 0 && (3 * j + cycle + 2 * lane) % 5 < 2;
}
/// Observations of a cycle, written for this problem.
template <class Method>
typename Method::Observed observations(const Method&, const auto& problem, std::size_t cycle) {
  typename Method::Observed observed;
  for (std::size_t l = 0; l < Method::runs; ++l) {
    auto y = test::normal_numbers(size, 10 * cycle + l);
    for (std::size_t j = 0; j < size; ++j)
      y[j] = missing(j, cycle, l) ? std::nan("") : 2 * y[j] + 2;
    if constexpr (requires { problem.observe.covariance(); })
      set_observations(observed, l, y, problem.observe, MissingValues::unobserved);
    else
      set_observations(observed, l, y, problem.noise, MissingValues::unobserved);
  }
  observed.values.repeat_last_lane(), observed.precision.repeat_last_lane();
  return observed;
}
template <class Method>
typename Method::Carried started(const Method& method) {
  typename Method::FirstGuessBatch guess;
  fill_normal<double>({.seed = 7}, guess.numbers());
  for (double& x : guess.numbers()) x += 2;
  guess.repeat_last_lane();
  return method.start(guess, 0.8, {.seed = 3});
}
template <class Method>
std::vector<double> estimate_of(const Method& method, const typename Method::Carried& carried) {
  typename Method::Estimate estimate;
  method.estimate(carried, estimate);
  std::vector<double> out;
  for (std::size_t l = 0; l < Method::runs; ++l)
    for (std::size_t i = 0; i < size; ++i) out.push_back(estimate.at(i, l));
  return out;
}
/// The estimates of seven cycles.
template <class Method>
std::vector<double> estimates(const Method& method, const auto& problem) {
  auto carried = started(method);
  std::vector<double> out;
  for (std::size_t cycle = 1; cycle <= 7; ++cycle) {
    method.forecast(carried);
    method.analyse(carried, observations(method, problem, cycle), {.seed = 5, .cycle = cycle});
    const auto now = estimate_of(method, carried);
    out.insert(out.end(), now.begin(), now.end());
  }
  return out;
}
double difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    worst = std::isnan(a[i] + b[i]) ? INFINITY : std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}
Climate some_climate() {
  Climate climate{zero_tensor<double>(size), zero_tensor<double>(size, size)};
  for (std::size_t i = 0; i < size; ++i) {
    climate.mean(i) = 2.3;
    for (std::size_t k = 0; k < size; ++k) climate.covariance(i, k) = i == k ? 13 : 1;
  }
  return climate;
}
using Net = AnalysisNetwork<NetworkShape{.filters = 4,
                                         .blocks = 1,
                                         .sub_blocks = 1,
                                         .kernel = 3,
                                         .head = Head::gain,
                                         .gain_radius = 2},
                            Ring<size>>;
Trained<Net, double> some_network() {
  Trained<Net, double> trained;
  trained.network.input_mean = {2.3};
  trained.network.input_deviation = {3.6};
  Net::initialise(1, span_of(trained.parameters));
  return trained;
}
}  // namespace

TEST_CASE("correlated: a diagonal R is independent errors") {
  const auto climate = some_climate();
  const auto check = [&](const auto& make) {
    const auto a = estimates(make(uncorrelated()), uncorrelated());
    const auto b = estimates(make(independent()), independent());
    CHECK(difference(a, b) <= 1e-12);
    // And correlations are not nothing.
    CHECK(difference(estimates(make(correlated()), correlated()), b) > 1e-2);
  };
  const Inflation inflation{.before = 1.02, .relax_spread = 0.1, .factor = 1.02};
  check([&]<class P>(const P& p) { return Etkf<P, members>(p, {.inflation = inflation}); });
  check([&]<class P>(const P& p) { return Denkf<P, members>(p, {.inflation = inflation}); });
  check([&]<class P>(const P& p) { return EnkfN<P, members>(p); });
  check([&]<class P>(const P& p) { return Enks(Etkf<P, members>(p), 2); });
  check([&]<class P>(const P& p) { return Enkf<P, members>(p, {.inflation = inflation}); });
  check([&]<class P>(const P& p) {
    return Enkf<P, members>(p, {.inflation = inflation, .localisation = {.radius = 1.5}});
  });
  check([&]<class P>(const P& p) {
    return Letkf<P, members>(p, {.radius = 1.5, .batch = 2, .inflation = inflation});
  });
  check([&]<class P>(const P& p) { return Ensrf<P, members, runs>(p, {.inflation = 1.05}); });
  check([&]<class P>(const P& p) { return Ienks<P, members>(p, {.lag = 3, .shift = 2}); });
  check([&]<class P>(const P& p) { return Ekf<P>(p, {.inflation = 1.05}); });
  check([&]<class P>(const P& p) { return Var3d<P, runs>(p, climate, 0.05); });
  check([&]<class P>(const P& p) { return Oi<P, runs>(p, climate); });
  // One run: cycles in which all report between others, with a factor that is kept.
  check([&]<class P>(const P& p) { return Var3d<P, 1>(p, climate, 0.05); });
  check([&]<class P>(const P& p) { return Oi<P, 1>(p, climate); });
  check([&]<class P>(const P& p) {
    return Var4d<P, runs>(p, climate, {.lag = 2, .use = WindowUse::all});
  });
  check([&]<class P>(const P& p) {
    return Learned<P, Net, runs, double>(p, some_network(), {.way_back = false});
  });
}

namespace {
/// x̄ + P Hᵀ (H P Hᵀ + R)⁻¹ (y − H x̄) and (I − K H) P with the rows that report.
std::vector<double> kalman(const std::vector<double>& mean, const Matrix& p, std::size_t cycle,
                           std::size_t lane, Matrix* after = nullptr) {
  std::vector<std::size_t> used;
  for (std::size_t j = 0; j < size; ++j)
    if (!missing(j, cycle, lane)) used.push_back(j);
  const std::size_t n = used.size();
  auto c = zero_tensor<double>(n, n), cross = zero_tensor<double>(size, n),
       departure = zero_tensor<double>(n, 1);
  const auto y = test::normal_numbers(size, 10 * cycle + lane);
  for (std::size_t a = 0; a < n; ++a) {
    departure(a, 0) = 2 * y[used[a]] + 2 - mean[used[a]];
    for (std::size_t b = 0; b < n; ++b) c(a, b) = p(used[a], used[b]) + r(used[a], used[b]);
    for (std::size_t i = 0; i < size; ++i) cross(i, a) = p(i, used[a]);
  }
  const Matrix step = matrix_product(cross, solve_linear(c, departure));
  auto out = mean;
  for (std::size_t i = 0; i < size; ++i) out[i] += step(i, 0);
  if (after != nullptr) {
    *after = p;
    const Matrix removed = matrix_product(cross, solve_linear(c, transpose_of(cross)));
    for (std::size_t i = 0; i < p.size(); ++i) after->data()[i] -= removed.data()[i];
  }
  return out;
}
/// Mean and covariance of members.
Matrix sample(const auto& at, std::vector<double>& mean) {
  mean.assign(size, 0);
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t m = 0; m < members; ++m) mean[i] += at(i, m) / members;
  return matrix_of([&](std::size_t i, std::size_t k) {
    double sum = 0;
    for (std::size_t m = 0; m < members; ++m)
      sum += (at(i, m) - mean[i]) * (at(k, m) - mean[k]) / (members - 1.0);
    return sum;
  });
}
constexpr std::size_t cycle_of_test = 4;  // two runs have missing values, other ones
}  // namespace

TEST_CASE("correlated: the Kalman filter with the rows of R that report") {
  const auto problem = correlated();
  std::size_t silent = 0;
  for (std::size_t j = 0; j < size; ++j) silent += missing(j, cycle_of_test, 0);
  REQUIRE(silent == 3);
  const auto near = [](const std::vector<double>& a, const std::vector<double>& b) {
    CHECK(difference(a, b) <= 1e-10);
  };
  const auto same = [&](const Matrix& a, const Matrix& b) {
    double worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
      worst = std::max(worst, std::abs(a.data()[i] - b.data()[i]));
    CHECK(worst <= 1e-10);
  };
  SUBCASE("extended Kalman filter") {
    const Ekf<Correlated> method(problem);
    auto carried = started(method);
    for (int n = 0; n < 3; ++n) method.forecast(carried);
    const auto of = [&] {
      return matrix_of([&](std::size_t i, std::size_t k) { return carried.covariance.at(i, k); });
    };
    Matrix after;
    const auto expected = kalman(estimate_of(method, carried), of(), cycle_of_test, 0, &after);
    method.analyse(carried, observations(method, problem, cycle_of_test), {});
    near(estimate_of(method, carried), expected);
    same(of(), after);
  }
  SUBCASE("square-root filters, the LETKF without taper, runs side by side") {
    const auto check = [&](const auto& method, const auto& at) {
      using Method = std::decay_t<decltype(method)>;
      auto carried = started(method);
      method.forecast(carried);
      const auto before = carried.ensemble;
      method.analyse(carried, observations(method, problem, cycle_of_test), {});
      for (std::size_t l = 0; l < Method::runs; ++l) {
        std::vector<double> mean, mean_after;
        const auto of = [&](const auto& ensemble) {
          return [&, l](std::size_t i, std::size_t m) { return at(ensemble, i, m, l); };
        };
        const Matrix p = sample(of(before), mean);
        Matrix after;
        const auto expected = kalman(mean, p, cycle_of_test, l, &after);
        same(sample(of(carried.ensemble), mean_after), after);
        near(mean_after, expected);
      }
    };
    const auto lanes = [](const auto& e, std::size_t i, std::size_t m, std::size_t) {
      return e.at(i, m);
    };
    const auto rows = [](const auto& e, std::size_t i, std::size_t m, std::size_t l) {
      return e.at(m * size + i, l);
    };
    check(Etkf<Correlated, members>(problem), lanes);
    check(Letkf<Correlated, members>(problem, {.radius = 1e9}), lanes);
    check(Ensrf<Correlated, members, runs>(problem), rows);
  }
  SUBCASE("variational methods") {
    const auto climate = some_climate();
    const auto check = [&](const auto& method, double scale) {
      using Method = std::decay_t<decltype(method)>;
      auto carried = started(method);
      method.forecast(carried);
      const auto before = estimate_of(method, carried);
      method.analyse(carried, observations(method, problem, cycle_of_test), {});
      const auto after = estimate_of(method, carried);
      const Matrix p =
          matrix_of([&](std::size_t i, std::size_t k) { return scale * climate.covariance(i, k); });
      for (std::size_t l = 0; l < Method::runs; ++l) {
        const auto lane = [&](const std::vector<double>& x) {
          return std::vector<double>(x.begin() + static_cast<std::ptrdiff_t>(l * size),
                                     x.begin() + static_cast<std::ptrdiff_t>((l + 1) * size));
        };
        near(lane(after), kalman(lane(before), p, cycle_of_test, l));
      }
    };
    check(Oi<Correlated, runs>(problem, climate), 1);
    check(Var3d<Correlated, runs>(problem, climate, 0.05), 0.05);
    check(Var4d<Correlated, runs>(problem, climate, {.scale = 0.05, .lag = 0}), 0.05);
  }
}

TEST_CASE("correlated: the LETKF without taper is the ETKF; with one, the formula of each point") {
  const auto problem = correlated();
  const Inflation inflation{.before = 1.1, .relax_perturbations = 0.2, .factor = 1.1};
  const Etkf<Correlated, members> etkf(problem, {.inflation = inflation, .rotation = true});
  const Letkf<Correlated, members> wide(
      problem, {.radius = 1e9, .batch = 3, .inflation = inflation, .rotation = true});
  CHECK(difference(estimates(etkf, problem), estimates(wide, problem)) <= 1e-9);

  constexpr double radius = 0.8;
  const Letkf<Correlated, members> local(problem, {.radius = radius});
  auto carried = started(local);
  const auto before = carried.ensemble;
  local.analyse(carried, observations(local, problem, cycle_of_test), {});
  std::vector<double> mean, mean_after;
  const Matrix p = sample([&](std::size_t i, std::size_t m) { return before.at(i, m); }, mean);
  const Matrix p_after =
      sample([&](std::size_t i, std::size_t m) { return carried.ensemble.at(i, m); }, mean_after);
  const auto y = test::normal_numbers(size, 10 * cycle_of_test);
  for (std::size_t i = 0; i < size; ++i) {
    // R of the observations near by, standard deviations divided by √ρ: then the Kalman formula.
    std::vector<std::size_t> near;
    std::vector<double> root;
    for (std::size_t j = 0; j < size; ++j) {
      const double taper =
          gaspari_cohn(Ring<size>::distance(i, {static_cast<double>(j)}), 1.82 * radius);
      if (missing(j, cycle_of_test, 0) || taper <= 1e-3) continue;
      near.push_back(j), root.push_back(std::sqrt(taper));
    }
    const std::size_t n = near.size();
    REQUIRE(n >= 2);
    REQUIRE(n < 5);
    auto c = zero_tensor<double>(n, n), cross = zero_tensor<double>(1, n),
         departure = zero_tensor<double>(n, 1);
    for (std::size_t a = 0; a < n; ++a) {
      departure(a, 0) = 2 * y[near[a]] + 2 - mean[near[a]];
      cross(0, a) = p(i, near[a]);
      for (std::size_t b = 0; b < n; ++b)
        c(a, b) = p(near[a], near[b]) + r(near[a], near[b]) / (root[a] * root[b]);
    }
    CHECK(std::abs(mean_after[i] - mean[i] -
                   matrix_product(cross, solve_linear(c, departure))(0, 0)) <= 1e-11);
    CHECK(std::abs(p_after(i, i) - p(i, i) +
                   matrix_product(cross, solve_linear(c, transpose_of(cross)))(0, 0)) <= 1e-11);
  }
}

TEST_CASE("correlated: the stochastic filter with a taper of one is that without") {
  const auto problem = correlated();
  const Taper one = [](double, double) { return 1.0; };
  const Enkf<Correlated, members> plain(problem, {.inflation = {.factor = 1.05}});
  const Enkf<Correlated, members> local(
      problem, {.inflation = {.factor = 1.05}, .localisation = {.radius = 1, .taper = one}});
  CHECK(difference(estimates(plain, problem), estimates(local, problem)) <= 1e-9);
}

TEST_CASE("correlated: a window with missing values is saved, and runs in lanes are those alone") {
  const auto problem = correlated();
  const test::TemporaryFolder folder;
  const Ienks<Correlated, members> method(problem, {.lag = 3});
  auto carried = started(method);
  const auto step = [&](auto& state, std::size_t cycle) {
    method.forecast(state);
    method.analyse(state, observations(method, problem, cycle), {.seed = 5, .cycle = cycle});
  };
  for (std::size_t cycle = 1; cycle <= 5; ++cycle) step(carried, cycle);
  save_carried(method, carried, 5, folder / "state.safetensors");
  auto [loaded, done] = load_carried(method, folder / "state.safetensors");
  CHECK(loaded.window.batch(1).places.whole() == carried.window.batch(1).places.whole());
  CHECK_FALSE((loaded.window.batch(0).places.whole() && loaded.window.batch(1).places.whole() &&
               loaded.window.batch(2).places.whole()));
  for (std::size_t cycle = 6; cycle <= 8; ++cycle) step(carried, cycle), step(loaded, cycle);
  CHECK(test::all_same_bits(carried.ensemble.numbers(), loaded.ensemble.numbers()));

  using Filter = Etkf<Correlated, members>;
  const Filter one(problem);
  const LaneByLane<Filter, double, runs> side(one);
  auto together = started(side);
  auto alone = together.runs[0];
  side.analyse(together, observations(side, problem, cycle_of_test), {});
  one.analyse(alone, observations(one, problem, cycle_of_test), {});
  const auto all = estimate_of(side, together);
  CHECK(difference({all.begin(), all.begin() + size}, estimate_of(one, alone)) == 0);
}

TEST_CASE("correlated: observations of grid points are not between them") {
  using Network =
      AnalysisNetwork<NetworkShape{.filters = 2, .blocks = 1, .sub_blocks = 1}, Ring<size>>;
  CHECK(!trained_for(correlated(), Network{}).between_points);
}
