// SPDX-License-Identifier: BSD-3-Clause
#include "dan/observe/interpolate.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <type_traits>
#include <vector>

#include "dan/geometry/concepts.hpp"
#include "dan/geometry/lat_lon.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/geometry/vector_channels.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/nonlinear.hpp"
#include "dan/observe/observations.hpp"
#include "dan/observe/random.hpp"
#include "dan/observe/subset.hpp"
#include "support/battery.hpp"

using namespace dan;
using test::Numbers;

static_assert(PlacedOperator<ObserveAt<Ring<8>, 3>>);
static_assert(PlacedOperator<ObserveRandomPlaces<Ring<8>, 3, 2>>);
static_assert(PlacedOperator<Nonlinear<ObserveAt<Ring<8>, 3>, Square>>);
static_assert(!PlacedOperator<ObserveAll<8>>);
static_assert(!PlacedOperator<Nonlinear<ObserveAll<8>, Square>>);
static_assert(!PlacedOperator<ObservePlaces<SlotPlaces<Ring<8>, 3, 1>>>);
static_assert(std::is_same_v<observed_t<ObserveAll<8>, float, 3>, Observations<float, 8, 3>>);

namespace {
constexpr double infinite = std::numeric_limits<double>::infinity();
constexpr double none = std::numeric_limits<double>::quiet_NaN();

/// The corners of a square, bilinear: another geometry.
struct Quad {
  static constexpr std::size_t points = 4, dimensions = 2, corners = 4;
  static std::array<double, 2> position(std::size_t p) {
    return {static_cast<double>(p / 2), static_cast<double>(p % 2)};
  }
  static std::array<Corner, 4> corners_of(const std::array<double, 2>& at) {
    for (const double x : at)
      if (!(x >= 0 && x <= 1)) throw ConfigError("Quad: outside");
    const auto [r, c] = at;
    return {Corner{0, (1 - r) * (1 - c)}, Corner{1, (1 - r) * c}, Corner{2, r * (1 - c)},
            Corner{3, r * c}};
  }
  static std::array<double, 2> at_random(const std::array<double, 2>& uniform) { return uniform; }
};

/// Three runs' worth of places on a ring of 6 points with 2 channels.
using Runs = SlotPlaces<Ring<6>, 4, 2, 3>;
Runs some_places() {
  const ObserveRandomPlaces<Ring<6>, 4, 2> random;
  Runs places;
  for (std::size_t l = 0; l < 3; ++l) places.set_lane(l, random.draw({.run = l}));
  return places;
}

/// All lanes at once as one long state, lane after lane.
struct AllLanes {
  using T = lanes_t<double, 3>;
  static constexpr std::size_t size = 12, slots = 4, lanes = 3;
  static constexpr std::size_t inputs = size * lanes, outputs = slots * lanes, channels = 1;
  static constexpr bool of_states = false;
  static constexpr const char* name = "observe";
  const Runs& places;

  template <std::size_t Count>
  static std::vector<T, AlignedAllocator<T>> side_by_side(const double* x) {
    std::vector<T, AlignedAllocator<T>> out(Count, T(0.0));
    for (std::size_t i = 0; i < Count; ++i)
      for (std::size_t l = 0; l < lanes; ++l) lane_of(out[i], l) = x[l * Count + i];
    return out;
  }
  void value(const double* x, double* y) const {
    const auto in = side_by_side<size>(x);
    std::vector<T, AlignedAllocator<T>> out(slots);
    ObservePlaces<Runs>(places).observe(in.data(), out.data());
    for (std::size_t l = 0; l < lanes; ++l)
      for (std::size_t j = 0; j < slots; ++j) y[l * slots + j] = lane_of(out[j], l);
  }
  void tangent(const double*, const double* dx, double* dy) const { value(dx, dy); }
  void adjoint(const double* x, const double* d_y, double* d_x) const {
    const auto at = side_by_side<size>(x), from = side_by_side<slots>(d_y);
    auto to = side_by_side<size>(d_x);
    ObservePlaces<Runs>(places).observe_adjoint(at.data(), from.data(), to.data());
    for (std::size_t l = 0; l < lanes; ++l)
      for (std::size_t i = 0; i < size; ++i) d_x[l * size + i] = lane_of(to[i], l);
  }
};
}  // namespace

