// SPDX-License-Identifier: BSD-3-Clause
// The main function of every benchmark: Google Benchmark's, and a word about OpenBLAS.
#include <benchmark/benchmark.h>

#include <cstdio>

#include "dan/core/blas.hpp"

int main(int argc, char** argv) {
  if (const auto note = dan::slow_blas_note(); !note.empty())
    std::fprintf(stderr, "note: %s\n", note.c_str());
  benchmark::AddCustomContext("openblas_core", dan::blas_core());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
