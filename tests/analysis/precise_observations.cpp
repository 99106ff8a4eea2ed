// SPDX-License-Identifier: BSD-3-Clause
// Observations as precise as one likes, beside others that are not: the analyses against the Kalman
// formula in higher precision.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <type_traits>
#include <vector>

#include "dan/analysis/denkf.hpp"
#include "dan/analysis/enkf.hpp"
#include "dan/analysis/enkf_n.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/analysis/ienks.hpp"
#include "dan/analysis/letkf.hpp"
#include "support/ensemble.hpp"

using namespace dan;

namespace {

constexpr std::size_t n = 8, slots = 5;
using Lorenz = Problem<Rk4<Lorenz96<n>>, ObserveSubset<n, slots>>;
using Elements = std::array<std::size_t, slots>;
using Numbers = std::array<double, slots>;

/// With 1e-34: contradicting observations of R = 1e-20 leave differences of that size.
#ifdef __SIZEOF_FLOAT128__
__extension__ using Quad = __float128;
#else
using Quad = long double;  // the same on some machines
#endif
Quad magnitude(Quad x) { return x < 0 ? -x : x; }

/// Mean and covariance.
struct Moments {
  std::array<Quad, n> mean{};
  std::array<std::array<Quad, n>, n> covariance{};
};

template <class Ensemble>
Moments moments_of(const Ensemble& e) {
  constexpr std::size_t members = Ensemble::lanes;
  Moments out;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t m = 0; m < members; ++m) out.mean[i] += e.at(i, m);
    out.mean[i] /= members;
  }
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < n; ++k)
      for (std::size_t m = 0; m < members; ++m)
        out.covariance[i][k] +=
            (e.at(i, m) - out.mean[i]) * (e.at(k, m) - out.mean[k]) / (members - 1);
  return out;
}

/// The Kalman update, one observation after the other, without a loss of digits for small R.
Moments kalman(Moments x, const Elements& elements, const std::array<Quad, slots>& y,
               const Numbers& precision) {
  auto& p = x.covariance;
  for (std::size_t j = 0; j < slots; ++j) {
    if (precision[j] == 0) continue;
    const std::size_t e = elements[j];
    const auto row = p[e];
    const Quad variance = row[e] + 1 / static_cast<Quad>(precision[j]);
    const Quad departure = y[j] - x.mean[e];
    for (std::size_t i = 0; i < n; ++i) {
      const Quad gain = row[i] / variance;
      x.mean[i] += gain * departure;
      for (std::size_t k = 0; k < n; ++k) p[i][k] -= gain * row[k];
    }
  }
  return x;
}

struct Case {
  Elements elements{7, 0, 3, 4, 6};
  Numbers precision;
  double outlier = 1;  ///< factor of the anomaly of member 3
  Numbers values{2.5, -1, 3, 4, 0.5};
  double tolerance = 1e-11;

  [[nodiscard]] std::array<Quad, slots> exact() const {
    std::array<Quad, slots> out;
    std::ranges::copy(values, out.begin());
    return out;
  }
};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const double p : {1e2, 1e3, 1e4, 1e5, 1e6, 1e8, 1e10, 1e12, 1e14, 1e16, 1e18, 1e20})
    out.push_back({.precision = {p, p, p, p, p}});
  for (const double p : {1e8, 1e12, 1e16, 1e20, 1e30}) {
    out.push_back({.precision = {p, 1, 1, 1, 1}});
    out.push_back({.precision = {1, 1e-3, p, 1, p}});
  }
  out.push_back({.precision = {1e20, 1e12, 1e4, 1e-4, 0}});
  out.push_back({.precision = {0, 1, 1e12, 0, 1}});
  out.push_back({.precision = {1, 1, 1, 1, 1}, .outlier = 1e9});
  out.push_back({.precision = {1e10, 1, 1, 1, 1}, .outlier = 1e9});
  // Two precise observations of one element, three standard deviations apart: where
  // their average lies depends on round-off in each, √p · 1e-16 of the weight of the others.
  for (const double p : {1e8, 1e16, 1e20})
    out.push_back({.elements = {3, 3, 4, 0, 6},
                   .precision = {p, p, 1, 1, 0},
                   .values = {2, 2 + 3 / std::sqrt(p), 3, 4, 0.5},
                   .tolerance = 1e-8});
  return out;
}

