// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/enkf_n.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dan/analysis/etkf.hpp"
#include "support/ensemble.hpp"

using namespace dan;

static_assert(Analysis<EnkfN<test::Sakov, 20>>);

TEST_CASE("enkf_n: six cycles agree with DAPPER, whose Newton iteration stops early") {
  for (const int xn : {1, 2}) {
    const EnkfN<test::Sakov, 20> filter(test::Sakov{}, {.xn = static_cast<double>(xn)});
    test::check_against_dapper(filter, to_text("analysis_enkf_n_xN", xn, "_dual.npy"), 1e-4);
  }
}

TEST_CASE("enkf_n: the dual's weights minimise the primal cost function") {
  // J(w) = ½ ‖δ − Y w‖²_{R⁻¹} + ½ g ln(a + wᵀw): its gradient S w − b + g w / (a + wᵀw) is zero.
  constexpr std::size_t n = 9, slots = 14;
  using T = EnsembleSpace<n>::T;
  const double a = 1 + 1.0 / n, g = n + 1;
  for (const double size : {0.0, 0.1, 1.0, 5.0, 100.0}) {
    std::vector<double> normal(slots * (n + 1));
    fill_normal<double>({.seed = 12}, normal);
    EnsembleSpace<n> space;
    space.clear();
    std::vector<T> anomalies;
    for (std::size_t j = 0; j < slots; ++j) {
      T y(0);
      double mean = 0;
      for (std::size_t m = 0; m < n; ++m) mean += normal[j * (n + 1) + m] / n;
      for (std::size_t m = 0; m < n; ++m) y[m] = normal[j * (n + 1) + m] - mean;
      space.add(y, 2, size * normal[j * (n + 1) + n]);
      anomalies.push_back(y);
    }
    space.decompose("test");
    const double zeta = finite_size_zeta(space.values(), space.projections(), a, g);
    space.find_weights(zeta);
    const T w = space.weights();
    const double scale = a + sum_lanes(w * w);
    CAPTURE(size);
    CHECK(zeta == doctest::Approx(g / scale).epsilon(1e-12).scale(0));
    T gradient = T(g / scale) * w;
    for (std::size_t j = 0; j < slots; ++j)
      gradient +=
          T(2 * (sum_lanes(anomalies[j] * w) - size * normal[j * (n + 1) + n])) * anomalies[j];
    CHECK(std::sqrt(sum_lanes(gradient * gradient)) < 1e-11 * (1 + size));
  }
}

TEST_CASE("enkf_n: dual and primal give the same members") {
  using Filter = EnkfN<test::Sakov, 20>;
  for (const auto prior : {HyperPrior::plain, HyperPrior::mode_corrected})
    for (const bool radial : {false, true})
      for (const double precision : {0.01, 1.0, 100.0}) {
        CAPTURE(static_cast<int>(prior));
        CAPTURE(radial);
        CAPTURE(precision);
        const EnkfNConfig config{.prior = prior, .radial_hessian = radial, .rotation = true};
        auto other = config;
        other.form = EnkfNForm::primal;
        const Filter dual({}, config), primal({}, other);
        Filter::FirstGuessBatch guess;
        fill_normal<double>({.seed = 2}, guess.numbers());
        auto carried = dual.start(guess, 1, {.seed = 3});
        Filter::Observed observed;
        observed.precision.fill(precision);
        for (std::uint64_t cycle = 0; cycle < 20; ++cycle) {
          fill_normal<double>({.seed = 4, .cycle = cycle}, observed.values.numbers());
          dual.forecast(carried);
          for (std::size_t j = 0; j < 40; ++j)  // the filter stays near what it observes
            observed.values[j] += carried.ensemble.at(j, 0);
          auto found = carried;
          dual.analyse(carried, observed, {.cycle = cycle});
          primal.analyse(found, observed, {.cycle = cycle});
          double largest = 0;
          for (std::size_t i = 0; i < carried.ensemble.numbers().size(); ++i)
            largest = std::max(
                largest, std::abs(carried.ensemble.numbers()[i] - found.ensemble.numbers()[i]));
          CHECK(largest < 1e-10);
        }
      }
}

TEST_CASE("enkf_n: the primal minimum is one, also from where the cost function is not convex") {
  constexpr std::size_t n = 12;
  std::array<double, n> values{}, projections{};
  for (std::uint64_t run = 0; run < 200; ++run) {
    std::array<double, 2 * n + 2> normal;
    fill_normal<double>({.seed = 5, .run = run}, normal);
    for (std::size_t k = 1; k < n; ++k) {  // eigenvalues and departures of all sizes
      values[k] = std::exp(4 * normal[k]);
      projections[k] = std::sqrt(values[k]) * normal[n + k] * std::exp(2 * normal[2 * n]);
    }
    const double a = 1 + 1.0 / n, g = n + 1;
    const double zeta = finite_size_zeta_primal<n>(values, projections, a, g);
    double squares = 0, curvature = 1;  // of the minimiser; of J along it
    for (std::size_t k = 0; k < n; ++k) {
      const double c = projections[k] / (values[k] + zeta);
      squares += c * c;
      curvature -= 2 * zeta * zeta / g * c * c / (values[k] + zeta);
    }
    CAPTURE(run);
    CHECK(zeta == doctest::Approx(g / (a + squares)).epsilon(1e-11).scale(0));
    CHECK(curvature > 0);
  }
}

