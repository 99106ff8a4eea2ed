// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// Which kernels OpenBLAS runs; for benchmarks and examples.
#include <cstdio>
#include <string>

extern "C" const char* openblas_get_corename() __attribute__((weak));

namespace dan::bench {

/// The name of the kernels that OpenBLAS chose.
inline std::string blas_core() {
  return &openblas_get_corename == nullptr ? "not linked" : openblas_get_corename();
}

/// Says once if OpenBLAS does not know this processor and fell back to kernels without AVX.
inline void warn_about_slow_blas() {
#if defined(__AVX2__)
  const std::string core = blas_core();
  if (core == "Prescott" || core == "Core2" || core == "Nehalem" || core == "generic")
    std::fprintf(stderr,
                 "note: OpenBLAS runs its slow %s kernels because it does not know this processor; "
                 "set OPENBLAS_CORETYPE=Haswell (or SkylakeX with AVX-512) to make it faster\n",
                 core.c_str());
#endif
}

}  // namespace dan::bench
