// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <type_traits>

#include "dan/core/pack.hpp"
#include "dan/core/pack_functions.hpp"
#include "dan/core/registers.hpp"
#include "dan/core/scalar.hpp"

/// \file
/// Numbers with lanes: packs, their functions, choices and sums over lanes.

namespace dan {

/// `where_less` of packs.
template <class Real, std::size_t Lanes>
[[nodiscard]] inline Pack<Real, Lanes> choose_less(const Pack<Real, Lanes>& a,
                                                   const Pack<Real, Lanes>& b,
                                                   const Pack<Real, Lanes>& yes,
                                                   const Pack<Real, Lanes>& no) {
  return a.map(
      [&](std::size_t i) { return where_less(a.part[i], b.part[i], yes.part[i], no.part[i]); });
}

/// The smaller of both, lane by lane; b where a is NaN.
template <class T>
[[nodiscard]] inline T minimum(const T& a, const T& b) {
  return where_less(a, b, a, b);
}

/// The larger of both, lane by lane; b where a is NaN.
template <class T>
[[nodiscard]] inline T maximum(const T& a, const T& b) {
  return where_less(b, a, a, b);
}

/// Where a > 0: `yes`, elsewhere `no`, lane by lane.
template <class T>
[[nodiscard]] inline T where_positive(const T& a, const T& yes, const T& no) {
  return where_less(T(real_t<T>(0)), a, yes, no);
}

/// The SIMD register underneath `T`; a plain number is its own register.
template <class T>
struct RegisterOf {
  using type = T;
};
template <class Real, std::size_t Lanes>
struct RegisterOf<Pack<Real, Lanes>> {
  using type = typename Pack<Real, Lanes>::Register;
};
template <class T>
using register_t = typename RegisterOf<T>::type;

/// Number of registers of a `T`.
template <class T>
inline constexpr std::size_t registers_of = sizeof(T) / sizeof(register_t<T>);

/// Sum over the lanes.
template <class T>
[[nodiscard]] inline real_t<T> sum_lanes(const T& a) {
  if constexpr (std::is_floating_point_v<T>) {
    return a;
  } else {
    auto total = a.part[0];
    for (std::size_t i = 1; i < T::registers; ++i) total = total + a.part[i];
    return sum_register(total);
  }
}

/// Lane `lane` of `a`, also where `a` is a plain number.
template <class T>
requires(sizeof(T) == lanes_of<T> * sizeof(real_t<T>))
    [[nodiscard]] inline real_t<T>& lane_of(T& a, std::size_t lane) {
  return reinterpret_cast<real_t<T>*>(&a)[lane];
}
template <class T>
requires(sizeof(T) == lanes_of<T> * sizeof(real_t<T>))
    [[nodiscard]] inline const real_t<T>& lane_of(const T& a, std::size_t lane) {
  return reinterpret_cast<const real_t<T>*>(&a)[lane];
}

}  // namespace dan
