// SPDX-License-Identifier: BSD-3-Clause
#include "dan/diagnose/sensitivity.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "dan/analysis/etkf.hpp"
#include "dan/analysis/learned.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/geometry/interval.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "support/networks.hpp"

using namespace dan;
using test::normal, test::SteepNetwork;
using Rich = test::RichNetwork;

namespace {
/// Against central differences of the first derivative, which the tests of gain.hpp hold against
/// hand-written ones.
template <class Network>
void check_sensitivity() {
  const SteepNetwork<Network> some;
  constexpr double step = 1e-4;
  for (const auto about : {ExpandedAt::zero, ExpandedAt::innovation})
    for (const std::size_t element : {std::size_t{0}, Network::size - 2}) {
      const auto at = [&](double move) {
        auto in = some.input;
        for (std::size_t m = 0; m < Network::members; ++m) in[m * Network::size + element] += move;
        return learned_covariance(some.increment(), in, about);
      };
      const Matrix high = at(step), low = at(-step);
      const Matrix found = covariance_sensitivity(some.increment(), some.input, element, about);
      double largest = 0;
      for (std::size_t n = 0; n < found.size(); ++n) {
        const double expected = (high.data()[n] - low.data()[n]) / (2 * step);
        CHECK(found.data()[n] == doctest::Approx(expected).epsilon(1e-5).scale(0.01));
        largest = std::max(largest, std::abs(expected));
      }
      CHECK(largest > 0.01);
    }
}

using TwoChannels = AnalysisNetwork<
    NetworkShape{
        .filters = 4, .blocks = 1, .sub_blocks = 1, .kernel = 3, .activation = Nonlinearity::tanh},
    Ring<9>, 2>;

using Lorenz = Problem<Rk4<Lorenz96<12>>, ObserveAll<12>>;
using Network =
    AnalysisNetwork<NetworkShape{.filters = 4, .blocks = 1, .sub_blocks = 1, .kernel = 3},
                    Ring<12>>;
using Method = Learned<Lorenz, Network, 2>;

const TwinConfig config{
    .runs = 3, .cycles = 8, .burn_in = 2, .threads = 1, .first_guess_deviation = 0.1};

/// Whether points near a point can be told on this geometry.
template <class Grid>
concept LooksAlike = requires(const Matrix& s) {
  share_within<Grid>(s, 1.0);
};
static_assert(LooksAlike<Ring<12>> && !LooksAlike<Interval<12>>);
}  // namespace

TEST_CASE("covariance sensitivity: agrees with central differences of the covariance") {
  check_sensitivity<Rich>();
  check_sensitivity<TwoChannels>();
}

TEST_CASE("covariance sensitivity: an element that is not there") {
  const SteepNetwork<TwoChannels> some;
  CHECK_THROWS_WITH_AS(
      (void)covariance_sensitivity(some.increment(), some.input, 18),
      doctest::Contains("covariance_sensitivity: element is 18, expected less than 18"),
      ConfigError);
}

TEST_CASE("sensitivity recorder: is local where the network is, centred on its point") {
  const Lorenz problem;
  const Method method(problem, test::small_increments<Network>(), {.way_back = false});
  SensitivityRecorder few(2, 2), all(2, 12);
  run_twin(problem, method, config, few, all);
  CHECK(few.terms() == 3 * 3 * 2);
  CHECK(all.terms() == 3 * 3 * 12);
  const Matrix s = all.mean();
  REQUIRE(s.shape()[0] == 11);
  // Three convolutions of width 3 reach 3 points: ∂²a_i/∂ζ_j∂x_k is zero beyond, for i from j and
  // k.
  double within = 0;
  for (std::size_t i = 0; i < 11; ++i)
    for (std::size_t j = 0; j < 11; ++j) {
      const bool reached = i >= 2 && i <= 8 && (i > j ? i - j : j - i) <= 3;
      if (!reached && (i + 12 - j) % 12 > 3 && (j + 12 - i) % 12 > 3) CHECK(s(i, j) == 0);
      if (i < 2 || i > 8) CHECK(s(i, j) == 0);
      within += std::abs(s(i, j));
    }
  CHECK(within > 0);
  CHECK(share_within<Ring<12>>(s, 5) == 1);
  CHECK(share_within<Ring<12>>(s, 1) < 1);
  CHECK(share_within<Ring<12>>(s, 1) > 0);
  CHECK_THROWS_WITH_AS((void)share_within<Ring<14>>(s, 1),
                       doctest::Contains("share_within: rows of S has shape (11), expected (13)"),
                       ShapeError);
}

TEST_CASE("sensitivity recorder: of all points it is the talk's tensor, term by term") {
  const auto trained = test::small_increments<Network>();
  const std::vector<double> ones(12, 1.0);
  const LearnedIncrement<Network, float> increment(trained, ones);
  const auto numbers = normal(Network::inputs, 5);
  const std::vector<float> in(numbers.begin(), numbers.end());
  SensitivityRecorder recorder(1, 1);
  for (std::size_t k = 0; k < 12; ++k)
    recorder.add<LearnedIncrement<Network, float>>(increment, in, k);
  const Matrix s = recorder.mean();
  std::vector<Matrix> derivative;
  for (std::size_t k = 0; k < 12; ++k)
    derivative.push_back(covariance_sensitivity(increment, in, k));
  for (std::size_t i = 0; i < 11; ++i)
    for (std::size_t j = 0; j < 11; ++j) {
      double sum = 0;  // (1/N_x) Σ_k ∂²a_{i'+k} / ∂ζ_{j'+k} ∂x_k, i' = i − 5, j' = j − 5
      for (std::size_t k = 0; k < 12; ++k)
        sum += derivative[k]((i + k + 7) % 12, (j + k + 7) % 12) / 12;
      CHECK(std::abs(s(i, j) - sum) < 1e-9);
    }
}

TEST_CASE("sensitivity recorder: bad input") {
  CHECK_THROWS_WITH_AS(SensitivityRecorder(0, 1), doctest::Contains("every is 0"), ConfigError);
  CHECK_THROWS_WITH_AS(SensitivityRecorder(1, 0), doctest::Contains("count is 0"), ConfigError);
  CHECK_THROWS_WITH_AS((void)SensitivityRecorder(1, 1).mean(),
                       doctest::Contains("SensitivityRecorder::mean: nothing was recorded"),
                       ConfigError);
  const Lorenz problem;
  SensitivityRecorder many(1, 13);
  CHECK_THROWS_WITH_AS(
      run_twin(problem, Method(problem, test::small_increments<Network>()), config, many),
      doctest::Contains("SensitivityRecorder: count is 13, expected at most 12"), ConfigError);
}
