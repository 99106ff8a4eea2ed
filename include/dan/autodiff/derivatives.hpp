// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <span>
#include <type_traits>

#include "dan/autodiff/dual.hpp"
#include "dan/autodiff/tape.hpp"
#include "dan/concepts.hpp"
#include "dan/core/memory.hpp"

/// \file
/// Tangents and adjoints of what is written as a template on the scalar: y = f(x).

namespace dan {

/// dy = f'(x) dx by dual numbers, of a callable f(x, y) on generic scalars; dy may be dx.
///
/// x, dx: `inputs` elements; dy: `outputs`. Cost: two to three times f.
template <class Function, class T>
void tangent_of(const Function& f, std::size_t inputs, const T* x, const T* dx, std::size_t outputs,
                T* dy) {
  Scratch<Dual<T>> in(inputs, Unset{}), out(outputs, Unset{});
  for (std::size_t i = 0; i < inputs; ++i) in[i] = {x[i], dx[i]};
  f(in.data(), out.data());
  for (std::size_t j = 0; j < outputs; ++j) dy[j] = out[j].slope;
}

/// A tape with the variables of a function of arrays; kept from call to call it allocates nothing.
template <class T>
class ReverseMode {
 public:
  /// d_x += f'(x)ᵀ d_y, of a callable f(x, y) on generic scalars.
  ///
  /// x, d_x: `inputs` elements; d_y: `outputs`. A d_y of zero adds nothing, also where the
  /// derivative is not finite. Cost: a few times f; memory: see `Tape`, for all that f computes.
  template <class Function>
  void operator()(const Function& f, std::size_t inputs, const T* x, std::size_t outputs,
                  const T* d_y, T* d_x) {
    in_.resize(inputs);
    out_.resize(outputs);
    for (Variable<T>& one : out_) one.tape = nullptr;  // what f forgets to write is a constant
    tape_.inputs(x, inputs, in_.data());
    f(static_cast<const Variable<T>*>(in_.data()), out_.data());
    tape_.sweep(std::span<const Variable<T>>(out_), d_y);
    for (std::size_t i = 0; i < inputs; ++i) d_x[i] = d_x[i] + tape_.gradients()[i];
  }

 private:
  Tape<T> tape_;
  Scratch<Variable<T>> in_{0, Unset{}}, out_{0, Unset{}};
};

/// d_tendency = f'(x) dx of an equation: as written by hand, else by dual numbers.
template <DifferentialEquation Ode, class T>
void tendency_tangent(const Ode& ode, const T* x, const T* dx, T* d_tendency) {
  constexpr std::size_t size = Ode::points * Ode::channels;
  if constexpr (requires { ode.tendency_tangent(x, dx, d_tendency); })
    ode.tendency_tangent(x, dx, d_tendency);
  else
    tangent_of([&](const auto* in, auto* out) { ode.tendency(in, out); }, size, x, dx, size,
               d_tendency);
}

/// The adjoint of an equation, d_x += f'(x)ᵀ d_tendency: as written by hand, else by a tape, whose
/// memory this object keeps.
template <DifferentialEquation Ode, class T>
class TendencyAdjoint {
 public:
  void operator()(const Ode& ode, const T* x, const T* d_tendency, T* d_x) {
    if constexpr (by_hand)
      ode.tendency_adjoint(x, d_tendency, d_x);
    else
      reverse_([&](const auto* in, auto* out) { ode.tendency(in, out); }, size, x, size, d_tendency,
               d_x);
  }

 private:
  static constexpr std::size_t size = Ode::points * Ode::channels;
  static constexpr bool by_hand = requires(const Ode& ode, const T* x, T* d) {
    ode.tendency_adjoint(x, x, d);
  };
  struct Nothing {};
  [[no_unique_address]] std::conditional_t<by_hand, Nothing, ReverseMode<T>> reverse_{};
};

/// d_x += f'(x)ᵀ d_tendency of an equation, once.
template <DifferentialEquation Ode, class T>
void tendency_adjoint(const Ode& ode, const T* x, const T* d_tendency, T* d_x) {
  TendencyAdjoint<Ode, T>{}(ode, x, d_tendency, d_x);
}

/// `Mine` with the derivatives that it does not bring: of a model with a `step`, of an observation
/// operator with an `observe`, of an equation with a `tendency`, each a template on the scalar.
///
///     Problem<Differentiated<MyModel>, Differentiated<MyOperator>> problem;
///
/// Tangents by dual numbers, adjoints by a tape; the memory of an adjoint is that of the tape of
/// the whole step: for many steps see `Repeated`. A `BlackBox` cannot be differentiated. An
/// operator that does not say whether it is `linear` is taken as nonlinear.
template <class Mine>
struct Differentiated : Mine {
  static constexpr std::size_t points = Mine::points, channels = Mine::channels;
  static constexpr std::size_t size = points * channels;

