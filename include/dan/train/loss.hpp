// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>

#include "dan/core/simd.hpp"

namespace dan {

/// The supervised loss: squared distance of the mean analysis from the truth.
///
///   L = weight/2 · Σ_points (x̄^a − x^t)², summed over the lanes.
/// `states`: members × size elements of T; `truth`: size elements. Adds dL/dx^a to `d_states` and
/// returns L. With weight = 1/(runs · cycles · size) the sum over a window is half the mean squared
/// error. Source: Bocquet et al., Chaos 34 (2024) 091104, equation 4.
template <std::size_t Members, std::size_t Size, class T>
double supervised_loss(const T* states, const T* truth, double weight, T* d_states) {
  using Real = real_t<T>;
  const T share(static_cast<Real>(1.0 / static_cast<double>(Members)));
  const T slope(static_cast<Real>(weight / static_cast<double>(Members)));
  T squares(Real(0));
  for (std::size_t i = 0; i < Size; ++i) {
    T mean = states[i];
    for (std::size_t m = 1; m < Members; ++m) mean += states[m * Size + i];
    const T error = share * mean - truth[i];
    squares += error * error;
    for (std::size_t m = 0; m < Members; ++m) d_states[m * Size + i] += slope * error;
  }
  return weight / 2 * static_cast<double>(sum_lanes(squares));
}

}  // namespace dan
