// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>

#include "dan/analysis/cycle.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"
#include "dan/train/loss.hpp"

namespace dan {

/// A learned cycle that keeps a lane whose model runs away finite: NaN in one lane would be NaN in
/// the sum of all gradients. Its forecast stays within the bounds and their distance beyond.
template <class Problem, class Network, class Observed>
struct BoundedCycle : LearnedCycle<Problem, Network, Observed> {
  using Base = LearnedCycle<Problem, Network, Observed>;

  template <class Real, class T, class Cache>
  void forward(const Real* params, const T* in, T* out, Cache& cache) const {
    Base::forecast(in, out);
    for (std::size_t i = 0; i < Base::states; ++i) {
      const std::size_t c = i % Network::channels;
      const double low = Base::bounds.low[c], high = Base::bounds.high[c], room = high - low;
      // NaN becomes the upper bound, whose lane is lost.
      out[i] = maximum(T(static_cast<Real>(low - room)),
                       minimum(out[i], T(static_cast<Real>(high + room))));
    }
    Base::analyse(params, out, out, cache);
  }
};

/// The same of a network with a gain head of one level, whose gain may have a target.
template <class Problem, class Network, class Observed, class T>
struct TaughtCycle : BoundedCycle<Problem, Network, Observed> {
  using Base = BoundedCycle<Problem, Network, Observed>;
  const GainTarget<T>* target = nullptr;

  template <class Real, class Cache>
  void backward(const Real* params, const T* in, const Cache& cache, const T* d_out, T* d_in,
                Real* d_params) const {
    if (target == nullptr) return Base::backward(params, in, cache, d_out, d_in, d_params);
    Scratch<T> d_gain(Network::members * Network::gains, Unset{});
    gain_loss_gradient<Network>(cache.network, *target, d_gain.data());
    Base::backward(params, in, cache, d_out, d_in, d_params, d_gain.data());
  }
};

}  // namespace dan
