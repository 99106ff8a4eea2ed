// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>

#include "dan/concepts.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"
#include "dan/network/analysis_network.hpp"
#include "dan/problem/problem.hpp"

namespace dan {

/// The memory that a network would have had it followed the trajectory that leads to a forecast, as
/// a differentiable map of that forecast.
///
///   x_0 = x^f,  x_−k = M⁻¹(x_−k+1), k = 1 … n,  each member,
///   m_−n = 0,   m_−k+1 = the memory that the network makes of (x_−k, ζ = 0, m_−k),   memory = m_0,
/// with n = `Shape.retrace`; a network that sees precision or scales is shown those of the present
/// cycle. So no more than a state is carried from cycle to cycle. What a memory is good for is the
/// covariance of the errors; on the attractor of a chaotic system it depends, after a while, on the
/// trajectory alone, and that is known from its end.
///
/// Backwards, what a model contracts grows, so a trajectory leaves the attractor in the end. It is
/// followed, in each lane, as long as the mean square of its deviations from the climate's mean, in
/// the climate's deviations (`input_mean`, `input_deviation`), is at most 1.5; m is 0 before.
/// Elements are kept within the bounds, which `backward` and `tangent` ignore. The model must have
/// `backward()`: the library's Runge–Kutta integrators do, for an equation that is not told the
/// time and knows of no decay. Arrays: those of the network's input, see AnalysisNetwork; memory:
/// points × memory. Cost: n model steps of every member, and n passes of the network. Memory: n of
/// its caches. Source: ours, after Sakov, arXiv:2411.14809 (2024), see BackwardKalman.
template <class Model, class Network>
struct Retrace {
  static constexpr std::size_t cycles = Network::shape.retrace;
  static constexpr std::size_t members = Network::members, size = Network::size;
  static constexpr std::size_t states = members * size;
  static constexpr std::size_t memory = Network::points * Network::memory;
  static_assert(cycles == 0 || Network::memory > 0,
                "Retrace: without memory there is nothing to find; set memory in the NetworkShape, "
                "or retrace to 0");
  static_assert(
      cycles == 0 || ReversibleModel<Model>,
      "Retrace: the model must have `backward()`, a model in reverse time; write it, take "
      "an integrator of the library, or set retrace to 0 in the NetworkShape");

  const Model& model;
  const Network& network;
  const AnalysisBounds<Network::channels>& bounds;

  /// Of the pass at x_−k, k = 1 … n, at place k − 1.
  template <class T>
  struct Pass {
    std::array<T, Network::inputs> in;
    T kept;  ///< 1 where the trajectory is followed this far, else 0
    typename Network::template Cache<T> network;
  };
  template <class T>
  using Cache = std::array<Pass<T>, cycles>;

  /// `in`: the network's input at x^f, of which state, precision and scales are read; its memory
  /// becomes m_0.
  template <class Real, class T>
  void forward(const Real* params, T* in, Cache<T>& cache) const {
    const auto back = model.backward();
    for (std::size_t k = 0; k < cycles; ++k) {
      const T* const later = k == 0 ? in : cache[k - 1].in.data();
      T* const x = cache[k].in.data();
      for (std::size_t m = 0; m < members; ++m) back.step(later + m * size, x + m * size);
      cache[k].kept = k == 0 ? T(Real(1)) : cache[k - 1].kept;
      follow(x, cache[k].kept);
      std::fill_n(x + Network::zeta_at, size, T(Real(0)));
      std::copy(in + Network::precision_at, in + Network::memory_at, x + Network::precision_at);
    }
    Scratch<T> out(Network::outputs);  // the memory behind the states is zero
    for (std::size_t k = cycles; k-- > 0;) {
      std::copy_n(out.data() + states, memory, cache[k].in.data() + Network::memory_at);
      network.forward(params, cache[k].in.data(), out.data(), cache[k].network);
      for (std::size_t i = states; i < Network::outputs; ++i) out[i] *= cache[k].kept;
    }
    std::copy_n(out.data() + states, memory, in + Network::memory_at);
  }

