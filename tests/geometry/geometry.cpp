// SPDX-License-Identifier: BSD-3-Clause
// What every geometry must fulfil, and what is known of each.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <numbers>
#include <set>

#include "dan/geometry/concepts.hpp"
#include "dan/geometry/interval.hpp"
#include "dan/geometry/lat_lon.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/geometry/torus.hpp"

using namespace dan;

static_assert(GeometryLike<Ring<5>> && GeometryLike<Interval<5>> && GeometryLike<Torus<4, 5>> &&
              GeometryLike<LatLon<4, 8>> && GeometryLike<LatLon<4, 8, Latitudes::gaussian>>);
static_assert(!GeometryLike<NoGeometry> && !GeometryLike<int>);

namespace {
/// Whether tap k of p is where a geometry `in_rings` has it: as far around in the row of that tap.
template <class G>
bool is_in_rings(std::size_t p, std::size_t k, std::size_t width) {
  if constexpr (!detail::in_rings<G>) {
    return true;
  } else if constexpr (G::dimensions == 1) {
    return G::tap(p, k, width) == Ring<G::points>::tap(p, k, width);
  } else {
    const std::size_t row = p / G::columns, across = k / width, half = width / 2;
    const std::size_t q =
        row * G::columns + Ring<G::columns>::tap(p % G::columns, k % width, width);
    return G::tap(p, k, width) == (across == half ? q : G::tap(q, across * width + half, width));
  }
}

template <class G>
void check_geometry() {
  double area = 0;
  for (std::size_t p = 0; p < G::points; ++p) {
    area += G::area(p) / G::points;
    CHECK(G::area(p) > 0);
    CHECK(G::distance(p, G::position(p)) == 0);
    for (std::size_t q = 0; q < p; ++q) {
      CHECK(G::distance(p, G::position(q)) > 0);
      CHECK(G::distance(p, G::position(q)) ==
            doctest::Approx(G::distance(q, G::position(p))).epsilon(1e-12));
    }
  }
  CHECK(area == doctest::Approx(1).epsilon(1e-13));
  for (const std::size_t width : {1U, 3U, 5U}) {
    if (!G::fits(width)) continue;
    CAPTURE(width);
    bool right = true;
    for (std::size_t p = 0; p < G::points; ++p) {
      CHECK(G::tap(p, G::taps(width) / 2, width) == p);
      std::set<std::pair<std::size_t, std::size_t>> seen;  // every (q, back) once: a bijection
      for (std::size_t k = 0; k < G::taps(width); ++k) {
        const std::size_t q = G::tap(p, k, width), back = G::back(p, k, width);
        right = right && q < G::points && back < G::taps(width);
        right = right && G::tap(q, back, width) == p && G::back(q, back, width) == k;
        right = right && seen.insert({q, back}).second && is_in_rings<G>(p, k, width);
        const std::size_t source = detail::tap_source<G>(p, k, width);
        right = right && (source == G::points || G::tap(source, k, width) == p);
      }
    }
    CHECK(right);
    // The sources and the crossings are all pairs, once each.
    std::size_t pairs = 0;
    for (std::size_t q = 0; q < G::points; ++q)
      for (std::size_t k = 0; k < G::taps(width); ++k)
        if (detail::tap_source<G>(q, k, width) < G::points) ++pairs;
    detail::for_each_crossing<G>(width, [&](std::size_t, std::size_t) { ++pairs; });
    CHECK(pairs == G::points * G::taps(width));
  }
}
}  // namespace

TEST_CASE("geometry: neighbours see each other, distances are symmetric, areas have mean one") {
  check_geometry<Ring<7>>();
  check_geometry<Ring<8>>();
  check_geometry<Interval<5>>();
  check_geometry<Torus<5, 6>>();
  check_geometry<LatLon<4, 8>>();
  check_geometry<LatLon<5, 10, Latitudes::gaussian>>();
}

TEST_CASE("geometry: distances around rings and tori") {
  CHECK(Ring<7>::distance(0, {6}) == 1);
  CHECK(Ring<8>::distance(0, {4}) == 4);
  CHECK(Ring<8>::distance(7, {0.5}) == 1.5);
  CHECK(Interval<8>::distance(0, {7}) == 7);
  CHECK(Torus<6, 8>::distance(0, {5, 7}) == doctest::Approx(std::sqrt(2)));
  CHECK(Torus<6, 8>::tap(0, 0, 3) == 47);
  CHECK(Torus<6, 8>::tap(9, 5, 3) == 10);
}

TEST_CASE("geometry: a wall mirrors") {
  CHECK(Interval<6>::tap(0, 0, 3) == 0);
  CHECK(Interval<6>::tap(0, 0, 5) == 1);
  CHECK(Interval<6>::tap(5, 4, 5) == 4);
  CHECK(Interval<6>::back(0, 0, 5) == 0);
  CHECK(Interval<6>::back(2, 0, 5) == 4);
}

