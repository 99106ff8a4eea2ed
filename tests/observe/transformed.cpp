// SPDX-License-Identifier: BSD-3-Clause
#include "dan/observe/transformed.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <vector>

#include "dan/geometry/lat_lon.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/nonlinear.hpp"
#include "dan/observe/subset.hpp"
#include "dan/transform/spherical_harmonics.hpp"
#include "dan/transform/stream_function.hpp"
#include "support/battery.hpp"

using namespace dan;

namespace {
using Harmonics = SphericalHarmonics<3, LatLon<6, 8, Latitudes::gaussian>>;
using Psi = StreamFunction<Harmonics>;

/// y_i = x_i + 2 x_{i+1}, of four numbers.
struct Shifted {
  static constexpr std::size_t points = 4, channels = 1;
  template <class T>
  void apply(const T* x, T* y) const {
    for (std::size_t i = 0; i < 4; ++i) y[i] = x[i] + 2.0 * x[(i + 1) % 4];
  }
  template <class T>
  void apply_adjoint(const T* d_y, T* d_x) const {
    for (std::size_t i = 0; i < 4; ++i)
      d_x[i] = d_x[i] + d_y[i], d_x[(i + 1) % 4] = d_x[(i + 1) % 4] + 2.0 * d_y[i];
  }
};
}  // namespace

TEST_CASE("transformed: sees what the map makes of the state, where the inner one looks") {
  const Transformed<Shifted, ObserveSubset<4, 2>> network{
      {}, ObserveSubset<4, 2>(std::array<std::size_t, 2>{1, 3})};
  const test::Numbers x{1, 10, 100, 1000};
  test::Numbers y(2);
  network.observe(x.data(), y.data());
  CHECK(y == test::Numbers{210, 1002});
  CHECK(network.element(1) == 3);
  static_assert(Transformed<Shifted, ObserveAll<4>>::linear);
  static_assert(!Transformed<Shifted, Nonlinear<ObserveAll<4>, Square>>::linear);
}

TEST_CASE("transformed: battery") {
  test::check_operator(Transformed<Shifted, ObserveAll<4>>{}, test::normal_numbers(4, 1));
  test::check_operator(Transformed<Shifted, Nonlinear<ObserveAll<4>, Square>>{},
                       test::normal_numbers(4, 1));
  // On a sphere of radius one, whose stream functions are as large as vorticities.
  test::check_operator(Transformed<Psi, ObserveSubset<48, 12>>{{.radius = 1}, {}},
                       test::normal_numbers(48, 1));
}

TEST_CASE("stream function: that of a harmonic is it, times −a²/(l (l + 1))") {
  std::vector<double> waves(Harmonics::coefficients), zeta(Harmonics::points),
      psi(Harmonics::points);
  waves[Harmonics::index(0, 0)] = 5;  // has none
  waves[Harmonics::index(2, 1)] = 3;
  Harmonics::synthesise(waves.data(), zeta.data());
  Psi{.radius = 2}.apply(zeta.data(), psi.data());
  for (std::size_t p = 0; p < psi.size(); ++p)
    CHECK(psi[p] == doctest::Approx(-4.0 / 6 * (zeta[p] - 5)).epsilon(1e-12));
}
