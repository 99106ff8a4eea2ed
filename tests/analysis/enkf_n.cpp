// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/enkf_n.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <vector>

#include "dan/analysis/etkf.hpp"
#include "support/ensemble.hpp"

using namespace dan;

static_assert(Analysis<EnkfN<test::Sakov, 20>>);

TEST_CASE("enkf_n: six cycles agree with DAPPER, whose Newton iteration stops early") {
  for (const int xn : {1, 2}) {
    const EnkfN<test::Sakov, 20> filter(test::Sakov{}, {.xn = static_cast<double>(xn)});
    test::check_against_dapper(filter, text("analysis_enkf_n_xN", xn, "_dual.npy"), 1e-4);
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
    space.decompose();
    const double zeta = finite_size_zeta(space.values(), space.projections(), a, g);
    space.find_weights(zeta);
    const T w = space.weights();
    const double scale = a + sum_lanes(w * w);
    CAPTURE(size);
    CHECK(zeta == doctest::Approx(g / scale).epsilon(1e-12));
    T gradient = T(g / scale) * w;
    for (std::size_t j = 0; j < slots; ++j)
      gradient +=
          T(2 * (sum_lanes(anomalies[j] * w) - size * normal[j * (n + 1) + n])) * anomalies[j];
    CHECK(std::sqrt(sum_lanes(gradient * gradient)) < 1e-11 * (1 + size));
  }
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
    return std::pair(mean.array(), spread);
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

TEST_CASE("enkf_n: bad values and a diverged ensemble are errors") {
  CHECK_THROWS_WITH_AS((EnkfN<test::Half, 5>(test::Half{}, {.xn = -1})),
                       "EnkfN: xn is -1, expected a finite number greater than zero", ConfigError);
  CHECK_THROWS_AS((EnkfN<test::Half, 5>(test::Half{}, {.inflation = {.factor = 0}})), ConfigError);
  test::check_divergence(EnkfN<test::Half, 5>(test::Half{}), "EnkfN::analyse");
}
