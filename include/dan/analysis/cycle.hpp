// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>

#include "dan/analysis/setting.hpp"
#include "dan/autodiff/map.hpp"
#include "dan/network/analysis_network.hpp"
#include "dan/observe/observations.hpp"

namespace dan {

/// One assimilation cycle with a learned analysis as a differentiable map.
///
///   x^f = M(x^a_{k−1}) (each member),  ζ = Hᵀ R⁻¹ (y − H(mean of x^f)),
///   x^a_k = x^f + a_θ(x^f, ζ),  ζ and x^a_k within the bounds.
/// Input and output, one contiguous array of `carried` elements of T: the members' states
/// (members × points × channels), then the memory channels (points × memory).
/// The bounds are there for the first seconds of a training and for unusual starts, where a lane
/// may run away; backward and tangent ignore them. Only linear observation operators have a
/// backward pass. Cost: one model step (backward: one adjoint) per member and one pass of the
/// network. Source: Bocquet et al., Chaos 34 (2024) 091104, equations 1–4.
template <class Setting_, class Network_, class Observed_>
struct LearnedCycle {
  using Setting = Setting_;
  using Network = Network_;
  static_assert(Network::points == Setting::points && Network::channels == Setting::channels,
                "LearnedCycle: the network must have the points and channels of the model");

  static constexpr std::size_t members = Network::members, size = Setting::size;
  static constexpr std::size_t states = members * size;
  static constexpr std::size_t memory = Setting::points * Network::memory;
  static constexpr std::size_t carried = states + memory;
  static constexpr std::size_t inputs = carried, outputs = carried;
  static constexpr std::size_t parameters = Network::parameters;

  const Setting& setting;
  const Network& network;
  const Observed_& observed;
  AnalysisBounds bounds{};

  /// The network's input and what it keeps.
  template <class T>
  struct Cache {
    std::array<T, Network::inputs> network_in;
    typename Network::template Cache<T> network;
  };

  /// x^f of every member; the memory is handed on.
  template <class T>
  void forecast(const T* in, T* out) const {
    for (std::size_t m = 0; m < members; ++m) setting.model.step(in + m * size, out + m * size);
    if (in != out) std::copy_n(in + states, memory, out + states);
  }

  /// Analysis from a forecast; out may be in.
  template <class Real, class T>
  void analyse(const Real* params, const T* in, T* out, Cache<T>& cache) const {
    auto& x = cache.network_in;
    std::copy_n(in, states, x.data());
    std::array<T, size> mean;
    mean_of_members(in, mean);
    uplift(setting.network, observed, mean.data(), x.data() + states);
    for (std::size_t i = 0; i < size; ++i)
      x[states + i] = within(-bounds.uplift, bounds.uplift, x[states + i]);
    show_precision(x.data());
    std::copy_n(in + states, memory, x.data() + Network::memory_at);
    std::array<T, carried> result;
    network.forward(params, x.data(), result.data(), cache.network);
    for (std::size_t i = 0; i < states; ++i)
      out[i] = within(bounds.low, bounds.high, T(in[i] + result[i]));
    std::copy_n(result.data() + states, memory, out + states);
  }

  template <class Real, class T>
  void forward(const Real* params, const T* in, T* out, Cache<T>& cache) const {
    forecast(in, out);
    analyse(params, out, out, cache);
  }

  template <class Real, class T>
  void backward(const Real* params, const T* in, const Cache<T>& cache, const T* d_out, T* d_in,
                Real* d_params, const GainTarget<T>* target = nullptr) const {
    Scratch<T> d_x(Network::inputs);  // gradient of x^f, ζ and the memory
    std::copy_n(d_out, states, d_x.data());
    network.backward(params, cache.network_in.data(), cache.network, d_out, d_x.data(), d_params,
                     target);
    uplift_adjoint(d_x.data() + states, d_x.data());
    for (std::size_t m = 0; m < members; ++m)
      setting.model.step_adjoint(in + m * size, d_x.data() + m * size, d_in + m * size);
    for (std::size_t i = 0; i < memory; ++i) d_in[states + i] += d_x[Network::memory_at + i];
  }

  template <class Real, class T>
  void tangent(const Real* params, const Real* d_params, const T* in, const T* d_in, T* out,
               T* d_out) const {
    Scratch<T> x(Network::inputs), d_x(Network::inputs);
    for (std::size_t m = 0; m < members; ++m) {
      setting.model.step(in + m * size, x.data() + m * size);
      setting.model.step_tangent(in + m * size, d_in + m * size, d_x.data() + m * size);
    }
    std::array<T, size> mean, d_mean;
    mean_of_members(x.data(), mean);
    mean_of_members(d_x.data(), d_mean);
    uplift(setting.network, observed, mean.data(), x.data() + states);
    uplift_tangent(d_mean.data(), d_x.data() + states);
    show_precision(x.data());
    std::copy_n(in + states, memory, x.data() + Network::memory_at);
    std::copy_n(d_in + states, memory, d_x.data() + Network::memory_at);
    network.tangent(params, d_params, x.data(), d_x.data(), out, d_out);
    for (std::size_t i = 0; i < states; ++i) out[i] += x[i], d_out[i] += d_x[i];
  }

 private:
  static constexpr double share = 1.0 / static_cast<double>(members);

  /// NaN stays NaN.
  template <class T>
  static T within(double low, double high, const T& value) {
    const T least(static_cast<real_t<T>>(low)), most(static_cast<real_t<T>>(high));
    return minimum(most, maximum(least, value));
  }

  template <class T>
  static void mean_of_members(const T* x, std::array<T, size>& mean) {
    std::copy_n(x, size, mean.data());
    if constexpr (members > 1) {
      for (std::size_t m = 1; m < members; ++m)
        for (std::size_t i = 0; i < size; ++i) mean[i] += x[m * size + i];
      for (auto& value : mean) value *= T(static_cast<real_t<T>>(share));
    }
  }

  /// The precision Hᵀ R⁻¹ H 1 becomes part of the network's input x, if the network is shown it.
  template <class T>
  void show_precision(T* x) const {
    if constexpr (Network::shape.sees_precision) {
      std::array<T, size> minus_one;
      minus_one.fill(T(real_t<T>(-1)));
      uplift_tangent(minus_one.data(), x + Network::precision_at);
    }
  }

  /// d_zeta = −Hᵀ R⁻¹ H dx.
  template <class T>
  void uplift_tangent(const T* dx, T* d_zeta) const {
    static_assert(Setting::Network::linear,
                  "LearnedCycle: derivatives need a linear observation network");
    std::array<T, Setting::slots> d_y;
    setting.network.observe_tangent(dx, dx, d_y.data());
    for (std::size_t j = 0; j < Setting::slots; ++j) d_y[j] = -(observed.precision[j] * d_y[j]);
    for (std::size_t i = 0; i < size; ++i) d_zeta[i] = T(real_t<T>(0));
    setting.network.observe_adjoint(dx, d_y.data(), d_zeta);
  }
  /// d_x of every member += its share of −Hᵀ R⁻¹ H d_zeta (the operator is its own adjoint).
  template <class T>
  void uplift_adjoint(const T* d_zeta, T* d_x) const {
    std::array<T, size> d_mean;
    uplift_tangent(d_zeta, d_mean.data());
    const T weight(static_cast<real_t<T>>(share));
    for (std::size_t m = 0; m < members; ++m)
      for (std::size_t i = 0; i < size; ++i) d_x[m * size + i] += weight * d_mean[i];
  }
};

}  // namespace dan
