// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "dan/analysis/learned.hpp"
#include "dan/core/error.hpp"
#include "dan/core/simd.hpp"
#include "dan/network/weights.hpp"

/// \file
/// What a learned analysis has learned, seen as a function of the forecast and the innovation.
///
///     const Learned<MyProblem, MyNetwork> method(problem, load_weights<MyNetwork>(file));
///     const LearnedIncrement increment(method);
///     method.forecast(carried), method.analyse(carried, observed, key);
///     auto at = increment.input(carried, 0);     // what the network saw in lane 0
///     const Matrix p = learned_covariance(increment, at);                  // diagnose/gain.hpp
///
/// In a twin experiment recorders do that: `BiasRecorder` (diagnose/bias.hpp), `LinearityRecorder`
/// (diagnose/linearity.hpp), `CovarianceRecorder` (diagnose/spectrum.hpp) and `SensitivityRecorder`
/// (diagnose/sensitivity.hpp).

namespace dan {

/// The learned increment of the estimate as a function of all that it depends on:
///   a(u) = s · mean over the members of a_θ(u),  u = (x^f, z, s² p, memory),  z = s ζ,
/// with s of `observation_deviations`.
///
/// u is the network's input, `inputs` elements, see AnalysisNetwork: states and increments in units
/// of the state, z in units of the observations' errors, so that ∂a/∂ζ = ∂a/∂z · s. Every scalar
/// will do: lanes for many inputs side by side, `Dual` numbers for derivatives, also within each
/// other. Without the bounds and the way back of `Learned`, which are no part of what was learned.
/// A view: weights and deviations are those of the object it was made from, which must live longer.
/// Cost: one pass of the network; of dual numbers twice, of dual dual numbers four times that.
template <class Network_, class Real_>
class LearnedIncrement {
 public:
  using Network = Network_;
  using Real = Real_;
  static constexpr std::size_t size = Network::size, members = Network::members;
  static constexpr std::size_t inputs = Network::inputs;

  /// Throws ShapeError unless there is a deviation for each element of the state.
  LearnedIncrement(const Trained<Network, Real>& trained, std::span<const double> deviations)
      : trained_(&trained), deviations_(deviations) {
    require_size("LearnedIncrement", "deviations", deviations.size(), size, "element of the state");
  }
  template <class Problem, std::size_t Runs>
  explicit LearnedIncrement(const Learned<Problem, Network, Runs, Real>& method)
      : LearnedIncrement(method.trained(), method.deviations()) {}

  /// a of `inputs` elements: `size` elements, overwritten.
  template <class T>
  void operator()(const T* in, T* out) const {
    // Not set, as it would be cleared for nothing.
    const std::unique_ptr<typename Network::template Cache<T>> cache(
        new typename Network::template Cache<T>);
    Scratch<T> increments(Network::outputs, Unset{});
    trained_->network.forward(trained_->parameters.data(), in, increments.data(), *cache);
    for (std::size_t i = 0; i < size; ++i) {
      T sum = increments[i];
      for (std::size_t m = 1; m < members; ++m) sum += increments[m * size + i];
      out[i] = T(static_cast<Real>(deviations_[i] / members)) * sum;
    }
  }

  /// What the network saw in the last analysis of lane `lane` of what a `Learned` carries.
  template <class Carried>
  [[nodiscard]] static std::vector<Real> input(const Carried& carried, std::size_t lane) {
    std::vector<Real> in(inputs);
    for (std::size_t i = 0; i < inputs; ++i) in[i] = lane_of(carried.cache->network_in[i], lane);
    return in;
  }
  /// The mean over the members of the states in an input, where a learned analysis linearises an
  /// observation operator.
  [[nodiscard]] static std::vector<Real> mean_state(std::span<const Real> in) {
    std::vector<Real> mean(in.begin(), in.begin() + size);
    for (std::size_t m = 1; m < members; ++m)
      for (std::size_t i = 0; i < size; ++i) mean[i] += in[m * size + i];
    for (Real& x : mean) x /= static_cast<Real>(members);
    return mean;
  }
  /// z, the part of an input that is the innovation's.
  template <class T>
  [[nodiscard]] static std::span<T> innovation(T* in) {
    return {in + Network::zeta_at, size};
  }

  [[nodiscard]] const Trained<Network, Real>& trained() const { return *trained_; }
  /// s.
  [[nodiscard]] std::span<const double> deviations() const { return deviations_; }

 private:
  const Trained<Network, Real>* trained_;
  std::span<const double> deviations_;
};

/// An analysis of which a LearnedIncrement can be made.
template <class Method>
concept LearnedMethod = requires(const Method& method) {
  LearnedIncrement(method);
};

}  // namespace dan