/// The forecast's ensemble, the analysis, and what it was given.
template <class Filter>
struct Analysed {
  Lorenz problem;
  typename Filter::Carried carried;
  Moments before, after, expected;
  typename Filter::Ensemble prior;

  static typename Filter::FirstGuessBatch guess() {
    typename Filter::FirstGuessBatch out;
    for (std::size_t i = 0; i < n; ++i) out[i] = 2 + std::sin(static_cast<double>(i));
    return out;
  }

  template <class Config>
  Analysed(const Case& c, const Config& config)
      : problem{{}, ObserveSubset<n, slots>(c.elements)},
        carried(Filter(problem, config).start(guess(), 1, {.seed = 3})) {
    const Filter filter(problem, config);
    const auto spoil = [&](auto& ensemble) {
      for (std::size_t i = 0; i < n && c.outlier != 1; ++i)
        ensemble.at(i, 3) = guess()[i] + c.outlier * (ensemble.at(i, 3) - guess()[i]);
      ensemble.repeat_last_lane();
    };
    if constexpr (requires { carried.start; }) {
      filter.forecast(carried);
      spoil(carried.start);
      carried.ensemble = carried.start;
      problem.observe.observe(carried.start.data(), carried.observed.data());
    } else {
      spoil(carried.ensemble);
    }
    prior = carried.ensemble;
    typename Filter::Observed observed;
    for (std::size_t j = 0; j < slots; ++j)
      observed.values[j] = c.values[j], observed.precision[j] = c.precision[j];
    before = moments_of(prior);
    expected = kalman(before, c.elements, c.exact(), c.precision);
    filter.analyse(carried, observed, {.seed = 7});
    after = moments_of(carried.ensemble);
  }

  /// Largest error of the mean, relative to the increment.
  [[nodiscard]] double mean_error() const { return mean_error(expected); }
  [[nodiscard]] double mean_error(const Moments& right) const {
    Quad error = 0, increment = 0;
    for (std::size_t i = 0; i < n; ++i) {
      error += magnitude(after.mean[i] - right.mean[i]);
      increment += magnitude(right.mean[i] - before.mean[i]);
    }
    return static_cast<double>(error / increment);
  }
  /// Largest error of the covariance, relative to the forecast's.
  [[nodiscard]] double covariance_error() const { return covariance_error(expected); }
  [[nodiscard]] double covariance_error(const Moments& right) const {
    Quad error = 0, size = 0;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < n; ++k) {
        error += magnitude(after.covariance[i][k] - right.covariance[i][k]);
        size += magnitude(before.covariance[i][k]);
      }
    return static_cast<double>(error / size);
  }
  /// Largest error of a member, relative to the forecast's anomalies; right(m): that member.
  template <class Right>
  [[nodiscard]] double member_error(const Right& right) const {
    Quad error = 0, size = 0;
    for (std::size_t m = 0; m < Filter::members; ++m) {
      const auto x = right(m);
      for (std::size_t i = 0; i < n; ++i) {
        error += magnitude(carried.ensemble.at(i, m) - x[i]);
        size += magnitude(prior.at(i, m) - before.mean[i]);
      }
    }
    return static_cast<double>(error / size);
  }
};

}  // namespace

TEST_CASE_TEMPLATE("precise observations: ETKF, LETKF and IEnKS give the Kalman filter's moments",
                   Members, std::integral_constant<std::size_t, 4>,
                   std::integral_constant<std::size_t, 12>) {
  constexpr std::size_t members = Members::value;
  for (const Case& c : cases()) {
    CAPTURE(c.precision[0]);
    CAPTURE(c.precision[2]);
    CAPTURE(c.outlier);
    CAPTURE(c.elements[1]);
    const auto check = [](const auto& analysed, double tolerance) {
      CHECK(analysed.mean_error() < tolerance);
      CHECK(analysed.covariance_error() < tolerance);
    };
    check(Analysed<Etkf<Lorenz, members>>(c, EtkfConfig{}), c.tolerance);
    check(Analysed<Etkf<Lorenz, members>>(c, EtkfConfig{.rotation = true}), c.tolerance);
    check(Analysed<Letkf<Lorenz, members>>(c, LetkfConfig{.radius = 1e6}), c.tolerance);
    check(Analysed<Ienks<Lorenz, members>>(c, IenksConfig{.lag = 0}), 10 * c.tolerance);
  }
}

