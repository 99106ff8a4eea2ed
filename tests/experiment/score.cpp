// SPDX-License-Identifier: BSD-3-Clause
#include "dan/experiment/score.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "dan/core/random.hpp"
#include "dan/core/tensor.hpp"

using namespace dan;

TEST_CASE("score: RMSE of one lane") {
  Batch<double, 2, 1, 3> a, b;
  a.at(0, 1) = 3, a.at(1, 1) = -4, a.at(0, 2) = 100;
  CHECK(rmse(a, b, 1) == doctest::Approx(std::sqrt(12.5)));
  CHECK(rmse(a, b, 0) == 0);
}

TEST_CASE("score: Student's quantile") {
  // By bisection of the regularised incomplete beta function.
  const std::array<double, 30> exact{12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912,
                                     2.364624,  2.306004, 2.262157, 2.228139, 2.200985, 2.178813,
                                     2.160369,  2.144787, 2.131450, 2.119905, 2.109816, 2.100922,
                                     2.093024,  2.085963, 2.079614, 2.073873, 2.068658, 2.063899,
                                     2.059539,  2.055529, 2.051831, 2.048407, 2.045230, 2.042272};
  for (std::size_t n = 1; n <= exact.size(); ++n)
    CHECK(std::abs(student_t975(n) / exact[n - 1] - 1) < 2e-4);
  CHECK(std::abs(student_t975(40) / 2.021075 - 1) < 1e-6);
  CHECK(std::abs(student_t975(60) / 2.000298 - 1) < 1e-6);
  CHECK(std::abs(student_t975(120) / 1.979930 - 1) < 1e-6);
  CHECK(std::abs(student_t975(100000) / 1.959988 - 1) < 1e-6);
}

TEST_CASE("score: the interval covers the mean of correlated series about as often as it says") {
  // x(k) = φ x(k−1) + ε has mean zero and correlation time (1 + φ)/(1 − φ) = 19 for φ = 0.9. The
  // blocks of one run have 213 numbers, which makes its variance a little too small; blocks that
  // are whole runs are independent. 600 trials: standard deviation 0.01.
  for (const std::size_t runs : {1U, 8U, 64U}) {
    const std::size_t length = 3200 / runs, trials = 600;
    std::size_t covered = 0;
    for (std::size_t trial = 0; trial < trials; ++trial) {
      std::vector<std::vector<double>> series(runs, std::vector<double>(length));
      std::vector<std::span<const double>> views;
      for (std::size_t r = 0; r < runs; ++r) {
        auto& x = series[r];
        fill_normal<double>({.seed = 77, .run = r, .cycle = trial}, x);
        x[0] /= std::sqrt(1 - 0.9 * 0.9);
        for (std::size_t k = 1; k < length; ++k) x[k] += 0.9 * x[k - 1];
        views.emplace_back(x);
      }
      const auto interval = interval_of(views);
      covered += interval.low <= 0 && 0 <= interval.high;
    }
    const double share = static_cast<double>(covered) / static_cast<double>(trials);
    CAPTURE(runs);
    CHECK(share > 0.90);
    CHECK(share < 0.98);
  }
}

TEST_CASE("score: too little for an interval, or nothing at all") {
  const std::vector<double> one{3};
  const auto interval = interval_of({one});
  CHECK(interval.mean == 3);
  CHECK(std::isnan(interval.low));
  CHECK(std::isnan(interval_of({}).mean));
  // A run that ended early counts in the mean.
  const std::vector<double> longer{1, 1, 1, 1}, shorter{6};
  CHECK(interval_of({longer, shorter}).mean == 2);
}
