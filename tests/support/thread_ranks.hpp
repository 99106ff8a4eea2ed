// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <barrier>
#include <cstddef>
#include <span>
#include <thread>
#include <vector>

#include "dan/core/processes.hpp"

namespace dan::test {

/// Processes that are threads of this one: body(ranks) in each of `size`, which must not throw.
class ThreadRanks {
 public:
  template <class Body>
  static void run(std::size_t size, const Body& body) {
    Shared shared(size);
    std::vector<std::jthread> threads;
    for (std::size_t rank = 0; rank < size; ++rank)
      threads.emplace_back([&, rank] { body(ThreadRanks(rank, shared)); });
  }

  [[nodiscard]] std::size_t rank() const { return rank_; }
  [[nodiscard]] std::size_t size() const { return shared_->given.size(); }
  void broadcast(std::span<std::byte> bytes, std::size_t from) const {
    together(bytes, [&](const auto& given) {
      if (rank_ != from) std::ranges::copy(given[from], bytes.begin());
    });
  }
  [[nodiscard]] bool any(bool mine) const {
    auto byte = static_cast<std::byte>(mine);
    bool found = false;
    together({&byte, 1}, [&](const auto& given) {
      found = std::ranges::any_of(given, [](auto one) { return one[0] != std::byte{0}; });
    });
    return found;
  }

  void exchange(std::span<const std::byte> mine, std::size_t, std::span<std::byte> theirs,
                std::size_t from) const {
    together(mine, [&](const auto& given) { std::ranges::copy(given[from], theirs.begin()); });
  }

 private:
  struct Shared {
    std::vector<std::span<const std::byte>> given;
    std::barrier<> barrier;
    explicit Shared(std::size_t size) : given(size), barrier(static_cast<std::ptrdiff_t>(size)) {}
  };
  ThreadRanks(std::size_t rank, Shared& shared) : rank_(rank), shared_(&shared) {}

  /// take(what all have given) between two meetings.
  template <class Take>
  void together(std::span<const std::byte> mine, const Take& take) const {
    shared_->given[rank_] = mine;
    shared_->barrier.arrive_and_wait();
    take(shared_->given);
    shared_->barrier.arrive_and_wait();
  }

  std::size_t rank_;
  Shared* shared_;
};
static_assert(Processes<ThreadRanks>);

}  // namespace dan::test
