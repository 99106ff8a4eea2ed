// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

#include "dan/core/parallel.hpp"
#include "dan/core/simd.hpp"
#include "dan/core/unrolled.hpp"

namespace dan::bench {

inline double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

/// Fused multiply-adds a second of independent registers, as flop per second, all threads together:
/// the ceiling that kernels are held against. Takes about 20 ms.
template <class Real>
double fma_peak(Threads& workers) {
  using Register = register_t<Pack<Real, simd_width<Real>>>;
  constexpr std::size_t chains = register_count == 32 ? 24 : 12, rounds = 300'000;
  std::vector<double> sums(workers.threads());
  const double begin = seconds();
  workers.for_each(workers.threads(), [&](std::size_t t) {
    Register value[chains];
    for (std::size_t i = 0; i < chains; ++i) value[i] = Register(static_cast<Real>(i));
    const Register factor(Real(0.999)), addend(Real(1e-5));
    for (std::size_t n = 0; n < rounds; ++n)
      detail::unrolled<chains>([&](auto i) __attribute__((always_inline)) {
        accumulate(value[i], factor, addend);
      });
    detail::unrolled<chains>([&](auto i) {
      const Register result = value[i];
      sums[t] += static_cast<double>(sum_register(result));
    });
  });
  const double elapsed = seconds() - begin;
  if (sums[0] == 0.5) return 0;  // keeps the sums alive
  return 2.0 * chains * rounds * simd_width<Real> * static_cast<double>(workers.threads()) /
         elapsed;
}

}  // namespace dan::bench
