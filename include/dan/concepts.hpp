// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <concepts>
#include <cstddef>
#include <type_traits>

#include "dan/core/at_time.hpp"
#include "dan/core/random.hpp"
#include "dan/core/simd.hpp"

/// \file
/// The contracts of the library as C++20 concepts; docs/architecture.md tells them in words.

namespace dan {

/// Has a state of `points × channels` numbers, known when a program is compiled.
template <class M>
concept HasState = requires {
  typename std::integral_constant<std::size_t, M::points>;    // static constexpr std::size_t points
  typename std::integral_constant<std::size_t, M::channels>;  // static constexpr … channels = 1
};

namespace detail {
/// Contracts are tried with double and with this pack: numbers side by side.
using Side = Pack<double, simd_width<double>>;
}  // namespace detail

// Compilers print the lines below that a type does not fulfil, with the remedies at their ends.

/// An ordinary differential equation dx/dt = f(x): a tendency that is a template on the scalar.
template <class Ode>
concept DifferentialEquation = HasState<Ode> &&
    requires(const AnyTime<Ode> ode, const double* x, double* y, const detail::Side* s,
             detail::Side* t) {
  ode.tendency(x, y);  // write: template <class T> void tendency(const T* x, T* dxdt) const
  ode.tendency(s, t);  // write: template <class T> void tendency(const T* x, T* dxdt) const
};

/// An equation with a tangent and an adjoint by hand; other equations have them by dual numbers
/// and the tape (autodiff/derivatives.hpp).
template <class Ode>
concept DifferentiableEquation = DifferentialEquation<Ode> &&
    requires(const AnyTime<Ode> ode, const detail::Side* x, const detail::Side* d,
             detail::Side* out) {
  ode.tendency_tangent(x, d, out);
  ode.tendency_adjoint(x, d, out);
};

/// Advances a state by one cycle: x(k+1) = M(x(k)); the step is a template on the scalar.
template <class M>
concept DynamicalModel = HasState<M> && requires(const AnyTime<M> model, const double* x, double* y,
                                                 const detail::Side* s, detail::Side* t) {
  model.step(x, y);  // an equation (a tendency alone) becomes a model in Rk4<...>
  model.step(s, t);  // write: template <class T> void step(const T*, T*), or use BlackBox<...>
};

/// A model with tangent dy = M'(x) dx (dy may be dx) and adjoint d_x += M'(x)ᵀ d_y.
template <class M>
concept DifferentiableModel = DynamicalModel<M> &&
    requires(const AnyTime<M> model, const detail::Side* x, const detail::Side* d,
             detail::Side* out) {
  model.step_tangent(x, d, out);  // write it by hand, or put the model into Differentiated<...>
  model.step_adjoint(x, d, out);  // write it by hand, or put the model into Differentiated<...>
};

/// A model that has one in reverse time: `model.backward()` has a `step` that undoes one of
/// `model`, of numbers; a network that goes back (Retrace) also asks for lanes and derivatives.
template <class M>
concept ReversibleModel = DynamicalModel<M> &&
    requires(const M& model, const double* x, double* y) {
  model.backward().step(x, y);
};

/// Maps a state to `slots` observations, and says which slots report.
template <class N>
concept ObservationOperator = HasState<N> &&
    requires(const N operation, const double* x, double* y, const detail::Side* s, detail::Side* t,
             bool* mask, const RandomKey& key) {
  { N::slots } -> std::convertible_to<std::size_t>;
  operation.observe(x, y);         // write: template <class T> void observe(const T* x, T* y) const
  operation.observe(s, t);         // write: template <class T> void observe(const T* x, T* y) const
  operation.available(key, mask);  // write: void available(const RandomKey&, bool* mask) const
};

/// An observation operator with tangent and adjoint, that says whether it is linear.
/// The adjoint adds nothing for a slot with d_y = 0, also where its slope is not finite.
template <class N>
concept DifferentiableOperator = ObservationOperator<N> &&
    requires(const N operation, const detail::Side* x, const detail::Side* d, detail::Side* out) {
  { N::linear } -> std::convertible_to<bool>;
  operation.observe_tangent(x, d, out);  // by hand, or put the operator into Differentiated<...>
  operation.observe_adjoint(x, d, out);  // by hand, or put the operator into Differentiated<...>
};

/// Turns forecasts and observations into analyses, and carries something between cycles.
template <class A>
concept Analysis = HasState<A> &&
    requires(const A analysis, typename A::Carried& carried, const typename A::Observed& observed,
             const typename A::FirstGuessBatch& guess, typename A::Estimate& estimate,
             const RandomKey& key) {
  { A::runs } -> std::convertible_to<std::size_t>;
  { A::slots } -> std::convertible_to<std::size_t>;
  // write: Carried start(const FirstGuessBatch&, double deviation, const RandomKey&) const
  { analysis.start(guess, double(1), key) } -> std::same_as<typename A::Carried>;
  analysis.forecast(carried);  // write: void forecast(Carried&) const
  analysis.analyse(carried, observed,
                   key);  // … analyse(Carried&, const Observed&, const RandomKey&) const
  analysis.estimate(carried, estimate);  // write: void estimate(const Carried&, Estimate&) const
};

/// Says where the states stand that its forecasts are made of: a reference to number `element` of
/// the state of `member` (0 of a method without `members`) of run `lane`. A method with
/// `keeps_past` carries something that belongs to them (a window, a covariance), so that they
/// cannot be replaced alone.
template <class A>
concept HasElements = Analysis<A> && requires(typename A::Carried& carried, std::size_t member,
                                              std::size_t element, std::size_t lane) {
  A::element(carried, member, element, lane);
};

}  // namespace dan
