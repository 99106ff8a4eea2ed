// SPDX-License-Identifier: BSD-3-Clause
#include "dan/network/convolution.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "../support/map_battery.hpp"
#include "dan/geometry/interval.hpp"
#include "dan/geometry/lat_lon.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/geometry/torus.hpp"

using namespace dan;

namespace {

/// The convolution of the docstring as three plain loops, the truth for the kernels.
template <class Geometry, std::size_t I, std::size_t O, std::size_t Width>
struct Naive {
  static constexpr std::size_t P = Geometry::points, K = Geometry::taps(Width);
  static std::size_t tap(std::size_t p, std::size_t k) { return Geometry::tap(p, k, Width); }
  static void forward(const double* w, const double* x, double* z) {
    for (std::size_t p = 0; p < P; ++p)
      for (std::size_t o = 0; o < O; ++o) {
        z[p * O + o] = w[K * I * O + o];
        for (std::size_t k = 0; k < K; ++k)
          for (std::size_t i = 0; i < I; ++i)
            z[p * O + o] += w[(k * I + i) * O + o] * x[tap(p, k) * I + i];
      }
  }
  static void backward(const double* w, const double* x, const double* d_z, double* d_x,
                       double* d_w) {
    for (std::size_t p = 0; p < P; ++p)
      for (std::size_t o = 0; o < O; ++o) {
        d_w[K * I * O + o] += d_z[p * O + o];
        for (std::size_t k = 0; k < K; ++k)
          for (std::size_t i = 0; i < I; ++i) {
            d_w[(k * I + i) * O + o] += x[tap(p, k) * I + i] * d_z[p * O + o];
            d_x[tap(p, k) * I + i] += w[(k * I + i) * O + o] * d_z[p * O + o];
          }
      }
  }
};

/// Compares the kernel, in `Real` and with `Lanes` lanes of different data, with the naive loops.
template <class Geometry, std::size_t I, std::size_t O, std::size_t K, class Real,
          std::size_t Lanes>
void compare() {
  constexpr std::size_t P = Geometry::points;
  using Layer = Convolution<Geometry, I, O, K>;
  using T = lanes_t<Real, Lanes>;
  const Layer layer;
  const double tolerance = sizeof(Real) == 4 ? 3e-5 : 1e-12;  // sums of at most a few 1000 terms
  const auto w = test::normal(Layer::parameters, 1);
  Scratch<Real> params(Layer::parameters), d_params(Layer::parameters);
  for (std::size_t n = 0; n < w.size(); ++n) params[n] = static_cast<Real>(w[n]);
  Scratch<T> in(P * I), out(P * O), d_out(P * O), d_in(P * I);
  for (std::size_t l = 0; l < Lanes; ++l) {
    const auto x = test::normal(P * I, 10 + l), d = test::normal(P * O, 100 + l);
    for (std::size_t n = 0; n < P * I; ++n) lane_of(in[n], l) = static_cast<Real>(x[n]);
    for (std::size_t n = 0; n < P * O; ++n) lane_of(d_out[n], l) = static_cast<Real>(d[n]);
  }
  typename Layer::template Cache<T> cache;
  layer.forward(params.data(), in.data(), out.data(), cache);
  layer.backward(params.data(), in.data(), cache, d_out.data(), d_in.data(), d_params.data());

  std::vector<double> d_w(Layer::parameters);
  double worst = 0;
  for (std::size_t l = 0; l < Lanes; ++l) {
    std::vector<double> x(P * I), d(P * O), z(P * O), d_x(P * I);
    for (std::size_t n = 0; n < P * I; ++n) x[n] = static_cast<double>(lane_of(in[n], l));
    for (std::size_t n = 0; n < P * O; ++n) d[n] = static_cast<double>(lane_of(d_out[n], l));
    Naive<Geometry, I, O, K>::forward(w.data(), x.data(), z.data());
    Naive<Geometry, I, O, K>::backward(w.data(), x.data(), d.data(), d_x.data(), d_w.data());
    const auto error = [](double a, double b) { return std::abs(a - b) / (1 + std::abs(b)); };
    for (std::size_t n = 0; n < P * O; ++n)
      worst = std::max(worst, error(static_cast<double>(lane_of(out[n], l)), z[n]));
    for (std::size_t n = 0; n < P * I; ++n)
      worst = std::max(worst, error(static_cast<double>(lane_of(d_in[n], l)), d_x[n]));
  }
  for (std::size_t n = 0; n < d_w.size(); ++n)
    worst = std::max(worst, std::abs(static_cast<double>(d_params[n]) - d_w[n]) /
                                (std::sqrt(static_cast<double>(P * Lanes)) + std::abs(d_w[n])));
  CHECK(worst < tolerance);
}

}  // namespace

