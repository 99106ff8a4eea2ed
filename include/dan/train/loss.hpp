// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <concepts>
#include <cstddef>
#include <span>

#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"

namespace dan {

/// Σ_i w_i e_i², lane by lane, e = x̄ − x, x̄ the mean of the members.
/// `states`: members × size elements of T; `truth`: size elements; `norm`: w, one number per
/// element of the state; `error`: e, size elements, overwritten.
template <std::size_t Members, class T>
T squared_error(const T* states, const T* truth, std::span<const double> norm, T* error) {
  const std::size_t size = norm.size();
  const T share(static_cast<real_t<T>>(1.0 / static_cast<double>(Members)));
  T squares(real_t<T>(0));
  for (std::size_t i = 0; i < size; ++i) {
    T mean = states[i];
    for (std::size_t m = 1; m < Members; ++m) mean += states[m * size + i];
    error[i] = share * mean - truth[i];
    squares += T(static_cast<real_t<T>>(norm[i])) * error[i] * error[i];
  }
  return squares;
}

/// The supervised loss: squared distance of the mean analysis from the truth, lane by lane.
///
///   L = weight/2 · Σ_lanes ρ(s),  s = Σ_i w_i (x̄^a_i − x^t_i)², w the weights of the norm,
///   ρ(s) = s up to c = size · limit², then c (1 + ln(s/c)).
/// Beyond an error of `limit` a lane's gradient falls like 1/error: one lane that has lost the
/// truth must not outweigh all others, else its updates lose the next ones. Adds dL/dx^a to
/// `d_states` and returns weight/2 · Σ s. With weight = 1/(runs · cycles · size) the sum over
/// all is half the mean squared error. Arrays as in `squared_error`. A loss of your own is a
/// type with this function: the argument `Loss` of `Trainer`. Source: Bocquet et al., Chaos 34
/// (2024) 091104, equation 4; the limit is ours.
struct SupervisedLoss {
  template <std::size_t Members, class T>
  double add(const T* states, const T* truth, std::span<const double> norm, double weight,
             double limit, T* d_states) const {
    using Real = real_t<T>;
    const std::size_t size = norm.size();
    Scratch<T> error(size, Unset{});
    const T squares = squared_error<Members>(states, truth, norm, error.data());
    const T most(static_cast<Real>(static_cast<double>(size) * limit * limit));
    const T slope = T(static_cast<Real>(weight / static_cast<double>(Members))) *
                    (most / maximum(most, squares));
    for (std::size_t i = 0; i < size; ++i) {
      const T d = slope * (T(static_cast<Real>(norm[i])) * error[i]);
      for (std::size_t m = 0; m < Members; ++m) d_states[m * size + i] += d;
    }
    return weight / 2 * static_cast<double>(sum_lanes(squares));
  }
};

/// What `SupervisedLoss` has, of states of numbers T.
template <class Loss, std::size_t Members, class T>
concept TrainingLoss = requires(const Loss& loss, const T* states, std::span<const double> norm,
                                double number, T* d_states) {
  {
    loss.template add<Members>(states, states, norm, number, number, d_states)
    } -> std::convertible_to<double>;
};

/// What the gain U of a gain head of one level should be: P^a, the covariance of the analysis'
/// error, in units of the observation errors' deviations s.
///
/// It adds weight/2 · Σ_ij (u_{i,j} − P^a_{i,j})² to the loss, for every member's gain; i an
/// element, j a neighbour; where a wall mirrors several taps to a point, each has its part of P^a.
/// In a training the weight is w s̄² r / (runs · cycles · size), with w
/// `TrainConfig::taught_gain`, s̄² the mean of s² in the norm and r ≤ 1 from `gain_trust`.
template <class T>
struct GainTarget {
  const T* covariance = nullptr;  ///< points × channels × window × channels, in these units
  T weight{};                     ///< lane by lane
};

/// r = v / max(v, Σ_i (e_i/s_i)²), lane by lane, v = Σ_i P^a_{i,i} in units of s: 1 unless the
/// network's analysis is farther from the teacher's, by e, than the teacher expects to be from the
/// truth, then falling with the square of the distance; there the network needs a larger gain. Not
/// to be differentiated. `states`, `truth` (the teacher's analysis), `norm`: as in
/// `squared_error`; `covariance`: as in `GainTarget`; `deviations`: s.
template <class Network, class T>
T gain_trust(const T* states, const T* truth, std::span<const double> norm, const T* covariance,
             std::span<const double> deviations) {
  using Real = real_t<T>;
  constexpr std::size_t window = Network::Head::window, channels = Network::channels;
  Scratch<T> error(Network::size, Unset{});
  squared_error<Network::members>(states, truth, norm, error.data());
  T squares(Real(0)), variance(Real(0));
  for (std::size_t i = 0; i < Network::size; ++i) {
    const T scaled = T(static_cast<Real>(1 / deviations[i])) * error[i];
    squares += scaled * scaled;
    Network::Head::Taps::for_each_own(i / channels, [&](std::size_t j) {
      variance += covariance[(i * window + j) * channels + i % channels];
    });
  }
  return variance / maximum(variance, squares);
}

/// d_gain = weight (u − P^a): the gradient of the target's part of the loss, with the network's
/// cache of the last `forward`; members × `Network::gains`, overwritten.
template <class Network, class T>
void gain_loss_gradient(const typename Network::template Cache<T>& cache,
                        const GainTarget<T>& target, T* d_gain) {
  constexpr std::size_t row = Network::gains / Network::size;
  for (std::size_t m = 0; m < Network::members; ++m)
    for (std::size_t i = 0; i < Network::size; ++i) {
      const T* const u = Network::gain_row(cache, m, i);
      for (std::size_t n = 0; n < row; ++n)
        *d_gain++ = target.weight * (u[n] - target.covariance[i * row + n]);
    }
}

}  // namespace dan
