// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/// \file
/// What a compiler may not be told, or is known to get wrong.
///
/// **C++20** is what everything is written in.
///
/// **Finite mathematics.** -Ofast, -ffast-math and -ffinite-math-only let the compiler assume that
/// no number is NaN or infinite; every check of observations, noise and states is then gone without
/// a word, and missing values are analysed as if they were there. That is refused here.
///
/// **g++ 12 before 12.4 with AVX-512.** An object of 32 or 64 bytes whose constant content is
/// {v, v, 0, 0} or {v, v, v, 0} in words of 64 bits (v not negative; with 64 bytes the same with
/// more zeros) becomes {v, v, v, v} when -O2 or -O3 stores it as a vector and copies it: its
/// function that looks for repeated words does not count those that a shortened constant leaves
/// out. No configuration of this library has such content by default, `Inflation` and `RandomKey`
/// never have it, so that results are right with and without a flag (tests/core/compiler.cpp); but
/// a `struct { double a = 1, b = 1, c = 0, d = 0; }` of yours is concerned.
/// -fno-tree-slp-vectorize keeps the compiler from making such vectors of a struct's fields; the
/// packages (pkg-config, CMake, Meson) hand it on, with the macro that says so.
/// Seen with g++ 12.2, not with 11.3, 12.4 and 13.3; 12.3 was not tried and counts as concerned.
/// Source: GCC bug 108599.

#if __cplusplus < 202002L
#error "dan: needs C++20: add -std=c++20"
#include <add -std=c++20>  // is no file, which ends the compilation here
#endif

#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#error \
    "dan: -Ofast, -ffast-math and -ffinite-math-only remove every check for NaN: add -fno-finite-math-only"
#endif

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ == 12 && __GNUC_MINOR__ < 4 && \
    defined(__AVX512F__) && defined(__OPTIMIZE__) && !defined(DAN_NO_TREE_SLP_VECTORIZE)
#pragma GCC warning \
    "dan: this compiler gets structs like {1.0, 1.0, 0.0, 0.0} wrong with AVX-512 (GCC bug 108599). dan's own numbers are right; for your structs add -fno-tree-slp-vectorize -DDAN_NO_TREE_SLP_VECTORIZE (the macro ends this warning)"
#endif
