// SPDX-License-Identifier: BSD-3-Clause
#include "dan/autodiff/battery.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "dan/models/lorenz63.hpp"

using namespace dan;

namespace {
const std::vector<double> x{1.5, -1.5, 25.5};

/// One thing is wrong with each of them.
enum class Fault {
  none,
  tangent,
  adjoint,
  overwrites,
  in_place,
  lanes,
  single,
  unwritten,
  not_finite
};
template <Fault fault>
struct Model {
  static constexpr std::size_t points = 3, channels = 1;
  template <class T>
  void step(const T* from, T* to) const {
    if constexpr (fault == Fault::in_place) to[0] = from[0];
    const T a = from[0] * from[1], b = from[1] - from[2], c = constant<T>(0.5) * from[0] * from[0];
    to[0] = a, to[1] = b, to[2] = c;
    if constexpr (fault == Fault::in_place) to[1] = from[1] + to[0];
    if constexpr (fault == Fault::lanes && lanes_of < T >> 1) lane_of(to[1], 1) = lane_of(to[1], 0);
    if constexpr (fault == Fault::single && std::is_same_v<real_t<T>, float>) to[2] *= 1.01F;
  }
  template <class T>
  void step_tangent(const T* at, const T* d, T* out) const {
    const T a = d[0] * at[1] + at[0] * d[1], b = d[1] - d[2];
    const T c = constant<T>(fault == Fault::tangent ? 1.1 : 1) * at[0] * d[0];
    out[0] = a, out[1] = b, out[2] = c;
    if constexpr (fault == Fault::in_place) out[1] = b + d[2] + out[0];
  }
  template <class T>
  void step_adjoint(const T* at, const T* d, T* out) const {
    if constexpr (fault == Fault::overwrites) out[0] = out[1] = out[2] = constant<T>(0);
    const T weight = constant<T>(fault == Fault::adjoint || fault == Fault::tangent ? 1.1 : 1);
    out[0] += at[1] * d[0] + weight * at[0] * d[2];
    out[1] += at[0] * d[0] + d[1];
    out[2] -= d[1];
  }
};
struct Operator {
  static constexpr std::size_t points = 3, channels = 1, slots = 2;
  static constexpr bool linear = true;
  mutable bool flip = false;
  template <class T>
  void observe(const T* from, T* y) const {
    y[0] = from[0] * from[0], y[1] = from[1];
  }
  void available(const RandomKey&, bool* mask) const { mask[0] = mask[1] = flip = !flip; }
};

bool says(const BatteryReport& report, const std::string& words) {
  return report.words().find(words) != std::string::npos;
}
}  // namespace

TEST_CASE("battery: what is right passes") {
  CHECK(check_equation(Lorenz63{}, x).words().empty());
  CHECK(check_model(Model<Fault::none>{}, x).words().empty());
  CHECK(check_model(Model<Fault::none>{}, x).largest_lane_difference == 0);
}

TEST_CASE("battery: each fault has its sentence") {
  CHECK(
      says(check_model(Model<Fault::tangent>{}, x), "step_tangent is not the derivative of step"));
  CHECK(says(check_model(Model<Fault::adjoint>{}, x),
             "step_adjoint is not the transpose of step_tangent"));
  CHECK(says(check_model(Model<Fault::overwrites>{}, x),
             "step_adjoint must add to the d_x it is given"));
  CHECK(says(check_model(Model<Fault::in_place>{}, x), "step gives other numbers in place"));
  CHECK(says(check_model(Model<Fault::lanes>{}, x), "a state in a lane of a pack differs"));
  CHECK(says(check_model(Model<Fault::single>{}, x), "float differs from double"));
  CHECK(check_model(Model<Fault::adjoint>{}, x).wrong.size() == 1);
  CHECK(check_model(Model<Fault::lanes>{}, x).wrong.size() == 1);
}

TEST_CASE("battery: an operator must say truly whether it is linear and what reports") {
  const auto report = check_operator(Differentiated<Operator>{}, x);
  CHECK(says(report, "observe is not linear at x, but linear is true"));
  CHECK(says(report, "available gives other slots for the same key"));
  CHECK(report.wrong.size() == 2);
  CHECK(check_operator(Operator{}, x).wrong.size() == 1);  // without derivatives
}

