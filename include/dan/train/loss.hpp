// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>

#include "dan/core/simd.hpp"

namespace dan {

/// Σ_points (x̄ − x)², lane by lane, x̄ the mean of the members; `error`: x̄ − x.
/// `states`: members × size elements of T; `truth`, `error`: size elements.
template <std::size_t Members, std::size_t Size, class T>
T squared_error(const T* states, const T* truth, T* error) {
  const T share(static_cast<real_t<T>>(1.0 / static_cast<double>(Members)));
  T squares(real_t<T>(0));
  for (std::size_t i = 0; i < Size; ++i) {
    T mean = states[i];
    for (std::size_t m = 1; m < Members; ++m) mean += states[m * Size + i];
    error[i] = share * mean - truth[i];
    squares += error[i] * error[i];
  }
  return squares;
}

/// The supervised loss: squared distance of the mean analysis from the truth, lane by lane.
///
///   L = weight/2 · Σ_lanes ρ(s),  s = Σ_points (x̄^a − x^t)²,
///   ρ(s) = s up to c = size · limit², then c (1 + ln(s/c)).
/// Beyond an RMSE of `limit` a lane's gradient falls like 1/RMSE: one lane that has lost the truth
/// must not outweigh all others, else its updates lose the next ones.
/// `states`: members × size elements of T; `truth`: size elements. Adds dL/dx^a to `d_states` and
/// returns weight/2 · Σ s. With weight = 1/(runs · cycles · size) the sum over a window is half the
/// mean squared error. Source: Bocquet et al., Chaos 34 (2024) 091104, equation 4; the limit is
/// ours.
template <std::size_t Members, std::size_t Size, class T>
double supervised_loss(const T* states, const T* truth, double weight, double limit, T* d_states) {
  using Real = real_t<T>;
  std::array<T, Size> error;
  const T squares = squared_error<Members, Size>(states, truth, error.data());
  const T most(static_cast<Real>(static_cast<double>(Size) * limit * limit));
  const T slope =
      T(static_cast<Real>(weight / static_cast<double>(Members))) * (most / maximum(most, squares));
  for (std::size_t i = 0; i < Size; ++i)
    for (std::size_t m = 0; m < Members; ++m) d_states[m * Size + i] += slope * error[i];
  return weight / 2 * static_cast<double>(sum_lanes(squares));
}

}  // namespace dan
