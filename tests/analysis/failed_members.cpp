// SPDX-License-Identifier: BSD-3-Clause
// Members whose forecast is not finite, and the run that goes on without them.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dan/analysis/enkf_n.hpp"
#include "dan/analysis/enks.hpp"
#include "dan/analysis/ensrf.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/analysis/ienks.hpp"
#include "dan/analysis/letkf.hpp"
#include "dan/core/notice.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "support/battery.hpp"

using namespace dan;

namespace {
constexpr double none = std::numeric_limits<double>::quiet_NaN();

/// Lorenz 96 whose step number `fails` fails in the given lanes.
struct Fragile : Rk4<Lorenz96<40>> {
  std::shared_ptr<std::size_t> steps = std::make_shared<std::size_t>(0);
  std::size_t fails = 0;
  std::vector<std::size_t> lanes{};

  template <class T>
  void step(const T* x, T* y) const {
    Rk4<Lorenz96<40>>::step(x, y);
    if (++*steps != fails) return;
    for (const std::size_t l : lanes)
      if (l < lanes_of<T>) lane_of(y[l % 40], l) = static_cast<real_t<T>>(none);
  }
};
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
using Brittle = Problem<Fragile, ObserveAll<40>>;

Brittle failing(std::size_t step, std::vector<std::size_t> lanes) {
  Brittle problem;
  problem.model.fails = step;
  problem.model.lanes = std::move(lanes);
  return problem;
}

/// Notices, kept from the standard error.
struct Quiet {
  std::vector<std::string> said{};
  NoticeHandler before =
      set_notice_handler([this](const std::string& what) { said.push_back(what); });
  Quiet() = default;
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;
  ~Quiet() { set_notice_handler(before); }
};

const TwinConfig short_run{
    .runs = 1, .cycles = 60, .burn_in = 0, .threads = 1, .first_guess_deviation = 0.3};
}  // namespace

TEST_CASE("failed members: draws from the Gaussian of the others, which keep their bits") {
  using Ensemble = Batch<double, 3, 1, 11>;
  Ensemble ensemble;
  fill_normal<double>({.seed = 4}, ensemble.numbers());
  ensemble.at(0, 10) = none;  // also in the padding
  ensemble.at(2, 4) = std::numeric_limits<double>::infinity();
  ensemble.repeat_last_lane();
  std::array<double, 3> mean{}, variance{}, found{}, squares{};
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t m = 0; m < 10; ++m)
      if (m != 4) mean[i] += ensemble.at(i, m) / 9;
    for (std::size_t m = 0; m < 10; ++m)
      if (m != 4) variance[i] += std::pow(ensemble.at(i, m) - mean[i], 2) / 8;
  }
  constexpr std::size_t draws = 2000;
  FailedMembers<11> failed;
  for (std::size_t n = 0; n < draws; ++n) {
    auto whole = ensemble;
    failed.find(whole, {.cycle = n});
    CHECK(failed.count() == 2);
    failed.replace(whole);
    for (std::size_t i = 0; i < 3; ++i) {
      bool same = true;
      for (std::size_t m = 0; m < 10; ++m)
        same = same && (m == 4 || whole.at(i, m) == ensemble.at(i, m));
      CHECK(same);
      for (std::size_t l = 11; l < whole.padded; ++l) CHECK(whole.at(i, l) == whole.at(i, 10));
      for (const std::size_t m : {4U, 10U}) {
        found[i] += (whole.at(i, m) - mean[i]) / (2 * draws);
        squares[i] += std::pow(whole.at(i, m) - mean[i], 2) / (2 * draws);
      }
    }
    failed.find(whole, {});
    CHECK(failed.count() == 0);
  }
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(std::abs(found[i]) < 5 * std::sqrt(variance[i] / (2 * draws)));
    CHECK(std::abs(squares[i] / variance[i] - 1) < 5 * std::sqrt(1.0 / draws));
  }
  failed.find(ensemble, {});
  CHECK(failed.replaceable(0.2));
  CHECK_FALSE(failed.replaceable(0.15));
  FailedMembers<3> few;
  Batch<double, 3, 1, 3> three;
  three.at(0, 0) = three.at(0, 1) = none;
  few.find(three, {});
  CHECK_FALSE(few.replaceable(0.9));  // at least two must be left
}

TEST_CASE("failed members: a filter goes on when a member fails in cycle 7, and it is told") {
  const Lorenz truth;
  const auto check = [&](const auto& make) {
    Quiet quiet;
    const auto scores = run_twin(truth, make(failing(7, {3})), short_run);
    const auto whole = run_twin(truth, make(failing(0, {})), short_run);
    CHECK(scores.failures.empty());
    CHECK(scores.cycles == 60);
    CHECK(whole.replaced == 0);
    CHECK(quiet.said.size() == 1);
    CHECK(quiet.said[0].find("an ensemble filter replaced members") == 0);
    CHECK(scores.analysis_rmse < 1.5 * whole.analysis_rmse);
    return scores.replaced * 60;
  };
  CHECK(check([](const Brittle& p) { return EnkfN<Brittle, 20>(p); }) == doctest::Approx(1.0 / 20));
  CHECK(check([](const Brittle& p) {
          return Letkf<Brittle, 7>(p, {.inflation = {.factor = 1.04}});
        }) == doctest::Approx(1.0 / 7));
  CHECK(check([](const Brittle& p) {
          return Enks{EnkfN<Brittle, 20>(p), 3};
        }) == doctest::Approx(1.0 / 20));
}