TEST_CASE("battery: a state of another size is refused") {
  CHECK_THROWS_WITH_AS((void)check_equation(Lorenz63{}, std::vector<double>(2)),
                       "check_equation: x has 2 elements, expected 3, one per element of the state",
                       ShapeError);
}

namespace {
/// Pressure in pascal and a trace gas as a fraction on a ring of eight: q carried by what p does.
template <Fault fault>
struct TraceGas {
  static constexpr std::size_t points = 8, channels = 2;
  template <class T>
  void step(const T* from, T* to) const {
    T next[16];
    for (std::size_t p = 0; p < 8; ++p) {
      const std::size_t here = 2 * p, east = 2 * ((p + 1) % 8);
      next[here] = constant<T>(0.5) * (from[here] + from[east]);
      next[here + 1] = from[here + 1] * from[here] * constant<T>(1e-5);
    }
    for (std::size_t i = 0; i < 16; ++i)
      if (fault != Fault::unwritten || i != 9) to[i] = next[i];
    if constexpr (fault == Fault::not_finite) to[4] = sqrt(from[4] - constant<T>(1e6));
  }
  template <class T>
  void step_tangent(const T* at, const T* d, T* out) const {
    T next[16];
    for (std::size_t p = 0; p < 8; ++p) {
      const std::size_t here = 2 * p, east = 2 * ((p + 1) % 8);
      next[here] = constant<T>(0.5) * (d[here] + d[east]);
      next[here + 1] = (d[here + 1] * at[here] +
                        constant<T>(fault == Fault::tangent ? 0.9 : 1) * at[here + 1] * d[here]) *
                       constant<T>(1e-5);
    }
    for (std::size_t i = 0; i < 16; ++i) out[i] = next[i];
  }
  template <class T>
  void step_adjoint(const T* at, const T* d, T* out) const {
    const T weight = constant<T>(fault == Fault::tangent || fault == Fault::adjoint ? 0.9 : 1);
    for (std::size_t p = 0; p < 8; ++p) {
      const std::size_t here = 2 * p, east = 2 * ((p + 1) % 8);
      out[here] +=
          constant<T>(0.5) * d[here] + weight * at[here + 1] * d[here + 1] * constant<T>(1e-5);
      out[east] += constant<T>(0.5) * d[here];
      out[here + 1] += at[here] * d[here + 1] * constant<T>(1e-5);
    }
  }
};
std::vector<double> pascals_and_fractions() {
  std::vector<double> state(16);
  for (std::size_t p = 0; p < 8; ++p) {
    state[2 * p] = 1e5 + 800 * std::sin(static_cast<double>(p));
    state[2 * p + 1] = 4e-7 + 1e-7 * std::cos(static_cast<double>(2 * p));
  }
  return state;
}
}  // namespace

TEST_CASE("battery: a fault in a small channel is seen beside a large one") {
  const auto typical = pascals_and_fractions();
  CHECK(check_model(TraceGas<Fault::none>{}, typical).words().empty());
  CHECK(says(check_model(TraceGas<Fault::tangent>{}, typical),
             "step_tangent is not the derivative of step"));
  CHECK(says(check_model(TraceGas<Fault::adjoint>{}, typical),
             "step_adjoint is not the transpose of step_tangent"));
}

TEST_CASE("battery: what is not written and what is not a number") {
  const auto typical = pascals_and_fractions();
  CHECK(check_model(TraceGas<Fault::unwritten>{}, typical).words() ==
        "step leaves what stood in element 9 of its output; it must write all 16, with = and not "
        "+=\n");
  CHECK(says(check_model(TraceGas<Fault::not_finite>{}, typical), "step gives "));
  CHECK(says(check_model(TraceGas<Fault::not_finite>{}, typical),
             "in element 4 of its output at x, expected numbers"));
  CHECK_THROWS_WITH_AS((void)check_equation(Lorenz63{}, std::vector<double>{1, HUGE_VAL, 2}),
                       "check_equation: x[1] is inf, expected a number", ConfigError);
}
