// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "dan/core/error.hpp"

extern "C" char* openblas_get_corename() __attribute__((weak));  // absent with other BLAS

namespace dan {

/// The name of the kernels that OpenBLAS chose for this processor; "" with another BLAS.
[[nodiscard]] inline std::string blas_core() {
  return &openblas_get_corename == nullptr ? "" : openblas_get_corename();
}

/// What to tell a user whose OpenBLAS runs kernels without AVX2 on a processor that has it, with
/// the remedy; "" if all is well or nothing is known. Never printed by the library.
[[nodiscard]] inline std::string slow_blas_note() {
#if defined(__x86_64__)
  constexpr std::array<std::string_view, 6> fast{"Haswell",  "Zen",        "Excavator",
                                                 "SkylakeX", "Cooperlake", "SapphireRapids"};
  const std::string core = blas_core();
  if (!core.empty() && __builtin_cpu_supports("avx2") != 0 &&
      std::ranges::find(fast, core) == fast.end())
    return to_text(
        "OpenBLAS runs its slow ", core,
        " kernels because it does not know this processor; set OPENBLAS_CORETYPE=Haswell",
        " (or SkylakeX with AVX-512) to make it faster");
#endif
  return "";
}

}  // namespace dan
