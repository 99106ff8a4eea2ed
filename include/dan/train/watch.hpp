// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <string_view>

#include "dan/core/error.hpp"

namespace dan {

/// The end of a hopeless training: running means, over about 100 updates, of the share of the runs
/// that lost the truth in an update, and of the updates that were left out.
struct Watch {
  double lost = 0, skipped = 0;

  /// After an update: the share of the runs that lost the truth in it, and whether it was left out.
  void add(double lost_share, bool left_out) {
    lost += 0.01 * (lost_share - lost);
    skipped += 0.01 * ((left_out ? 1 : 0) - skipped);
  }

  /// Throws NumericalError, in the name of `function`, if one of the means is above one half.
  void require_learning(std::string_view function, std::size_t updates) const {
    const double known = 1 - std::pow(0.99, static_cast<double>(updates));  // of running means
    const auto fail = [&](double share, std::string_view of) {
      throw NumericalError(
          to_text(function, ": nothing is learned: in the mean of the last updates, up to update ",
                  updates, ", ", std::round(100 * share), " % of ", of,
                  "; lower learning_rate, shorten unroll or the interval between observations, or "
                  "look whether another method finds the truth in this problem"));
    };
    if (lost > 0.5 * known)
      fail(lost / known, "the runs lost the truth and restarted in each update");
    if (skipped > 0.5 * known)
      fail(skipped / known, "the updates were left out, because their gradient was not finite");
  }

  /// What a checkpoint must hold, see io/archive.hpp.
  template <class Archive>
  void transfer(Archive& archive) {
    archive.number("lost", lost);
    archive.number("skipped", skipped);
  }
};

}  // namespace dan
