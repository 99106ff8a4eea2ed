// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <numeric>
#include <span>
#include <type_traits>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/parallel.hpp"
#include "dan/core/simd.hpp"

namespace dan {

namespace detail {
/// Work on a parameter array is cut into blocks of this size, whatever the number of threads.
inline constexpr std::size_t parameter_block = 8192;

template <class T>
[[nodiscard]] T load(const real_t<T>* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <class T>
void store(const T& value, real_t<T>* to) {
  std::memcpy(to, &value, sizeof value);
}

/// call(i, T()) for i from `begin` to `end`, T = one SIMD register of Real and, for the rest, Real.
template <class Real, class F>
void for_each_number(std::size_t begin, std::size_t end, const F& call) {
  using T = Pack<Real, simd_width<Real>>;
  for (; begin + simd_width<Real> <= end; begin += simd_width<Real>) call(begin, T());
  for (; begin < end; ++begin) call(begin, Real());
}
}  // namespace detail

/// The norm of the sum of gradients; the sum, in their order, replaces the first one.
///
/// Throws ShapeError unless all have one size. The size of the team changes no bit.
template <class Real>
double sum_gradients(const std::vector<std::span<Real>>& gradients, Team auto& team) {
  const std::size_t size = gradients.front().size();
  for (const auto& other : gradients)
    require_size("sum_gradients", "gradient", other.size(), size, "parameter");
  constexpr std::size_t block = detail::parameter_block;
  std::vector<double> squares((size + block - 1) / block);
  team.for_each(squares.size(), [&](std::size_t n) {
    Pack<Real, simd_width<Real>> square(Real(0));
    const std::size_t end = std::min(size, (n + 1) * block);
    detail::for_each_number<Real>(n * block, end, [&]<class T>(std::size_t i, T) {
      T sum = detail::load<T>(&gradients.front()[i]);
      for (std::size_t g = 1; g < gradients.size(); ++g) sum += detail::load<T>(&gradients[g][i]);
      detail::store(sum, &gradients.front()[i]);
      if constexpr (std::is_same_v<T, Real>)
        squares[n] += static_cast<double>(sum * sum);
      else
        square += sum * sum;
    });
    squares[n] += static_cast<double>(sum_lanes(square));
  });
  return std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
}

}  // namespace dan
