// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <type_traits>
#include <utility>

namespace dan::detail {

/// calls(integral_constant 0), (1), …, (N − 1).
///
/// Kernels force inlining here and in their innermost lambdas: register tiles are arrays, and only
/// when every index is known early does the compiler keep them in registers.
template <std::size_t N, class F>
[[gnu::always_inline]] inline void unrolled(const F& call) {
  [&]<std::size_t... I>(std::index_sequence<I...>) __attribute__((always_inline)) {
    (call(std::integral_constant<std::size_t, I>{}), ...);
  }
  (std::make_index_sequence<N>{});
}

/// Runs call(first, size) over 0…Total in blocks of `Block` and one compile-time remainder.
template <std::size_t Total, std::size_t Block, class F>
inline void blocked(const F& call) {
  std::size_t first = 0;
  for (; first + Block <= Total; first += Block)
    call(first, std::integral_constant<std::size_t, Block>{});
  if constexpr (Total % Block != 0)
    call(first, std::integral_constant<std::size_t, Total % Block>{});
}

}  // namespace dan::detail
