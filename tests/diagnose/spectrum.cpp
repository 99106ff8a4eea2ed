// SPDX-License-Identifier: BSD-3-Clause
#include "dan/diagnose/spectrum.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "dan/analysis/ensrf.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/analysis/learned.hpp"
#include "dan/diagnose/bias.hpp"
#include "dan/diagnose/linearity.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "support/networks.hpp"

using namespace dan;
using test::normal;

namespace {
using Lorenz = Problem<Rk4<Lorenz96<12>>, ObserveAll<12>>;
using Filter = Etkf<Lorenz, 5>;

template <Nonlinearity Activation>
using NetworkWith = AnalysisNetwork<
    NetworkShape{.filters = 4, .blocks = 1, .sub_blocks = 1, .kernel = 3, .activation = Activation},
    Ring<12>>;

const TwinConfig config{
    .runs = 3, .cycles = 9, .burn_in = 2, .threads = 1, .first_guess_deviation = 0.1};

Matrix matrix(std::size_t size, const std::vector<double>& numbers) {
  auto out = zero_tensor<double>(size, size);
  std::ranges::copy(numbers, out.data());
  return out;
}

/// What a recorder should see of a learned analysis, without recorder: calls
/// use(carried after the forecast, observed, cycle).
template <class Method, class Use>
void by_hand(const Method& method, std::size_t run, const Use& use) {
  TwinTruth<Lorenz, 1> twin(Lorenz{}, {.seed = config.seed, .first_run = run});
  typename Method::FirstGuessBatch guess;
  std::vector<double> error(Lorenz::size);
  fill_normal<double>(twin.key(0).with(Purpose::first_guess), std::span(error));
  for (std::size_t i = 0; i < Lorenz::size; ++i)
    guess.at(i, 0) = twin.truth().at(i, 0) + config.first_guess_deviation * error[i];
  auto carried = method.start(guess, config.first_guess_deviation, twin.key(0));
  for (std::size_t cycle = 1; cycle <= config.cycles; ++cycle) {
    twin.next();
    typename Method::Observed observed;
    convert_precision(twin.observed(), observed);
    method.forecast(carried);
    use(carried, observed, cycle);
    method.analyse(carried, observed, twin.key(0).with(Purpose::analysis));
  }
}

/// The network's increment by itself, for innovation `factor` (y − x).
template <class Network>
std::vector<double> increment_of(const Trained<Network>& trained, const auto& carried,
                                 const auto& observed, float factor) {
  std::vector<float> in(Network::inputs), out(Network::outputs);
  for (std::size_t i = 0; i < 12; ++i) {
    in[i] = carried.values.at(i, 0);
    in[12 + i] = factor * (observed.values.at(i, 0) - in[i]);
  }
  auto cache = std::make_unique<typename Network::template Cache<float>>();
  trained.network.forward(trained.parameters.data(), in.data(), out.data(), *cache);
  return {out.begin(), out.end()};
}
}  // namespace

TEST_CASE("mean spectrum: of the symmetric part, largest first, mode by mode") {
  // Symmetric parts with the eigenvalues 3, 1 and 5, 2; their mean matrix would have others.
  const CovarianceSeries series{{matrix(2, {2, 4, -2, 2})}, {matrix(2, {5, 7, -7, 2})}};
  const auto mean = mean_spectrum(series);
  CHECK(mean[0] == doctest::Approx(4));
  CHECK(mean[1] == doctest::Approx(1.5));
  CHECK(asymmetry(series[1][0]) == doctest::Approx(14 * std::sqrt(2.0) / std::sqrt(116.0)));
  CHECK(asymmetry(matrix(2, {1, 3, 3, 1})) == 0);
  CHECK_THROWS_WITH_AS((void)mean_spectrum({{}, {}}),
                       doctest::Contains("mean_spectrum: there is no covariance"), ConfigError);
  CHECK_THROWS_AS((void)symmetric_part(zero_tensor<double>(2, 3)), ShapeError);
}

