// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>

#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/observe/all.hpp"

namespace dan {

/// Observes a new random subset of the state in every run and cycle.
///
/// Slot i sees element i of the state; how many report is uniform in [least, most], which ones is
/// uniform among all subsets of that size, both drawn from (seed, available, run, cycle).
template <std::size_t Points, std::size_t Channels = 1>
class ObserveRandom : public ObserveAll<Points, Channels> {
 public:
  using ObserveAll<Points, Channels>::slots;

  /// Between `least` and `most` observations a cycle; throws ConfigError unless least ≤ most ≤
  /// slots.
  explicit ObserveRandom(std::size_t least = 0, std::size_t most = slots)
      : least_(least), most_(most) {
    if (least > most || most > slots)
      throw ConfigError(to_text("ObserveRandom: least is ", least, " and most is ", most,
                                ", expected least <= most <= ", slots));
  }

  /// In words.
  [[nodiscard]] std::string describe() const {
    return to_text(least_, " to ", most_, " of ", slots,
                   " numbers observed, other ones in each cycle");
  }

  /// Draws the subset of one run and cycle.
  void available(const RandomKey& key, bool* mask) const {
    Scratch<double> uniform(slots + 1, Unset{});
    fill_uniform<double>(key.with(Purpose::available), uniform);
    const auto span = static_cast<double>(most_ - least_ + 1);
    const auto count = least_ + static_cast<std::size_t>(uniform[slots] * span);
    Scratch<std::size_t> order(slots,
                               Unset{});  // the positions of the `count` smallest numbers report
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return uniform[a] < uniform[b]; });
    std::fill_n(mask, slots, false);
    for (std::size_t j = 0; j < count; ++j) mask[order[j]] = true;
  }

 private:
  std::size_t least_, most_;
};

}  // namespace dan