TEST_CASE("enkf_n: xN multiplies the constants of both priors; empty is 1 plain, 2 corrected") {
  const std::array<double, 4> values{0, 1, 2, 3};
  for (const auto prior : {HyperPrior::plain, HyperPrior::mode_corrected}) {
    const auto one = finite_size_prior(prior, 1, values),
               four = finite_size_prior(prior, 4, values);
    const auto unset = finite_size_prior(prior, {}, values);
    CHECK(four.a == 4 * one.a);
    CHECK(four.g == 4 * one.g);
    CHECK(unset.a == (prior == HyperPrior::plain ? 1 : 2) * one.a);
  }
  CHECK(finite_size_prior(HyperPrior::plain, 1, values).a == 1.25);
  CHECK(finite_size_prior(HyperPrior::plain, 1, values).g == 5);
}

TEST_CASE("enkf_n: a rotation moves the members and keeps mean and spread") {
  using Filter = EnkfN<test::Half, 7>;
  const Filter plain(test::Half{}), turned(test::Half{}, {.rotation = true});
  auto a = plain.start({}, 1, {}), b = a;
  plain.analyse(a, test::half_observations(), {});
  turned.analyse(b, test::half_observations(), {});
  CHECK(std::abs(a.ensemble.at(0, 0) - b.ensemble.at(0, 0)) > 1e-3);
  Filter::Estimate mean, turned_mean;
  plain.estimate(a, mean), turned.estimate(b, turned_mean);
  for (std::size_t i = 0; i < 8; ++i) CHECK(std::abs(mean[i] - turned_mean[i]) < 1e-12);
  std::array<double, 1> spread, turned_spread;
  plain.spread(a, spread), turned.spread(b, turned_spread);
  CHECK(turned_spread[0] == doctest::Approx(spread[0]).epsilon(1e-12));
}

TEST_CASE("enkf_n: the Hessian's last term widens the ensemble along w only") {
  const auto observed = test::half_observations();
  const auto analysis = [&](bool radial) {
    const EnkfN<test::Half, 7> filter(test::Half{},
                                      {.prior = HyperPrior::plain, .radial_hessian = radial});
    auto carried = filter.start({}, 1, {.seed = 3});
    filter.analyse(carried, observed, {});
    EnkfN<test::Half, 7>::Estimate mean;
    filter.estimate(carried, mean);
    double spread = 0;
    filter.spread(carried, {&spread, 1});
    return std::pair(array_of(mean), spread);
  };
  const auto [mean, spread] = analysis(false);
  const auto [radial_mean, radial_spread] = analysis(true);
  for (std::size_t i = 0; i < 8; ++i)
    CHECK(radial_mean(i, 0, 0) == doctest::Approx(mean(i, 0, 0)).epsilon(1e-12));
  CHECK(radial_spread > spread);
}

TEST_CASE("enkf_n: a sure prior is the ETKF") {
  // As xN grows, ζ tends to (N − 1) c m² / ε, which at weak observations (κ = 1) is N − 1.
  const auto observed = [] {
    auto out = test::half_observations();
    for (std::size_t j = 0; j < 4; ++j) out.precision[j] = 1e-8;
    return out;
  }();
  const EnkfN<test::Half, 7> finite_size(test::Half{}, {.xn = 1e6});
  const Etkf<test::Half, 7> etkf(test::Half{});
  auto a = finite_size.start({}, 1, {});
  auto b = etkf.start({}, 1, {});
  finite_size.analyse(a, observed, {});
  etkf.analyse(b, observed, {});
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t m = 0; m < 7; ++m)
      CHECK(a.ensemble.at(i, m) == doctest::Approx(b.ensemble.at(i, m)).epsilon(1e-6));
}

TEST_CASE("enkf_n: silent slots change nothing") {
  test::check_silent_slots(EnkfN<test::Half, 5>(test::Half{}),
                           EnkfN<test::Silent, 5>(test::Silent{}));
}

TEST_CASE("enkf_n: where nothing is observed the ensemble stays as it is, with every prior") {
  const EnkfN<test::Half, 7>::Observed nothing{};
  for (const auto prior : {HyperPrior::plain, HyperPrior::mode_corrected})
    for (const bool radial : {false, true}) {
      const EnkfN<test::Half, 7> filter(test::Half{}, {.prior = prior, .radial_hessian = radial});
      auto carried = filter.start({}, 1, {.seed = 3});
      const auto before = carried;
      filter.analyse(carried, nothing, {});
      for (std::size_t i = 0; i < 8; ++i)
        for (std::size_t m = 0; m < 7; ++m)
          CHECK(carried.ensemble.at(i, m) ==
                doctest::Approx(before.ensemble.at(i, m)).epsilon(1e-12));
    }
}

TEST_CASE("enkf_n: bad values and a diverged ensemble are errors") {
  CHECK_THROWS_WITH_AS((EnkfN<test::Half, 5>(test::Half{}, {.xn = -1})),
                       "EnkfN: xn is -1, expected a finite number greater than zero", ConfigError);
  CHECK_THROWS_AS((EnkfN<test::Half, 5>(test::Half{}, {.inflation = {.factor = 0}})), ConfigError);
  test::check_divergence(EnkfN<test::Half, 5>(test::Half{}), "EnkfN::analyse");
  test::check_observations(EnkfN<test::Half, 5>(test::Half{}), "EnkfN::analyse");
}
