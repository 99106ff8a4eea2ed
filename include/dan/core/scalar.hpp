// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <concepts>
#include <cstddef>
#include <type_traits>

/// \file
/// What a generic scalar `T` is: a plain number, a `Pack` of lanes, a `Dual` number, a `Variable`
/// of a tape. Formulas are written once for all of them:
///
///     using std::sin;                      // for T = double; the others bring theirs
///     f[i] = 0.5 * sin(x[i]) - x[i] + forcing;
///     f[i] = dan::where_less(x[i], 0, -x[i], x[i]);   // instead of x[i] < 0 ? -x[i] : x[i]
///
/// A scalar of your own specialises `ScalarTraits`, can be made from a number, and has + − * /, the
/// functions it needs and `choose_less`, which `where_less` calls; the mixed forms with numbers are
/// here.

namespace dan {

/// The real number type underneath the scalar `T`, and how many of them are computed side by side.
template <class T>
struct ScalarTraits {
  using Real = T;
  static constexpr std::size_t lanes = 1;
};

/// The real number type underneath `T`: `float` for `Pack<float, 32>` and for `float`.
template <class T>
using real_t = typename ScalarTraits<T>::Real;

/// How many lanes `T` has: 32 for `Pack<float, 32>`, one for `float`.
template <class T>
inline constexpr std::size_t lanes_of = ScalarTraits<T>::lanes;

/// A plain number.
template <class N>
concept Number = std::is_arithmetic_v<N>;

/// A generic scalar that is a class: a pack, a dual number, a variable of a tape.
template <class T>
concept ScalarClass = !std::same_as<real_t<T>, T> && std::floating_point<real_t<T>>;

/// The constant `value` as a scalar of type `T`.
template <class T, Number N>
[[nodiscard]] inline T constant(N value) {
  return T(static_cast<real_t<T>>(value));
}

/// Arithmetic with plain numbers: 0.5 * x, x + 1.
template <ScalarClass T, Number N>
[[nodiscard]] inline T operator+(const T& a, N b) {
  return a + constant<T>(b);
}
template <ScalarClass T, Number N>
[[nodiscard]] inline T operator+(N a, const T& b) {
  return constant<T>(a) + b;
}
template <ScalarClass T, Number N>
[[nodiscard]] inline T operator-(const T& a, N b) {
  return a - constant<T>(b);
}
template <ScalarClass T, Number N>
[[nodiscard]] inline T operator-(N a, const T& b) {
  return constant<T>(a) - b;
}
template <ScalarClass T, Number N>
[[nodiscard]] inline T operator*(const T& a, N b) {
  return a * constant<T>(b);
}
template <ScalarClass T, Number N>
[[nodiscard]] inline T operator*(N a, const T& b) {
  return constant<T>(a) * b;
}
template <ScalarClass T, Number N>
[[nodiscard]] inline T operator/(const T& a, N b) {
  return a / constant<T>(b);
}
template <ScalarClass T, Number N>
[[nodiscard]] inline T operator/(N a, const T& b) {
  return constant<T>(a) / b;
}

/// Where a < b: `yes`, elsewhere `no`; for plain numbers.
template <Number A, Number B, Number C, Number D>
[[nodiscard]] inline std::common_type_t<C, D> where_less(A a, B b, C yes, D no) {
  return a < b ? yes : no;
}

namespace detail {
/// The scalar class among the types; void without one.
template <class... Ts>
struct ClassAmong {
  using type = void;
};
template <class T, class... Ts>
struct ClassAmong<T, Ts...> {
  using type = typename ClassAmong<Ts...>::type;
};
template <ScalarClass T, class... Ts>
struct ClassAmong<T, Ts...> {
  using type = T;
};
template <class T, class A>
[[nodiscard]] inline decltype(auto) as_scalar(const A& a) {
  if constexpr (Number<A>)
    return constant<T>(a);
  else
    return static_cast<const T&>(a);
}
}  // namespace detail

/// Where a < b: `yes`, elsewhere `no`, lane by lane; some of the four may be plain numbers.
template <class A, class B, class C, class D,
          class T = typename detail::ClassAmong<A, B, C, D>::type>
requires(!std::is_void_v<T>) [[nodiscard]] inline T
    where_less(const A& a, const B& b, const C& yes, const D& no) {
  return choose_less(detail::as_scalar<T>(a), detail::as_scalar<T>(b), detail::as_scalar<T>(yes),
                     detail::as_scalar<T>(no));
}

/// The smaller and the larger of both and the size, under the names of the standard library.
template <ScalarClass T>
[[nodiscard]] inline T min(const T& a, const T& b) {
  return where_less(b, a, b, a);
}
template <ScalarClass T>
[[nodiscard]] inline T max(const T& a, const T& b) {
  return where_less(a, b, b, a);
}
template <ScalarClass T>
[[nodiscard]] inline T fabs(const T& a) {
  return abs(a);
}
template <ScalarClass T, Number N>
[[nodiscard]] inline T min(const T& a, N b) {
  return min(a, constant<T>(b));
}
template <ScalarClass T, Number N>
[[nodiscard]] inline T min(N a, const T& b) {
  return min(constant<T>(a), b);
}
template <ScalarClass T, Number N>
[[nodiscard]] inline T max(const T& a, N b) {
  return max(a, constant<T>(b));
}
template <ScalarClass T, Number N>
[[nodiscard]] inline T max(N a, const T& b) {
  return max(constant<T>(a), b);
}
template <ScalarClass T, Number N>
[[nodiscard]] inline T atan2(const T& y, N x) {
  return atan2(y, constant<T>(x));
}
template <ScalarClass T, Number N>
[[nodiscard]] inline T atan2(N y, const T& x) {
  return atan2(constant<T>(y), x);
}
template <ScalarClass T, Number N>
[[nodiscard]] inline T hypot(const T& a, N b) {
  return hypot(a, constant<T>(b));
}
template <ScalarClass T, Number N>
[[nodiscard]] inline T hypot(N a, const T& b) {
  return hypot(constant<T>(a), b);
}
template <ScalarClass T, Number N>
[[nodiscard]] inline T fmod(const T& a, N b) {
  return fmod(a, constant<T>(b));
}
template <ScalarClass T, Number N>
[[nodiscard]] inline T fmod(N a, const T& b) {
  return fmod(constant<T>(a), b);
}
template <ScalarClass T, Number N>
[[nodiscard]] inline T pow(N base, const T& exponent) {
  return pow(constant<T>(base), exponent);
}

/// base^exponent for a whole exponent, by multiplication; base may be negative.
template <ScalarClass T, std::integral N>
[[nodiscard]] inline T pow(const T& base, N exponent) {
  const bool inverse = exponent < 0;
  auto left = static_cast<unsigned long long>(exponent);
  if (inverse) left = 0 - left;
  T power = constant<T>(1), square = base;
  for (bool first = true; left > 0; left /= 2) {
    if (left % 2 == 1) power = first ? square : T(power * square), first = false;
    if (left > 1) square = square * square;
  }
  return inverse ? T(constant<T>(1) / power) : power;
}

}  // namespace dan
