// SPDX-License-Identifier: BSD-3-Clause
#include "dan/autodiff/battery.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "dan/geometry/ring.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/black_box.hpp"
#include "dan/models/lorenz63.hpp"
#include "dan/observe/places.hpp"

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

namespace {
/// Forgets an element of its tendency.
struct Forgetful {
  static constexpr std::size_t points = 4, channels = 1;
  template <class T>
  void tendency(const T* from, T* dxdt) const {
    for (std::size_t i = 0; i < 3; ++i) dxdt[i] = -from[i];
  }
};
/// In C, and forgets one of its step; or adds what it had before.
struct ForgetfulStep {
  static constexpr std::size_t points = 4, channels = 1;
  static void step(const double* from, double* y) {
    for (std::size_t i = 0; i < 3; ++i) y[i] = 0.5 * from[i];
  }
};
struct Remembering {
  static constexpr std::size_t points = 2, channels = 1;
  mutable double before = 0;
  template <class T>
  void step(const T* from, T* y) const {
    const T a = from[0], b = from[1];
    y[0] = a + before, y[1] = b;
    before += 1;
  }
};
/// Sees element 2 j of a state with two channels, or says that it does.
template <std::size_t Step>
struct EverySecond {
  static constexpr std::size_t points = 4, channels = 2, slots = 4;
  static constexpr bool linear = true;
  template <class T>
  void observe(const T* from, T* y) const {
    for (std::size_t j = 0; j < 4; ++j) y[j] = from[2 * j];
  }
  template <class T>
  void observe_tangent(const T*, const T* dx, T* dy) const {
    observe(dx, dy);
  }
  template <class T>
  void observe_adjoint(const T*, const T* d_y, T* d_x) const {
    for (std::size_t j = 0; j < 4; ++j) d_x[2 * j] += d_y[j];
  }
  static void available(const RandomKey&, bool* mask) { std::fill_n(mask, slots, true); }
  static std::size_t element(std::size_t slot) { return Step * slot; }
};
struct Fourth {
  static constexpr std::size_t points = 3, channels = 1, slots = 3;
  template <class T>
  void observe(const T* from, T* y) const {
    for (std::size_t j = 0; j < 3; ++j) y[j] = from[j] * from[j] * from[j] * from[j];
  }
  static void available(const RandomKey&, bool* mask) { std::fill_n(mask, slots, true); }
};
}  // namespace

TEST_CASE("battery: the cause is said, not what follows from it") {
  const std::vector<double> four{1, 2, 3, 4};
  CHECK(check_model(Rk4<Forgetful>{}, four).words() ==
        "tendency leaves what stood in element 3 of its output; it must write all 4, with = and "
        "not +=\n");
  CHECK(check_model(BlackBox<ForgetfulStep>{}, four).words() ==
        "step gives nan in element 3 of its output at x, expected numbers\n");
  CHECK(check_model(Remembering{}, std::vector<double>{1, 2}).words() ==
        "step gives another number in element 0 when it is called again; it must not keep "
        "anything from call to call\n");
  CHECK(says(check_operator(Differentiated<Fourth>{}, std::vector<double>(3)),
             "observe_tangent is zero at x, so that nothing is checked; give a typical state"));
  CHECK(check_operator(Differentiated<Fourth>{}, x).words().empty());
}

TEST_CASE("battery: the element that a slot says it sees") {
  const std::vector<double> eight{1, 2, 3, 4, 5, 6, 7, 9};
  CHECK(check_operator(EverySecond<2>{}, eight).words().empty());
  CHECK(says(check_operator(EverySecond<1>{}, eight),
             "element(1) is 1, but slot 1 does not see that element"));
  CHECK(says(check_operator(EverySecond<4>{}, eight), "element(1) is 4, but slot 1"));
  CHECK_THROWS_WITH_AS((void)place_of<Ring<4>>(EverySecond<4>{}, 3),
                       doctest::Contains("element(3) of the operator is 12, expected less than 8"),
                       ConfigError);
}