  /// `d_in`: the gradient of the network's input at x^f; that of its memory is used, that of the
  /// state added to. Accumulates d_params.
  template <class Real, class T>
  void backward(const Real* params, const T* in, const Cache<T>& cache, T* d_in,
                Real* d_params) const {
    Scratch<T> d_states(cycles * states, Unset{});  // of x_−1 … x_−n, as the network sees them
    Scratch<T> d_x(Network::inputs), d_out(Network::outputs);
    std::copy_n(d_in + Network::memory_at, memory, d_out.data() + states);
    for (std::size_t k = 0; k < cycles; ++k) {
      std::ranges::fill(d_x, T(Real(0)));
      for (std::size_t i = states; i < Network::outputs; ++i) d_out[i] *= cache[k].kept;
      network.backward(params, cache[k].in.data(), cache[k].network, d_out.data(), d_x.data(),
                       d_params);
      std::copy_n(d_x.data(), states, &d_states[k * states]);
      std::copy_n(d_x.data() + Network::memory_at, memory, d_out.data() + states);
    }
    const auto back = model.backward();
    for (std::size_t k = cycles; k-- > 0;) {
      const T* const later = k == 0 ? in : cache[k - 1].in.data();
      T* const d_later = k == 0 ? d_in : &d_states[(k - 1) * states];
      for (std::size_t m = 0; m < members; ++m)
        back.step_adjoint(later + m * size, &d_states[k * states + m * size], d_later + m * size);
    }
  }

  /// d of the memory in `in`, for a d of the state there; both memories are overwritten.
  template <class Real, class T>
  void tangent(const Real* params, const Real* d_params, T* in, T* d_in) const {
    const auto back = model.backward();
    Scratch<T> x((cycles + 1) * states, Unset{}), d_x((cycles + 1) * states, Unset{});
    std::array<T, cycles + 1> kept{T(Real(1))};
    std::copy_n(in, states, x.data());
    std::copy_n(d_in, states, d_x.data());
    for (std::size_t k = 0; k < cycles; ++k) {
      for (std::size_t at = k * states; at < (k + 1) * states; at += size) {
        back.step_tangent(&x[at], &d_x[at], &d_x[at + states]);
        back.step(&x[at], &x[at + states]);
      }
      kept[k + 1] = kept[k];
      follow(&x[(k + 1) * states], kept[k + 1]);
    }
    Scratch<T> here(Network::inputs), d_here(Network::inputs);
    Scratch<T> out(Network::outputs), d_out(Network::outputs);
    std::copy(in + Network::precision_at, in + Network::memory_at,
              here.data() + Network::precision_at);
    for (std::size_t k = cycles; k > 0; --k) {
      std::copy_n(&x[k * states], states, here.data());
      std::copy_n(&d_x[k * states], states, d_here.data());
      std::copy_n(out.data() + states, memory, here.data() + Network::memory_at);
      std::copy_n(d_out.data() + states, memory, d_here.data() + Network::memory_at);
      network.tangent(params, d_params, here.data(), d_here.data(), out.data(), d_out.data());
      for (std::size_t i = states; i < Network::outputs; ++i)
        out[i] *= kept[k], d_out[i] *= kept[k];
    }
    std::copy_n(out.data() + states, memory, in + Network::memory_at);
    std::copy_n(d_out.data() + states, memory, d_in + Network::memory_at);
  }

 private:
  /// The largest mean square of deviations from the climate, in its own: on the attractor of Lorenz
  /// 96 with 40 points about one state in 16,000 has more.
  static constexpr double farthest = 1.5;

  /// In lanes where x is too far, `kept` becomes 0; what is not finite becomes a bound.
  template <class T>
  void follow(T* x, T& kept) const {
    using Real = real_t<T>;
    const auto number = [](double value) { return T(static_cast<Real>(value)); };
    T squares(Real(0));
    for (std::size_t i = 0; i < states; ++i) {
      const std::size_t c = i % Network::channels;
      x[i] = maximum(number(bounds.low[c]), minimum(x[i], number(bounds.high[c])));
      const T d = number(1 / network.input_deviation[c]) * (x[i] - number(network.input_mean[c]));
      squares += d * d;
    }
    kept = where_less(squares, number(farthest * static_cast<double>(states)), kept, T(Real(0)));
  }
};

}  // namespace dan
