// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <concepts>
#include <cstddef>

#include "dan/autodiff/functions.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"

namespace dan {

/// A number with its derivative along one direction: x + ε ẋ with ε² = 0, so that
///   f(x + ε ẋ) = f(x) + ε f'(x) ẋ.
///
/// `T` is a number, a pack (every lane along a direction of its own) or a dual number: the slope
/// of the slope is a second derivative. Cost: two to three times that of `T`.
/// Source: Griewank and Walther, Evaluating Derivatives (2nd ed., SIAM 2008), section 3.1.
template <class T>
struct Dual {
  using Inner = T;

  T value, slope;

  Dual() = default;
  Dual(const T& v, const T& s) : value(v), slope(s) {}
  /// A constant.
  template <Number N>
  Dual(N v)  // NOLINT(google-explicit-constructor): numbers mix with dual numbers in formulas
      : value(constant<T>(v)), slope(constant<T>(0)) {}
  operator double() const = delete;  // use: using std::sin; sin(x), dan::where_less(a, b, yes, no)

  friend Dual operator+(const Dual& a, const Dual& b) {
    return {a.value + b.value, a.slope + b.slope};
  }
  friend Dual operator-(const Dual& a, const Dual& b) {
    return {a.value - b.value, a.slope - b.slope};
  }
  friend Dual operator-(const Dual& a) { return {-a.value, -a.slope}; }

  /// A number that depends on x with the derivative `along`, or on a and b.
  friend Dual chained(const Dual& x, const T& y, const T& along) { return {y, along * x.slope}; }
  friend Dual chained(const Dual& a, const Dual& b, const T& y, const T& along_a,
                      const T& along_b) {
    return {y, along_a * a.slope + along_b * b.slope};
  }
  friend Dual choose_less(const Dual& a, const Dual& b, const Dual& yes, const Dual& no) {
    return {where_less(a.value, b.value, yes.value, no.value),
            where_less(a.value, b.value, yes.slope, no.slope)};
  }
};

template <class T>
struct ScalarTraits<Dual<T>> {
  using Real = real_t<T>;
  static constexpr std::size_t lanes = lanes_of<T>;
};

/// out = map(in) of a linear map of arrays of `T`, map(in, out), for values and slopes apart: for
/// maps that look at single lanes. What stands in `out` goes into it, for maps that add.
template <class T, class Map>
void apply_apart(const Dual<T>* in, std::size_t inputs, Dual<T>* out, std::size_t outputs,
                 const Map& map) {
  Scratch<T> from(inputs, Unset{}), to(outputs, Unset{});
  for (T Dual<T>::*part : {&Dual<T>::value, &Dual<T>::slope}) {
    for (std::size_t i = 0; i < inputs; ++i) from[i] = in[i].*part;
    for (std::size_t i = 0; i < outputs; ++i) to[i] = out[i].*part;
    map(from.data(), to.data());
    for (std::size_t i = 0; i < outputs; ++i) out[i].*part = to[i];
  }
}

/// A dual number, of whatever is inside.
template <class T>
concept DualNumber = ScalarClass<T> && std::same_as<T, Dual<typename T::Inner>>;

}  // namespace dan