TEST_CASE("failed members: too many are an error that counts them") {
  const Lorenz truth;
  const auto reason = [&](const Brittle& problem, double most) {
    Quiet quiet;
    const auto scores = run_twin(
        truth, EnkfN<Brittle, 20>(problem, {.forecast = {.most_failed = most}}), short_run);
    REQUIRE(scores.failures.size() <= 1);
    if (scores.failures.empty()) return std::string();
    CHECK(scores.failures[0].cycle == 7);
    return scores.failures[0].reason;
  };
  CHECK(reason(failing(7, {0, 5, 6, 7, 19}), 0.25).empty());
  CHECK(reason(failing(7, {0, 5, 6, 7, 8, 19}), 0.25) ==
        "EnkfN::forecast: the forecast ensemble is not finite in 6 of 20 members, the "
        "filter has diverged; use more members or more inflation, or a smaller time step "
        "(Lorenz 96 of 40 variables, forcing 8, Runge–Kutta, 1 × 0.05)");
  CHECK(reason(failing(7, {0, 5, 6, 7, 8, 19}), 0.3).empty());
  CHECK_FALSE(reason(failing(7, {3}), 0).empty());
}

TEST_CASE("failed members: the past of a smoother goes with those that take their place") {
  const Quiet quiet;
  const Enks smoother{EnkfN<Brittle, 20>(failing(3, {3, 8})), 2};
  auto carried = smoother.start({}, 1, {.seed = 5});
  for (int n = 0; n < 2; ++n) smoother.forecast(carried);
  const auto before = carried.ensemble;
  smoother.forecast(carried);
  CHECK(carried.failed.count() == 2);
  auto expected = before;
  carried.failed.replace(expected);
  CHECK(test::all_same_bits(
      test::Numbers(expected.numbers().begin(), expected.numbers().end()),
      test::Numbers(carried.past[1].numbers().begin(), carried.past[1].numbers().end())));
  CHECK(expected.at(1, 3) != before.at(1, 3));
  CHECK(expected.at(1, 4) == before.at(1, 4));
}

TEST_CASE("failed members: an iterated smoother launches them again from its window's start") {
  const Quiet quiet;
  const Lorenz truth;
  for (const std::size_t lag : {0U, 2U}) {
    const Ienks<Brittle, 20> smoother(failing(2, {3}), {.lag = lag, .finite_size = true});
    auto carried = smoother.start({}, 1, {.seed = 5});
    std::size_t failed = 0;
    for (int n = 0; n < 3; ++n) {
      smoother.forecast(carried);
      failed += carried.failed.count();
      smoother.analyse(carried, {}, {});
      for (const double x : carried.ensemble.numbers()) CHECK(std::isfinite(x));
    }
    CHECK(failed == 1);
  }
}

TEST_CASE("failed members: of runs side by side only those of the run that had one change") {
  const Quiet quiet;
  using Filter = Ensrf<Brittle, 8, 4, float>;
  const auto run = [](const std::function<void(Filter::Carried&)>& spoil, double most) {
    const Filter filter(failing(0, {}), {.inflation = 1.02, .forecast = {.most_failed = most}});
    Filter::FirstGuessBatch guess;
    fill_normal<double>({.seed = 3}, guess.numbers());
    auto carried = filter.start(guess, 1, {.seed = 5});
    spoil(carried);
    filter.forecast(carried);
    return carried;
  };
  const auto spoil = [](auto& carried) { carried.ensemble.at(2 * 40 + 5, 1) = 1e30F; };
  const auto whole = run([](auto&) {}, 0.25), replaced = run(spoil, 0.25), lost = run(spoil, 0);
  std::size_t changed = 0;
  for (std::size_t n = 0; n < whole.ensemble.size; ++n)
    for (std::size_t l = 0; l < 4; ++l) {
      const float x = whole.ensemble.at(n, l), y = replaced.ensemble.at(n, l);
      CHECK(std::isfinite(y));
      changed += x != y;
      if (l != 1) CHECK(x == lost.ensemble.at(n, l));
      if (l != 1 || n / 40 != 2) CHECK(x == y);
    }
  CHECK(changed == 40);
  CHECK(replaced.replaced == std::array{0.0, 0.125, 0.0, 0.0});
  CHECK_FALSE(std::isfinite(lost.ensemble.at(2 * 40 + 5, 1)));
}