TEST_CASE("convolution: kernels agree with naive loops for odd sizes, types and lanes") {
  constexpr auto f = simd_width<float>, d = simd_width<double>;
  compare<Ring<5>, 1, 1, 5, double, 1>();
  compare<Ring<11>, 5, 24, 5, float, 1>();
  compare<Ring<9>, 6, 19, 3, double, 1>();
  compare<Ring<9>, 2, 24, 5, float, f>();
  compare<Ring<40>, 24, 24, 5, float, 2 * f>();
  compare<Ring<13>, 7, 11, 5, double, 3 * d>();
  compare<Ring<6>, 40, 1, 1, double, d>();
}

TEST_CASE("convolution: kernels agree with naive loops on every geometry") {
  constexpr auto f = simd_width<float>, d = simd_width<double>;
  compare<Interval<7>, 3, 5, 5, double, 1>();
  compare<Interval<9>, 5, 7, 3, float, 2 * f>();
  compare<Torus<5, 7>, 4, 9, 3, double, d>();
  compare<Torus<6, 5>, 3, 20, 5, float, 1>();  // one state: SIMD over channels
  compare<LatLon<4, 8>, 3, 5, 3, double, 3 * d>();
  compare<LatLon<3, 6>, 2, 20, 5, float, 1>();
  compare<LatLon<6, 10>, 6, 7, 5, float, f>();
  compare<Torus<9, 15>, 6, 3, 3, double, d>();  // more points than a stretch of the weights
}

TEST_CASE("convolution: lanes with a nonlinearity agree with one lane in double") {
  using Layer = Convolution<Ring<9>, 5, 7, 3, Silu>;
  constexpr std::size_t lanes = 2 * simd_width<float>;
  using T = lanes_t<float, lanes>;
  const Layer layer;
  const auto w = test::normal(Layer::parameters, 1, 0.3);
  const std::vector<float> params(w.begin(), w.end());
  std::vector<float> d_params(Layer::parameters);
  std::vector<double> d_w(Layer::parameters);
  Scratch<T> in(Layer::inputs), out(Layer::outputs), d_out(Layer::outputs), d_in(Layer::inputs);
  for (std::size_t l = 0; l < lanes; ++l) {
    const auto x = test::normal(Layer::inputs, 10 + l), d = test::normal(Layer::outputs, 100 + l);
    for (std::size_t n = 0; n < x.size(); ++n) lane_of(in[n], l) = static_cast<float>(x[n]);
    for (std::size_t n = 0; n < d.size(); ++n) lane_of(d_out[n], l) = static_cast<float>(d[n]);
  }
  Layer::Cache<T> cache;
  layer.forward(params.data(), in.data(), out.data(), cache);
  layer.backward(params.data(), in.data(), cache, d_out.data(), d_in.data(), d_params.data());
  double worst = 0;
  for (std::size_t l = 0; l < lanes; ++l) {
    const auto x = test::normal(Layer::inputs, 10 + l), d = test::normal(Layer::outputs, 100 + l);
    std::vector<double> y(Layer::outputs), d_x(Layer::inputs);
    Layer::Cache<double> one;
    layer.forward(w.data(), x.data(), y.data(), one);
    layer.backward(w.data(), x.data(), one, d.data(), d_x.data(), d_w.data());
    for (std::size_t n = 0; n < y.size(); ++n)
      worst = std::max(worst, std::abs(static_cast<double>(lane_of(out[n], l)) - y[n]));
    for (std::size_t n = 0; n < d_x.size(); ++n)
      worst = std::max(worst, std::abs(static_cast<double>(lane_of(d_in[n], l)) - d_x[n]));
  }
  CHECK(worst < 1e-5);  // round-off of float in sums of some 20 terms of size one
  for (std::size_t n = 0; n < d_w.size(); ++n)  // sums over 9 points and all lanes
    CHECK(static_cast<double>(d_params[n]) == doctest::Approx(d_w[n]).epsilon(1e-4));
}

TEST_CASE("convolution: derivatives for every activation") {
  test::check_map(Convolution<Ring<5>, 2, 3, 5, Identity>{});
  test::check_map(Convolution<Ring<8>, 3, 2, 3, Silu>{});
  test::check_map(Convolution<Ring<9>, 1, 7, 5, Tanh>{});
  test::check_map(Convolution<Ring<7>, 4, 1, 1, Relu>{}, 3.0, 3.0);
  test::check_map(Convolution<Interval<6>, 2, 3, 5, Silu>{});
  test::check_map(Convolution<Torus<4, 3>, 2, 3, 3, Silu>{});
  test::check_map(Convolution<LatLon<4, 6>, 2, 3, 3, Silu>{});
  test::check_map(Convolution<LatLon<3, 6>, 1, 2, 5, Silu>{});  // stencils over the pole and back
}

TEST_CASE("maps: chain, residual and repeat have right derivatives") {
  using Layer = Convolution<Ring<6>, 3, 3, 3, Silu>;
  test::check_map(Residual<Layer>{});
  test::check_map(Repeat<1, Layer>{});
  test::check_map(Repeat<4, Residual<Repeat<2, Layer>>>{}, 0.2);
  test::check_map(
      Chain<Convolution<Ring<6>, 2, 3, 3, Tanh>, Layer, Convolution<Ring<6>, 3, 1, 3>>{});
}
