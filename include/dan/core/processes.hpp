// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>

namespace dan {

/// Processes that do a work together, each `rank()` of `size()`; all of them make the same calls in
/// the same order.
///
/// `broadcast(bytes, from)`: everyone has the bytes of rank `from`; `any(mine)`: whether it is true
/// of one of them; `exchange(mine, to, theirs, from)`: rank `to` has mine, and `theirs` is what
/// rank `from` sent, as many bytes. The library's are OneProcess, and MpiRanks in
/// dan/mpi/ranks.hpp.
template <class P>
concept Processes = requires(P& processes, std::span<std::byte> bytes, std::size_t from,
                             bool mine) {
  { processes.rank() } -> std::convertible_to<std::size_t>;
  { processes.size() } -> std::convertible_to<std::size_t>;
  processes.broadcast(bytes, from);
  { processes.any(mine) } -> std::same_as<bool>;
  processes.exchange(std::as_bytes(bytes), from, bytes, from);
};

/// The usual case.
struct OneProcess {
  static constexpr std::size_t rank() { return 0; }
  static constexpr std::size_t size() { return 1; }
  static void broadcast(std::span<std::byte>, std::size_t) {}
  static bool any(bool mine) { return mine; }
  static void exchange(std::span<const std::byte> mine, std::size_t, std::span<std::byte> theirs,
                       std::size_t) {
    std::ranges::copy(mine, theirs.begin());
  }
};

/// The rank that does task `n`.
[[nodiscard]] std::size_t owner_of(const Processes auto& processes, std::size_t n) {
  return n % processes.size();
}

}  // namespace dan