TEST_CASE("interpolate: battery") {
  test::check_operator(ObserveAt<Ring<8>, 3>{}, test::normal_numbers(8, 1));
  const ObserveAt<Ring<5>, 4, 2> between({{{{0.25}, 1}, {{4.75}, 0}, {{2}, 1}, {{0.25}, 0}}});
  test::check_operator(between, test::normal_numbers(10, 1));
  test::check_operator(ObserveRandomPlaces<Ring<8>, 12>(3, 7), test::normal_numbers(8, 1));
  test::check_operator(ObserveAt<Quad, 2>({{{{0.25, 0.5}, 0}, {{1, 0}, 0}}}),
                       test::normal_numbers(4, 1));
  test::check_operator(Nonlinear<ObserveAt<Ring<8>, 3>, Square>{}, test::normal_numbers(8, 1));
  const auto drawn = ObserveRandomPlaces<Ring<8>, 12>(3, 7).draw({});
  test::check_operator(ObserveAt<Ring<8>, 12>{}.at(drawn), test::normal_numbers(8, 1));
}

TEST_CASE("interpolate: runs with places of their own") {
  const Runs places = some_places();
  const auto x = test::normal_numbers(AllLanes::inputs, 1);
  test::check_derivatives(AllLanes{places}, x);

  Numbers y(AllLanes::outputs), one(4), d_all(AllLanes::inputs), d_one(12);
  const auto d_y = test::normal_numbers(AllLanes::outputs, 2);
  AllLanes{places}.value(x.data(), y.data());
  AllLanes{places}.adjoint(x.data(), d_y.data(), d_all.data());
  for (std::size_t l = 0; l < 3; ++l) {  // each is its places alone
    const auto alone = ObserveRandomPlaces<Ring<6>, 4, 2>().draw({.run = l});
    const ObservePlaces at(alone);
    at.observe(&x[12 * l], one.data());
    CHECK(test::all_same_bits(std::span(one), std::span(y).subspan(4 * l, 4)));
    std::ranges::fill(d_one, 0.0);
    at.observe_adjoint(&x[12 * l], &d_y[4 * l], d_one.data());
    CHECK(test::all_same_bits(std::span(d_one), std::span(d_all).subspan(12 * l, 12)));
  }
}

TEST_CASE("interpolate: linear between neighbours, around the ring, in the right channel") {
  const ObserveAt<Ring<4>, 4, 2> at({{{{0.5}, 0}, {{3.25}, 1}, {{2}, 1}, {{3.9375}, 0}}});
  const Numbers x{10, 0, 20, 1, 30, 2, 40, 7};
  Numbers y(4);
  at.observe(x.data(), y.data());
  CHECK(y == Numbers{15, 5.25, 2, 0.0625 * 40 + 0.9375 * 10});
  CHECK(at.place(1).position[0] == 3.25);
  CHECK(at.place(1).channel == 1);
}

TEST_CASE("interpolate: at grid points it is the subset, bit for bit, and sees nothing else") {
  auto x = test::normal_numbers(20, 3);
  const ObserveSubset<10, 7, 2> subset;
  const ObserveAt<Ring<10>, 7, 2> at;
  const auto d_y = test::normal_numbers(7, 4);
  Numbers y(7), expected(7), d_x = test::normal_numbers(20, 5), d_expected = d_x;
  for (std::size_t j = 0; j < 7; ++j)
    CHECK(place_of<Ring<10>>(subset, j).position == at.place(j).position);
  for (std::size_t i = 0; i < 20; ++i)
    if (std::ranges::count(subset.elements(), i) == 0) x[i] = none;
  subset.observe(x.data(), expected.data());
  at.observe(x.data(), y.data());
  CHECK(test::all_same_bits(y, expected));
  subset.observe_adjoint(x.data(), d_y.data(), d_expected.data());
  at.observe_adjoint(x.data(), d_y.data(), d_x.data());
  CHECK(test::all_same_bits(d_x, d_expected));
}