TEST_CASE("geometry: across the pole the neighbour is half a turn away") {
  using Grid = LatLon<4, 8>;
  CHECK(Grid::tap(1, 1, 3) == 5);              // north of row 0, column 1: row 0, column 5
  CHECK(Grid::tap(1, 0, 3) == 4);              // north-west
  CHECK(Grid::tap(1, 1, 5) == 5 + 8 - 1 + 0);  // two rows north, one column west: row 1
  CHECK(Grid::tap(24 + 7, 7, 3) == 24 + 3);
  CHECK(Grid::crosses(1, 1, 3));
  CHECK_FALSE(Grid::crosses(9, 1, 3));
  CHECK(Grid::back(1, 0, 3) == 2);  // from there it is north-east
  // One column at the equator is one grid step; over the pole it is the short way.
  using Fine = LatLon<90, 180>;
  CHECK(Fine::distance(0, Fine::position(90)) == doctest::Approx(1).epsilon(1e-9));
  const double equator = Fine::distance(0, {0, 0}) + 0.5;  // row 0 is half a step from the pole
  CHECK(equator == doctest::Approx(45));
}

TEST_CASE("geometry: latitudes and their areas") {
  using Even = LatLon<18, 36>;
  CHECK(Even::latitude(0) == doctest::Approx(85));
  CHECK(Even::latitude(17) == doctest::Approx(-85));
  // Gaussian: Abramowitz and Stegun, table 25.4, n = 4.
  using Four = LatLon<4, 8, Latitudes::gaussian>;
  CHECK(std::sin(Four::latitude(0) * std::numbers::pi / 180) ==
        doctest::Approx(0.861136311594053).epsilon(1e-14));
  CHECK(Four::area(0) / 2 == doctest::Approx(0.347854845137454).epsilon(1e-13));
  CHECK(Four::area(8) / 2 == doctest::Approx(0.652145154862546).epsilon(1e-13));
  // Exact for polynomials of sin(latitude) up to degree 2 n − 1.
  using Many = LatLon<24, 48, Latitudes::gaussian>;
  for (const int degree : {2, 10, 46}) {
    double sum = 0;
    for (std::size_t r = 0; r < 24; ++r)
      sum += Many::area(r * 48) / 24 *
             std::pow(std::sin(Many::latitude(r) * std::numbers::pi / 180), degree);
    CHECK(sum == doctest::Approx(1.0 / (degree + 1)).epsilon(1e-12));
  }
}

namespace {
/// Σ weight f(point) at a position.
template <class G, class F>
double interpolated(const std::array<double, G::dimensions>& position, const F& f) {
  double sum = 0, weights = 0;
  for (const Corner& corner : G::corners_of(position)) {
    CHECK(corner.point < G::points);
    CHECK(corner.weight >= 0);
    sum += corner.weight * f(G::position(corner.point));
    weights += corner.weight;
  }
  CHECK(weights == doctest::Approx(1).epsilon(1e-14));
  return sum;
}
}  // namespace

TEST_CASE("geometry: interpolation") {
  using Flat = Torus<5, 6>;
  const auto bilinear = [](const std::array<double, 2>& at) { return 2 + at[0] * (3 - at[1]); };
  CHECK(interpolated<Flat>({2.25, 3.5}, bilinear) == doctest::Approx(bilinear({2.25, 3.5})));
  CHECK(interpolated<Flat>({4.5, 5.5}, [](const auto& at) { return at[0] + at[1]; }) ==
        doctest::Approx(2 + 2.5));  // around the corner: means of 4, 0 and 5, 0
  CHECK(interpolated<Interval<5>>({1.3}, [](const auto& at) { return at[0]; }) ==
        doctest::Approx(1.3));
  CHECK(interpolated<Interval<5>>({-0.4}, [](const auto& at) { return at[0]; }) == 0);
  CHECK(interpolated<Interval<5>>({4.5}, [](const auto& at) { return at[0]; }) == 4);
  // A smooth field on the sphere, everywhere, at the poles too, to the square of the grid step.
  using Globe = LatLon<36, 72, Latitudes::gaussian>;
  const auto smooth = [](const std::array<double, 2>& at) {
    const double a = at[0] * std::numbers::pi / 180, b = at[1] * std::numbers::pi / 180;
    return std::cos(a) * std::cos(b) + std::sin(a);  // x + z
  };
  for (const double latitude : {-90.0, -89.0, -3.0, 47.0, 88.5, 90.0})
    for (const double longitude : {0.0, 12.3, 181.0, 359.9})
      CHECK(std::abs(interpolated<Globe>({latitude, longitude}, smooth) -
                     smooth({latitude, longitude})) < 0.004);
  CHECK_THROWS_AS((void)Flat::corners_of({5, 0}), ConfigError);
  CHECK_THROWS_AS((void)Globe::corners_of({91, 0}), ConfigError);
  CHECK_THROWS_AS((void)Interval<5>::corners_of({4.6}), ConfigError);
}
