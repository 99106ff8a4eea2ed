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
enum class Fault { none, tangent, adjoint, overwrites, in_place, lanes, single };
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
