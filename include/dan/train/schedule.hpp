// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <numbers>

namespace dan {

/// Learning rate with linear warm-up and cosine decay.
///
/// n < warm_up: peak · (n + 1)/warm_up; then last + (peak − last) · (1 + cos(π s))/2 with s from 0
/// to 1 at update `updates`.
struct CosineSchedule {
  double peak = 3e-3;
  double last = 0;
  std::size_t warm_up = 500;
  std::size_t updates = 5000;

  [[nodiscard]] double rate(std::size_t n) const {
    if (n < warm_up) return peak * static_cast<double>(n + 1) / static_cast<double>(warm_up);
    if (n >= updates) return last;
    const double s = static_cast<double>(n - warm_up) / static_cast<double>(updates - warm_up);
    return last + (peak - last) * (1 + std::cos(std::numbers::pi * s)) / 2;
  }
};

}  // namespace dan
