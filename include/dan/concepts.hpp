// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <concepts>
#include <cstddef>

#include "dan/core/random.hpp"

/// \file
/// The contracts of the library as C++20 concepts; docs/architecture.md tells them in words.

namespace dan {

/// Has a state of `points × channels` numbers.
template <class M>
concept HasState = requires {
  { M::points } -> std::convertible_to<std::size_t>;
  { M::channels } -> std::convertible_to<std::size_t>;
};

/// An ordinary differential equation dx/dt = f(x) with its tangent and adjoint.
template <class Ode>
concept DifferentialEquation = HasState<Ode> &&
    requires(const Ode ode, const double* x, const double* dx, double* out) {
  ode.tendency(x, out);
  ode.tendency_tangent(x, dx, out);
  ode.tendency_adjoint(x, dx, out);
};

/// Advances a state by one cycle: x(k+1) = M(x(k)).
template <class M>
concept DynamicalModel = HasState<M> && requires(const M model, const double* x, double* y) {
  model.step(x, y);
};

/// A model with tangent dy = M'(x) dx and adjoint d_x += M'(x)ᵀ d_y.
template <class M>
concept DifferentiableModel = DynamicalModel<M> &&
    requires(const M model, const double* x, const double* dx, double* out) {
  model.step_tangent(x, dx, out);
  model.step_adjoint(x, dx, out);
};

/// Maps a state to `slots` observations, with tangent and adjoint, and says which slots report.
/// The adjoint adds nothing for a slot with d_y = 0, also where its slope is not finite.
template <class N>
concept ObservationOperator = HasState<N> &&
    requires(const N operation, const double* x, const double* dx, double* out, bool* mask,
             const RandomKey& key) {
  { N::slots } -> std::convertible_to<std::size_t>;
  { N::linear } -> std::convertible_to<bool>;
  operation.observe(x, out);
  operation.observe_tangent(x, dx, out);
  operation.observe_adjoint(x, dx, out);
  operation.available(key, mask);
};

/// Turns forecasts and observations into analyses, and carries something between cycles.
template <class A>
concept Analysis = HasState<A> &&
    requires(const A analysis, typename A::Carried& carried, const typename A::Observed& observed,
             const typename A::FirstGuessBatch& guess, typename A::Estimate& estimate,
             const RandomKey& key) {
  { A::runs } -> std::convertible_to<std::size_t>;
  { A::slots } -> std::convertible_to<std::size_t>;
  { analysis.start(guess, double(1), key) } -> std::same_as<typename A::Carried>;
  analysis.forecast(carried);
  analysis.analyse(carried, observed, key);
  analysis.estimate(carried, estimate);
};

}  // namespace dan
