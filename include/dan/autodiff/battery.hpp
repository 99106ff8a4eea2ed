// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dan/autodiff/checks.hpp"
#include "dan/autodiff/derivatives.hpp"
#include "dan/concepts.hpp"
#include "dan/core/error.hpp"
#include "dan/core/random.hpp"
#include "dan/core/simd.hpp"

/// \file
/// What every model, equation and observation operator must pass, yours too:
///
///     const BatteryReport report = check_model(Rk4<Mine>{}, x);  // x: a typical state
///     if (!report.passes()) std::cerr << report.words();

namespace dan {

/// What a battery found wrong, in sentences.
struct BatteryReport {
  std::vector<std::string> wrong;
  TaylorFit taylor;                    ///< of the tangent
  double largest_lane_difference = 0;  ///< of a state in a lane and alone, relative; 0: same bits

  [[nodiscard]] bool passes() const { return wrong.empty(); }
  /// One sentence more; by copy, since g++ 12 has false warnings about moved strings.
  void say(const std::string& sentence) { wrong.push_back(sentence); }
  /// All sentences, a line each; empty where nothing is wrong.
  [[nodiscard]] std::string words() const {
    std::string out;
    for (const std::string& sentence : wrong) out += sentence + "\n";
    return out;
  }
};

namespace detail {
/// The three functions of a model, an equation or an observation operator under common names.
template <DynamicalModel Model>
struct StepOf {
  static constexpr std::size_t inputs = Model::points * Model::channels, outputs = inputs;
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
  static constexpr std::size_t inputs = Ode::points * Ode::channels, outputs = inputs;
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
  static constexpr std::size_t inputs = Operator::points * Operator::channels;
  static constexpr std::size_t outputs = Operator::slots;
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

/// `count` numbers from N(0, 1), others for every `run`.
[[nodiscard]] inline std::vector<double> battery_numbers(std::size_t count, std::uint64_t run) {
  std::vector<double> out(count);
  fill_normal<double>({.seed = 4711, .purpose = Purpose::user, .run = run}, out);
  return out;
}

/// Tangent against f (Taylor), adjoint against tangent (dot product), accumulation of the adjoint.
template <class Map>
void battery_derivatives(const Map& map, std::span<const double> x, BatteryReport& report) {
  using Numbers = std::vector<double>;
  constexpr std::size_t n = Map::inputs, m = Map::outputs;
  const auto value = [&](std::span<const double> at) {
    Numbers y(m);
    map.value(at.data(), y.data());
    return y;
  };
  const auto tangent = [&](std::span<const double> dx) {
    Numbers dy(m);
    map.tangent(x.data(), dx.data(), dy.data());
    return dy;
  };
  const auto adjoint_onto = [&](std::span<const double> d_y, Numbers d_x) {
    map.adjoint(x.data(), d_y.data(), d_x.data());
    return d_x;
  };
  const auto adjoint = [&](std::span<const double> d_y) { return adjoint_onto(d_y, Numbers(n)); };

  for (std::uint64_t run = 0; run < 3; ++run) {
    const double error = dot_product_error(tangent, adjoint, battery_numbers(n, 10 + run),
                                           battery_numbers(m, 20 + run));
    if (!(error <= 1e-13)) {
      report.say(to_text(Map::name, "_adjoint is not the transpose of ", Map::name,
                         "_tangent: the dot products differ by ", error,
                         " of their size, expected at most 1e-13"));
      break;
    }
  }
  report.taylor = taylor_slope(value, tangent, x, battery_numbers(n, 1));
  if (!report.taylor.passes())
    report.say(to_text(Map::name, "_tangent is not the derivative of ", Map::name,
                       ": the remainder falls with slope ", report.taylor.slope, " over ",
                       report.taylor.points,
                       " steps, expected 2; is there a kink or a jump near x?"));

  const Numbers v = battery_numbers(m, 2), before = battery_numbers(n, 3);
  const Numbers gradient = adjoint(v), after = adjoint_onto(v, before);
  double error = 0, size = 1;
  for (std::size_t i = 0; i < n; ++i) {
    error = std::max(error, std::abs(after[i] - (before[i] + gradient[i])));
    size = std::max(size, std::abs(gradient[i]));
  }
  if (!(error <= 1e-14 * size))
    report.say(to_text(Map::name, "_adjoint must add to the d_x it is given; it is ", error,
                       " away from that: write d_x[i] += ..."));
}

/// A state in a lane of a pack against that state alone, for `call(x, in, out)` with `in` of
/// `wide` and `out` of `far` elements that hold something before; float against double is apart.
template <class Call>
void battery_lanes(const Call& call, const char* name, const char* suffix,
                   std::span<const double> x, std::size_t wide, std::size_t far,
                   BatteryReport& report) {
  constexpr std::size_t lanes = 2 * simd_width<double>;
  using T = Pack<double, lanes>;
  const std::size_t n = x.size();
  const auto noise = battery_numbers((n + wide + far) * lanes, 4);
  Aligned<T> xs(n), in(wide), out(far);
  std::vector<double> start(far * lanes);
  for (std::size_t l = 0; l < lanes; ++l) {
    const auto number = [&](std::size_t i) { return noise[i * lanes + l]; };
    for (std::size_t i = 0; i < n; ++i) xs[i][l] = x[i] + 0.1 * number(i);
    for (std::size_t i = 0; i < wide; ++i) in[i][l] = number(n + i);
    for (std::size_t i = 0; i < far; ++i) start[i * lanes + l] = out[i][l] = number(n + wide + i);
  }
  call(xs.data(), in.data(), out.data());
  double largest = 0;
  for (std::size_t l = 0; l < lanes; ++l) {
    std::vector<double> at(n), from(wide), alone(far);
    for (std::size_t i = 0; i < n; ++i) at[i] = xs[i][l];
    for (std::size_t i = 0; i < wide; ++i) from[i] = in[i][l];
    for (std::size_t i = 0; i < far; ++i) alone[i] = start[i * lanes + l];
    call(at.data(), from.data(), alone.data());
    double size = 1e-300;
    for (std::size_t i = 0; i < far; ++i) size = std::max(size, std::abs(alone[i]));
    for (std::size_t i = 0; i < far; ++i)
      if (std::bit_cast<std::uint64_t>(alone[i]) != std::bit_cast<std::uint64_t>(out[i][l])) {
        const double difference = std::abs(alone[i] - out[i][l]) / size;
        largest = std::isnan(difference) ? HUGE_VAL : std::max({largest, difference, 1e-300});
      }
  }
  report.largest_lane_difference = std::max(report.largest_lane_difference, largest);
  if (largest > 1e-12)
    report.say(to_text(name, suffix, ": a state in a lane of a pack differs from that ",
                       "state alone by ", largest,
                       " of its size, expected round-off; is every lane on its own?"));
}

/// Lanes and float of all three functions.
template <class Map>
void battery_scalars(const Map& map, std::span<const double> x, BatteryReport& report) {
  constexpr std::size_t n = Map::inputs, m = Map::outputs;
  battery_lanes([&](const auto* at, const auto*, auto* y) { map.value(at, y); }, Map::name, "", x,
                0, m, report);
  if constexpr (Map::differentiable) {
    battery_lanes([&](const auto* at, const auto* dx, auto* dy) { map.tangent(at, dx, dy); },
                  Map::name, "_tangent", x, n, m, report);
    battery_lanes([&](const auto* at, const auto* d_y, auto* d_x) { map.adjoint(at, d_y, d_x); },
                  Map::name, "_adjoint", x, m, n, report);
  }
  using Single = lanes_t<float, simd_width<float>>;  // what training computes with
  Aligned<Single> in(n), single(m);
  std::vector<double> rounded(n), exact(m);
  for (std::size_t i = 0; i < n; ++i) {
    in[i] = constant<Single>(x[i]);
    rounded[i] = static_cast<double>(lane_of(in[i], 0));
  }
  map.value(in.data(), single.data());
  map.value(rounded.data(), exact.data());
  double error = 0, size = 0;
  for (std::size_t i = 0; i < m; ++i) {
    error = std::max(error, std::abs(exact[i] - static_cast<double>(lane_of(single[i], 0))));
    size = std::max(size, std::abs(exact[i]));
  }
  if (!(error <= 1e-5 * size))
    report.say(to_text(Map::name, ": float differs from double by ", error,
                       ", expected at most 1e-5 of ", size));
}

template <class Map>
[[nodiscard]] BatteryReport battery(const Map& map, std::span<const double> x, const char* caller) {
  if (x.size() != Map::inputs)
    throw ShapeError(to_text(caller, ": x has ", x.size(), " elements, expected ", Map::inputs,
                             ", one per element of the state"));
  BatteryReport report;
  if constexpr (Map::differentiable) battery_derivatives(map, x, report);
  battery_scalars(map, x, report);
  return report;
}
}  // namespace detail

/// An equation: derivatives (its own, or those by dual numbers and tape) and scalars of its
/// tendency at x, a typical state. Throws ShapeError for an x of another size.
template <DifferentialEquation Ode>
[[nodiscard]] BatteryReport check_equation(const Ode& ode, std::span<const double> x) {
  return detail::battery(detail::TendencyOf<Ode>{ode}, x, "check_equation");
}

/// A model: scalars of its step, and its derivatives where it has some, at x, a typical state; the
/// step and the tangent in place. One that is told the time is checked at a time: give
/// `at_time(model, cycle)`. Throws ShapeError for an x of another size.
template <DynamicalModel Model>
[[nodiscard]] BatteryReport check_model(const Model& model, std::span<const double> x) {
  auto report = detail::battery(detail::StepOf<Model>{model}, x, "check_model");
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

/// An observation operator: scalars and, where it has some, derivatives at x, a typical state; says
/// truly whether it is linear; the same slots report whenever the key is the same. Throws
/// ShapeError for an x of another size.
template <ObservationOperator Operator>
[[nodiscard]] BatteryReport check_operator(const Operator& observe, std::span<const double> x) {
  auto report = detail::battery(detail::ObserveOf<Operator>{observe}, x, "check_operator");
  if constexpr (DifferentiableOperator<Operator>)
    if (report.taylor.passes() && report.taylor.at_round_off != Operator::linear)
      report.say(to_text("observe is ", Operator::linear ? "not " : "",
                         "linear at x, but linear is ", Operator::linear ? "true" : "false"));
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
