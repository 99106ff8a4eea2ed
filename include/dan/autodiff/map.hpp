// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <utility>

#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"

/// \file
/// Differentiable maps and the ways to compose them at compile time.
///
/// A map takes `inputs` numbers to `outputs` numbers (per lane) and has `parameters` parameters in
/// one flat array. `forward` fills a `Cache<T>`; `backward` reads it and *accumulates* the gradient
/// into `d_in` and `d_params` (there summed over the lanes); `tangent` is its forward-mode partner.
/// The input array given to `forward` must be given again, unchanged, to `backward`.

namespace dan {

/// A differentiable map as described at the top of this file.
template <class Map>
concept DifferentiableMap = requires(const Map map, const double* p, double* d_p, const double* in,
                                     double* out, typename Map::template Cache<double>& cache) {
  { Map::inputs } -> std::convertible_to<std::size_t>;
  { Map::outputs } -> std::convertible_to<std::size_t>;
  { Map::parameters } -> std::convertible_to<std::size_t>;
  map.forward(p, in, out, cache);
  map.backward(p, in, cache, in, out, d_p);
  map.tangent(p, p, in, in, out, out);
};

/// First `A`, then the rest: out = B(A(in)). Parameters of A come first.
/// Memory: the caches of all parts and the intermediate arrays.
template <class A, class... Rest>
struct Chain {
  using B = Chain<Rest...>;
  static constexpr std::size_t inputs = A::inputs, outputs = B::outputs;
  static constexpr std::size_t parameters = A::parameters + B::parameters;
  static_assert(A::outputs == B::inputs,
                "Chain: each map must have as many inputs as the one before has outputs");

  A first{};
  B rest{};

  template <class T>
  struct Cache {
    typename A::template Cache<T> first;
    std::array<T, A::outputs> middle;
    typename B::template Cache<T> rest;
  };

  template <class Real, class T>
  void forward(const Real* params, const T* in, T* out, Cache<T>& cache) const {
    first.forward(params, in, cache.middle.data(), cache.first);
    rest.forward(params + A::parameters, cache.middle.data(), out, cache.rest);
  }
  template <class Real, class T>
  void backward(const Real* params, const T* in, const Cache<T>& cache, const T* d_out, T* d_in,
                Real* d_params) const {
    Scratch<T> d_middle(A::outputs);
    rest.backward(params + A::parameters, cache.middle.data(), cache.rest, d_out, d_middle.data(),
                  d_params + A::parameters);
    first.backward(params, in, cache.first, d_middle.data(), d_in, d_params);
  }
  template <class Real, class T>
  void tangent(const Real* params, const Real* d_params, const T* in, const T* d_in, T* out,
               T* d_out) const {
    Scratch<T> middle(A::outputs), d_middle(A::outputs);
    first.tangent(params, d_params, in, d_in, middle.data(), d_middle.data());
    rest.tangent(params + A::parameters, d_params + A::parameters, middle.data(), d_middle.data(),
                 out, d_out);
  }
};
template <class A>
struct Chain<A> : A {};

/// out = in + A(in).
template <class A>
struct Residual {
  static_assert(A::inputs == A::outputs, "Residual: the map must keep the number of elements");
  static constexpr std::size_t inputs = A::inputs, outputs = A::outputs;
  static constexpr std::size_t parameters = A::parameters;

  A inner{};

  template <class T>
  using Cache = typename A::template Cache<T>;

  template <class Real, class T>
  void forward(const Real* params, const T* in, T* out, Cache<T>& cache) const {
    inner.forward(params, in, out, cache);
    for (std::size_t i = 0; i < inputs; ++i) out[i] += in[i];
  }
  template <class Real, class T>
  void backward(const Real* params, const T* in, const Cache<T>& cache, const T* d_out, T* d_in,
                Real* d_params) const {
    for (std::size_t i = 0; i < inputs; ++i) d_in[i] += d_out[i];
    inner.backward(params, in, cache, d_out, d_in, d_params);
  }
  template <class Real, class T>
  void tangent(const Real* params, const Real* d_params, const T* in, const T* d_in, T* out,
               T* d_out) const {
    inner.tangent(params, d_params, in, d_in, out, d_out);
    for (std::size_t i = 0; i < inputs; ++i) out[i] += in[i], d_out[i] += d_in[i];
  }
};

/// `A` applied `Times` times, each with parameters of its own.
template <std::size_t Times, class A>
struct Repeat {
  static_assert(Times > 0, "Repeat: Times must be at least 1");
  static_assert(A::inputs == A::outputs, "Repeat: the map must keep the number of elements");
  static constexpr std::size_t inputs = A::inputs, outputs = A::outputs;
  static constexpr std::size_t parameters = Times * A::parameters;

  A inner{};

  template <class T>
  struct Cache {
    std::array<typename A::template Cache<T>, Times> inner;
    std::array<std::array<T, inputs>, Times - 1> between;
  };

  template <class Real, class T>
  void forward(const Real* params, const T* in, T* out, Cache<T>& cache) const {
    for (std::size_t n = 0; n < Times; ++n)
      inner.forward(params + n * A::parameters, n == 0 ? in : cache.between[n - 1].data(),
                    n + 1 == Times ? out : cache.between[n].data(), cache.inner[n]);
  }
  template <class Real, class T>
  void backward(const Real* params, const T* in, const Cache<T>& cache, const T* d_out, T* d_in,
                Real* d_params) const {
    Scratch<T> one(Times > 1 ? inputs : 0), other(Times > 2 ? inputs : 0);
    T *d_here = one.data(), *d_next = other.data();
    const T* d_above = d_out;
    for (std::size_t n = Times; n-- > 0;) {
      T* d_below = n == 0 ? d_in : d_here;
      if (n > 0 && n + 1 < Times) std::fill_n(d_below, inputs, T(real_t<T>(0)));
      inner.backward(params + n * A::parameters, n == 0 ? in : cache.between[n - 1].data(),
                     cache.inner[n], d_above, d_below, d_params + n * A::parameters);
      d_above = d_below;
      std::swap(d_here, d_next);
    }
  }
  template <class Real, class T>
  void tangent(const Real* params, const Real* d_params, const T* in, const T* d_in, T* out,
               T* d_out) const {
    Scratch<T> value(inputs), d_value(inputs);
    std::copy_n(in, inputs, value.data());
    std::copy_n(d_in, inputs, d_value.data());
    for (std::size_t n = 0; n < Times; ++n) {
      inner.tangent(params + n * A::parameters, d_params + n * A::parameters, value.data(),
                    d_value.data(), out, d_out);
      std::copy_n(out, inputs, value.data());
      std::copy_n(d_out, inputs, d_value.data());
    }
  }
};

}  // namespace dan
