// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <new>
#include <utility>
#include <vector>

#include "dan/core/scalar.hpp"

/// \file
/// Aligned memory on the heap, and scratch memory that a thread keeps: arrays of the size of a
/// state have no place on a stack.

namespace dan {

/// Memory aligned for the widest SIMD register and a cache line, whatever flags the user chose.
template <class T>
struct AlignedAllocator {
  using value_type = T;
  static constexpr std::align_val_t alignment{64};
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) noexcept {}  // NOLINT(google-explicit-constructor)
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), alignment)); }
  void deallocate(T* p, std::size_t) noexcept { ::operator delete(p, alignment); }
  template <class U>
  bool operator==(const AlignedAllocator<U>&) const noexcept {
    return true;
  }
};

/// An array of numbers or packs, aligned for SIMD.
template <class T>
using Aligned = std::vector<T, AlignedAllocator<T>>;

namespace detail {
/// Whether the address sanitizer watches; it must see every allocation.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool address_sanitizer = true;
#elif defined(__has_feature)
inline constexpr bool address_sanitizer = __has_feature(address_sanitizer);
#else
inline constexpr bool address_sanitizer = false;
#endif

/// The blocks of memory that a thread keeps for its next requests, oldest first.
struct KeptBlocks {
  static constexpr std::size_t most_blocks = 64, most_bytes = std::size_t{1} << 28;
  std::vector<std::pair<std::size_t, void*>> blocks;  ///< bytes, place
  std::size_t bytes = 0;                              ///< of all

  KeptBlocks() { blocks.reserve(most_blocks + 1); }
  KeptBlocks(const KeptBlocks&) = delete;
  KeptBlocks& operator=(const KeptBlocks&) = delete;
  ~KeptBlocks() {
    shrink_to(0, 0);
    over = true;
  }
  /// Null when the thread ends: a static object may give its memory back later still.
  static KeptBlocks* of_thread() {
    if (over) return nullptr;
    thread_local KeptBlocks kept;
    return &kept;
  }

  /// A block of this size that was kept, else null.
  [[gnu::noinline]] void* take(std::size_t size) {
    const auto block = std::ranges::find(blocks, size, &std::pair<std::size_t, void*>::first);
    if (block == blocks.end()) return nullptr;
    void* const place = block->second;
    blocks.erase(block);
    bytes -= size;
    return place;
  }
  [[gnu::noinline]] void keep(std::size_t size, void* place) noexcept {
    blocks.emplace_back(size, place);
    bytes += size;
    shrink_to(most_blocks, most_bytes);
  }

 private:
  constinit inline static thread_local bool over = false;

  void shrink_to(std::size_t count, std::size_t size) noexcept {
    while (blocks.size() > count || bytes > size) {
      bytes -= blocks.front().first;
      ::operator delete(blocks.front().second, AlignedAllocator<char>::alignment);
      blocks.erase(blocks.begin());
    }
  }
};

/// `AlignedAllocator` whose memory stays with the thread for its next request of that size: else
/// large blocks return to the system and come again as pages to be cleared, which can cost a
/// quarter of a training step.
template <class T>
struct KeepingAllocator : AlignedAllocator<T> {
  KeepingAllocator() = default;
  template <class U>
  KeepingAllocator(const KeepingAllocator<U>&) noexcept {}  // NOLINT(google-explicit-constructor)
  T* allocate(std::size_t n) {
    if constexpr (!address_sanitizer)
      if (auto* const blocks = KeptBlocks::of_thread())
        if (void* const kept = blocks->take(n * sizeof(T))) return static_cast<T*>(kept);
    return AlignedAllocator<T>::allocate(n);
  }
  /// Without a value, numbers are left unset.
  template <class U>
  void construct(U* p) noexcept {
    ::new (static_cast<void*>(p)) U;
  }
  void deallocate(T* p, std::size_t n) noexcept {
    if constexpr (!address_sanitizer)
      if (auto* const blocks = KeptBlocks::of_thread()) return blocks->keep(n * sizeof(T), p);
    AlignedAllocator<T>::deallocate(p, n);
  }
};
}  // namespace detail

/// Tag: the memory is not cleared; the caller writes every element first.
struct Unset {};

/// Scratch memory on the heap: `n` generic scalars, all zero or unset.
template <class T>
struct Scratch : std::vector<T, detail::KeepingAllocator<T>> {
  explicit Scratch(std::size_t n)
      : std::vector<T, detail::KeepingAllocator<T>>(n, T(real_t<T>(0))) {}
  Scratch(std::size_t n, Unset) : std::vector<T, detail::KeepingAllocator<T>>(n) {}
};

}  // namespace dan
