// SPDX-License-Identifier: BSD-3-Clause
// The main function of every benchmark: Google Benchmark's, and a word about OpenBLAS.
#include <benchmark/benchmark.h>

#include "blas.hpp"

int main(int argc, char** argv) {
  dan::bench::warn_about_slow_blas();
  benchmark::AddCustomContext("openblas_core", dan::bench::blas_core());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
