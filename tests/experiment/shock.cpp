// SPDX-License-Identifier: BSD-3-Clause
#include "dan/experiment/shock.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "dan/analysis/ensrf.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/analysis/ienks.hpp"
#include "dan/analysis/var3d.hpp"
#include "dan/analysis/var4d.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/random.hpp"
#include "dan/problem/background/distance.hpp"

using namespace dan;

namespace {
using Lorenz = Problem<Rk4<Lorenz96<12>>, ObserveAll<12>>;

/// Takes the observations as they are: the error of an analysis is that of its observations, from
/// the first one after anything.
struct Believer : AnalysisTypes<Lorenz, double, 4> {
  struct Carried {
    Estimate state;
  };
  Carried start(const FirstGuessBatch& guess, double, const RandomKey&) const { return {guess}; }
  void forecast(Carried&) const {}
  void analyse(Carried& carried, const Observed& observed, const RandomKey&) const {
    for (std::size_t j = 0; j < 12; ++j)
      for (std::size_t l = 0; l < 4; ++l)
        if (observed.precision.at(j, l) > 0) carried.state.at(j, l) = observed.values.at(j, l);
  }
  void estimate(const Carried& carried, Estimate& to) const { to = carried.state; }
};
const Lorenz precise{.noise = DiagonalNoise<12>(0.01)};
const ShockConfig config{.runs = 6, .cycles = 100, .threads = 1};
/// Of root mean squares of twelve numbers of deviation 0.1: 0.1 (1 − 1/48), of one 0.0204, of 480
/// cycles together 0.001.
constexpr double mean_error = 0.0979;
}  // namespace

TEST_CASE("shock: who takes observations as they are finds the truth at once") {
  for (const auto start :
       {FirstGuess::far, FirstGuess::climate, FirstGuess::elsewhere, FirstGuess::constant}) {
    const auto out = run_shock(precise, Believer{}, {.start = start, .deviation = 5}, config);
    CHECK(out.events == 6);
    CHECK(out.never == 0);
    CHECK(out.lost == 0);
    CHECK(out.quantile(0) == 1);  // the first analysis
    CHECK(out.quantile(1) == 1);
  }
  const auto none = run_shock(precise, Believer{}, {}, config);
  CHECK(none.events == 0);
  CHECK(std::isnan(none.quantile(0.5)));
  CHECK(std::isnan(none.error));  // of the cycles after the first `every`
  const auto some = run_shock(precise, Believer{}, {.every = 20}, config);
  CHECK(std::abs(some.error - mean_error) < 4 * 0.001);
  const auto noisy = run_shock(precise, Believer{}, {.every = 20, .noise = 3}, config);
  CHECK(noisy.error ==
        doctest::Approx(3 * some.error).epsilon(1e-10));  // the same errors, three times as large
}

TEST_CASE("shock: events come and go") {
  // Every 20 cycles from cycle 40 on, none in the last 20: 40, 60 and 80, in six runs.
  const auto events = [](ShockEvent event, double size, std::size_t gap = 0) {
    return run_shock(precise, Believer{}, {.event = event, .size = size, .every = 20, .gap = gap},
                     config);
  };
  for (const auto& out :
       {events(ShockEvent::jump, 5), events(ShockEvent::shift, 5), events(ShockEvent::gap, 0, 7)}) {
    CHECK(out.events == 18);
    CHECK(out.never == 0);
    CHECK(out.quantile(1) == 0);  // in the cycle of the event
    CHECK(std::abs(out.error - mean_error) < 4 * 0.001);
  }
  CHECK_THROWS_WITH_AS((void)run_shock(precise, Believer{},
                                       {.event = ShockEvent::jump, .size = 5, .every = 40}, config),
                       doctest::Contains("cycles is 100, expected at least 119"), ConfigError);
  // It believes an outlier too, for one cycle: 100 deviations of one of 12 numbers.
  const auto outlier = events(ShockEvent::outlier, 100);
  CHECK(outlier.events == 18);
  CHECK(outlier.quantile(0) == 1);
  CHECK(outlier.quantile(1) == 1);
}

