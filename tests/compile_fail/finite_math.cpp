// SPDX-License-Identifier: BSD-3-Clause
// Without NaN and infinities every check of the library would be gone.
// flags: -ffinite-math-only
// expect: remove every check for NaN: add -fno-finite-math-only
#include "dan/observe/noise.hpp"

int main() { return dan::DiagonalNoise<1>().variance(0) > 0 ? 0 : 1; }
