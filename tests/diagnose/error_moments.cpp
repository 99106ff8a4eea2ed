// SPDX-License-Identifier: BSD-3-Clause
#include "dan/diagnose/error_moments.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "dan/analysis/enkf_n.hpp"
#include "dan/core/random.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"

using namespace dan;

TEST_CASE("error moments: those of a discrete distribution") {
  ErrorMoments moments;  // 3 with probability 1/4, −1 with 3/4: variance 3
  for (const double error : {3.0, -1.0, -1.0, -1.0}) moments.add(error);
  CHECK(moments.count() == 4);
  CHECK(moments.mean() == doctest::Approx(0).epsilon(1e-14));
  CHECK(moments.deviation() == doctest::Approx(std::sqrt(3)));
  // (27 − 3)/4 / 3^{3/2} and (81 + 3)/4 / 9 − 3.
  CHECK(moments.skewness() == doctest::Approx(6 / std::pow(3, 1.5)));
  CHECK(moments.excess_kurtosis() == doctest::Approx(21.0 / 9 - 3));
  ErrorMoments moved;
  for (const double error : {13.0, 9.0, 9.0, 9.0}) moved.add(error);
  CHECK(moved.skewness() == doctest::Approx(moments.skewness()));
  CHECK(moved.excess_kurtosis() == doctest::Approx(moments.excess_kurtosis()));
}

TEST_CASE("error moments: zero for a Gaussian, those of an exponential distribution for it") {
  constexpr std::size_t count = 200'000;
  std::vector<double> normal(count), uniform(count);
  fill_normal<double>({.seed = 3}, std::span(normal));
  fill_uniform<double>({.seed = 4}, std::span(uniform));
  ErrorMoments gaussian, exponential;
  for (const double e : normal) gaussian.add(2 + 3 * e);
  for (const double u : uniform) exponential.add(-std::log(1 - u));
  // Four times the sampling deviations √(6/n) and √(24/n).
  CHECK(std::abs(gaussian.skewness()) < 4 * std::sqrt(6.0 / count));
  CHECK(std::abs(gaussian.excess_kurtosis()) < 4 * std::sqrt(24.0 / count));
  CHECK(gaussian.deviation() == doctest::Approx(3).epsilon(0.01));
  // Their sampling deviations at this n, in 60 experiments with NumPy: 0.018 and 0.20.
  CHECK(std::abs(exponential.skewness() - 2) < 4 * 0.018);
  CHECK(std::abs(exponential.excess_kurtosis() - 6) < 4 * 0.2);
}

TEST_CASE("error moments: of a twin experiment, the same for any number of threads") {
  using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
  const Lorenz problem;
  TwinConfig twin{.runs = 3, .cycles = 60, .burn_in = 20, .progress = false};
  std::vector<double> found;
  for (const std::size_t threads : {1U, 3U}) {
    twin.threads = threads;
    ErrorMoments moments;
    const auto scores = run_twin(problem, EnkfN<Lorenz, 20>(problem), twin, moments);
    CHECK(moments.count() == 3 * 40 * 40);
    // The mean square is that of the RMSEs, whose mean is the fRMSE.
    CHECK(moments.deviation() > scores.forecast_rmse - 0.01);
    CHECK(moments.deviation() < 1.5 * scores.forecast_rmse);
    found.push_back(moments.excess_kurtosis());
  }
  CHECK(found[0] == found[1]);
}

TEST_CASE("error moments: of one channel of several") {
  struct States {
    std::size_t size = 6;  // three points × two channels, two lanes
    double scale = 1;
    [[nodiscard]] double at(std::size_t i, std::size_t l) const {
      return scale * static_cast<double>(10 * l + i * i);
    }
  };
  struct View {
    struct {
      [[nodiscard]] States truth() const { return {.scale = 0}; }
    } twin;
    States estimate{};
    std::size_t runs = 2;
    [[nodiscard]] bool scored() const { return true; }
    [[nodiscard]] bool going(std::size_t l) const { return l == 1; }
  };
  ErrorMoments second(1, 2);
  second.after_forecast(View{});
  CHECK(second.count() == 3);  // the points of the lane that is going
  CHECK(second.mean() == doctest::Approx((11 + 19 + 35) / 3.0));
}

TEST_CASE("error moments: a channel that is not there") {
  CHECK_THROWS_WITH_AS(ErrorMoments(0, 0), doctest::Contains("channel is 0, expected less than 0"),
                       ConfigError);
  CHECK_THROWS_AS(ErrorMoments(2, 2), ConfigError);
  ErrorMoments second(1, 2);
  using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
  const Lorenz problem;
  CHECK_THROWS_WITH_AS(run_twin(problem, EnkfN<Lorenz, 20>(problem),
                                {.runs = 1, .cycles = 3, .burn_in = 0, .progress = false}, second),
                       doctest::Contains("channels is 2, expected 1"), ConfigError);
}
