// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <type_traits>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/interrupt.hpp"
#include "dan/core/parallel.hpp"
#include "dan/core/processes.hpp"
#include "dan/io/packed.hpp"

/// \file
/// What several processes do together: everyone has what one of them found, and numbered tasks are
/// dealt out.

namespace dan {

/// What tells its own state in `transfer(archive)`, see io/archive.hpp.
template <class T>
concept Transferred = requires(T& part, PackedWriter& archive) {
  part.transfer(archive);
};

/// Everyone has the `value` of rank `from`: a number, a text, JSON, a part with `transfer(archive)`
/// or a callable like it (io/archive.hpp), or a vector of such. Processes are of the same program,
/// so that nothing but lengths is told.
template <class T>
void broadcast_value(Processes auto& processes, T&& value, std::size_t from) {
  using Value = std::remove_cvref_t<T>;
  if (processes.size() == 1) return;
  if constexpr (std::is_arithmetic_v<Value>) {
    processes.broadcast(std::as_writable_bytes(std::span(&value, 1)), from);
  } else if constexpr (requires { Value::from_cbor(Value::to_cbor(value)); }) {
    std::vector<std::uint8_t> bytes;
    if (processes.rank() == from) bytes = Value::to_cbor(value);
    broadcast_value(processes, bytes, from);
    if (processes.rank() != from) value = Value::from_cbor(bytes);
  } else if constexpr (Transferred<Value> || std::is_invocable_v<Value&, PackedWriter&>) {
    PackedWriter packed;
    if (processes.rank() == from) packed.part("", value);
    broadcast_value(processes, packed.values(), from);
    PackedReader reader(packed.values());
    if (processes.rank() != from) reader.part("", value);
  } else {
    std::size_t size = value.size();
    broadcast_value(processes, size, from);
    value.resize(size);
    if constexpr (std::is_arithmetic_v<typename Value::value_type>)
      processes.broadcast(std::as_writable_bytes(std::span(value)), from);
    else
      for (auto& one : value) broadcast_value(processes, one, from);
  }
}

/// Of one process it has its own.
template <class T>
void broadcast_value(const OneProcess&, T&&, std::size_t) {}

/// Deals out tasks 0 … count − 1 among processes and their threads: rank `owner_of(n)` does
/// `work(n)`, in any order and perhaps at once with others; then all ranks call
/// `settle(n, owner)`, one after the other, which shares what was found.
///
/// Of one process a task is settled as soon as it is done. Of several, there are rounds of a task
/// for each thread of each rank, settled together in the order of n, so that a round takes as long
/// as its longest task; rank 0 says how many `threads` (0: one per core). Returns false where a
/// rank was told to stop before all was done (what was finished is settled), of one process never:
/// Interrupted passes, as all else that a task throws, after the others of its round were done.
template <class Work, class Settle>
bool deal_out(const OneProcess&, std::size_t threads, std::size_t count, const Work& work,
              const Settle& settle) {
  std::mutex mutex;
  Threads(threads).for_each(count, [&](std::size_t n) {
    work(n);
    const std::lock_guard lock(mutex);
    settle(n, std::size_t{0});
  });
  return true;
}
template <class Work, class Settle>
[[nodiscard]] bool deal_out(Processes auto& processes, std::size_t threads, std::size_t count,
                            const Work& work, const Settle& settle) {
  if (processes.size() == 1) return deal_out(OneProcess(), threads, count, work, settle);
  Threads team(threads);
  std::size_t each = team.threads();
  broadcast_value(processes, each, 0);
  const std::size_t ranks = processes.size();
  for (std::size_t first = 0; first < count; first += each * ranks) {
    const std::size_t end = std::min(count, first + each * ranks);
    std::vector<char> done(end - first, 0);
    std::vector<std::size_t> mine;
    for (std::size_t n = first; n < end; ++n)
      if (owner_of(processes, n) == processes.rank()) mine.push_back(n);
    team.for_each(mine.size(), [&](std::size_t i) {
      try {
        work(mine[i]);
        done[mine[i] - first] = 1;
      } catch (const Interrupted&) {  // the others are told below
      }
    });
    const bool stopped = std::ranges::any_of(mine, [&](auto n) { return done[n - first] == 0; });
    for (std::size_t n = first; n < end; ++n) {
      const std::size_t owner = owner_of(processes, n);
      broadcast_value(processes, done[n - first], owner);
      if (done[n - first] == 1) settle(n, owner);
    }
    if (processes.any(stopped || (end < count && interrupted()))) return false;
  }
  return true;
}

}  // namespace dan
