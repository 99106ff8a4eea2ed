// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "dan/core/registers.hpp"
#include "dan/core/scalar.hpp"

/// \file
/// `Pack`, a number with many lanes.
///
/// Models, observation operators and network layers are written once for a generic scalar `T`.
/// With `T = double` they compute one state; with `T = Pack<float, 32>` they compute 32 states
/// side by side, a lane each, without a shuffle. `lanes_t<Real, Lanes>` is the type for a number
/// of lanes: `Real` itself for one lane, a `Pack` for more.

namespace dan {

/// `Lanes` numbers that are computed with side by side: a whole number of SIMD registers.
///
/// Layout: `Lanes` contiguous `Real`, lane 0 first. Arithmetic is lane by lane.
template <std::floating_point Real, std::size_t Lanes>
struct Pack {
  static_assert(Lanes % simd_width<Real> == 0 && Lanes > 0,
                "Pack: Lanes must be a multiple of dan::simd_width<Real>; round it up with "
                "dan::padded_lanes<Real, Lanes>");
  using Register = detail::Widest<Real>;
  static constexpr std::size_t registers = Lanes / simd_width<Real>;

  Register part[registers];

  Pack() = default;
  /// All lanes equal `value`.
  template <Number N>
  Pack(N value) {  // NOLINT(google-explicit-constructor): numbers mix with packs in formulas
    for (auto& r : part) r = Register(static_cast<Real>(value));
  }
  /// Lanes differ: no function of the standard library and no `if` can take them.
  operator double() const = delete;  // use: using std::sin; sin(x), dan::where_less(a, b, yes, no)

  /// f(i) for each register i. Up to four are made in one expression: a result that a loop writes
  /// goes through memory, and who reads it next waits for it.
  template <class F>
  static Pack map(const F& f) {
    if constexpr (registers <= 4) {
      return [&]<std::size_t... I>(std::index_sequence<I...>) { return Pack{Parts{}, f(I)...}; }
      (std::make_index_sequence<registers>{});
    } else {
      Pack out;
      for (std::size_t i = 0; i < registers; ++i) out.part[i] = f(i);
      return out;
    }
  }

  friend Pack operator+(const Pack& a, const Pack& b) {
    return map([&](std::size_t i) { return a.part[i] + b.part[i]; });
  }
  friend Pack operator-(const Pack& a, const Pack& b) {
    return map([&](std::size_t i) { return a.part[i] - b.part[i]; });
  }
  friend Pack operator*(const Pack& a, const Pack& b) {
    return map([&](std::size_t i) { return a.part[i] * b.part[i]; });
  }
  friend Pack operator/(const Pack& a, const Pack& b) {
    return map([&](std::size_t i) { return detail::quotient(a.part[i], b.part[i]); });
  }
  friend Pack operator-(const Pack& a) {
    return map([&](std::size_t i) { return -a.part[i]; });
  }
  Pack& operator+=(const Pack& b) { return *this = *this + b; }
  Pack& operator-=(const Pack& b) { return *this = *this - b; }
  Pack& operator*=(const Pack& b) { return *this = *this * b; }
  Pack& operator/=(const Pack& b) { return *this = *this / b; }

  [[nodiscard]] const Real* lanes() const { return reinterpret_cast<const Real*>(part); }
  [[nodiscard]] Real* lanes() { return reinterpret_cast<Real*>(part); }
  [[nodiscard]] Real operator[](std::size_t lane) const { return lanes()[lane]; }
  [[nodiscard]] Real& operator[](std::size_t lane) { return lanes()[lane]; }

 private:
  struct Parts {};
  template <class... Register_>
  explicit Pack(Parts, const Register_&... parts) : part{parts...} {}
};

template <std::floating_point Real_, std::size_t Lanes>
struct ScalarTraits<Pack<Real_, Lanes>> {
  using Real = Real_;
  static constexpr std::size_t lanes = Lanes;
};

/// `Lanes` rounded up to what a pack can hold: one, or a whole number of SIMD registers.
template <std::floating_point Real, std::size_t Lanes>
inline constexpr std::size_t padded_lanes =
    Lanes == 1 ? 1 : (Lanes + simd_width<Real> - 1) / simd_width<Real>* simd_width<Real>;

/// The scalar type with (at least) `Lanes` lanes of `Real`.
template <std::floating_point Real, std::size_t Lanes>
using lanes_t =
    std::conditional_t<Lanes == 1, Real,
                       Pack<Real, Lanes == 1 ? simd_width<Real> : padded_lanes<Real, Lanes>>>;

}  // namespace dan
