// SPDX-License-Identifier: BSD-3-Clause
#include "dan/models/on_grid.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>

#include "dan/geometry/lat_lon.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/barotropic_sphere.hpp"
#include "dan/models/marshall_molteni.hpp"
#include "dan/transform/stream_function.hpp"
#include "support/battery.hpp"

using namespace dan;
using test::Numbers;

namespace {
using T5 = SphericalHarmonics<5, LatLon<8, 16, Latitudes::gaussian>>;
using One = OnGrid<T5, Rk4<QuasiGeostrophic<T5>>>;
using Three = OnGrid<T5, Rk4<QuasiGeostrophic<T5, 3>>>;
}  // namespace

TEST_CASE("a spectral model on its grid: derivatives, and the same flow") {
  const One model{{one_level<T5>({.radius = 1,
                                  .rotation = 1,
                                  .drag_time = 10,
                                  .selective_time = 1,
                                  .amplitude = 1,
                                  .degree = 3}),
                   0.02, 2}};
  test::check_model(model, test::normal_numbers(T5::points));
  const Three levels{{three_levels<T5>({.radius = 1,
                                        .rotation = 1,
                                        .rossby_radii = {0.7, 0.4},
                                        .selective_time = 1,
                                        .thermal_time = 3}),
                      0.02, 1}};
  test::check_model(levels, test::normal_numbers(3 * T5::points));

  // A field of the truncation and its coefficients go the same way.
  Numbers waves = test::normal_numbers(T5::coefficients), field(T5::points), back(waves.size());
  waves[0] = 0;
  T5::synthesise(waves.data(), field.data());
  model.step(field.data(), field.data());
  model.model.step(waves.data(), waves.data());
  T5::analyse(field.data(), back.data());
  for (std::size_t i = 0; i < waves.size(); ++i)
    CHECK(back[i] == doctest::Approx(waves[i]).epsilon(1e-12));
}

TEST_CASE("a spectral model on its grid as another field: derivatives, and the same flow") {
  using Psi = StreamFunction<T5>;
  const Rk4<QuasiGeostrophic<T5>> flow{one_level<T5>({.radius = 1,
                                                      .rotation = 1,
                                                      .drag_time = 10,
                                                      .selective_time = 1,
                                                      .amplitude = 1,
                                                      .degree = 3}),
                                       0.02, 2};
  const One of_vorticity{flow};
  const OnGrid<T5, Rk4<QuasiGeostrophic<T5>>, Psi> of_psi{flow, {.radius = 1}};
  test::check_model(of_psi, test::normal_numbers(T5::points));

  const Numbers waves = test::normal_numbers(T5::coefficients);
  Numbers vorticity(T5::points), psi(T5::points), after(T5::points);
  T5::synthesise(waves.data(), vorticity.data());
  of_psi.shown.apply(vorticity.data(), psi.data());
  of_vorticity.step(vorticity.data(), vorticity.data());
  of_psi.step(psi.data(), psi.data());
  of_psi.shown.apply(vorticity.data(), after.data());
  for (std::size_t p = 0; p < psi.size(); ++p)
    CHECK(psi[p] == doctest::Approx(after[p]).epsilon(1e-12));
  CHECK(of_vorticity.describe() ==
        "barotropic flow driven at (3, 0), T5, 1 level, Runge–Kutta, 2 × 0.02");
  CHECK(of_psi.describe() == of_vorticity.describe() + ", shown as the stream function");
}

TEST_CASE("a spectral model on its grid: what a truth asks for") {
  using Psi = StreamFunction<T5>;
  const auto equation = one_level<T5>({.radius = 1e6, .degree = 3});
  const OnGrid<T5, Rk4<QuasiGeostrophic<T5>>> still{{equation, 0, 12}}, none{{equation, 3600, 0}};
  CHECK_THROWS_AS(still.require_valid(), ConfigError);
  CHECK_THROWS_AS(none.require_valid(), ConfigError);
  const OnGrid<T5, Rk4<QuasiGeostrophic<T5>>, Psi> larger{{equation, 3600, 1}, {.radius = 2e6}};
  CHECK_THROWS_WITH_AS(larger.require_valid(),
                       "OnGrid: shown.radius is 2000000, expected 1000000, that of the model",
                       ConfigError);
}

TEST_CASE("a spectral model on its grid: what is beyond the truncation is lost in a step") {
  const One model{{one_level<T5>({.degree = 3}), 1800, 1}};
  Numbers x = test::normal_numbers(T5::points), after(x.size()), again(x.size());
  for (double& value : x) value *= 1e-5;
  model.step(x.data(), after.data());
  Numbers waves(T5::coefficients), projected(x.size());
  T5::analyse(x.data(), waves.data());
  T5::synthesise(waves.data(), projected.data());
  CHECK(std::abs(projected[3] - x[3]) > 1e-7);
  model.step(projected.data(), again.data());
  for (std::size_t p = 0; p < x.size(); ++p) CHECK(std::abs(after[p] - again[p]) < 1e-18);
}

TEST_CASE("a truth on the sphere begins without a mean, with the deviation asked for") {
  const SphereStart<T5, 3> start{.deviation = 2};
  Numbers x(3 * T5::points), waves(T5::coefficients), field(T5::points);
  start(RandomKey{.seed = 1}, x);
  double square = 0;
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t p = 0; p < field.size(); ++p) field[p] = x[p * 3 + c];
    T5::analyse(field.data(), waves.data());
    CHECK(std::abs(waves[0]) < 1e-14);
    for (const double value : waves) square += value * value;
  }
  // 105 numbers: the mean square has a deviation of 4 √(2/105).
  CHECK(square / 105 == doctest::Approx(4).epsilon(3 * std::sqrt(2.0 / 105)));
}
