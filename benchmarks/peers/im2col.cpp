// SPDX-License-Identifier: BSD-3-Clause
// The forward convolution of one layer as most libraries do it, im2col and one matrix product of
// OpenBLAS, beside ours: one core, float, no nonlinearity, GFLOP/s and share of the FMA peak
// measured just before. OPENBLAS_CORETYPE chooses OpenBLAS's kernels; `openblas_core` above the
// table says which ones run.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>

#include "../peak.hpp"
#include "dan/core/random.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/network/activation.hpp"
#include "dan/network/convolution.hpp"

// Row-major C = alpha op(A) op(B) + beta C; the enumerators of the C interface of BLAS.
extern "C" void cblas_sgemm(int order, int transpose_a, int transpose_b, int m, int n, int k,
                            float alpha, const float* a, int lda, const float* b, int ldb,
                            float beta, float* c, int ldc);
extern "C" void openblas_set_num_threads(int threads) __attribute__((weak));

namespace {
using namespace dan;

template <std::size_t Filters, std::size_t Lanes>
struct Layer {
  static constexpr std::size_t points = 40, taps = 5, columns = points * Lanes;
  static constexpr double flops = 2.0 * columns * taps * Filters * Filters;
  using Map = Convolution<Ring<points>, Filters, Filters, taps>;
  using T = lanes_t<float, Lanes>;
  Map map;
  typename Map::template Cache<T> cache;
  Scratch<float> params{Map::parameters};
  Scratch<T> in{Map::inputs}, out{Map::outputs};  // points × channels × lanes
  // channels × points × lanes, the order that suits a matrix product
  Scratch<float> x{Filters * columns}, column{taps * Filters * columns}, z{Filters * columns};

  Layer() {
    fill_normal<float>({1, Purpose::user}, params);
    std::fill(params.begin() + Map::weights, params.end(), 0.0F);
    fill_normal<float>({2, Purpose::user}, x);
    for (std::size_t i = 0; i < Filters; ++i)
      for (std::size_t p = 0; p < points; ++p)
        for (std::size_t l = 0; l < Lanes; ++l)
          lane_of(in[p * Filters + i], l) = x[i * columns + p * Lanes + l];
  }
  void ours() { map.forward(params.data(), in.data(), out.data(), cache); }
  void im2col() {
    for (std::size_t k = 0; k < taps; ++k)
      for (std::size_t i = 0; i < Filters; ++i) {  // row (k, i): x[i] turned by k − 2 points
        const float* from = &x[i * columns];
        const std::size_t turn = (k + points - taps / 2) % points * Lanes;
        std::rotate_copy(from, from + turn, from + columns, &column[(k * Filters + i) * columns]);
      }
    constexpr int f = Filters, n = columns, sum = taps * Filters, row_major = 101, as_is = 111,
                  transposed = 112;
    cblas_sgemm(row_major, transposed, as_is, f, n, sum, 1, params.data(), f, column.data(), n, 0,
                z.data(), n);
  }
  /// The largest difference between both.
  float difference() {
    ours();
    im2col();
    float most = 0;
    for (std::size_t o = 0; o < Filters; ++o)
      for (std::size_t p = 0; p < points; ++p)
        for (std::size_t l = 0; l < Lanes; ++l)
          most = std::max(
              most, std::abs(lane_of(out[p * Filters + o], l) - z[o * columns + p * Lanes + l]));
    return most;
  }
};

template <std::size_t Filters, std::size_t Lanes, bool Ours>
void forward(benchmark::State& state) {
  Layer<Filters, Lanes> layer;
  if (&openblas_set_num_threads != nullptr) openblas_set_num_threads(1);
  if (!(layer.difference() < 1e-3F)) return state.SkipWithError("the two convolutions differ");
  Threads one(1);
  const double peak = bench::fma_peak<float>(one), begin = bench::seconds();
  for (auto _ : state) {
    Ours ? layer.ours() : layer.im2col();
    benchmark::ClobberMemory();
  }
  const double rate =
      layer.flops * static_cast<double>(state.iterations()) / (bench::seconds() - begin);
  state.counters["GFLOP/s"] = rate * 1e-9;
  state.counters["share_of_peak"] = rate / peak;
}
BENCHMARK(forward<40, 32, true>)->Name("forward/40_filters/32_lanes/dan");
BENCHMARK(forward<40, 32, false>)->Name("forward/40_filters/32_lanes/im2col_openblas");
BENCHMARK(forward<24, 16, true>)->Name("forward/24_filters/16_lanes/dan");
BENCHMARK(forward<24, 16, false>)->Name("forward/24_filters/16_lanes/im2col_openblas");

}  // namespace