TEST_CASE("effective inflation: on the modes of the filter at the same time") {
  // Modes e_2, e_1 (variances 4 and 1), then e_1, e_2 (3 and 0).
  const CovarianceSeries filter{{matrix(2, {1, 0, 0, 4}), matrix(2, {3, 0, 0, 0})}};
  const CovarianceSeries learned{{matrix(2, {2, 1, 0, 5}), matrix(2, {6, 0, 1, 1})}};
  const auto ratio = effective_inflation(learned, filter);
  CHECK(ratio[0] == doctest::Approx((5.0 + 6) / (4 + 3)));
  CHECK(ratio[1] == doctest::Approx((2.0 + 1) / 1));
  const CovarianceSeries flat{{matrix(2, {1, 0, 0, 0})}};
  CHECK(std::isnan(effective_inflation(flat, flat)[1]));
  CHECK_THROWS_WITH_AS((void)effective_inflation(learned, flat),
                       doctest::Contains("run 0 of learned has shape (2), expected (1)"),
                       ShapeError);
  CHECK_THROWS_WITH_AS((void)effective_inflation({}, flat),
                       doctest::Contains("learned has shape (0), expected (1)"), ShapeError);
}

TEST_CASE("covariance recorder: of an ensemble filter its analysed ensemble's, every third cycle") {
  const Lorenz problem;
  const Filter filter(problem, {.inflation = {.factor = 1.05}});
  CovarianceRecorder recorder(3);
  run_twin(problem, filter, config, recorder);
  REQUIRE(recorder.covariances.size() == 3);
  for (const auto& run : recorder.covariances) {
    REQUIRE(run.size() == 3);  // cycles 3, 6 and 9
    for (const Matrix& p : run) CHECK(asymmetry(p) < 1e-14);
    const auto values = symmetric_eigen(run[0]).values;
    CHECK(std::abs(values(7)) < 1e-12);  // rank 4
    CHECK(values(8) > 1e-6);
  }
  // Its trace is the square of the filter's own spread.
  SeriesRecorder series;
  CovarianceRecorder each(1);
  run_twin(problem, filter, config, series, each);
  double trace = 0;
  for (std::size_t i = 0; i < 12; ++i) trace += each.covariances[1][4](i, i);
  CHECK(std::sqrt(trace / 12) == doctest::Approx(series.spread.runs[1][2 + 4]));
  CHECK_THROWS_WITH_AS(CovarianceRecorder(0), doctest::Contains("every is 0"), ConfigError);
}

TEST_CASE("covariance recorder: of a filter with runs side by side each run's own") {
  const Lorenz problem;
  const Ensrf<Lorenz, 6, 4> filter(problem, {.inflation = 1.05});
  CovarianceRecorder recorder(2);
  SeriesRecorder series;
  run_twin(problem, filter, config, recorder, series);
  REQUIRE(recorder.covariances.size() == 3);
  for (std::size_t r = 0; r < 3; ++r) {
    const Matrix& p = recorder.covariances[r][1];  // of cycle 2 + 3
    REQUIRE(p.shape()[0] == 12);
    double trace = 0;
    for (std::size_t i = 0; i < 12; ++i) trace += p(i, i);
    CHECK(std::sqrt(trace / 12) == doctest::Approx(series.spread.runs[r][4]).epsilon(1e-5));
  }
}

TEST_CASE("covariance recorder: of a learned analysis its covariance at the forecast") {
  const Lorenz problem;
  using Network = NetworkWith<Nonlinearity::silu>;
  const auto trained = test::small_increments<Network>();
  const Learned<Lorenz, Network, 2> method(problem, trained, {.way_back = false});
  CovarianceRecorder recorder(3);
  run_twin(problem, method, config, recorder);
  REQUIRE(recorder.covariances.size() == 3);
  // Run 2 alone, by differences of the network.
  std::size_t seen = 0;
  by_hand(Learned<Lorenz, Network, 1>(problem, trained, {.way_back = false}), 2,
          [&](const auto& carried, const auto&, std::size_t cycle) {
            if (cycle < 3 || cycle % 3 != 0) return;
            const auto at = [&](std::size_t j, float z) {
              Observations<float, 12> observed;
              for (std::size_t i = 0; i < 12; ++i)
                observed.values.at(i, 0) = carried.values.at(i, 0) + (i == j ? z : 0.0F);
              return increment_of(trained, carried, observed, 1);
            };
            const auto high = at(4, 0.1F), low = at(4, -0.1F);
            for (std::size_t i = 0; i < 12; ++i)
              CHECK(recorder.covariances[2][seen](i, 4) ==
                    doctest::Approx((high[i] - low[i]) / 0.2).epsilon(2e-3).scale(0.01));
            ++seen;
          });
  CHECK(seen == recorder.covariances[2].size());
}

