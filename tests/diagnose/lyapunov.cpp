// SPDX-License-Identifier: BSD-3-Clause
#include "dan/diagnose/lyapunov.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <vector>

#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz63.hpp"
#include "dan/models/lorenz96.hpp"
#include "support/matrix_model.hpp"

using namespace dan;
using test::MatrixModel;

namespace {
/// A linear map, from a state that stays finite.
template <std::size_t N>
ModelTrajectory<MatrixModel<N>> at_rest(const MatrixModel<N>& model) {
  return {model, std::vector<double>(N)};
}

template <std::size_t N>
LyapunovSpectrum spectrum_of(const MatrixModel<N>& model, const LyapunovConfig& config) {
  auto trajectory = at_rest(model);
  return lyapunov_spectrum(trajectory, config);
}

/// U diag(d) Uᵀ with the rotation by an angle in each of the planes (0, 1), (1, 2), …
MatrixModel<4> rotated(const std::array<double, 4>& d) {
  MatrixModel<4> model;
  for (std::size_t i = 0; i < 4; ++i) model.a[i][i] = d[i];
  for (std::size_t p = 0; p < 3; ++p) {
    const double c = std::cos(0.7), s = std::sin(0.7);
    for (std::size_t j = 0; j < 4; ++j) {
      const double x = model.a[p][j], y = model.a[p + 1][j];
      model.a[p][j] = c * x - s * y, model.a[p + 1][j] = s * x + c * y;
    }
    for (std::size_t i = 0; i < 4; ++i) {
      const double x = model.a[i][p], y = model.a[i][p + 1];
      model.a[i][p] = c * x - s * y, model.a[i][p + 1] = s * x + c * y;
    }
  }
  return model;
}
}  // namespace

TEST_CASE("lyapunov: linear maps have the logarithms of their eigenvalues") {
  // Diagonal, in no order, one with a changing sign, one that neither grows nor decays.
  for (const auto& model :
       {MatrixModel<4>{{{{0.3}, {0, 1.7}, {0, 0, 1}, {0, 0, 0, -0.8}}}},
        rotated({0.3, 1.7, 1, -0.8}),
        // Triangular: far from normal.
        MatrixModel<4>{{{{0.3, 5, -3, 2}, {0, 1, 4, 1}, {0, 0, -0.8, 6}, {0, 0, 0, 1.7}}}}})
    for (const std::size_t every : {1U, 3U}) {
      const auto s = spectrum_of(model, {.cycles = 600, .every = every});
      const std::array expected{std::log(1.7), 0.0, std::log(0.8), std::log(0.3)};
      REQUIRE(s.exponents.size() == 4);
      for (std::size_t k = 0; k < 4; ++k) {
        CHECK(std::abs(s.exponents[k].mean - expected[k]) < 1e-12);
        CHECK(s.exponents[k].high - s.exponents[k].low < 1e-12);
      }
      CHECK(std::abs(s.sum.mean - std::log(1.7 * 0.8 * 0.3)) < 1e-12);
      CHECK(std::abs(s.dimension.mean - 3 - std::log(1.7 * 0.8) / std::log(1 / 0.3)) < 1e-12);
      CHECK(s.cycles == 600);
      CHECK(s.failure.empty());
      const auto two = spectrum_of(model, {.exponents = 2, .cycles = 600, .every = every});
      REQUIRE(two.exponents.size() == 2);
      for (std::size_t k = 0; k < 2; ++k)
        CHECK(std::abs(two.exponents[k].mean - expected[k]) < 1e-12);
      CHECK(std::isnan(two.dimension.mean));
    }
}

TEST_CASE("lyapunov: a rotation has exponents of zero, what is forgotten one of minus infinity") {
  const double c = std::cos(1.0), s = std::sin(1.0);
  const auto turning = spectrum_of(MatrixModel<2>{{{{c, -s}, {s, c}}}}, {.cycles = 100});
  for (const auto& exponent : turning.exponents) CHECK(std::abs(exponent.mean) < 1e-15);
  const auto forgetting = spectrum_of(MatrixModel<2>{{{{0.5, 1}, {0, 0}}}}, {.cycles = 100});
  CHECK(std::abs(forgetting.exponents[0].mean - std::log(0.5)) < 1e-14);
  CHECK(forgetting.exponents[1].mean == -INFINITY);
  CHECK(forgetting.failure.empty());
  const auto growing = spectrum_of(MatrixModel<2>{{{{2, 1}, {0, 0}}}}, {.cycles = 100});
  CHECK(growing.dimension.mean == 1);
  CHECK(growing.dimension.low == doctest::Approx(1));
  CHECK(growing.dimension.high == doctest::Approx(1));
}

TEST_CASE("lyapunov: the Kaplan-Yorke dimension") {
  const auto d = [](const std::vector<double>& exponents) { return kaplan_yorke(exponents); };
  CHECK(d({-1, -2}) == 0);
  CHECK(d({0, -2}) == 1);
  CHECK(std::abs(d({0.906, 0, -14.572}) - (2 + 0.906 / 14.572)) < 1e-15);  // Lorenz 63
  CHECK(d({2, 1, -1, -4, -5}) == 3.5);
  CHECK(std::isnan(d({2, 1, -1})));
  CHECK(std::isnan(d({})));
}

