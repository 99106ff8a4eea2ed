// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>

#include "dan/core/simd.hpp"
#include "dan/network/activation.hpp"

namespace dan {

/// Products of pairs of channels, the second one through a SiLU:
///   out[p, j] = in[p, j] · silu(in[p, Width + j]).
///
/// Input points × 2 Width, output points × Width. No parameters. A covariance moves with the flow
/// as M P Mᵀ: a product of numbers that depend on the state with numbers that are remembered,
/// which one such map forms and a pointwise nonlinearity can only approximate.
/// Source: Shazeer, "GLU variants improve transformer" (2020), equation 6.
template <std::size_t Points, std::size_t Width>
struct Product {
  static constexpr std::size_t inputs = Points * 2 * Width, outputs = Points * Width;
  static constexpr std::size_t parameters = 0;

  template <class T>
  struct Cache {};

  template <class Real, class T>
  void forward(const Real*, const T* in, T* out, Cache<T>&) const {
    for_each([&](std::size_t at, std::size_t value, std::size_t gate) {
      T slope;
      out[at] = in[value] * Silu::apply(in[gate], slope);
    });
  }

  template <class Real, class T>
  void backward(const Real*, const T* in, const Cache<T>&, const T* d_out, T* d_in, Real*) const {
    for_each([&](std::size_t at, std::size_t value, std::size_t gate) {
      T slope;
      const T open = Silu::apply(in[gate], slope);
      d_in[value] += d_out[at] * open;
      d_in[gate] += d_out[at] * in[value] * slope;
    });
  }

  template <class Real, class T>
  void tangent(const Real*, const Real*, const T* in, const T* d_in, T* out, T* d_out) const {
    for_each([&](std::size_t at, std::size_t value, std::size_t gate) {
      T slope;
      const T open = Silu::apply(in[gate], slope);
      out[at] = in[value] * open;
      d_out[at] = d_in[value] * open + in[value] * slope * d_in[gate];
    });
  }

 private:
  template <class Use>
  static void for_each(const Use& use) {
    for (std::size_t p = 0; p < Points; ++p)
      for (std::size_t j = 0; j < Width; ++j)
        use(p * Width + j, 2 * p * Width + j, (2 * p + 1) * Width + j);
  }
};

}  // namespace dan