TEST_CASE("precise observations: DEnKF and EnKF give every member its place") {
  constexpr std::size_t members = 12;
  for (const Case& c : cases()) {
    CAPTURE(c.precision[0]);
    CAPTURE(c.precision[2]);
    CAPTURE(c.outlier);
    CAPTURE(c.elements[1]);
    const Analysed<Denkf<Lorenz, members>> half(c, DenkfConfig{});
    CHECK(half.mean_error() < c.tolerance);
    CHECK(half.member_error([&](std::size_t m) {
      Moments x = half.before;
      for (std::size_t i = 0; i < n; ++i) x.mean[i] = half.prior.at(i, m) - half.before.mean[i];
      auto out = kalman(x, c.elements, {}, c.precision).mean;
      for (std::size_t i = 0; i < n; ++i) out[i] = half.expected.mean[i] + (x.mean[i] + out[i]) / 2;
      return out;
    }) < c.tolerance);

    const Analysed<Enkf<Lorenz, members>> full(c, EnkfConfig{});
    std::array<double, slots * members> normal;
    fill_normal<double>(RandomKey{.seed = 7}.with(Purpose::analysis), normal);
    CHECK(full.mean_error() < c.tolerance);
    CHECK(full.member_error([&](std::size_t m) {
      auto y = c.exact();
      for (std::size_t j = 0; j < slots; ++j) {
        if (c.precision[j] == 0) continue;
        Quad mean = 0;
        for (std::size_t k = 0; k < members; ++k) mean += normal[j * members + k] / members;
        y[j] -= (normal[j * members + m] - mean) *
                std::sqrt(members / (members - 1.0) / c.precision[j]);
      }
      Moments x = full.before;
      for (std::size_t i = 0; i < n; ++i) x.mean[i] = full.prior.at(i, m);
      return kalman(x, c.elements, y, c.precision).mean;
    }) < c.tolerance);
  }
}

TEST_CASE("precise observations: the EnKF-N is the Kalman filter for its inflated prior") {
  constexpr std::size_t members = 12;
  using Filter = EnkfN<Lorenz, members>;
  for (const Case& c : cases())
    for (const bool radial : {false, true}) {
      CAPTURE(c.precision[0]);
      CAPTURE(c.precision[2]);
      CAPTURE(c.outlier);
      CAPTURE(c.elements[1]);
      CAPTURE(radial);
      EnkfNConfig config{.prior = HyperPrior::plain, .radial_hessian = radial};
      const Analysed<Filter> dual(c, config);
      config.form = EnkfNForm::primal;
      const Analysed<Filter> primal(c, config);
      const auto& space = dual.carried.space;
      const auto [a, g] = finite_size_prior(config.prior, config.xn, space.values());
      const double zeta = g / (a + sum_lanes(space.weights() * space.weights()));
      Moments inflated = dual.before;
      for (auto& row : inflated.covariance)
        for (auto& value : row) value *= (members - 1) / static_cast<Quad>(zeta);
      const Moments expected = kalman(inflated, c.elements, c.exact(), c.precision);
      CHECK(dual.mean_error(expected) < 10 * c.tolerance);
      CHECK(primal.mean_error(expected) < 10 * c.tolerance);
      CHECK(dual.covariance_error(primal.after) < 10 * c.tolerance);
      if (!radial) CHECK(dual.covariance_error(expected) < 10 * c.tolerance);
    }
}

TEST_CASE("precise observations: a ratio of variance to R beyond all numbers is an error") {
  const auto check = [](const auto& filter, const char* name) {
    using Filter = std::decay_t<decltype(filter)>;
    auto carried = filter.start({}, 100, {});
    typename Filter::Observed observed;
    observed.precision.fill(1e307);
    CHECK_THROWS_WITH_AS(
        filter.analyse(carried, observed, {}),
        doctest::Contains(to_text(name,
                                  "::analyse: the ratios of the observed ensemble's "
                                  "variance to R sum up to inf")
                              .c_str()),
        NumericalError);
  };
  const Lorenz problem;
  check(Etkf<Lorenz, 5>(problem), "Etkf");
  check(Enkf<Lorenz, 5>(problem), "Enkf");
  check(Denkf<Lorenz, 5>(problem), "Denkf");
  check(Letkf<Lorenz, 5>(problem), "Letkf");
  check(EnkfN<Lorenz, 5>(problem), "EnkfN");
  check(Ienks<Lorenz, 5>(problem), "Ienks");
}
