// SPDX-License-Identifier: BSD-3-Clause
#include "dan/network/minimal_filtering.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <vector>

#include "../support/map_battery.hpp"
#include "dan/autodiff/dual.hpp"
#include "dan/geometry/interval.hpp"
#include "dan/geometry/lat_lon.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/geometry/torus.hpp"
#include "dan/network/convolution.hpp"

using namespace dan;

namespace {

template <std::size_t P, std::size_t I, std::size_t O, std::size_t K, Kernels By,
          class Activation = Identity>
using Layer = Convolution<Ring<P>, I, O, K, Activation, By>;

/// Output and gradients of a layer in packs, all lanes one after the other, from gradients that are
/// not zero.
struct Results {
  std::vector<double> out, d_in, d_params;
};
template <class Map, class Real, std::size_t Lanes>
Results results() {
  using T = lanes_t<Real, Lanes>;
  const auto fill = [](std::size_t n, std::uint64_t stream, double scale) {
    const auto numbers = test::normal(n * lanes_of<T>, stream, scale);
    Scratch<T> packs(n);
    for (std::size_t i = 0; i < numbers.size(); ++i)
      lane_of(packs[i / lanes_of<T>], i % lanes_of<T>) = static_cast<Real>(numbers[i]);
    return packs;
  };
  const auto list = [](const Scratch<T>& packs) {
    std::vector<double> numbers;
    for (const T& x : packs)
      for (std::size_t l = 0; l < lanes_of<T>; ++l)
        numbers.push_back(static_cast<double>(lane_of(x, l)));
    return numbers;
  };
  const auto w = test::normal(Map::parameters, 1, 0.1), d_w = test::normal(Map::parameters, 2);
  const std::vector<Real> params(w.begin(), w.end());
  std::vector<Real> d_params(d_w.begin(), d_w.end());
  const auto in = fill(Map::inputs, 3, 1), d_out = fill(Map::outputs, 4, 1);
  auto d_in = fill(Map::inputs, 5, 1);
  Scratch<T> out(Map::outputs);
  const auto cache = std::make_unique<typename Map::template Cache<T>>();
  const Map map;
  map.forward(params.data(), in.data(), out.data(), *cache);
  map.backward(params.data(), in.data(), *cache, d_out.data(), d_in.data(), d_params.data());
  return {list(out), list(d_in), {d_params.begin(), d_params.end()}};
}

/// The largest difference, over the root mean square.
double difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0, squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::abs(a[i] - b[i]));
    squares += b[i] * b[i];
  }
  return worst / std::sqrt(squares / static_cast<double>(b.size()));
}

/// Minimal filtering in `Real` against direct sums in double.
template <class Geometry, std::size_t I, std::size_t O, std::size_t K, class Real,
          std::size_t Lanes, class Activation = Identity>
void compare_on() {
  using Minimal = Convolution<Geometry, I, O, K, Activation, Kernels::minimal>;
  static_assert(Minimal::template minimal<lanes_t<Real, Lanes>>);
  constexpr std::size_t padded = padded_lanes<Real, Lanes>;
  const auto found = results<Minimal, Real, padded>();
  const auto right = results<Convolution<Geometry, I, O, K, Activation>, double, padded>();
  const double tolerance = sizeof(Real) == 4 ? 1e-5 : 1e-12;
  INFO(Geometry::points, " points, ", I, " to ", O, " channels, ", K, " taps, ", Lanes, " lanes");
  CHECK(difference(found.out, right.out) < tolerance);
  CHECK(difference(found.d_in, right.d_in) < tolerance);
  CHECK(difference(found.d_params, right.d_params) < tolerance);
}
template <std::size_t P, std::size_t I, std::size_t O, std::size_t K, class Real, std::size_t Lanes,
          class Activation = Identity>
void compare() {
  compare_on<Ring<P>, I, O, K, Real, Lanes, Activation>();
}

}  // namespace

TEST_CASE("minimal filtering: it agrees with direct sums, in double to round-off") {
  compare<40, 24, 24, 5, double, 8>();
  compare<40, 40, 40, 5, double, 16>();
  compare<40, 64, 96, 3, double, 8>();
  compare<40, 48, 64, 3, double, 16, Silu>();
  compare<40, 34, 84, 3, double, 32>();
}

TEST_CASE("minimal filtering: it agrees with direct sums, in float nearly so") {
  compare<40, 24, 24, 5, float, 8>();
  compare<40, 40, 40, 5, float, 32, Silu>();
  compare<40, 64, 96, 3, float, 16>();
  compare<40, 48, 64, 3, float, 32>();
  compare<40, 34, 84, 3, float, 16>();
}

TEST_CASE("minimal filtering: rings and channels that are no multiple of a tile") {
  constexpr std::size_t lanes = simd_width<double>;
  compare<8, 8, 9, 5, double, lanes>();  // a tile sees every point
  compare<6, 9, 8, 3, double, 3 * lanes>();
  compare<9, 11, 13, 5, double, lanes>();
  compare<11, 10, 17, 3, double, 2 * lanes>();
  compare<37, 9, 10, 5, double, lanes>();
  compare<62, 13, 11, 3, double, lanes>();
  compare<128, 8, 8, 5, double, lanes>();
}

