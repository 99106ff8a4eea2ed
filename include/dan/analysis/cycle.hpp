// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>

#include "dan/analysis/retrace.hpp"
#include "dan/autodiff/dual.hpp"
#include "dan/core/memory.hpp"
#include "dan/network/analysis_network.hpp"
#include "dan/observe/observations.hpp"
#include "dan/problem/observation_deviations.hpp"
#include "dan/problem/problem.hpp"

namespace dan {

/// One assimilation cycle with a learned analysis as a differentiable map.
///
///   x^f = M(x^a_{k−1}) (each member),  ζ = Hᵀ R⁻¹ δ,  δ = y − H(mean of x^f),
///   x^a_k = x^f + s · a_θ(x^f, s ζ),
/// s from `observation_deviations`, |δ_j|/√R_jj and x^a_k within the bounds. Lanes in which no slot
/// reports have x^a = x^f; there the memory stays as it is, unless the network is shown the
/// precision: else it could not tell silence from agreement.
/// Input and output, one contiguous array of `carried` elements of T: the members' states
/// (members × points × channels), then the memory channels (points × memory), unless the memory is
/// found anew (`Shape.retrace`, see Retrace).
/// The bounds are there for the first seconds of a training and for unusual starts, where a lane
/// may run away; backward and tangent ignore them. The derivative of ζ for a nonlinear H has its
/// curvature too, by dual numbers through `observe_adjoint`. Cost: one model step (backward: one
/// adjoint) per member and one pass of the network. Source: Bocquet et al., Chaos 34 (2024) 091104,
/// equations 1–4; units, bounds and silent lanes are ours.
template <class Problem_, class Network_, class Observed_>
struct LearnedCycle {
  using Problem = Problem_;
  using Network = Network_;
  static_assert(Network::points == Problem::points && Network::channels == Problem::channels,
                "LearnedCycle: the network must have the points and channels of the model");
  static_assert(std::is_same_v<typename Network::Grid, typename Problem::Geometry> ||
                    std::is_same_v<typename Problem::Geometry, NoGeometry>,
                "LearnedCycle: the network must have the geometry of the problem; take "
                "NetworkFor<Problem, Shape>");
  static_assert(DifferentiableOperator<typename Problem::Operator>,
                "LearnedCycle: the observation operator must have observe_tangent, "
                "observe_adjoint and linear; write them, or put it into Differentiated<...>");

  static constexpr std::size_t members = Network::members, size = Problem::size;
  static constexpr std::size_t states = members * size;
  static constexpr bool retraces = Network::shape.retrace > 0;
  static constexpr std::size_t memory = retraces ? 0 : Problem::points * Network::memory;
  static constexpr std::size_t carried = states + memory;
  static constexpr std::size_t inputs = carried, outputs = carried;
  static constexpr std::size_t parameters = Network::parameters;

  const Problem& problem;
  const Network& network;
  const Observed_& observed;
  std::span<const double> deviations;  ///< s, one per element of the state
  AnalysisBounds<Network::channels> bounds{};
  double time = 0;  ///< at which the cycle begins, in cycles; for a model that is told it
  std::span<const double> scales{};  ///< of `scales_shown`, for a network that sees them

  using Retracing = Retrace<typename Problem::Model, Network>;

  /// The network's input and what it keeps, and what it kept on the way to a memory found anew.
  template <class T>
  struct Cache {
    std::array<T, Network::inputs> network_in;
    typename Network::template Cache<T> network;
    [[no_unique_address]] typename Retracing::template Cache<T> retrace;
  };

  /// x^f of every member; the memory is handed on.
  template <class T>
  void forecast(const T* in, T* out) const {
    for (std::size_t m = 0; m < members; ++m)
      at_time(problem.model, time).step(in + m * size, out + m * size);
    if (in != out) std::copy_n(in + states, memory, out + states);
  }

  /// Analysis from a forecast; out may be in.
  template <class Real, class T>
  void analyse(const Real* params, const T* in, T* out, Cache<T>& cache) const {
    auto& x = cache.network_in;
    std::copy_n(in, states, x.data());
    Scratch<T> mean(size, Unset{}), result(Network::outputs, Unset{});
    mean_of_members(in, mean.data());
    uplift(problem.observe, observed, mean.data(), x.data() + states, bounds.departure);
    for (std::size_t i = 0; i < size; ++i) x[states + i] *= deviation<T>(i);
    show_precision(x.data());
    show_scales(x.data());
    if constexpr (retraces)
      retracing().forward(params, x.data(), cache.retrace);
    else
      std::copy_n(in + states, memory, x.data() + Network::memory_at);
    network.forward(params, x.data(), result.data(), cache.network);
    const T seen = information<T>();
    for (std::size_t i = 0; i < states; ++i) {
      const std::size_t c = i % Network::channels;
      const T analysis =
          within(bounds.low[c], bounds.high[c], T(in[i] + deviation<T>(i % size) * result[i]));
      out[i] = where_positive(seen, analysis, in[i]);
    }
    for (std::size_t i = states; i < carried; ++i)
      out[i] = remembers ? result[i] : where_positive(seen, result[i], in[i]);
  }

