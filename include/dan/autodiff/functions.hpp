// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <concepts>
#include <numbers>
#include <type_traits>

#include "dan/core/simd.hpp"

/// \file
/// The derivatives of the functions of the standard library, for every scalar that carries one.
///
/// Such a scalar has a `value` of a scalar type `Inner`, and brings `chained(x, value, slope)` and
/// `chained(a, b, value, slope_a, slope_b)`: the number `value` that depends on the operands with
/// these partial derivatives. `Dual` and `Variable` are two.

namespace dan {

/// A scalar that carries a derivative, as described at the top of this file.
template <class T>
concept CarriesDerivative = ScalarClass<T> && requires(const T& x, const typename T::Inner& v) {
  x.value;
  chained(x, v, v);
  chained(x, x, v, v, v);
};

template <CarriesDerivative T>
[[nodiscard]] inline T operator*(const T& a, const T& b) {
  return chained(a, b, a.value * b.value, b.value, a.value);
}
template <CarriesDerivative T>
[[nodiscard]] inline T operator/(const T& a, const T& b) {
  using Inner = typename T::Inner;
  const Inner ratio = a.value / b.value, inverse = Inner(1) / b.value;
  return chained(a, b, ratio, inverse, -ratio * inverse);
}
// T::Inner stands here for clang 14, which forms the signature before it looks at the concept.
template <CarriesDerivative T, class = typename T::Inner>
inline T& operator+=(T& a, const std::type_identity_t<T>& b) {
  return a = a + b;
}
template <CarriesDerivative T, class = typename T::Inner>
inline T& operator-=(T& a, const std::type_identity_t<T>& b) {
  return a = a - b;
}
template <CarriesDerivative T, class = typename T::Inner>
inline T& operator*=(T& a, const std::type_identity_t<T>& b) {
  return a = a * b;
}
template <CarriesDerivative T, class = typename T::Inner>
inline T& operator/=(T& a, const std::type_identity_t<T>& b) {
  return a = a / b;
}

template <CarriesDerivative T>
[[nodiscard]] inline T exp(const T& x) {
  using std::exp;
  const auto y = exp(x.value);
  return chained(x, y, y);
}
template <CarriesDerivative T>
[[nodiscard]] inline T log(const T& x) {
  using std::log;
  return chained(x, log(x.value), 1 / x.value);
}
template <CarriesDerivative T>
[[nodiscard]] inline T sqrt(const T& x) {
  using std::sqrt;
  const auto y = sqrt(x.value);
  return chained(x, y, typename T::Inner(0.5 / y));
}
/// The slope at zero is −1.
template <CarriesDerivative T>
[[nodiscard]] inline T abs(const T& x) {
  using std::abs;
  using Inner = typename T::Inner;
  return chained(x, abs(x.value), where_positive(x.value, Inner(1), Inner(-1)));
}
template <CarriesDerivative T>
[[nodiscard]] inline T sin(const T& x) {
  using std::sin, std::cos;
  return chained(x, sin(x.value), cos(x.value));
}
template <CarriesDerivative T>
[[nodiscard]] inline T cos(const T& x) {
  using std::sin, std::cos;
  return chained(x, cos(x.value), -sin(x.value));
}
template <CarriesDerivative T>
[[nodiscard]] inline T tan(const T& x) {
  using std::tan;
  const auto y = tan(x.value);
  return chained(x, y, 1 + y * y);
}
template <CarriesDerivative T>
[[nodiscard]] inline T asin(const T& x) {
  using std::asin, std::sqrt;
  return chained(x, asin(x.value), 1 / sqrt(1 - x.value * x.value));
}
template <CarriesDerivative T>
[[nodiscard]] inline T acos(const T& x) {
  using std::acos, std::sqrt;
  return chained(x, acos(x.value), -1 / sqrt(1 - x.value * x.value));
}
template <CarriesDerivative T>
[[nodiscard]] inline T atan(const T& x) {
  using std::atan;
  return chained(x, atan(x.value), 1 / (1 + x.value * x.value));
}
template <CarriesDerivative T>
[[nodiscard]] inline T sinh(const T& x) {
  using std::sinh, std::cosh;
  return chained(x, sinh(x.value), cosh(x.value));
}
template <CarriesDerivative T>
[[nodiscard]] inline T cosh(const T& x) {
  using std::sinh, std::cosh;
  return chained(x, cosh(x.value), sinh(x.value));
}
template <CarriesDerivative T>
[[nodiscard]] inline T tanh(const T& x) {
  using std::tanh;
  const auto y = tanh(x.value);
  return chained(x, y, 1 - y * y);
}
template <CarriesDerivative T>
[[nodiscard]] inline T erf(const T& x) {
  using std::erf, std::exp;
  const auto two_by_root_pi = constant<typename T::Inner>(2 * std::numbers::inv_sqrtpi);
  return chained(x, erf(x.value), two_by_root_pi * exp(-x.value * x.value));
}
/// The slopes of floor and ceil are zero.
template <CarriesDerivative T>
[[nodiscard]] inline T floor(const T& x) {
  using std::floor;
  return chained(x, floor(x.value), constant<typename T::Inner>(0));
}
template <CarriesDerivative T>
[[nodiscard]] inline T ceil(const T& x) {
  using std::ceil;
  return chained(x, ceil(x.value), constant<typename T::Inner>(0));
}
template <CarriesDerivative T>
[[nodiscard]] inline T log2(const T& x) {
  using std::log2;
  return chained(x, log2(x.value), std::numbers::log2e / x.value);
}
template <CarriesDerivative T>
[[nodiscard]] inline T log10(const T& x) {
  using std::log10;
  return chained(x, log10(x.value), std::numbers::log10e / x.value);
}
template <CarriesDerivative T>
[[nodiscard]] inline T log1p(const T& x) {
  using std::log1p;
  return chained(x, log1p(x.value), 1 / (1 + x.value));
}
template <CarriesDerivative T>
[[nodiscard]] inline T expm1(const T& x) {
  using std::expm1;
  const auto y = expm1(x.value);
  return chained(x, y, 1 + y);
}
template <CarriesDerivative T>
[[nodiscard]] inline T cbrt(const T& x) {
  using std::cbrt;
  const auto y = cbrt(x.value);
  return chained(x, y, 1 / (3 * y * y));
}

template <CarriesDerivative T>
[[nodiscard]] inline T hypot(const T& a, const T& b) {
  using std::hypot;
  const auto y = hypot(a.value, b.value);
  return chained(a, b, y, a.value / y, b.value / y);
}
/// a − n b with a whole number n, whose slope is zero.
template <CarriesDerivative T>
[[nodiscard]] inline T fmod(const T& a, const T& b) {
  using std::fmod;
  using Inner = typename T::Inner;
  const Inner y = fmod(a.value, b.value);
  return chained(a, b, y, Inner(1), Inner((y - a.value) / b.value));
}
template <CarriesDerivative T>
[[nodiscard]] inline T atan2(const T& y, const T& x) {
  using std::atan2;
  const auto inverse = 1 / (x.value * x.value + y.value * y.value);
  return chained(y, x, atan2(y.value, x.value), x.value * inverse, -y.value * inverse);
}
template <CarriesDerivative T, std::floating_point N>
[[nodiscard]] inline T pow(const T& base, N exponent) {
  using std::pow;
  using Inner = typename T::Inner;
  const auto p = static_cast<real_t<T>>(exponent);
  const auto slope = p == 0 ? constant<Inner>(0) : Inner(p * pow(base.value, p - 1));
  return chained(base, pow(base.value, p), slope);
}
/// The slope along the exponent is zero where base <= 0.
template <CarriesDerivative T>
[[nodiscard]] inline T pow(const T& base, const T& exponent) {
  using std::abs, std::pow, std::log;
  using Inner = typename T::Inner;
  const Inner &a = base.value, &p = exponent.value;
  const Inner y = pow(a, p);
  return chained(base, exponent, y,
                 where_positive(Inner(abs(p)), Inner(p * pow(a, p - 1)), Inner(0)),
                 where_positive(a, Inner(y * log(a)), Inner(0)));
}

}  // namespace dan
