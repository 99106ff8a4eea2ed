// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "dan/autodiff/battery_parts.hpp"
#include "dan/autodiff/derivatives.hpp"
#include "dan/concepts.hpp"
#include "dan/core/error.hpp"
#include "dan/core/random.hpp"

/// \file
/// What every model, equation and observation operator must pass, yours too:
///
///     const BatteryReport report = check_model(Rk4<Mine>{}, x);  // x: a typical state
///     if (!report.passes()) std::cerr << report.words();
///
/// Perturbations are parts of how much each channel of x varies from point to point, so units do
/// not matter: give a state with the variation of a real one.

namespace dan {

namespace detail {
/// The three functions of a model, an equation or an observation operator under common names; the
/// outputs are elements of states (`of_states`) or numbers of unlike kinds.
template <DynamicalModel Model>
struct StepOf {
  static constexpr std::size_t channels = Model::channels;
  static constexpr std::size_t inputs = Model::points * channels, outputs = inputs;
  static constexpr bool of_states = true;
  static constexpr bool differentiable = DifferentiableModel<Model>;
  static constexpr const char* name = "step";
  const Model& model;
  template <class T>
  void value(const T* x, T* y) const {
    model.step(x, y);
  }
  template <class T>
  void tangent(const T* x, const T* dx, T* dy) const {
    model.step_tangent(x, dx, dy);
  }
  template <class T>
  void adjoint(const T* x, const T* d_y, T* d_x) const {
    model.step_adjoint(x, d_y, d_x);
  }
};
template <DifferentialEquation Ode>
struct TendencyOf {
  static constexpr std::size_t channels = Ode::channels;
  static constexpr std::size_t inputs = Ode::points * channels, outputs = inputs;
  static constexpr bool of_states = true;
  static constexpr bool differentiable = true;
  static constexpr const char* name = "tendency";
  const Ode& ode;
  template <class T>
  void value(const T* x, T* y) const {
    ode.tendency(x, y);
  }
  template <class T>
  void tangent(const T* x, const T* dx, T* dy) const {
    tendency_tangent(ode, x, dx, dy);
  }
  template <class T>
  void adjoint(const T* x, const T* d_y, T* d_x) const {
    tendency_adjoint(ode, x, d_y, d_x);
  }
};
template <ObservationOperator Operator>
struct ObserveOf {
  static constexpr std::size_t channels = Operator::channels;
  static constexpr std::size_t inputs = Operator::points * channels, outputs = Operator::slots;
  static constexpr bool of_states = false;
  static constexpr bool differentiable = DifferentiableOperator<Operator>;
  static constexpr const char* name = "observe";
  const Operator& operation;
  template <class T>
  void value(const T* x, T* y) const {
    operation.observe(x, y);
  }
  template <class T>
  void tangent(const T* x, const T* dx, T* dy) const {
    operation.observe_tangent(x, dx, dy);
  }
  template <class T>
  void adjoint(const T* x, const T* d_y, T* d_x) const {
    operation.observe_adjoint(x, d_y, d_x);
  }
};

template <class Map>
[[nodiscard]] BatteryReport battery(const Map& map, std::span<const double> x, const char* caller) {
  if (x.size() != Map::inputs)
    throw ShapeError(to_text(caller, ": x has ", x.size(), " elements, expected ", Map::inputs,
                             ", one per element of the state"));
  for (std::size_t i = 0; i < x.size(); ++i)
    if (!std::isfinite(x[i]))
      throw ConfigError(to_text(caller, ": x[", i, "] is ", x[i], ", expected a number"));
  BatteryReport report;
  const Battery<Map> at{map, x};
  report.written = battery_outputs(at, report);
  if (!report.written) return report;
  if constexpr (Map::differentiable) battery_derivatives(at, report);
  battery_scalars(at, report);
  return report;
}
}  // namespace detail

/// An equation: derivatives (its own, or those by dual numbers and tape) and scalars of its
/// tendency at x, a typical state. Throws ShapeError for an x of another size, ConfigError for one
/// that is not finite.
template <DifferentialEquation Ode>
[[nodiscard]] BatteryReport check_equation(const Ode& ode, std::span<const double> x) {
  return detail::battery(detail::TendencyOf<Ode>{ode}, x, "check_equation");
}

/// The same of one that is told the time, at time 0.
template <DifferentialEquation Ode>
requires Timed<Ode>
[[nodiscard]] BatteryReport check_equation(const Ode& ode, std::span<const double> x) {
  return check_equation(at_time(ode, 0), x);
}

/// A model: scalars of its step, and its derivatives where it has some, at x, a typical state; the
/// step and the tangent in place. One that is told the time is checked at a time: give
/// `at_time(model, cycle)`. Throws ShapeError for an x of another size, ConfigError for one
/// that is not finite.
template <DynamicalModel Model>
[[nodiscard]] BatteryReport check_model(const Model& model, std::span<const double> x) {
  if constexpr (requires { requires DifferentialEquation<decltype(model.ode)>; }) {
    // What its tendency leaves unwritten is whatever the integrator had there before.
    using Ode = std::decay_t<decltype(model.ode)>;
    if constexpr (!Timed<Ode> && Ode::points == Model::points && Ode::channels == Model::channels)
      if (x.size() == Model::points * Model::channels) {
        const detail::TendencyOf<Ode> tendency{model.ode};
        BatteryReport report;
        if (!detail::battery_outputs(detail::Battery<detail::TendencyOf<Ode>>{tendency, x}, report))
          return report;
      }
  }
  auto report = detail::battery(detail::StepOf<Model>{model}, x, "check_model");
  if (!report.written) return report;
  const auto compare = [&](const char* name, const auto& apart, const auto& in_place) {
    bool same = true;
    for (std::size_t i = 0; i < x.size(); ++i)
      same = same &&
             std::bit_cast<std::uint64_t>(apart[i]) == std::bit_cast<std::uint64_t>(in_place[i]);
    if (!same)
      report.say(to_text(name, " gives other numbers in place; y may be x: read what is ",
                         "needed of x before y is written"));
  };
  std::vector<double> y(x.size()), in_place(x.begin(), x.end());
  model.step(x.data(), y.data());
  model.step(static_cast<const double*>(in_place.data()), in_place.data());
  compare("step", y, in_place);
  if constexpr (DifferentiableModel<Model>) {
    const auto dx = detail::battery_numbers(x.size(), 6);
    in_place = dx;
    model.step_tangent(x.data(), dx.data(), y.data());
    model.step_tangent(x.data(), static_cast<const double*>(in_place.data()), in_place.data());
    compare("step_tangent", y, in_place);
  }
  return report;
}

/// The same of a model that is told the time, at cycle 0.
template <DynamicalModel Model>
requires Timed<Model>
[[nodiscard]] BatteryReport check_model(const Model& model, std::span<const double> x) {
  return check_model(at_time(model, 0), x);
}

/// An observation operator: scalars and, where it has some, derivatives at x, a typical state; says
/// truly whether it is linear, and which element a slot sees, if it does; the same slots report
/// whenever the key is the same. Throws ShapeError for an x of another size.
template <ObservationOperator Operator>
[[nodiscard]] BatteryReport check_operator(const Operator& observe, std::span<const double> x) {
  auto report = detail::battery(detail::ObserveOf<Operator>{observe}, x, "check_operator");
  if (!report.written) return report;
  if constexpr (DifferentiableOperator<Operator>)
    if (report.taylor.passes() && report.taylor.at_round_off != Operator::linear)
      report.say(
          to_text("observe is ", Operator::linear ? "not " : "", "linear at x, but linear is ",
                  Operator::linear ? "true" : "false",
                  "; write static constexpr bool linear = ", Operator::linear ? "false" : "true"));
  if constexpr (DifferentiableOperator<Operator> && requires {
                  { observe.element(0) } -> std::same_as<std::size_t>;
                })
    for (std::size_t j = 0; j < Operator::slots; ++j) {
      const std::size_t element = observe.element(j);
      std::vector<double> unit(x.size()), dy(Operator::slots);
      if (element < x.size()) {
        unit[element] = 1;
        observe.observe_tangent(x.data(), unit.data(), dy.data());
      }
      if (dy[j] != 0) continue;
      report.say(to_text("element(", j, ") is ", element, ", but slot ", j,
                         " does not see that element of the state, point · channels + channel"));
      break;
    }
  std::array<bool, Operator::slots> once{}, again{};
  bool same = true;
  for (std::uint64_t cycle = 0; cycle < 20; ++cycle) {
    const RandomKey key{.seed = 5, .run = 2, .cycle = cycle};
    observe.available(key, once.data());
    again.fill(cycle % 2 == 0);
    observe.available(key, again.data());
    same = same && once == again;
  }
  if (!same)
    report.say(
        "available gives other slots for the same key; write every slot, and use "
        "no other source of randomness than the key");
  return report;
}

}  // namespace dan