  template <class Real, class T>
  void forward(const Real* params, const T* in, T* out, Cache<T>& cache) const {
    forecast(in, out);
    analyse(params, out, out, cache);
  }

  /// A model without an adjoint, a black box, ends the gradient of the state at its forecast.
  template <class Real, class T>
  void backward(const Real* params, const T* in, const Cache<T>& cache, const T* d_out, T* d_in,
                Real* d_params, const T* d_gain = nullptr) const {
    Scratch<T> d_x(Network::inputs);  // gradient of x^f, z and the memory
    Scratch<T> d_result(Network::outputs);
    const T seen = information<T>(), none(Real(0));
    std::copy_n(d_out, states, d_x.data());
    for (std::size_t i = 0; i < states; ++i)
      d_result[i] = where_positive(seen, T(deviation<T>(i % size) * d_out[i]), none);
    for (std::size_t i = states; i < carried; ++i)
      d_result[i] = remembers ? d_out[i] : where_positive(seen, d_out[i], none);
    network.backward(params, cache.network_in.data(), cache.network, d_result.data(), d_x.data(),
                     d_params, d_gain);
    if constexpr (retraces)
      retracing().backward(params, cache.network_in.data(), cache.retrace, d_x.data(), d_params);
    for (std::size_t i = 0; i < size; ++i) d_x[states + i] *= deviation<T>(i);
    uplift_adjoint(cache.network_in.data(), d_x.data() + states, d_x.data());
    if constexpr (DifferentiableModel<typename Problem::Model>)
      for (std::size_t m = 0; m < members; ++m)
        at_time(problem.model, time)
            .step_adjoint(in + m * size, d_x.data() + m * size, d_in + m * size);
    for (std::size_t i = 0; i < memory; ++i) {
      d_in[states + i] += d_x[Network::memory_at + i];
      if (!remembers) d_in[states + i] += where_positive(seen, none, d_out[states + i]);
    }
  }

  template <class Real, class T>
  void tangent(const Real* params, const Real* d_params, const T* in, const T* d_in, T* out,
               T* d_out) const {
    Scratch<T> x(Network::inputs), d_x(Network::inputs);
    for (std::size_t m = 0; m < members; ++m) {
      at_time(problem.model, time).step(in + m * size, x.data() + m * size);
      at_time(problem.model, time)
          .step_tangent(in + m * size, d_in + m * size, d_x.data() + m * size);
    }
    Scratch<T> mean(size, Unset{}), d_mean(size, Unset{});
    mean_of_members(x.data(), mean.data());
    mean_of_members(d_x.data(), d_mean.data());
    uplift(problem.observe, observed, mean.data(), x.data() + states);
    uplift_tangent(mean.data(), d_mean.data(), d_x.data() + states,
                   std::numeric_limits<double>::infinity());
    for (std::size_t i = 0; i < size; ++i) {
      x[states + i] *= deviation<T>(i);
      d_x[states + i] *= deviation<T>(i);
    }
    show_precision(x.data());
    show_scales(x.data());
    if constexpr (retraces) {
      retracing().tangent(params, d_params, x.data(), d_x.data());
    } else {
      std::copy_n(in + states, memory, x.data() + Network::memory_at);
      std::copy_n(d_in + states, memory, d_x.data() + Network::memory_at);
    }
    Scratch<T> result(Network::outputs, Unset{}), d_result(Network::outputs, Unset{});
    network.tangent(params, d_params, x.data(), d_x.data(), result.data(), d_result.data());
    const T seen = information<T>(), none(Real(0));
    for (std::size_t i = 0; i < states; ++i) {
      const T s = deviation<T>(i % size);
      out[i] = x[i] + where_positive(seen, T(s * result[i]), none);
      d_out[i] = d_x[i] + where_positive(seen, T(s * d_result[i]), none);
    }
    for (std::size_t i = states; i < carried; ++i) {
      out[i] = remembers ? result[i] : where_positive(seen, result[i], in[i]);
      d_out[i] = remembers ? d_result[i] : where_positive(seen, d_result[i], d_in[i]);
    }
  }

  /// Σ_j 1/R_jj over the slots that report, lane by lane.
  template <class T>
  [[nodiscard]] T information() const {
    T sum(real_t<T>(0));
    for (std::size_t j = 0; j < Problem::slots; ++j) sum += observed.precision[j];
    return sum;
  }

