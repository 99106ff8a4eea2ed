// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>
#include <span>

#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"
#include "dan/geometry/band.hpp"
#include "dan/network/convolution.hpp"

namespace dan {

/// A Convolution of a state that is cut into bands, with the bits of the whole one, whatever the
/// number of ranks; only the sum of the weights' gradient is another one, of the rows in their
/// order.
///
/// All arrays have halos: Band::points × channels. A pass forward takes an exchange of the
/// input, one backward an exchange of d_z. Cost: that of the layer on 1 + 2 Width / Rows times the
/// own rows, the gradient of the weights on those alone.
template <class Band, std::size_t In, std::size_t Out, std::size_t Kernel,
          class Activation = Identity>
struct BandConvolution {
  static_assert(
      2 * Band::width + 1 >= Kernel,
      "BandConvolution: the halo is narrower than the kernel reaches, expected a Width of "
      "at least (Kernel - 1) / 2 rows");
  using Layer = Convolution<Band, In, Out, Kernel, Activation>;
  static constexpr std::size_t inputs = Layer::inputs, outputs = Layer::outputs;
  static constexpr std::size_t parameters = Layer::parameters;
  template <class T>
  using Cache = typename Layer::template Cache<T>;

  /// The own rows of out, from those of in, whose halo is filled. The halo of out is of no use.
  template <class Real, class T>
  static void forward(const auto& halo, const Real* params, T* in, T* out, Cache<T>& cache) {
    halo.exchange(std::span(in, inputs));
    Layer{}.forward(params, in, out, cache);
  }

  /// d_in += on own rows, from own rows of d_out; `in` as `forward` left it. The halo of d_in is of
  /// no use. d_rows, own_rows × parameters, += the gradient of the weights by each own row; when
  /// all layers are done, `sum_rows` makes the gradient of them.
  template <class Real, class T>
  static void backward(const auto& halo, const Real* params, const T* in, const Cache<T>& cache,
                       const T* d_out, T* d_in, Real* d_rows) {
    constexpr std::size_t length = Band::own / Band::own_rows;
    Scratch<T> d_z(outputs);
    for (std::size_t r = 0; r < Band::own_rows; ++r) {
      std::array<T, Out> d_bias;
      for (std::size_t c = 0; c < length; ++c)
        for (std::size_t o = 0; o < Out; ++o) {
          const std::size_t at = (Band::first + r * length + c) * Out + o;
          d_z[at] = d_out[at];
          if constexpr (!Layer::linear) d_z[at] = cache.derivative[at] * d_out[at];
          d_bias[o] = c == 0 ? d_z[at] : d_bias[o] + d_z[at];
        }
      for (std::size_t o = 0; o < Out; ++o)
        d_rows[r * parameters + Layer::weights + o] += sum_lanes(d_bias[o]);
    }
    halo.exchange(std::span(d_z.data(), outputs));
    Layer::backward_input(params, d_z.data(), d_in);
    Layer::backward_weights(
        in, d_z.data(), d_rows,
        {.first = Band::first, .length = length, .count = Band::own_rows, .apart = parameters});
  }
};

}  // namespace dan
