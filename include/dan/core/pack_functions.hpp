// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <concepts>
#include <cstddef>

#include "dan/core/pack.hpp"

/// \file
/// The functions of the standard library on packs, lane by lane: `using std::sin; sin(x)`.
/// They agree with those on numbers to some last bits.

namespace dan {

template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> exp(const Pack<Real, Lanes>& a) {
  using std::exp;
  return a.map([&](std::size_t i) { return exp(a.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> log(const Pack<Real, Lanes>& a) {
  using std::log;
  return a.map([&](std::size_t i) { return log(a.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> sqrt(const Pack<Real, Lanes>& a) {
  using std::sqrt;
  return a.map([&](std::size_t i) { return sqrt(a.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> abs(const Pack<Real, Lanes>& a) {
  using std::abs;
  return a.map([&](std::size_t i) { return abs(a.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> sin(const Pack<Real, Lanes>& a) {
  using std::sin;
  return a.map([&](std::size_t i) { return sin(a.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> cos(const Pack<Real, Lanes>& a) {
  using std::cos;
  return a.map([&](std::size_t i) { return cos(a.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> tan(const Pack<Real, Lanes>& a) {
  using std::tan;
  return a.map([&](std::size_t i) { return tan(a.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> asin(const Pack<Real, Lanes>& a) {
  using std::asin;
  return a.map([&](std::size_t i) { return asin(a.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> acos(const Pack<Real, Lanes>& a) {
  using std::acos;
  return a.map([&](std::size_t i) { return acos(a.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> atan(const Pack<Real, Lanes>& a) {
  using std::atan;
  return a.map([&](std::size_t i) { return atan(a.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> sinh(const Pack<Real, Lanes>& a) {
  using std::sinh;
  return a.map([&](std::size_t i) { return sinh(a.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> cosh(const Pack<Real, Lanes>& a) {
  using std::cosh;
  return a.map([&](std::size_t i) { return cosh(a.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> tanh(const Pack<Real, Lanes>& a) {
  using std::tanh;
  return a.map([&](std::size_t i) { return tanh(a.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> erf(const Pack<Real, Lanes>& a) {
  using std::erf;
  return a.map([&](std::size_t i) { return erf(a.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> floor(const Pack<Real, Lanes>& a) {
  using std::floor;
  return a.map([&](std::size_t i) { return floor(a.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> ceil(const Pack<Real, Lanes>& a) {
  using std::ceil;
  return a.map([&](std::size_t i) { return ceil(a.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> log2(const Pack<Real, Lanes>& a) {
  using std::log2;
  return a.map([&](std::size_t i) { return log2(a.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> log10(const Pack<Real, Lanes>& a) {
  using std::log10;
  return a.map([&](std::size_t i) { return log10(a.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> log1p(const Pack<Real, Lanes>& a) {
  using std::log1p;
  return a.map([&](std::size_t i) { return log1p(a.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> expm1(const Pack<Real, Lanes>& a) {
  using std::expm1;
  return a.map([&](std::size_t i) { return expm1(a.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> atan2(const Pack<Real, Lanes>& a,
                                             const Pack<Real, Lanes>& b) {
  using std::atan2;
  return a.map([&](std::size_t i) { return atan2(a.part[i], b.part[i]); });
}
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> pow(const Pack<Real, Lanes>& a, const Pack<Real, Lanes>& b) {
  using std::pow;
  return a.map([&](std::size_t i) { return pow(a.part[i], b.part[i]); });
}
template <class Real, std::size_t Lanes, std::floating_point N>
[[nodiscard]] inline Pack<Real, Lanes> pow(const Pack<Real, Lanes>& a, N exponent) {
  return pow(a, Pack<Real, Lanes>(exponent));
}

// Number by number: those of registers lose digits where a quotient or a square is large.
namespace detail {
template <class P, class F, class... Packs>
[[nodiscard]] inline P by_number(const F& f, const Packs&... a) {
  P out;
  for (std::size_t l = 0; l < lanes_of<P>; ++l) out[l] = f(a[l]...);
  return out;
}
}  // namespace detail
template <class Real, std::size_t Lanes, class P = Pack<Real, Lanes>>
[[nodiscard]] inline P cbrt(const Pack<Real, Lanes>& a) {
  return detail::by_number<P>([](Real x) { return std::cbrt(x); }, a);
}
template <class Real, std::size_t Lanes, class P = Pack<Real, Lanes>>
[[nodiscard]] inline P hypot(const Pack<Real, Lanes>& a, const Pack<Real, Lanes>& b) {
  return detail::by_number<P>([](Real x, Real y) { return std::hypot(x, y); }, a, b);
}
template <class Real, std::size_t Lanes, class P = Pack<Real, Lanes>>
[[nodiscard]] inline P fmod(const Pack<Real, Lanes>& a, const Pack<Real, Lanes>& b) {
  return detail::by_number<P>([](Real x, Real y) { return std::fmod(x, y); }, a, b);
}

}  // namespace dan
