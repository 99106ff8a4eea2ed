// SPDX-License-Identifier: BSD-3-Clause
#include "dan/diagnose/wave_spectrum.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <numeric>
#include <vector>

#include "dan/analysis/enkf_n.hpp"
#include "dan/core/random.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/geometry/lat_lon.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"

using namespace dan;

namespace {
/// What the sum of a spectrum must be.
struct Squares : EmptyRecorder {
  double forecast = 0, analysis = 0, count = 0;
  void after_forecast(const auto& view) {
    for (std::size_t l = 0; l < view.runs && view.scored(); ++l)
      forecast += view.rmse[l] * view.rmse[l];
  }
  void after_analysis(const auto& view) {
    for (std::size_t l = 0; l < view.runs && view.scored(); ++l)
      analysis += view.rmse[l] * view.rmse[l], ++count;
  }
  void merge(const Squares& next) {
    forecast += next.forecast, analysis += next.analysis, count += next.count;
  }
};
}  // namespace

TEST_CASE("wave spectrum: a wave on a ring is where it belongs, and the sum is the mean square") {
  std::array<double, 12> x, noise;
  for (const std::size_t k : {0U, 2U, 6U}) {
    for (std::size_t j = 0; j < 12; ++j)
      x[j] = 3 * std::cos(2 * std::numbers::pi * static_cast<double>(k * j) / 12);
    std::array<double, 7> power{};
    RingPower<12>::add(x.data(), power.data());
    for (std::size_t n = 0; n < 7; ++n)
      CHECK(power[n] == doctest::Approx(n != k ? 0 : k == 2 ? 4.5 : 9).epsilon(1e-12));
  }
  fill_normal<double>({.seed = 2}, std::span<double>(noise));
  std::array<double, 7> power{};
  RingPower<12>::add(noise.data(), power.data());
  const double square = std::inner_product(noise.begin(), noise.end(), noise.begin(), 0.0) / 12;
  CHECK(std::accumulate(power.begin(), power.end(), 0.0) == doctest::Approx(square));
}

TEST_CASE("wave spectrum: a harmonic of the sphere is in its degree") {
  using Harmonics = SphericalHarmonics<5, LatLon<8, 16, Latitudes::gaussian>>;
  std::vector<double> waves(Harmonics::coefficients), field(Harmonics::points);
  waves[Harmonics::index(4, 3, true)] = 2;
  waves[Harmonics::index(4, 0)] = 1;
  waves[Harmonics::index(0, 0)] = -3;
  Harmonics::synthesise(waves.data(), field.data());
  std::array<double, 6> power{};
  SpherePower<Harmonics>::add(field.data(), power.data());
  for (std::size_t l = 0; l < 6; ++l)
    CHECK(power[l] == doctest::Approx(l == 0 ? 9 : l == 4 ? 5 : 0).epsilon(1e-12));
}

TEST_CASE("wave spectrum: of a twin experiment its sum is the mean square of the errors") {
  using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
  Squares squares;
  const Lorenz problem;
  WaveSpectrum<RingPower<40>> spectrum, again;
  TwinConfig twin{.runs = 3, .cycles = 60, .burn_in = 20, .threads = 1, .progress = false};
  (void)run_twin(problem, EnkfN<Lorenz, 20>(problem), twin, spectrum, squares);
  const auto sum = [](const auto& p) { return std::accumulate(p.begin(), p.end(), 0.0); };
  CHECK(sum(spectrum.forecast()) == doctest::Approx(squares.forecast / squares.count));
  CHECK(sum(spectrum.analysis()) == doctest::Approx(squares.analysis / squares.count));
  CHECK(sum(spectrum.truth()) > 10);  // mean 2.3, deviation 3.6
  twin.threads = 3;
  (void)run_twin(problem, EnkfN<Lorenz, 20>(problem), twin, again);
  CHECK(again.analysis() == spectrum.analysis());
  WaveSpectrum<RingPower<40>> none(1);
  CHECK_THROWS_WITH_AS(run_twin(problem, EnkfN<Lorenz, 20>(problem), twin, none),
                       doctest::Contains("WaveSpectrum: channel is 1, expected less than 1"),
                       ConfigError);
}
