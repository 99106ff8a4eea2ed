// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "dan/autodiff/battery.hpp"
#include "dan/core/tensor.hpp"

/// \file
/// The installed battery as checks: `check_model(model, x)`, `check_equation(ode, x)`,
/// `check_operator(operation, x)`, with x a typical state. Lanes must agree bit for bit here.

namespace dan::test {

using Numbers = std::vector<double>;
using detail::ObserveOf, detail::StepOf, detail::TendencyOf;

/// `count` numbers from N(0, 1), others for every `run`.
inline Numbers normal_numbers(std::size_t count, std::uint64_t run = 0) {
  return detail::battery_numbers(count, run);
}

inline double dot(const Numbers& a, const Numbers& b) {
  REQUIRE(a.size() == b.size());
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}
inline double largest_difference(const Numbers& a, const Numbers& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

inline bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

/// Whether two sequences are the same, bit for bit.
template <class A, class B>
bool all_same_bits(const A& a, const B& b) {
  return std::ranges::equal(a, b, same_bits);
}

inline void check_report(const BatteryReport& report) {
  CHECK_MESSAGE(report.passes(), report.words());
  CHECK(report.largest_lane_difference == 0);
}

/// Tangent against f (Taylor), adjoint against tangent (dot product), accumulation of the adjoint.
/// Returns the Taylor fit.
template <class Map>
TaylorFit check_derivatives(const Map& map, std::span<const double> x) {
  BatteryReport report;
  detail::battery_derivatives(detail::Battery<Map>{map, x}, report);
  check_report(report);
  return report.taylor;
}

/// Each lane of a pack gives the bits of that state alone; float agrees with double.
template <class Map>
void check_scalars(const Map& map, std::span<const double> x) {
  BatteryReport report;
  detail::battery_scalars(detail::Battery<Map>{map, x}, report);
  check_report(report);
}

template <DifferentialEquation Ode>
void check_equation(const Ode& ode, std::span<const double> x) {
  check_report(dan::check_equation(ode, x));
}
template <DifferentiableModel Model>
void check_model(const Model& model, std::span<const double> x) {
  check_report(dan::check_model(model, x));
}
template <DifferentiableOperator Operator>
void check_operator(const Operator& operation, std::span<const double> x) {
  check_report(dan::check_operator(operation, x));
}

}  // namespace dan::test
