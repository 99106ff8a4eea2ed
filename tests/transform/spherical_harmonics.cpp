// SPDX-License-Identifier: BSD-3-Clause
#include "dan/transform/spherical_harmonics.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <utility>
#include <vector>

#include "dan/geometry/lat_lon.hpp"
#include "support/battery.hpp"
#include "support/reference.hpp"
#include "support/sphere_reference.hpp"

using namespace dan;
using test::dot, test::largest_difference, test::Numbers;

namespace {
using T21 = SphericalHarmonics<21, LatLon<32, 64, Latitudes::gaussian>>;
using Of = T21::Of;

/// P_lm(μ) of degree up to 3, from their formulas, normalised.
double plain_legendre(std::size_t l, std::size_t m, double mu) {
  const double c = std::sqrt(1 - mu * mu);
  const double p[4][4] = {{1},
                          {mu, c},
                          {(3 * mu * mu - 1) / 2, 3 * mu * c, 3 * c * c},
                          {(5 * mu * mu * mu - 3 * mu) / 2, 1.5 * (5 * mu * mu - 1) * c,
                           15 * mu * c * c, 15 * c * c * c}};
  return p[l][m] * std::sqrt((2.0 * static_cast<double>(l) + 1) *
                             std::tgamma(static_cast<double>(l - m + 1)) /
                             std::tgamma(static_cast<double>(l + m + 1)));
}

/// The synthesis as its formula stands.
template <class Harmonics>
Numbers plain_synthesis(const Numbers& c, bool slope = false) {
  Numbers f(Harmonics::points);
  for (std::size_t p = 0; p < f.size(); ++p) {
    const auto [latitude, longitude] = Harmonics::Grid::position(p);
    const double lambda = longitude * std::numbers::pi / 180;
    const LegendreFunctions legendre(Harmonics::truncation,
                                     std::sin(latitude * std::numbers::pi / 180));
    for (std::size_t m = 0; m <= Harmonics::truncation; ++m)
      for (std::size_t l = m; l <= Harmonics::truncation; ++l) {
        const double angle = static_cast<double>(m) * lambda;
        const double along = slope ? legendre.slope(l, m) : legendre.value(l, m);
        const double part =
            m == 0 ? c[Harmonics::index(l, 0)]
                   : std::numbers::sqrt2 * (c[Harmonics::index(l, m)] * std::cos(angle) +
                                            c[Harmonics::index(l, m, true)] * std::sin(angle));
        f[p] += along * part;
      }
  }
  return f;
}

template <class Harmonics>
void check_orthonormal() {
  constexpr std::size_t truncation = Harmonics::truncation;
  std::vector<LegendreFunctions> row;
  for (std::size_t r = 0; r < Harmonics::rows; ++r)
    row.emplace_back(truncation, std::sin(Harmonics::Grid::latitude(r) * std::numbers::pi / 180));
  double most = 0;
  for (std::size_t m = 0; m <= truncation; ++m)
    for (std::size_t l = m; l <= truncation; ++l)
      for (std::size_t k = m; k <= l; ++k) {
        double sum = 0;
        for (std::size_t r = 0; r < Harmonics::rows; ++r)
          sum += Harmonics::Grid::area(r * Harmonics::columns) / Harmonics::rows *
                 row[r].value(l, m) * row[r].value(k, m);
        most = std::max(most, std::abs(sum - (k == l ? 1 : 0)));
      }
  CHECK(most < 1e-13);
}
}  // namespace

TEST_CASE("Legendre functions: their formulas, their slopes, orthonormal on a Gaussian grid") {
  for (const double mu : {-0.9, -0.3, 0.0, 0.55, 0.85}) {
    const LegendreFunctions legendre(4, mu);
    for (std::size_t l = 0; l <= 3; ++l)
      for (std::size_t m = 0; m <= l; ++m) {
        CHECK(legendre.value(l, m) == doctest::Approx(plain_legendre(l, m, mu)).epsilon(1e-13));
        const double h = 1e-5;
        const double slope =
            (plain_legendre(l, m, mu + h) - plain_legendre(l, m, mu - h)) / (2 * h);
        CHECK(legendre.slope(l, m) == doctest::Approx((1 - mu * mu) * slope).epsilon(1e-7));
      }
  }
  check_orthonormal<T21>();
  check_orthonormal<SphericalHarmonics<63, LatLon<64, 128, Latitudes::gaussian>>>();
}