  /// Whether the observation operator is linear; false where it does not say.
  static constexpr bool linear = [] {
    if constexpr (requires { Mine::linear; })
      return static_cast<bool>(Mine::linear);
    else
      return false;
  }();

  /// dy = M'(x) dx; dy may be dx.
  template <class T>
  requires DynamicalModel<Mine> && requires(const Mine& m, const Dual<T>* in, Dual<T>* out) {
    m.step(in, out);
  }
  void step_tangent(const T* x, const T* dx, T* dy) const {
    if constexpr (requires(const Mine& mine) { mine.step_tangent(x, dx, dy); })
      Mine::step_tangent(x, dx, dy);
    else
      tangent_of(step_of_mine(), size, x, dx, size, dy);
  }
  /// d_x += M'(x)ᵀ d_y.
  template <class T>
  requires DynamicalModel<Mine> &&
      requires(const Mine& m, const Variable<T>* in, Variable<T>* out) {
    m.step(in, out);
  }
  void step_adjoint(const T* x, const T* d_y, T* d_x) const {
    if constexpr (requires(const Mine& mine) { mine.step_adjoint(x, d_y, d_x); })
      Mine::step_adjoint(x, d_y, d_x);
    else
      ReverseMode<T>{}(step_of_mine(), size, x, size, d_y, d_x);
  }
  /// The same of a model that is told the time.
  template <class T>
  requires Timed<Mine> && requires(const Mine& m, const Dual<T>* in, Dual<T>* out) {
    m.step(in, out, 0.0);
  }
  void step_tangent(const T* x, const T* dx, T* dy, double time) const {
    if constexpr (requires(const Mine& mine) { mine.step_tangent(x, dx, dy, time); })
      Mine::step_tangent(x, dx, dy, time);
    else
      tangent_of(step_of_mine(time), size, x, dx, size, dy);
  }
  template <class T>
  requires Timed<Mine> && requires(const Mine& m, const Variable<T>* in, Variable<T>* out) {
    m.step(in, out, 0.0);
  }
  void step_adjoint(const T* x, const T* d_y, T* d_x, double time) const {
    if constexpr (requires(const Mine& mine) { mine.step_adjoint(x, d_y, d_x, time); })
      Mine::step_adjoint(x, d_y, d_x, time);
    else
      ReverseMode<T>{}(step_of_mine(time), size, x, size, d_y, d_x);
  }
  /// dy = H'(x) dx.
  template <class T>
  requires ObservationOperator<Mine>
  void observe_tangent(const T* x, const T* dx, T* dy) const {
    if constexpr (requires(const Mine& mine) { mine.observe_tangent(x, dx, dy); })
      Mine::observe_tangent(x, dx, dy);
    else
      tangent_of(observe_of_mine(), size, x, dx, Mine::slots, dy);
  }
  /// d_x += H'(x)ᵀ d_y; nothing for a slot with d_y = 0.
  template <class T>
  requires ObservationOperator<Mine>
  void observe_adjoint(const T* x, const T* d_y, T* d_x) const {
    if constexpr (requires(const Mine& mine) { mine.observe_adjoint(x, d_y, d_x); })
      Mine::observe_adjoint(x, d_y, d_x);
    else
      ReverseMode<T>{}(observe_of_mine(), size, x, Mine::slots, d_y, d_x);
  }
  /// d_tendency = f'(x) dx.
  template <class T>
  requires DifferentialEquation<Mine>
  void tendency_tangent(const T* x, const T* dx, T* d_tendency) const {
    dan::tendency_tangent(static_cast<const Mine&>(*this), x, dx, d_tendency);
  }
  /// d_x += f'(x)ᵀ d_tendency.
  template <class T>
  requires DifferentialEquation<Mine>
  void tendency_adjoint(const T* x, const T* d_tendency, T* d_x) const {
    dan::tendency_adjoint(static_cast<const Mine&>(*this), x, d_tendency, d_x);
  }

 private:
  [[nodiscard]] auto step_of_mine() const {
    return [this](const auto* x, auto* y) { this->Mine::step(x, y); };
  }
  [[nodiscard]] auto step_of_mine(double time) const {
    return [this, time](const auto* x, auto* y) { this->Mine::step(x, y, time); };
  }
  [[nodiscard]] auto observe_of_mine() const {
    return [this](const auto* x, auto* y) { this->Mine::observe(x, y); };
  }
};

}  // namespace dan