TEST_CASE("shock: all kinds of methods are moved, and who does not come back is told") {
  const Lorenz problem;
  const Shock jump{.event = ShockEvent::jump, .size = 4, .every = 60};
  const ShockConfig longer{.runs = 8, .cycles = 400, .threads = 2};
  const auto back = [&](const auto& method, const Shock& shock) {
    const auto out = run_shock(problem, method, shock, longer);
    CHECK(out.events == 8 * 4);
    CHECK(out.cycles.size() + out.never == out.events);
    return out;
  };
  const auto climate = climatology_of(problem);
  const Var3d<Lorenz, 8> var3d(problem, climate, 0.05);
  const auto moved = back(var3d, jump);
  CHECK(moved.never < 10);
  CHECK(moved.quantile(0.5) >= 1);  // a jump of 4 is not undone by one analysis
  // A tenth of a background's variance hears no observations.
  CHECK(back(Var3d<Lorenz, 8>(problem, climate, 1e-6), jump).lost > 4);
  const Etkf<Lorenz, 13> etkf(problem, {.inflation = {.factor = 1.03}});
  const Ensrf<Lorenz, 13, 8> ensrf(problem, {.inflation = 1.03});
  CHECK(back(etkf, jump).quantile(0.5) > 2);
  CHECK(back(ensrf, jump).quantile(0.5) > 2);
  // The number of threads changes no bit.
  auto one = longer;
  one.threads = 1;
  CHECK(run_shock(problem, var3d, jump, one).error == moved.error);
}

TEST_CASE("shock: an outlier strikes what reports, or is no event") {
  using Sparse = Problem<Rk4<Lorenz96<12>>, ObserveRandom<12>>;
  const Sparse few{.observe = ObserveRandom<12>(0, 1)};
  using Method = Ensrf<Sparse, 13, 8>;
  const Method method(few, {.inflation = 1.03});
  auto carried = method.start({}, 1, {});
  TwinTruth<Sparse, 8> twin(few, {.seed = 3});
  const Shock shock{.event = ShockEvent::outlier, .size = 1e6};
  std::size_t events = 0, silent = 0;
  for (std::size_t k = 0; k < 20; ++k) {
    twin.next();
    typename Method::Observed observed;
    convert_precision(twin.observed(), observed);
    const auto before = observed;
    for (std::size_t l = 0; l < 8; ++l) {
      const bool struck = detail::strike<Method>(few, shock, twin.key(l), l, carried, observed);
      std::size_t changed = 0, reports = 0;
      for (std::size_t j = 0; j < 12; ++j) {
        const bool there = observed.precision.at(j, l) > 0;
        reports += there;
        changed += observed.values.at(j, l) != before.values.at(j, l);
        CHECK((there || observed.values.at(j, l) == 0));
      }
      CHECK(struck == (reports > 0));
      CHECK(changed == (struck ? 1 : 0));
      events += struck, silent += !struck;
    }
  }
  CHECK(events > 40);
  CHECK(silent > 40);
}

TEST_CASE("shock: bad configurations") {
  CHECK_THROWS_WITH_AS((void)run_shock(precise, Believer{}, {}, {.runs = 0}),
                       "run_shock: runs is 0, expected at least 1", ConfigError);
  CHECK_THROWS_AS((void)run_shock(precise, Believer{}, {}, {.cycles = 10}), ConfigError);
  CHECK_THROWS_AS((void)run_shock(precise, Believer{}, {.every = 5, .gap = 5}, config),
                  ConfigError);
  CHECK_THROWS_AS((void)run_shock(precise, Believer{}, {.noise = 0}, config), ConfigError);
  const Climatology<Lorenz> nothing(climatology_of(precise, {.cycles = 5}));
  CHECK_THROWS_WITH_AS(
      (void)run_shock(precise, nothing, {.event = ShockEvent::jump, .size = 1}, config),
      doctest::Contains("where the states of the method stand"), ConfigError);
}

TEST_CASE("shock: what forecasts anew from the start of a window is not moved, and says so") {
  const Shock jump{.event = ShockEvent::jump, .size = 3};
  CHECK_THROWS_WITH_AS((void)run_shock(precise, Ienks<Lorenz, 10>(precise), jump, config),
                       doctest::Contains("forecasts anew from the start of its window"),
                       ConfigError);
  const Vector deviations(std::array<std::size_t, 1>{12}, 1.0);
  const DistanceBackground<Ring<12>, 1> background(deviations, 2, 0.1);
  CHECK_THROWS_AS(
      (void)run_shock(precise,
                      Var4d<Lorenz, 1, DistanceBackground<Ring<12>, 1>>(precise, background), jump,
                      config),
      ConfigError);
}
