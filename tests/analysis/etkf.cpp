// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/etkf.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>

#include "dan/core/linalg.hpp"
#include "support/ensemble.hpp"

using namespace dan;

static_assert(Analysis<Etkf<test::Sakov, 20>>);

TEST_CASE("etkf: six cycles agree with DAPPER") {
  const Etkf<test::Sakov, 20> filter(test::Sakov{}, {.inflation = {.factor = 1.04}});
  test::check_against_dapper(filter, "analysis_etkf_infl1.04.npy", 1e-12);
}

TEST_CASE("etkf: a full-rank ensemble gives the Kalman filter's mean and covariance") {
  constexpr std::size_t n = 8, slots = 4, members = 13;
  const auto observed = test::half_observations();
  for (const bool rotation : {false, true}) {
    const Etkf<test::Half, members> filter(test::Half{}, {.rotation = rotation});
    auto carried = filter.start({}, 1.5, {.seed = 6});
    const auto moments = [&](Matrix& mean, Matrix& covariance) {
      mean = zero_tensor<double>(n, 1), covariance = zero_tensor<double>(n, n);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t m = 0; m < members; ++m) mean(i, 0) += carried.ensemble.at(i, m) / members;
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j)
          for (std::size_t m = 0; m < members; ++m)
            covariance(i, j) += (carried.ensemble.at(i, m) - mean(i, 0)) *
                                (carried.ensemble.at(j, m) - mean(j, 0)) / (members - 1);
    };
    Matrix mean, p;
    moments(mean, p);
    // K = P Hᵀ (H P Hᵀ + R)⁻¹, H picks every second variable.
    auto h = zero_tensor<double>(slots, n), departure = zero_tensor<double>(slots, 1);
    for (std::size_t j = 0; j < slots; ++j) {
      h(j, 2 * j) = 1;
      departure(j, 0) = observed.values[j] - mean(2 * j, 0);
    }
    auto innovation = matrix_product(h, matrix_product(p, transpose_of(h)));
    for (std::size_t j = 0; j < slots; ++j) innovation(j, j) += 1 / observed.precision[j];
    const auto gain = transpose_of(solve_linear(innovation, matrix_product(h, p)));
    const auto increment = matrix_product(gain, departure);
    const auto reduction = matrix_product(gain, matrix_product(h, p));

    filter.analyse(carried, observed, {.seed = 1});
    Matrix mean_a, p_a;
    moments(mean_a, p_a);
    for (std::size_t i = 0; i < n; ++i) {
      CHECK(std::abs(mean_a(i, 0) - mean(i, 0) - increment(i, 0)) < 1e-12);
      for (std::size_t j = 0; j < n; ++j)
        CHECK(std::abs(p_a(i, j) - p(i, j) + reduction(i, j)) < 1e-12);
    }
  }
}

TEST_CASE("etkf: a rotation keeps mean and covariance, also of inflated anomalies") {
  for (const Inflation& inflation : test::inflations) {
    std::array<Matrix, 2> covariance, mean;
    for (const bool rotation : {false, true}) {
      const Etkf<test::Half, 5> filter(test::Half{},
                                       {.inflation = inflation, .rotation = rotation});
      auto carried = filter.start({}, 1.5, {.seed = 6});
      filter.analyse(carried, test::half_observations(), {.seed = 1});
      Etkf<test::Half, 5>::Estimate estimate;
      filter.estimate(carried, estimate);
      auto x = zero_tensor<double>(8, 5), centre = zero_tensor<double>(8, 1);
      for (std::size_t i = 0; i < 8; ++i) {
        centre(i, 0) = estimate[i];
        for (std::size_t m = 0; m < 5; ++m) x(i, m) = carried.ensemble.at(i, m) - estimate[i];
      }
      covariance[rotation] = matrix_product(x, transpose_of(x));
      mean[rotation] = centre;
    }
    for (std::size_t i = 0; i < 64; ++i)
      CHECK(std::abs(covariance[0].data()[i] - covariance[1].data()[i]) < 1e-12);
    for (std::size_t i = 0; i < 8; ++i) CHECK(std::abs(mean[0](i, 0) - mean[1](i, 0)) < 1e-12);
  }
}

TEST_CASE("etkf: silent slots change nothing, and without observations the ensemble stays") {
  test::check_silent_slots(Etkf<test::Half, 5>(test::Half{}),
                           Etkf<test::Silent, 5>(test::Silent{}));
  const Etkf<test::Half, 5> filter(test::Half{});
  auto carried = filter.start({}, 1, {});
  const auto before = array_of(carried.ensemble);
  filter.analyse(carried, {}, {});
  const auto after = array_of(carried.ensemble);
  for (std::size_t i = 0; i < before.size(); ++i)
    CHECK(after.data()[i] == doctest::Approx(before.data()[i]).epsilon(1e-13));
}

TEST_CASE("etkf: bad inflation and a diverged ensemble are errors") {
  CHECK_THROWS_WITH_AS((Etkf<test::Half, 5>(test::Half{}, {.inflation = {.factor = 0}})),
                       "Etkf: inflation.factor is 0, expected a finite number greater than zero",
                       ConfigError);
  CHECK_THROWS_AS((Etkf<test::Half, 5>(test::Half{}, {.inflation = {.factor = std::nan("")}})),
                  ConfigError);
  test::check_divergence(Etkf<test::Half, 5>(test::Half{}), "Etkf::analyse");
  test::check_observations(Etkf<test::Half, 5>(test::Half{}), "Etkf::analyse");
}
