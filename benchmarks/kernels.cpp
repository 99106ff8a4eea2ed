// SPDX-License-Identifier: BSD-3-Clause
// The kernels on one core: GFLOP/s and the share of the FMA peak measured just before.
#include <benchmark/benchmark.h>

#include <cmath>

#include "dan/geometry/lat_lon.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/geometry/torus.hpp"
#include "dan/integrate/etdrk4.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/barotropic_sphere.hpp"
#include "dan/models/kuramoto_sivashinsky.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/network/activation.hpp"
#include "dan/network/convolution.hpp"
#include "dan/transform/real_fourier.hpp"
#include "layer.hpp"
#include "peak.hpp"

namespace {
using namespace dan;

/// Reports `flops` per iteration as a rate and as a share of the peak.
template <class Real, class F>
void measure(benchmark::State& state, double flops, const F& call) {
  Threads one(1);
  double peak = 0;  // the best of five: a disturbed one would flatter the kernel
  for (int n = 0; n < 5; ++n) peak = std::max(peak, bench::fma_peak<Real>(one));
  const double begin = bench::seconds();
  for (auto _ : state) call();
  const double rate = flops * static_cast<double>(state.iterations()) / (bench::seconds() - begin);
  state.counters["GFLOP/s"] = rate * 1e-9;
  state.counters["share_of_peak"] = rate / peak;
}

/// Calls `call(layer)` for a hidden convolution: on the ring of 5 taps, on a grid of 3 × 3.
template <std::size_t Filters, std::size_t Lanes, class Grid, class F>
void convolution(benchmark::State& state, const F& call) {
  constexpr std::size_t width = Grid::dimensions == 1 ? 5 : 3;
  bench::Layer<Convolution<Grid, Filters, Filters, width, Silu>, float, Lanes> layer;
  measure<float>(state, 2.0 * Grid::points * Grid::taps(width) * Filters * Filters * Lanes, [&] {
    call(layer);
    benchmark::ClobberMemory();
  });
}

template <std::size_t Filters, std::size_t Lanes, class Grid = Ring<40>>
void convolution_forward(benchmark::State& state) {
  convolution<Filters, Lanes, Grid>(state, [](auto& layer) { layer.forward(); });
}
template <std::size_t Filters, std::size_t Lanes, class Grid = Ring<40>>
void convolution_backward_input(benchmark::State& state) {
  convolution<Filters, Lanes, Grid>(state, [](auto& layer) { layer.backward_input(); });
}
template <std::size_t Filters, std::size_t Lanes, class Grid = Ring<40>>
void convolution_backward_weights(benchmark::State& state) {
  convolution<Filters, Lanes, Grid>(state, [](auto& layer) { layer.backward_weights(); });
}

constexpr std::size_t w = simd_width<float>;
BENCHMARK(convolution_forward<40, 2 * w>)->Name("convolution_forward/40_filters");
BENCHMARK(convolution_backward_input<40, 2 * w>)->Name("convolution_backward_input/40_filters");
BENCHMARK(convolution_backward_weights<40, 2 * w>)->Name("convolution_backward_weights/40_filters");
BENCHMARK(convolution_forward<24, 16>)->Name("convolution_forward/24_filters");
BENCHMARK(convolution_backward_input<24, 16>)->Name("convolution_backward_input/24_filters");
BENCHMARK(convolution_backward_weights<24, 16>)->Name("convolution_backward_weights/24_filters");
using Plane = Torus<32, 32>;
using Globe = LatLon<32, 64, Latitudes::gaussian>;
BENCHMARK(convolution_forward<24, 16, Plane>)->Name("convolution_forward/torus_24_filters");
BENCHMARK(convolution_backward_input<24, 16, Plane>)
    ->Name("convolution_backward_input/torus_24_filters");
BENCHMARK(convolution_backward_weights<24, 16, Plane>)
    ->Name("convolution_backward_weights/torus_24_filters");
BENCHMARK(convolution_forward<24, 16, Globe>)->Name("convolution_forward/sphere_24_filters");
BENCHMARK(convolution_backward_input<24, 16, Globe>)
    ->Name("convolution_backward_input/sphere_24_filters");
BENCHMARK(convolution_backward_weights<24, 16, Globe>)
    ->Name("convolution_backward_weights/sphere_24_filters");

// Lorenz 96 with 40 variables; a tendency has 4 flops per point, a Runge–Kutta step 4 tendencies
// and 13 flops per point, its adjoint twice that and the forward stages again.
constexpr double step_flops = 40 * (4 * 4 + 13);
void model_step(benchmark::State& state) {
  const Rk4<Lorenz96<40>> model;
  constexpr std::size_t lanes = 4 * simd_width<double>;
  Batch<double, 40, 1, lanes> x;
  for (std::size_t i = 0; i < 40; ++i) x[i] = 8.0 + 0.01 * static_cast<double>(i);
  measure<double>(state, step_flops * lanes, [&] { model.step(x.data(), x.data()); });
}
void model_adjoint(benchmark::State& state) {
  const Rk4<Lorenz96<40>> model;
  constexpr std::size_t lanes = 4 * simd_width<double>;
  Batch<double, 40, 1, lanes> x, d_y, d_x;
  for (std::size_t i = 0; i < 40; ++i) x[i] = 8.0 + 0.01 * static_cast<double>(i);
  measure<double>(state, 3 * step_flops * lanes,
                  [&] { model.step_adjoint(x.data(), d_y.data(), d_x.data()); });
}
BENCHMARK(model_step)->Name("lorenz96_step/4_registers");
BENCHMARK(model_adjoint)->Name("lorenz96_step_adjoint/4_registers");

// Kuramoto–Sivashinsky at 128 points; a transform counts as 2.5 n log2 n flops, a step as its 9
// transforms, an adjoint step as its 16; products of waves are not counted.
constexpr double transform_flops = 2.5 * 128 * 7;
template <class Real>
struct WaveStates {
  static constexpr std::size_t lanes = 16;
  Batch<Real, 128, 1, lanes> x, y, d;
  Batch<Real, 130, 1, lanes> spectrum;
  Etdrk4<KuramotoSivashinsky<128>> model;
  WaveStates() {
    for (std::size_t j = 0; j < 128; ++j) x[j] = std::cos(0.0490873852 * static_cast<double>(j));
  }
};
template <class Real>
void transform(benchmark::State& state) {
  WaveStates<Real> at;
  measure<Real>(state, transform_flops * at.lanes, [&] {
    RealFourier<128>::forward(at.x.data(), at.spectrum.data());
    benchmark::ClobberMemory();
  });
}
template <class Real>
void wave_step(benchmark::State& state) {
  WaveStates<Real> at;
  measure<Real>(state, 9 * transform_flops * at.lanes, [&] {
    at.model.step(at.x.data(), at.y.data());
    benchmark::ClobberMemory();
  });
}
template <class Real>
void wave_step_adjoint(benchmark::State& state) {
  WaveStates<Real> at;
  measure<Real>(state, 16 * transform_flops * at.lanes, [&] {
    at.model.step_adjoint(at.x.data(), at.y.data(), at.d.data());
    benchmark::ClobberMemory();
  });
}
BENCHMARK(transform<float>)->Name("real_fourier/128_points_16_floats");
BENCHMARK(wave_step<float>)->Name("kuramoto_sivashinsky_step/16_floats");
BENCHMARK(wave_step_adjoint<float>)->Name("kuramoto_sivashinsky_step_adjoint/16_floats");
BENCHMARK(wave_step<double>)->Name("kuramoto_sivashinsky_step/16_doubles");
BENCHMARK(wave_step_adjoint<double>)->Name("kuramoto_sivashinsky_step_adjoint/16_doubles");

// One level on the sphere, T21 on 32 × 64 points, 16 runs side by side. A transform has 2 flops for
// a coefficient and a pair of rows and 2.5 n log2 n for a row; a tendency has 5 transforms and 4
// flops for a point; a step 4 tendencies; its adjoint 7 tendencies and 4 adjoints of 9 transforms.
struct Sphere {
  using Harmonics = SphericalHarmonics<21, LatLon<32, 64, Latitudes::gaussian>>;
  using Model = Rk4<QuasiGeostrophic<Harmonics>>;
  static constexpr double transform = 2 * 484 * 16 + 32 * 2.5 * 64 * 6;
  static constexpr double tendency = 5 * transform + 4 * 2048;
  static constexpr double step = 16 * 4 * tendency;
  static constexpr double adjoint = 16 * (7 * tendency + 4 * (9 * transform + 8 * 2048));
  Model model{one_level<Harmonics>(), 3600, 1};
  Batch<float, 484, 1, 16> x, d_y, d_x;
  Sphere() {
    std::array<float, 484> noise;
    fill_normal<float>({1, Purpose::user}, noise);
    for (std::size_t i = 1; i < 484; ++i) x[i] = d_y[i] = 1e-6F * noise[i];
  }
};
void sphere_step(benchmark::State& state) {
  Sphere s;
  measure<float>(state, Sphere::step, [&] { s.model.step(s.x.data(), s.d_x.data()); });
}
void sphere_adjoint(benchmark::State& state) {
  Sphere s;
  measure<float>(state, Sphere::adjoint,
                 [&] { s.model.step_adjoint(s.x.data(), s.d_y.data(), s.d_x.data()); });
}
BENCHMARK(sphere_step)->Name("sphere_step/16_lanes");
BENCHMARK(sphere_adjoint)->Name("sphere_step_adjoint/16_lanes");

}  // namespace
