// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/enks.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "dan/analysis/enkf_n.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/analysis/ienks.hpp"
#include "support/ensemble.hpp"
#include "support/linear.hpp"

using namespace dan;
using test::Linear;

static_assert(Analysis<Enks<Etkf<test::Sakov, 20>>>);
static_assert(Analysis<Enks<EnkfN<test::Sakov, 20>>>);

namespace {
/// Both smoothers give the same oldest state in every cycle.
template <class A, class B>
void check_same(const A& a, const B& b, std::size_t lag) {
  auto x = a.start({}, 1.5, {.seed = 6});
  auto y = b.start({}, 1.5, {.seed = 6});
  typename A::Estimate left, right;
  double largest = 0;
  for (std::size_t c = 0; c < 13; ++c) {
    const auto observed = test::linear_observations(c);
    a.forecast(x), b.forecast(y);
    a.analyse(x, observed, {.seed = 1, .cycle = c}),
        b.analyse(y, observed, {.seed = 1, .cycle = c});
    CHECK(a.smoothed(x, left) == std::min(c + 1, lag));
    CHECK(b.smoothed(y, right) == std::min(c + 1, lag));
    for (std::size_t i = 0; i < 8; ++i) largest = std::max(largest, std::abs(left[i] - right[i]));
  }
  CAPTURE(lag);
  CHECK(largest < 1e-10);
}
}  // namespace

TEST_CASE("enks: on a linear model the IEnKS, with inflation and rotation") {
  for (const Inflation& inflation : test::inflations) {
    if (inflation.relax_spread > 0) continue;  // scales row by row, which commutes with no model
    for (const std::size_t lag : {0U, 1U, 4U})
      for (const bool rotation : {false, true})
        check_same(Enks{Etkf<Linear, 5>({}, {.inflation = inflation, .rotation = rotation}), lag},
                   Ienks<Linear, 5>({}, {.lag = lag, .inflation = inflation, .rotation = rotation}),
                   lag);
  }
}

TEST_CASE("enks: with an EnKF-N, on a linear model the IEnKS-N") {
  for (const std::size_t lag : {1U, 4U})
    check_same(Enks{EnkfN<Linear, 5>(Linear{}), lag},
               Ienks<Linear, 5>(
                   {}, {.lag = lag, .iterations = 500, .tolerance = 1e-13, .finite_size = true}),
               lag);
}

TEST_CASE("enks: at the newest time it is the filter") {
  using Filter = EnkfN<test::Half, 5>;
  const Filter filter(test::Half{}, {.rotation = true});
  const Enks smoother{filter, 3};
  auto a = filter.start({}, 1, {});
  auto b = smoother.start({}, 1, {});
  for (std::size_t c = 0; c < 5; ++c) {
    filter.forecast(a), smoother.forecast(b);
    filter.analyse(a, test::half_observations(), {.cycle = c});
    smoother.analyse(b, test::half_observations(), {.cycle = c});
    CHECK(std::ranges::equal(a.ensemble.numbers(), b.ensemble.numbers()));
  }
  Enks<Filter>::Estimate then, now;
  CHECK(smoother.smoothed(b, then) == 3);
  const Enks none{filter, 0};
  auto c = none.start({}, 1, {});
  none.forecast(c);
  none.analyse(c, test::half_observations(), {});
  CHECK(none.smoothed(c, then) == 0);
  none.estimate(c, now);
  for (std::size_t i = 0; i < 8; ++i) CHECK(then[i] == doctest::Approx(now[i]));
}

TEST_CASE("enks: bad observations and a diverged ensemble are the filter's errors") {
  const Enks smoother{EnkfN<test::Half, 5>(test::Half{}), 2};
  test::check_divergence(smoother, "EnkfN::analyse");
  test::check_observations(smoother, "EnkfN::analyse");
}
