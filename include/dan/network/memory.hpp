// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>

#include "dan/core/simd.hpp"

namespace dan {

/// Memory channels that the last layer of a network rewrites in every cycle.
///
///   h' = k h + (1 − k) tanh(v),  k = σ(g) = 1/(1 + e^{−g}),
/// with the gates g and then the candidates v of all channels in the part of the last layer's
/// output that is the memory's own: `per_point` numbers at every `stride`-th place. h: points ×
/// Channels. `backward` overwrites d_y and accumulates into d_in.
/// Source: the update of a gated recurrent unit, Cho et al., EMNLP 2014, equation 7, without its
/// reset gate.
template <std::size_t Points, std::size_t Channels>
struct GatedMemory {
  static constexpr std::size_t per_point = 2 * Channels;

  template <class T>
  static void forward(const T* y, std::size_t stride, const T* in, T* out) {
    using std::tanh;
    const T one(real_t<T>(1));
    for_each(stride, [&](std::size_t gate, std::size_t at) {
      const T keep = sigmoid(y[gate]);
      out[at] = keep * in[at] + (one - keep) * tanh(y[gate + Channels]);
    });
  }

  template <class T>
  static void backward(const T* y, std::size_t stride, const T* in, const T* d_out, T* d_y,
                       T* d_in) {
    using std::tanh;
    const T one(real_t<T>(1));
    for_each(stride, [&](std::size_t gate, std::size_t at) {
      const T d = d_out[at], keep = sigmoid(y[gate]), fresh = tanh(y[gate + Channels]);
      d_y[gate] = d * (in[at] - fresh) * keep * (one - keep);
      d_y[gate + Channels] = d * (one - keep) * (one - fresh * fresh);
      d_in[at] += d * keep;
    });
  }

  template <class T>
  static void tangent(const T* y, const T* d_y, std::size_t stride, const T* in, const T* d_in,
                      T* d_out) {
    using std::tanh;
    const T one(real_t<T>(1));
    for_each(stride, [&](std::size_t gate, std::size_t at) {
      const T keep = sigmoid(y[gate]), fresh = tanh(y[gate + Channels]);
      d_out[at] = d_y[gate] * keep * (one - keep) * (in[at] - fresh) + keep * d_in[at] +
                  (one - keep) * (one - fresh * fresh) * d_y[gate + Channels];
    });
  }

  /// Initial biases: 1 in the gates, a memory that lasts some cycles.
  template <class Real>
  static void initialise(Real* bias) {
    for (std::size_t j = 0; j < Channels; ++j) bias[j] = Real(1);
  }

 private:
  template <class T>
  static T sigmoid(const T& z) {
    using std::exp;
    const T one(real_t<T>(1));
    return one / (one + exp(-z));
  }
  /// use(place of the gate in y, place in the memory) for all.
  template <class Use>
  static void for_each(std::size_t stride, const Use& use) {
    for (std::size_t p = 0; p < Points; ++p)
      for (std::size_t j = 0; j < Channels; ++j) use(p * stride + j, p * Channels + j);
  }
};

}  // namespace dan
