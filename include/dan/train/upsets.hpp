// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>
#include <tuple>

#include "dan/core/fields.hpp"
#include "dan/core/random.hpp"

namespace dan {

/// What makes a run lose the truth in a training, so that a network learns to find it again; sizes
/// are in units of the norm.
enum class Upset {
  none,       ///< a renewed start near the truth
  far,        ///< an empty memory and truth + size · N(0, 1)
  climate,    ///< an empty memory and the climatological mean
  elsewhere,  ///< an empty memory and another state of the attractor
  jump,       ///< the memory stays, the state is far from the truth
  leap,       ///< the memory stays, another state of the attractor
  gap         ///< no observation for some cycles
};

/// How often the runs that `TrainConfig::renew_every` starts anew are upset instead, and how badly.
///
/// The share grows linearly with the updates from `first` to `last`; all kinds are equally likely.
struct Upsets {
  double first = 0, last = 0;    ///< share of the renewed runs at the first and the last update
  double farthest = 7;           ///< largest size of a far start or a jump, in units of the norm
  std::size_t longest_gap = 50;  ///< cycles

  /// What happens to a run, by chance keyed by `key`.
  struct Draw {
    Upset kind = Upset::none;
    double size = 0;      ///< far, jump: deviation of the error, uniform from 1 to `farthest`
    std::size_t gap = 0;  ///< gap: cycles, uniform from 1 to `longest_gap`
  };

  /// `progress`: share of the updates that are done.
  [[nodiscard]] Draw draw(const RandomKey& key, double progress) const {
    std::array<double, 3> u;
    fill_uniform<double>(key.with(Purpose::upset), u);
    Draw out;
    if (u[0] >= first + (last - first) * progress) return out;
    constexpr double kinds = 6;
    out.kind = static_cast<Upset>(1 + static_cast<int>(kinds * u[1]));
    out.size = 1 + (farthest - 1) * u[2];
    if (out.kind == Upset::gap)
      out.gap = 1 + static_cast<std::size_t>(u[2] * static_cast<double>(longest_gap));
    return out;
  }

  static constexpr auto fields() {
    return std::tuple(field("first", &Upsets::first, Range::share()),
                      field("last", &Upsets::last, Range::share()),
                      field("farthest", &Upsets::farthest, Range::from_one()),
                      field("longest_gap", &Upsets::longest_gap, Range::at_least_one()));
  }
};

}  // namespace dan
