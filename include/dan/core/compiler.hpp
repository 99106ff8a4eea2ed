// SPDX-License-Identifier: BSD-3-Clause
#pragma once

/// \file
/// What a compiler is known to get wrong.
///
/// **g++ 12 before 12.4 with AVX-512.** An object of 32 or 64 bytes whose constant content is
/// {v, v, 0, 0} or {v, v, v, 0} in words of 64 bits (v not negative; with 64 bytes the same with
/// more zeros) becomes {v, v, v, v} when -O2 or -O3 stores it as a vector and copies it: its
/// function that looks for repeated words does not count those that a shortened constant leaves
/// out. No configuration of this library has such content by default, `Inflation` and `RandomKey`
/// never have it, so that results are right with and without a flag (tests/core/compiler.cpp); but
/// a `struct { double a = 1, b = 1, c = 0, d = 0; }` of yours is concerned.
/// -fno-tree-slp-vectorize keeps the compiler from making such vectors of a struct's fields.
/// Seen with g++ 12.2, not with 11.3, 12.4 and 13.3. Source: GCC bug 108599.