TEST_CASE("interpolate: random places have the same bits for the same key only") {
  using Random = ObserveRandomPlaces<Ring<40>, 30, 3>;
  const Random random(5, 20);
  std::array<std::size_t, 31> counts{};
  double sum = 0, square = 0;
  for (std::uint64_t cycle = 0; cycle < 300; ++cycle) {
    const auto places = random.draw({.seed = 7, .cycle = cycle});
    const auto again = random.draw({.seed = 7, .purpose = Purpose::observation, .cycle = cycle});
    const auto other = random.draw({.seed = 7, .run = 1, .cycle = cycle});
    bool same = true, differs = false;
    for (std::size_t j = 0; j < 30; ++j) {
      const auto& place = places.sight(0, j).place;
      same = same && place.position == again.sight(0, j).place.position &&
             place.channel == again.sight(0, j).place.channel;
      differs = differs || place.position != other.sight(0, j).place.position;
      CHECK(place.channel == j % 3);
      sum += place.position[0] / 9000;
      square += place.position[0] * place.position[0] / 9000;
    }
    CHECK(same);
    CHECK(differs);
    std::array<bool, 30> mask{};
    random.available({.seed = 7, .cycle = cycle}, mask.data());
    const auto count = static_cast<std::size_t>(std::ranges::count(mask, true));
    CHECK(std::is_sorted(mask.rbegin(), mask.rend()));  // the first slots
    ++counts[count];
  }
  // Uniform on [0, 40]: the variance of a mean of 9,000 is 40²/12/9,000, that of a variance
  // 40⁴ (1/80 − 1/144)/9,000; five standard deviations.
  CHECK(std::abs(sum - 20) < 5 * 0.122);
  CHECK(std::abs(square - sum * sum - 1600.0 / 12) < 5 * 1.26);
  for (std::size_t n = 0; n <= 30; ++n) CHECK((counts[n] > 0) == (n >= 5 && n <= 20));
}

TEST_CASE("places: observations carry them, and the operator of a cycle is at them") {
  using Operator = ObserveAt<Ring<8>, 2>;
  const Operator fixed;
  observed_t<Operator, float, 3> observed;
  const Numbers values{1, 2}, variances{0.25, 4};
  const std::vector<Place<1>> places{{{1.5}, 0}, {{7.5}, 0}};
  set_observations(observed, 1, values, variances, places);
  CHECK(observed.values.at(1, 1) == 2);
  CHECK(observed.precision.at(0, 1) == 4);
  CHECK(observed.precision.at(1, 1) == 0.25F);
  CHECK(observed.places.sight(1, 1).place.position[0] == 7.5);
  CHECK(observed.places.sees(1, 0));
  CHECK_FALSE(observed.places.sees(0, 0));

  using T = lanes_t<float, 3>;
  std::vector<T, AlignedAllocator<T>> x(8), y(2);
  for (std::size_t i = 0; i < 8; ++i) x[i] = T(static_cast<float>(i * i));
  placed(fixed, observed).observe(x.data(), y.data());
  CHECK(lane_of(y[0], 1) == 2.5F);
  CHECK(lane_of(y[1], 1) == 24.5F);
  CHECK(lane_of(y[0], 0) == 0);  // no place yet

  const ObserveAll<8> all;
  const Observations<float, 8> plain{};
  CHECK(&placed(all, plain) == &all);

  observed_t<Operator, double, 3> copy;
  convert_precision(observed, copy);
  CHECK(copy.values.at(1, 1) == 2);
  CHECK(copy.places.sight(1, 0).place.position[0] == 1.5);
}

TEST_CASE("places: the uplift is that of the places of the observations") {
  using Operator = Nonlinear<ObserveAt<Ring<4>, 2>, Square>;
  observed_t<Operator, double> observed;
  const Numbers values{10, none}, variances{0.5, none};
  const std::vector<Place<1>> places{{{1.75}, 0}, {{77}, 0}};  // of what is missing nothing counts
  set_observations(observed, 0, values, variances, places, MissingValues::unobserved);
  const Numbers x{5, 1, 3, 9};
  Numbers zeta(4, none);
  uplift(Operator{}, observed, x.data(), zeta.data());
  const double h = 2.5, d = 2 * (10 - h * h) * 2 * h;
  CHECK(zeta == Numbers{0, 0.25 * d, 0.75 * d, 0});
}