TEST_CASE("bias recorder: the increment without an innovation, in every cycle of every run") {
  const Lorenz problem;
  using Network = NetworkWith<Nonlinearity::silu>;
  const auto trained = test::small_increments<Network>();
  BiasRecorder bias;
  run_twin(problem, Learned<Lorenz, Network, 2>(problem, trained, {.way_back = false}), config,
           bias);
  REQUIRE(bias.series.runs.size() == 3);
  REQUIRE(bias.series.runs[2].size() == config.cycles);
  double sum = 0, squares = 0;
  for (std::size_t run = 0; run < 3; ++run)
    by_hand(
        Learned<Lorenz, Network, 1>(problem, trained, {.way_back = false}), run,
        [&](const auto& carried, const auto& observed, std::size_t cycle) {
          double b = 0;
          for (const double a : increment_of(trained, carried, observed, 0)) b += a * a / 12;
          CHECK(bias.series.runs[run][cycle - 1] == doctest::Approx(std::sqrt(b)).epsilon(1e-4));
          if (cycle > 2) sum += std::sqrt(b) / 21, squares += b / 21;
        });
  const auto [mean, deviation] = bias.scored(2);
  CHECK(mean == doctest::Approx(sum).epsilon(1e-4));
  CHECK(deviation == doctest::Approx(std::sqrt(squares - sum * sum)).epsilon(1e-3).scale(0));
  CHECK(std::isnan(bias.scored(9).mean));
}

TEST_CASE("linearity recorder: nothing is left of a linear network, of another as by differences") {
  const Lorenz problem;
  using Linear = NetworkWith<Nonlinearity::identity>;
  LinearityRecorder linear({1, 3});
  run_twin(
      problem,
      Learned<Lorenz, Linear, 2>(problem, test::small_increments<Linear>(), {.way_back = false}),
      config, linear);
  CHECK(linear.nonlinear_share(0) < 1e-5);
  CHECK(linear.nonlinear_share(1) < 1e-5);

  using Network = NetworkWith<Nonlinearity::silu>;
  const auto trained = test::small_increments<Network>();
  LinearityRecorder found({1, 3});
  run_twin(problem, Learned<Lorenz, Network, 2>(problem, trained, {.way_back = false}), config,
           found);
  CHECK(found.nonlinear_share(0) > 0.01);
  CHECK(found.nonlinear_share(1) > found.nonlinear_share(0));
  double rest = 0, all = 0;
  for (std::size_t run = 0; run < 3; ++run)
    by_hand(Learned<Lorenz, Network, 1>(problem, trained, {.way_back = false}), run,
            [&](const auto& carried, const auto& observed, std::size_t cycle) {
              if (cycle <= 2) return;
              const auto at = [&](float factor) {
                return increment_of(trained, carried, observed, factor);
              };
              const auto zero = at(0), whole = at(3), high = at(0.02F), low = at(-0.02F);
              for (std::size_t i = 0; i < 12; ++i) {
                const double step = whole[i] - zero[i];
                rest += std::pow(step - 3 * (high[i] - low[i]) / 0.04, 2);
                all += step * step;
              }
            });
  CHECK(found.nonlinear_share(1) == doctest::Approx(std::sqrt(rest / all)).epsilon(0.01));
  CHECK(std::isnan(LinearityRecorder().nonlinear_share(0)));
}