  /// The mean of the members; x: members × size, mean: size.
  template <class T>
  static void mean_of_members(const T* x, T* mean) {
    std::copy_n(x, size, mean);
    if constexpr (members > 1) {
      for (std::size_t m = 1; m < members; ++m)
        for (std::size_t i = 0; i < size; ++i) mean[i] += x[m * size + i];
      for (std::size_t i = 0; i < size; ++i) mean[i] *= T(static_cast<real_t<T>>(share));
    }
  }

 private:
  static constexpr double share = 1.0 / static_cast<double>(members);
  /// Whether the memory is rewritten even where nothing is observed.
  static constexpr bool remembers = Network::shape.sees_precision;

  [[nodiscard]] Retracing retracing() const { return {problem.model, network, bounds}; }

  /// NaN stays NaN.
  template <class T>
  static T within(double low, double high, const T& value) {
    const T least(static_cast<real_t<T>>(low)), most(static_cast<real_t<T>>(high));
    return minimum(most, maximum(least, value));
  }

  /// s_i.
  template <class T>
  [[nodiscard]] T deviation(std::size_t i) const {
    return T(static_cast<real_t<T>>(deviations[i]));
  }

  /// s² p, p = Hᵀ R⁻¹ H 1, becomes part of the network's input x, if the network is shown it.
  template <class T>
  void show_precision(T* x) const {
    if constexpr (Network::shape.sees_precision) {
      static_assert(Problem::Operator::linear,
                    "LearnedCycle: a network that sees the precision needs a linear observation "
                    "operator; take NetworkShape::sees_precision = false");
      Scratch<T> minus_one(size);
      std::ranges::fill(minus_one, T(real_t<T>(-1)));
      T* const p = x + Network::precision_at;
      uplift_tangent(x, minus_one.data(), p, bounds.departure);
      for (std::size_t i = 0; i < size; ++i) p[i] *= deviation<T>(i) * deviation<T>(i);
    }
  }

  /// The scales become part of the network's input x, if the network is shown them.
  template <class T>
  void show_scales(T* x) const {
    if constexpr (Network::shape.sees_scales)
      for (std::size_t i = 0; i < 2 * size; ++i) x[Network::scales_at + i] = constant<T>(scales[i]);
  }

  /// What changes of ζ = H'(x)ᵀ w, w = R⁻¹ (y − H(x)), with x, the mean of the forecasts:
  ///   d_zeta = −H'ᵀ R⁻¹ H' dx + (H'' dx)ᵀ w.
  /// `most`: how many deviations y − H(x) counts with at most in w.
  template <class T>
  void uplift_tangent(const T* x, const T* dx, T* d_zeta, double most) const {
    using Operator = typename Problem::Operator;
    Scratch<T> d_y(Problem::slots, Unset{});
    const auto& here = placed(problem.observe, observed);
    for (std::size_t i = 0; i < size; ++i) d_zeta[i] = T(real_t<T>(0));
    if constexpr (!Operator::linear) {
      static_assert(
          requires(const Dual<T>* in, Dual<T>* out) { here.observe_adjoint(in, in, out); },
          "LearnedCycle: the gradient through a nonlinear observation operator needs its "
          "observe_adjoint as a template on the scalar; write it so, or leave it to "
          "Differentiated<...>");
      Scratch<Dual<T>> along(size, Unset{}), w(Problem::slots, Unset{}), out(size, Unset{});
      weigh_departures(here, observed, x, most, d_y.data());
      const T none(real_t<T>(0));
      for (std::size_t i = 0; i < size; ++i) along[i] = {x[i], dx[i]}, out[i] = {none, none};
      for (std::size_t j = 0; j < Problem::slots; ++j) w[j] = {d_y[j], none};
      here.observe_adjoint(along.data(), w.data(), out.data());
      for (std::size_t i = 0; i < size; ++i) d_zeta[i] = out[i].slope;
    }
    here.observe_tangent(x, dx, d_y.data());
    for (std::size_t j = 0; j < Problem::slots; ++j)
      d_y[j] = Operator::linear
                   ? T(-(observed.precision[j] * d_y[j]))
                   : where_reporting(observed, j, T(-(observed.precision[j] * d_y[j])));
    here.observe_adjoint(x, d_y.data(), d_zeta);
  }
  /// d_x of every member += its share of the same with d_zeta for dx: H'' is symmetric, so that the
  /// derivative is its own adjoint.
  template <class T>
  void uplift_adjoint(const T* forecasts, const T* d_zeta, T* d_x) const {
    Scratch<T> mean(size, Unset{}), d_mean(size, Unset{});
    mean_of_members(forecasts, mean.data());
    uplift_tangent(mean.data(), d_zeta, d_mean.data(), bounds.departure);
    const T weight(static_cast<real_t<T>>(share));
    for (std::size_t m = 0; m < members; ++m)
      for (std::size_t i = 0; i < size; ++i) d_x[m * size + i] += weight * d_mean[i];
  }
};

}  // namespace dan