TEST_CASE("spherical harmonics: synthesis as its formula, analysis its inverse, adjoints") {
  using Small = SphericalHarmonics<9, LatLon<16, 32, Latitudes::gaussian>>;
  const Numbers c = test::normal_numbers(Small::coefficients);
  Numbers f(Small::points), back(Small::coefficients);
  Small::synthesise(c.data(), f.data());
  CHECK(largest_difference(f, plain_synthesis<Small>(c)) < 1e-12);
  Numbers slope(Small::points);
  Small::synthesise<Small::Of::slope>(c.data(), slope.data());
  CHECK(largest_difference(slope, plain_synthesis<Small>(c, true)) < 1e-11);
  Small::analyse(f.data(), back.data());
  CHECK(largest_difference(back, c) < 1e-13);
  // The mean square of the field is that of the coefficients.
  double square = 0;
  for (std::size_t p = 0; p < f.size(); ++p) square += f[p] * f[p] * Small::Grid::area(p);
  CHECK(square / Small::points == doctest::Approx(dot(c, c)).epsilon(1e-13));

  const Numbers g = test::normal_numbers(Small::points, 1);
  Numbers to_c(Small::coefficients), to_f(Small::points);
  Small::synthesise_adjoint(g.data(), to_c.data());
  CHECK(dot(to_c, c) == doctest::Approx(dot(g, f)).epsilon(1e-13));
  std::ranges::fill(to_c, 0);
  Small::synthesise_adjoint<Small::Of::slope>(g.data(), to_c.data());
  CHECK(dot(to_c, c) == doctest::Approx(dot(g, slope)).epsilon(1e-13));
  Small::analyse(g.data(), to_c.data());
  Small::analyse_adjoint(c.data(), to_f.data());
  CHECK(dot(to_c, c) == doctest::Approx(dot(g, to_f)).epsilon(1e-13));
  // ∂/∂λ is antisymmetric, and what the grid sees of it.
  Numbers turned(Small::coefficients), twice(Small::coefficients);
  Small::zonal_derivative(c.data(), turned.data());
  CHECK(std::abs(dot(turned, c)) < 1e-12 * dot(c, c));
  Small::synthesise(turned.data(), slope.data());
  const double step = 2 * std::numbers::pi / 32;  // the trigonometric interpolant's own slope
  double along = 0;
  for (std::size_t j = 1; j < 32; ++j)
    along += 0.5 * (j % 2 == 0 ? 1 : -1) / std::tan(static_cast<double>(j) * step / 2) *
             f[7 * 32 + 32 - j];
  CHECK(slope[7 * 32] == doctest::Approx(along).epsilon(1e-11));
}

TEST_CASE("spherical harmonics: the same in every lane, float as double") {
  using Small = SphericalHarmonics<9, LatLon<16, 32, Latitudes::gaussian>>;
  const Numbers c = test::normal_numbers(Small::coefficients);
  Numbers f(Small::points);
  Small::synthesise(c.data(), f.data());
  using P = lanes_t<float, 16>;
  Scratch<P> many(Small::coefficients), out(Small::points);
  for (std::size_t i = 0; i < c.size(); ++i) many[i] = P(static_cast<float>(c[i]));
  Small::synthesise(many.data(), out.data());
  double most = 0;
  for (std::size_t p = 0; p < f.size(); ++p)
    for (std::size_t l = 0; l < 16; ++l)
      most = std::max(most, std::abs(static_cast<double>(out[p][l]) - f[p]));
  CHECK(most < 1e-4);
}

TEST_CASE("spherical harmonics: fields and slopes of the reference") {
  const auto folder = test::reference("qg_sphere_t21_t31");
  if (!folder) return;
  const test::SphereReference from(*folder);
  const double radius = 6.371e6;
  for (std::size_t time = 0; time < 2; ++time)
    for (std::size_t level = 0; level < 3; ++level) {
      const Numbers psi = from.spectral("spec_psi", time, level);
      const Numbers q = from.spectral("spec_q", time, level);
      Numbers turned(T21::coefficients), field(T21::points);
      for (const auto& [c, name] : {std::pair{&psi, "dpsi"}, std::pair{&q, "dq"}}) {
        T21::zonal_derivative(c->data(), turned.data());
        T21::synthesise(turned.data(), field.data());
        for (double& x : field) x /= -radius;
        CHECK(from.difference(field, std::string(name) + "_dphi", time, level) < 1e-13);
        T21::synthesise<Of::slope>(c->data(), field.data());
        for (double& x : field) x /= -radius;  // the reference looks at the sphere in a mirror
        CHECK(from.difference(field, std::string(name) + "_dtheta", time, level) < 1e-13);
      }
    }
}