TEST_CASE("places: bad input") {
  using Operator = ObserveAt<Ring<8>, 3, 2>;
  observed_t<Operator, float, 2> observed;
  const std::vector<Place<1>> good{{{1.5}, 0}, {{7.5}, 1}, {{0}, 0}};
  const auto set = [&](std::size_t lane, const Numbers& values, const Numbers& variances,
                       std::vector<Place<1>> places,
                       MissingValues missing = MissingValues::refuse) {
    set_observations(observed, lane, values, variances, places, missing);
  };
  const auto moved = [&](double position, std::size_t channel) {
    auto places = good;
    places[1] = {{position}, channel};
    return places;
  };
  const Numbers ones{1, 1, 1};
  for (const double position : {8.0, -0.5, none, infinite})
    CHECK_THROWS_WITH_AS(
        set(0, ones, ones, moved(position, 0)),
        doctest::Contains(to_text("set_observations: places[1] is not in the domain: "
                                  "Ring::corners_of: position is ",
                                  position, ", expected a number from 0 to below 8")
                              .c_str()),
        ConfigError);
  CHECK_THROWS_WITH_AS(set(0, ones, ones, moved(1, 2)),
                       doctest::Contains("channel is 2, expected less than 2"), ConfigError);
  CHECK_THROWS_WITH_AS(set(2, ones, ones, good), doctest::Contains("lane is 2, expected less"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(set(0, {1, 1}, ones, good), doctest::Contains("values has shape (2)"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(set(0, ones, {1, 1}, good), doctest::Contains("variances has shape (2)"),
                       ShapeError);
  CHECK_THROWS_WITH_AS(set(0, ones, ones, {{{1}, 0}}), doctest::Contains("places has shape (1)"),
                       ShapeError);
  for (const double variance : {0.0, -1.0, none, infinite})
    CHECK_THROWS_WITH_AS(
        set(0, ones, {1, 1, variance}, good),
        doctest::Contains(
            to_text("the variance of slot 2 is ", variance, ", expected a fin").c_str()),
        NumericalError);
  CHECK_THROWS_WITH_AS(set(0, ones, {1, 1e-40, 1}, good),
                       doctest::Contains("the precision of slot 1 is"), NumericalError);
  CHECK_THROWS_WITH_AS(set(0, {1, none, 1}, ones, good), doctest::Contains("values[1] is nan"),
                       NumericalError);
  for (const float number : observed.precision.numbers()) CHECK(number == 0);  // unchanged
  for (std::size_t j = 0; j < 3; ++j) CHECK_FALSE(observed.places.sees(0, j));

  CHECK_NOTHROW(require_valid_observations("here", observed));
  for (std::size_t j = 0; j < 3; ++j) observed.precision.at(j, 1) = 1;  // and no places
  CHECK_THROWS_WITH_AS(require_valid_observations("here", observed),
                       doctest::Contains("here: observation 0 of lane 1 has no place, expected"),
                       ConfigError);

  CHECK_THROWS_WITH_AS((ObserveAt<Ring<8>, 1>({{{{9}, 0}}})), doctest::Contains("position is 9"),
                       ConfigError);
  using Random = ObserveRandomPlaces<Ring<8>, 4>;
  CHECK_THROWS_WITH_AS(Random(3, 2), doctest::Contains("least is 3 and most is 2, expected"),
                       ConfigError);
  CHECK_THROWS_AS(Random(0, 5), ConfigError);
}

TEST_CASE("observations: errors of one cycle, without places") {
  Observations<double, 3> observed;
  const Numbers values{1, 2, none}, variances{0.5, 4, -1};
  set_observations(observed, 0, values, variances, MissingValues::unobserved);
  CHECK(observed.precision[0] == 2);
  CHECK(observed.precision[1] == 0.25);
  CHECK(observed.precision[2] == 0);
  CHECK_THROWS_WITH_AS(set_observations(observed, 0, Numbers{1, 2, 3}, variances),
                       doctest::Contains("the variance of slot 2 is -1, expected a finite number "
                                         "greater than zero"),
                       NumericalError);
  CHECK(observed.precision[2] == 0);
}

// A uniform wind has components that turn by half a circle at the pole.
TEST_CASE("observe at places: winds across a pole") {
  using Geometry = VectorChannels<LatLon<36, 72>, 1, 2>;
  using Observe = ObserveAt<Geometry, 3, 3>;
  static_assert(GeometryLike<Geometry>);
  std::vector<double> x(Geometry::points * 3);
  const auto wind = [](const std::array<double, 2>& at) {  // in the direction of longitude 90
    const double longitude = at[1] * std::numbers::pi / 180;
    const double latitude = at[0] * std::numbers::pi / 180;
    return std::array{std::cos(longitude), -std::sin(latitude) * std::sin(longitude)};
  };
  for (std::size_t p = 0; p < Geometry::points; ++p) {
    const auto [u, v] = wind(Geometry::position(p));
    x[3 * p] = 7, x[3 * p + 1] = u, x[3 * p + 2] = v;
  }
  for (const double longitude : {0.0, 47.0, 222.0})
    for (const double latitude : {-89.3, 30.0, 88.0, 89.9}) {
      const std::array<double, 2> at{latitude, longitude};
      const Observe observe({Observe::PlaceType{at, 0}, {at, 1}, {at, 2}});
      std::array<double, 3> y;
      observe.observe(x.data(), y.data());
      CHECK(y[0] == doctest::Approx(7));
      CHECK(std::abs(y[1] - wind(at)[0]) < 0.004);
      CHECK(std::abs(y[2] - wind(at)[1]) < 0.004);
    }
}
