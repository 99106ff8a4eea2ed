// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <type_traits>
#include <xsimd/xsimd.hpp>

/// \file
/// The only header that names xsimd: `Pack`, a number with many lanes.
///
/// Models, observation operators and network layers are written once for a generic scalar `T`.
/// With `T = double` they compute one state; with `T = Pack<float, 32>` they compute 32 states
/// side by side, a lane each, without a shuffle. `lanes_t<Real, Lanes>` is the type for a number
/// of lanes: `Real` itself for one lane, a `Pack` for more.

namespace dan {

namespace detail {
/// The widest SIMD register of the target; a plain number where xsimd knows none.
#if defined(XSIMD_NO_SUPPORTED_ARCHITECTURE)
template <class Real>
using Widest = Real;
#else
template <class Real>
using Widest = xsimd::batch<Real>;
#endif

/// a / b on registers and plain numbers.
template <class Register>
[[nodiscard]] inline Register quotient(const Register& a, const Register& b) {
#if defined(__aarch64__)  // xsimd refines an estimate there, with another last bit
  if constexpr (requires { typename Register::value_type; })
    if constexpr (std::is_same_v<typename Register::value_type, float>)
      return vdivq_f32(a.data, b.data);
#endif
  return a / b;
}
}  // namespace detail

/// Number of `Real` in one SIMD register of the target that this file is compiled for.
template <std::floating_point Real>
inline constexpr std::size_t simd_width = sizeof(detail::Widest<Real>) / sizeof(Real);

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
  Pack(Real value) {  // NOLINT(google-explicit-constructor): numbers mix with packs in formulas
    for (auto& r : part) r = Register(value);
  }

  template <class F>
  static Pack map(const F& f) {
    Pack out;
    for (std::size_t i = 0; i < registers; ++i) out.part[i] = f(i);
    return out;
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

  friend Pack exp(const Pack& a) {
    using std::exp;
    return map([&](std::size_t i) { return exp(a.part[i]); });
  }
  friend Pack tanh(const Pack& a) {
    using std::tanh;
    return map([&](std::size_t i) { return tanh(a.part[i]); });
  }
  friend Pack sin(const Pack& a) {
    using std::sin;
    return map([&](std::size_t i) { return sin(a.part[i]); });
  }
  friend Pack cos(const Pack& a) {
    using std::cos;
    return map([&](std::size_t i) { return cos(a.part[i]); });
  }
  friend Pack sqrt(const Pack& a) {
    using std::sqrt;
    return map([&](std::size_t i) { return sqrt(a.part[i]); });
  }
  friend Pack abs(const Pack& a) {
    using std::abs;
    return map([&](std::size_t i) { return abs(a.part[i]); });
  }
};

namespace detail {
template <class T>
struct PackTraits {
  using Real = T;
  static constexpr std::size_t lanes = 1;
};
template <class Real_, std::size_t Lanes>
struct PackTraits<Pack<Real_, Lanes>> {
  using Real = Real_;
  static constexpr std::size_t lanes = Lanes;
};
}  // namespace detail

/// The real number type underneath `T`: `float` for `Pack<float, 32>` and for `float`.
template <class T>
using real_t = typename detail::PackTraits<T>::Real;

/// How many lanes `T` has: 32 for `Pack<float, 32>`, one for `float`.
template <class T>
inline constexpr std::size_t lanes_of = detail::PackTraits<T>::lanes;

/// `Lanes` rounded up to what a pack can hold: one, or a whole number of SIMD registers.
template <std::floating_point Real, std::size_t Lanes>
inline constexpr std::size_t padded_lanes =
    Lanes == 1 ? 1 : (Lanes + simd_width<Real> - 1) / simd_width<Real>* simd_width<Real>;

/// The scalar type with (at least) `Lanes` lanes of `Real`.
template <std::floating_point Real, std::size_t Lanes>
using lanes_t =
    std::conditional_t<Lanes == 1, Real,
                       Pack<Real, Lanes == 1 ? simd_width<Real> : padded_lanes<Real, Lanes>>>;

namespace detail {
/// Where a < b: `yes`, elsewhere `no`; for plain numbers, registers and packs.
template <class T>
[[nodiscard]] inline T where_less(const T& a, const T& b, const T& yes, const T& no) {
  if constexpr (std::is_floating_point_v<T>)
    return a < b ? yes : no;
  else if constexpr (requires { T::registers; })
    return T::map(
        [&](std::size_t i) { return where_less(a.part[i], b.part[i], yes.part[i], no.part[i]); });
  else
    return select(a < b, yes, no);
}
}  // namespace detail

/// The smaller of both, lane by lane; b where a is NaN.
template <class T>
[[nodiscard]] inline T minimum(const T& a, const T& b) {
  return detail::where_less(a, b, a, b);
}

/// The larger of both, lane by lane; b where a is NaN.
template <class T>
[[nodiscard]] inline T maximum(const T& a, const T& b) {
  return detail::where_less(b, a, a, b);
}

/// Where a > 0: `yes`, elsewhere `no`, lane by lane.
template <class T>
[[nodiscard]] inline T where_positive(const T& a, const T& yes, const T& no) {
  return detail::where_less(T(real_t<T>(0)), a, yes, no);
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

/// How many SIMD registers the target has; kernels size their tiles by it.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr std::size_t register_count = 32;
#else
inline constexpr std::size_t register_count = 16;
#endif

/// acc += a * b on registers, with one rounding where the target has the instruction.
template <class Register>
[[gnu::always_inline]] inline void accumulate(Register& acc, const Register& a, const Register& b) {
  if constexpr (std::is_floating_point_v<Register>) {
    acc += a * b;
  } else {
#if defined(__AVX512F__)  // xsimd 8 multiplies and adds apart there
    if constexpr (std::is_same_v<typename Register::value_type, float>)
      acc.data = _mm512_fmadd_ps(a.data, b.data, acc.data);
    else
      acc.data = _mm512_fmadd_pd(a.data, b.data, acc.data);
#else
    acc = fma(a, b, acc);
#endif
  }
}

/// A copy of `*from` that the compiler keeps in a register instead of reading it again.
template <class Register>
[[nodiscard, gnu::always_inline]] inline Register load_once(const Register* from) {
  Register value = *from;
#if defined(__AVX512F__)
  if constexpr (!std::is_floating_point_v<Register>) asm("" : "+v"(value.data));
#elif defined(__SSE2__)
  if constexpr (!std::is_floating_point_v<Register>) asm("" : "+x"(value.data));
#endif
  return value;
}

/// Sum over the elements of a register.
template <class Register>
[[nodiscard]] inline auto sum_register(const Register& a) {
  if constexpr (std::is_floating_point_v<Register>)
    return a;
  else
#if XSIMD_VERSION_MAJOR < 9
    return hadd(a);
#else
    return reduce_add(a);
#endif
}

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
[[nodiscard]] inline real_t<T>& lane_of(T& a, std::size_t lane) {
  return reinterpret_cast<real_t<T>*>(&a)[lane];
}
template <class T>
[[nodiscard]] inline const real_t<T>& lane_of(const T& a, std::size_t lane) {
  return reinterpret_cast<const real_t<T>*>(&a)[lane];
}

}  // namespace dan