TEST_CASE("lyapunov: Lorenz 63") {
  // 0.9056, 0, -14.5723: Sprott, Chaos and Time-Series Analysis (2003), table A.5. The sum is the
  // divergence, -(sigma + 1 + beta), at every state.
  const auto s = lyapunov_spectrum(Rk4<Lorenz63>{.time_step = 0.01},
                                   {.spin_up = 1000, .cycles = 100'000, .every = 10});
  const auto near = [&](std::size_t k, double expected) {
    const auto& e = s.exponents[k];
    CHECK(e.high - e.low < 0.06);
    CHECK(std::abs(e.mean - expected) < 0.03);
  };
  near(0, 0.9056), near(1, 0), near(2, -14.5723);
  CHECK(std::abs(s.sum.mean + 10 + 1 + 8.0 / 3) < 1e-3);
  CHECK(std::abs(s.dimension.mean - 2.062) < 0.003);
}

TEST_CASE("lyapunov: Lorenz 96") {
  // 16,000 cycles, 800 units of time: intervals of some 0.06; tests/slow has the long run.
  const auto s = lyapunov_spectrum(Rk4<Lorenz96<40>>{}, {.cycles = 16'000, .every = 4});
  REQUIRE(s.exponents.size() == 40);
  const std::array first{1.691, 1.482, 1.308, 1.152, 1.011, .875, .744,
                         .618,  .496,  .374,  .258,  .143,  .029, -.0002};
  for (std::size_t k = 0; k < first.size(); ++k) {
    CHECK(std::abs(s.exponents[k].mean - first[k]) < 0.08);
    CHECK(s.exponents[k].high - s.exponents[k].low < 0.16);
  }
  CHECK(std::abs(s.exponents[39].mean + 4.892) < 0.12);
  CHECK(std::abs(s.sum.mean + 40.009) < 0.003);
  CHECK(std::abs(s.dimension.mean - 27.1) < 0.4);
  CHECK(s.dimension.low < 27.1);
  CHECK(s.dimension.high > 27.1);
  CHECK(s.cycles == 16'000);

  // The divergence of the equation is -40 everywhere; a short step keeps it.
  const auto fine = lyapunov_spectrum(Rk4<Lorenz96<40>>{.time_step = 0.0125},
                                      {.spin_up = 40, .cycles = 2000, .every = 20});
  CHECK(std::abs(fine.sum.mean + 40) < 1e-3);
}

TEST_CASE("lyapunov: how often vectors are made orthonormal does not matter") {
  const Rk4<Lorenz96<40>> model;
  const auto often = lyapunov_spectrum(model, {.spin_up = 400, .cycles = 800});
  const auto seldom = lyapunov_spectrum(model, {.spin_up = 400, .cycles = 800, .every = 8});
  for (std::size_t k = 0; k < 40; ++k)
    CHECK(std::abs(often.exponents[k].mean - seldom.exponents[k].mean) < 1e-9);
}

TEST_CASE("lyapunov: a trajectory that runs away ends the run, with the results so far") {
  // 2^1024 is no number: the state ends in cycle 1024 of the run, after a spin-up of 500.
  ModelTrajectory trajectory(MatrixModel<2>{{{{2, 0}, {0, 0.5}}}}, std::vector{1.0, 1.0});
  const auto s = lyapunov_spectrum(trajectory, {.spin_up = 500, .cycles = 1000});
  CHECK(s.failure ==
        "lyapunov_spectrum: ended in cycle 1024: advance_vectors: the state holds a number that is "
        "not finite, expected a bounded trajectory; take a shorter time step, or a stable cycle");
  CHECK(s.cycles == 523);
  CHECK(std::abs(s.exponents[0].mean - std::log(2)) < 1e-12);
  CHECK(std::abs(s.exponents[1].mean + std::log(2)) < 1e-12);

  const auto vectors =
      spectrum_of(MatrixModel<2>{{{{1e200, 0}, {0, 0.5}}}}, {.cycles = 100, .every = 2});
  CHECK(vectors.failure ==
        "lyapunov_spectrum: ended in cycle 1 to 2 of the spin-up: advance_vectors: a vector holds "
        "a number that is not finite after 2 cycles; make them orthonormal more often, or look for "
        "a derivative that is not finite");
  CHECK(vectors.cycles == 0);
  REQUIRE(vectors.exponents.size() == 2);
  CHECK(std::isnan(vectors.exponents[0].mean));
  CHECK(std::isnan(vectors.dimension.mean));
}

TEST_CASE("lyapunov: bad input") {
  const MatrixModel<2> model{{{{0.5, 0}, {0, 0.5}}}};
  CHECK_THROWS_WITH_AS(spectrum_of(model, {.exponents = 3}),
                       "lyapunov_spectrum: exponents is 3, expected at most 2, one per number of "
                       "the state (0: all)",
                       ConfigError);
  CHECK_THROWS_WITH_AS(spectrum_of(model, {.cycles = 0}),
                       "lyapunov_spectrum: cycles is 0, expected at least 1", ConfigError);
  CHECK_THROWS_WITH_AS(spectrum_of(model, {.every = 0}),
                       "lyapunov_spectrum: every is 0, expected at least 1", ConfigError);
  CHECK_THROWS_WITH_AS(ModelTrajectory(model, std::vector<double>(3)),
                       "ModelTrajectory: state has shape (3), expected (2), one per element of the "
                       "state",
                       ShapeError);
  const InterruptHandler handler;
  std::raise(SIGINT);
  CHECK_THROWS_WITH_AS(spectrum_of(model, {}),
                       "lyapunov_spectrum: interrupted after 0 cycles; start it again, for fewer "
                       "cycles",
                       Interrupted);
}
