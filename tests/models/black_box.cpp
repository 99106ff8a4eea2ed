// SPDX-License-Identifier: BSD-3-Clause
#include "dan/models/black_box.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

#include "dan/analysis/etkf.hpp"
#include "dan/autodiff/derivatives.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/observe/all.hpp"
#include "support/battery.hpp"

using namespace dan;
using test::Numbers;

namespace {
/// A model as C code has it: one state, plain double, x and y different arrays.
struct Advection {
  static constexpr std::size_t points = 8, channels = 1;
  double share = 0.9;
  void step(const double* x, double* y) const {
    for (std::size_t i = 0; i < 8; ++i) y[i] = share * x[(i + 7) % 8] + (1 - share) * x[i];
  }
};
}  // namespace

TEST_CASE_TEMPLATE("black_box: every lane is stepped alone, in place too", T, double, float,
                   Pack<double, 2 * simd_width<double>>, Pack<float, simd_width<float>>) {
  static_assert(!DynamicalModel<Advection> && DynamicalModel<BlackBox<Advection>>);
  static_assert(!DifferentiableModel<BlackBox<Advection>>);
  static_assert(!DifferentiableModel<Differentiated<BlackBox<Advection>>>);
  const BlackBox<Advection> model{{.share = 0.75}};
  Aligned<T> x(8), y(8);
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t l = 0; l < lanes_of<T>; ++l)
      lane_of(x[i], l) = static_cast<real_t<T>>(i * i + 100 * l);
  model.step(x.data(), y.data());
  const Aligned<T> before = x;
  model.step(x.data(), x.data());
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t l = 0; l < lanes_of<T>; ++l) {
      const real_t<T> expected = static_cast<real_t<T>>(0.75) * lane_of(before[(i + 7) % 8], l) +
                                 static_cast<real_t<T>>(0.25) * lane_of(before[i], l);
      CHECK(lane_of(y[i], l) == expected);
      CHECK(lane_of(x[i], l) == expected);
    }
}

TEST_CASE("black_box: an ensemble filter runs on it") {
  using Case = Problem<BlackBox<Advection>, ObserveAll<8>>;
  const Case problem;
  const Etkf<Case, 10> filter(problem, {.inflation = {.factor = 1.01}});
  const auto scores = run_twin(problem, filter, {.runs = 2, .cycles = 100, .burn_in = 10});
  CHECK(scores.failures.empty());
  CHECK(scores.analysis_rmse < 0.2);  // 0.067
}

namespace {
/// Counts its calls, and fails in one of them.
struct Counted {
  static constexpr std::size_t points = 8, channels = 1;
  std::size_t* calls;
  std::size_t fails;
  bool throws;
  void step(const double* x, double* y) const {
    Advection().step(x, y);
    if (++*calls != fails) return;
    if (throws) throw NumericalError("Counted: no");
    y[3] = std::numeric_limits<double>::quiet_NaN();
  }
};
}  // namespace

TEST_CASE("black_box: lanes that fill a register are not stepped") {
  std::size_t calls = 0;
  using Case = Problem<BlackBox<Counted>, ObserveAll<8>>;
  const Case problem{.model = {{&calls, 0, false}}};
  const Etkf<Case, 5> filter(problem);
  auto carried = filter.start({}, 0.3, {.seed = 1});
  filter.forecast(carried);
  CHECK(calls == 5);
}

TEST_CASE("black_box: a member that fails, or throws NumericalError, is replaced") {
  for (const bool throws : {false, true})
    for (const std::size_t fails : {3U, 10U}) {  // the last one, which padding repeats, too
      std::size_t calls = 0;
      using Case = Problem<BlackBox<Counted>, ObserveAll<8>>;
      const Case problem{.model = {{&calls, fails, throws}}};
      const Etkf<Case, 10> filter(problem);
      auto carried = filter.start({}, 0.3, {.seed = 1});
      const auto before = set_notice_handler({});
      filter.forecast(carried);
      set_notice_handler(before);
      std::array<double, 1> replaced{};
      filter.replaced(carried, replaced);
      CHECK(replaced[0] == doctest::Approx(0.1));
      Etkf<Case, 10>::Estimate estimate;
      filter.estimate(carried, estimate);
      for (std::size_t i = 0; i < 8; ++i) CHECK(std::isfinite(estimate.at(i, 0)));
    }
}
