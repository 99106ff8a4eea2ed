// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <type_traits>
#include <xsimd/xsimd.hpp>

#include "dan/core/unrolled.hpp"

/// \file
/// The only header that names xsimd: SIMD registers, and what kernels do with them.

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

/// Where a < b: `yes`, elsewhere `no`, on registers.
template <class Register>
requires requires(const Register& r) { select(r < r, r, r); }
[[nodiscard]] inline Register where_less(const Register& a, const Register& b, const Register& yes,
                                         const Register& no) {
  return select(a < b, yes, no);
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

namespace detail {
/// x_l + x_{l + Half} in the elements l of even blocks of `Half`, y_l + y_{l − Half} in the others.
template <int Half, class Register>
[[nodiscard, gnu::always_inline]] inline Register fold(const Register& x, const Register& y) {
  return [&]<int... L>(std::integer_sequence<int, L...>) __attribute__((always_inline)) {
    constexpr int size = sizeof...(L);
    return Register(__builtin_shufflevector(x.data, y.data, ((L & Half) == 0 ? L : size + L)...) +
                    __builtin_shufflevector(x.data, y.data,
                                            ((L & Half) == 0 ? L ^ Half : size + (L ^ Half))...));
  }
  (std::make_integer_sequence<int, Register::size>{});
}
}  // namespace detail

/// sums[n] = the sum over the elements of a[n] for N registers, a multiple of their size, which are
/// overwritten. (xsimd 8's `haddp` gives the sums of AVX-512's floats in another order.)
template <std::size_t N, class Register, class Real>
[[gnu::always_inline]] inline void sum_registers(Register* a, Real* sums) {
  if constexpr (std::is_floating_point_v<Register>) {
    std::copy_n(a, N, sums);
  } else {
    constexpr std::size_t size = Register::size;
    static_assert(N % size == 0);
    for (std::size_t n = 0; n < N; n += size, a += size, sums += size) {
      detail::unrolled<std::bit_width(size) - 1>([&](auto step) __attribute__((always_inline)) {
        constexpr std::size_t half = size >> (step + 1);
        detail::unrolled<half>([&](auto i) __attribute__((always_inline)) {
          a[i] = detail::fold<half>(a[i], a[i + half]);
        });
      });
      a->store_unaligned(sums);
    }
  }
}

}  // namespace dan
