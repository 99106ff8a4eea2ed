// SPDX-License-Identifier: BSD-3-Clause
#include "dan/core/blas.hpp"

#include <doctest/doctest.h>

TEST_CASE("blas: a note with the remedy exactly where OpenBLAS fell back to old kernels") {
  const auto core = dan::blas_core(), note = dan::slow_blas_note();
  if (core == "Prescott") {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") != 0) {
      CHECK(note.find("OpenBLAS runs its slow Prescott kernels") == 0);
      CHECK(note.find("OPENBLAS_CORETYPE=") != std::string::npos);
    }
#endif
  } else if (core == "" || core == "Haswell" || core == "Zen" || core == "SkylakeX") {
    CHECK(note == "");
  }
}
