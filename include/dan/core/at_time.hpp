// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

/// \file
/// Models that are told the time, for seasons and tides.
///
/// Their functions have it as the last argument: `tendency(x, dxdt, time)` of an equation, in its
/// units of time; `step(x, y, time)` of a model, in cycles since a truth began to count (negative
/// in its spin-up). The library calls them through `at_time(model, time)`, which is the model
/// itself where it does not ask.

namespace dan {

/// A model or an equation that is told the time.
template <class M>
concept Timed = requires(const M& it, const double* x, double* y, double time) {
  it.step(x, y, time);
}
|| requires(const M& it, const double* x, double* y, double time) { it.tendency(x, y, time); };

namespace detail {
/// A time that becomes a double and nothing else: an int would be cut off without a word.
struct TimeOnly {
  operator double() const;  // NOLINT(google-explicit-constructor): it is what is tried
  template <class T>
  requires(!std::same_as<T, double>) operator T() const = delete;
};
template <class M>
concept TakesTimeAsDouble = requires(const M& it, const double* x, double* y, TimeOnly time) {
  it.step(x, y, time);
}
|| requires(const M& it, const double* x, double* y, TimeOnly time) { it.tendency(x, y, time); };
}  // namespace detail

/// It at one time, with functions as of what does not know the time. Refers to `it`.
template <Timed M>
struct AtTime {
  static_assert(detail::TakesTimeAsDouble<M>,
                "AtTime: a model that is told the time must take it as a double: "
                "step(x, y, double time) or tendency(x, dxdt, double time)");
  static constexpr std::size_t points = M::points, channels = M::channels;
  const M& it;
  double time;

  template <class T>
  requires requires(const M& m, const T* x, T* dxdt, double t) { m.tendency(x, dxdt, t); }
  void tendency(const T* x, T* dxdt) const { it.tendency(x, dxdt, time); }
  template <class T>
  requires requires(const M& m, const T* x, const T* dx, T* d_tendency, double t) {
    m.tendency_tangent(x, dx, d_tendency, t);
  }
  void tendency_tangent(const T* x, const T* dx, T* d_tendency) const {
    it.tendency_tangent(x, dx, d_tendency, time);
  }
  template <class T>
  requires requires(const M& m, const T* x, const T* d_tendency, T* d_x, double t) {
    m.tendency_adjoint(x, d_tendency, d_x, t);
  }
  void tendency_adjoint(const T* x, const T* d_tendency, T* d_x) const {
    it.tendency_adjoint(x, d_tendency, d_x, time);
  }
  template <class T>
  requires requires(const M& m, const T* x, T* y, double t) { m.step(x, y, t); }
  void step(const T* x, T* y) const { it.step(x, y, time); }
  template <class T>
  requires requires(const M& m, const T* x, const T* dx, T* dy, double t) {
    m.step_tangent(x, dx, dy, t);
  }
  void step_tangent(const T* x, const T* dx, T* dy) const { it.step_tangent(x, dx, dy, time); }
  template <class T>
  requires requires(const M& m, const T* x, const T* d_y, T* d_x, double t) {
    m.step_adjoint(x, d_y, d_x, t);
  }
  void step_adjoint(const T* x, const T* d_y, T* d_x) const { it.step_adjoint(x, d_y, d_x, time); }
};

/// `model` at a time; itself, by reference, if it does not ask for it.
template <class M>
[[nodiscard]] constexpr decltype(auto) at_time(const M& model, [[maybe_unused]] double time) {
  if constexpr (Timed<M>)
    return AtTime<M>{model, time};
  else
    return (model);
}

/// The type of `at_time(model, time)`, by value.
template <class M>
using AnyTime = std::remove_cvref_t<decltype(at_time(std::declval<const M&>(), 0.0))>;

/// The arguments behind those of a function of states: the time, if M is told it, else none.
template <class M, class... Time>
concept TimeOf = sizeof...(Time) == (Timed<M> ? 1 : 0) &&
                 (std::convertible_to<Time, double> && ...);

}  // namespace dan