TEST_CASE("minimal filtering: grids, across their ends and poles") {
  constexpr std::size_t lanes = simd_width<double>;
  compare_on<Torus<8, 8>, 24, 24, 3, double, lanes, Silu>();
  compare_on<Torus<5, 11>, 9, 10, 5, double, 2 * lanes>();  // one row at a time
  compare_on<Torus<3, 6>, 8, 8, 3, double, lanes>();        // a stencil meets every row
  compare_on<LatLon<8, 16>, 8, 12, 3, double, lanes>();
  compare_on<LatLon<9, 14>, 11, 8, 3, double, 3 * lanes>();
  compare_on<LatLon<6, 8>, 8, 9, 5, double, lanes>();  // tiles see every point of a row
  compare_on<LatLon<3, 10>, 8, 8, 5, double, lanes>();
  compare_on<LatLon<32, 64, Latitudes::gaussian>, 24, 32, 3, double, lanes>();
  compare_on<LatLon<8, 16>, 24, 24, 3, float, simd_width<float>, Silu>();
  compare_on<Torus<8, 8>, 12, 24, 5, float, 2 * simd_width<float>>();
}

TEST_CASE("minimal filtering: derivatives, over all lanes together") {
  const auto check = []<class Map>(const Map& map) {
    using T = lanes_t<double, 2 * simd_width<double>>;
    constexpr std::size_t L = lanes_of<T>, P = Map::parameters;
    constexpr std::size_t I = Map::inputs * L, O = Map::outputs * L;
    const auto cache = std::make_unique<typename Map::template Cache<T>>();
    const auto packs = [](std::span<const double> numbers) {
      Scratch<T> x(numbers.size() / L);
      for (std::size_t i = 0; i < numbers.size(); ++i) lane_of(x[i / L], i % L) = numbers[i];
      return x;
    };
    const auto numbers = [](const Scratch<T>& x, std::size_t first) {
      std::vector<double> list(first + x.size() * L);
      for (std::size_t i = 0; i < x.size() * L; ++i) list[first + i] = lane_of(x[i / L], i % L);
      return list;
    };
    const auto value = [&](std::span<const double> x) {
      Scratch<T> out(Map::outputs);
      map.forward(x.data(), packs(x.subspan(P)).data(), out.data(), *cache);
      return numbers(out, 0);
    };
    auto at = test::normal(P + I, 1, 0.3);
    const auto tangent = [&](std::span<const double> u) {
      Scratch<T> out(Map::outputs), d_out(Map::outputs);
      map.tangent(at.data(), u.data(), packs(std::span(at).subspan(P)).data(),
                  packs(u.subspan(P)).data(), out.data(), d_out.data());
      CHECK(numbers(out, 0) == value(at));
      return numbers(d_out, 0);
    };
    const auto adjoint = [&](std::span<const double> v) {
      const auto in = packs(std::span(at).subspan(P));
      Scratch<T> d_in(Map::inputs);
      std::vector<double> d_params(P);
      value(at);
      map.backward(at.data(), in.data(), *cache, packs(v).data(), d_in.data(), d_params.data());
      auto d = numbers(d_in, P);
      std::ranges::copy(d_params, d.begin());
      return d;
    };
    const auto u = test::normal(P + I, 3), v = test::normal(O, 4);
    CHECK(dot_product_error(tangent, adjoint, u, v) < 1e-13);
    const auto fit = taylor_slope(value, tangent, at, u);
    CHECK_MESSAGE(fit.passes(), "slope ", fit.slope, " over ", fit.points, " points");
  };
  check(Layer<13, 9, 11, 5, Kernels::minimal, Silu>{});
  check(Layer<10, 10, 8, 3, Kernels::minimal, Tanh>{});
  check(Convolution<Torus<4, 6>, 8, 9, 3, Silu, Kernels::minimal>{});
  check(Convolution<LatLon<4, 8>, 9, 8, 3, Tanh, Kernels::minimal>{});
}

TEST_CASE("minimal filtering: where it is chosen") {
  using Pack8 = lanes_t<float, simd_width<float> == 1 ? 2 : simd_width<float>>;
  using Ring5 = Layer<40, 24, 24, 5, Kernels::minimal>;
  CHECK(Ring5::minimal<Pack8>);
  CHECK_FALSE(Ring5::minimal<float>);  // one state
  CHECK_FALSE(Ring5::minimal<Dual<Pack8>>);
  CHECK_FALSE(Layer<40, 24, 24, 5, Kernels::direct>::minimal<Pack8>);
  CHECK_FALSE(Layer<40, 24, 24, 7, Kernels::minimal>::minimal<Pack8>);
  CHECK_FALSE(Layer<7, 24, 24, 5, Kernels::minimal>::minimal<Pack8>);  // shorter than a tile
  CHECK_FALSE(Layer<40, 2, 40, 5, Kernels::minimal>::minimal<Pack8>);
  CHECK_FALSE(Layer<40, 40, 1, 5, Kernels::minimal>::minimal<Pack8>);
  CHECK_FALSE(Convolution<Interval<40>, 24, 24, 5, Identity, Kernels::minimal>::minimal<Pack8>);
  CHECK(Convolution<Torus<8, 8>, 24, 24, 3, Identity, Kernels::minimal>::minimal<Pack8>);
  CHECK_FALSE(Convolution<Torus<8, 5>, 24, 24, 3, Identity, Kernels::minimal>::minimal<Pack8>);
}
