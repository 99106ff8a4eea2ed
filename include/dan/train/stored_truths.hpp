// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "dan/core/fields.hpp"

namespace dan {

/// A data set to train on, instead of endless truths: `number` trajectories of `cycles` cycles,
/// with their observations.
///
/// `runs` runs that go on side by side take them in turn: run r the trajectories r, r + runs,
/// r + 2 · runs, … modulo `number`. A trajectory is left at the end of the update in which it ends,
/// and where a group goes to another problem.
/// Nothing is kept in memory: the same keys give the same numbers again.
struct StoredTruths {
  std::size_t number = 0;   ///< 0: truths that never end and never repeat
  std::size_t cycles = 64;  ///< of each

  /// Has a run that is in this cycle of its trajectory come to its end?
  [[nodiscard]] bool end(std::size_t cycle) const { return number > 0 && cycle >= cycles; }
  /// Which truths `Lanes` runs in turn have, whose first is the `turn`-th.
  template <std::size_t Lanes>
  [[nodiscard]] std::array<std::uint64_t, Lanes> truths(std::uint64_t from,
                                                        std::size_t turn) const {
    std::array<std::uint64_t, Lanes> truths;
    for (std::size_t l = 0; l < Lanes; ++l)
      truths[l] = from + (number > 0 ? (turn + l) % number : turn + l);
    return truths;
  }

  static constexpr auto fields() {
    return std::tuple(field("number", &StoredTruths::number),
                      field("cycles", &StoredTruths::cycles, Range::at_least_one()));
  }
};

}  // namespace dan
