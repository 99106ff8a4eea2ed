// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "dan/core/error.hpp"

namespace dan::detail {

/// Cycles over which a run's errors are averaged to tell whether it has lost the truth.
inline constexpr std::size_t lost_length = 100;

/// What is known of one run, cycle by cycle; spread and at_bounds: empty if the method tells none.
/// A spread that is not known (NaN) counts like the error: it contradicts nothing.
struct RunErrors {
  std::span<const double> error, spread, at_bounds;
};

/// Where a run has lost the truth, see run_twin: the first cycle (from 1) after the burn-in of
/// `lost_length` in which it has, and why; cycle 0: nowhere.
inline std::pair<std::size_t, std::string> first_lost_cycle(const RunErrors& run,
                                                            std::size_t burn_in, double deviation) {
  constexpr std::size_t length = lost_length;
  const std::size_t cycles = run.error.size();
  const bool has_spread = run.spread.size() == cycles, has_bounds = run.at_bounds.size() == cycles;
  const auto spread_at = [&](std::size_t c) {
    return std::isnan(run.spread[c]) ? run.error[c] : run.spread[c];
  };
  double error = 0, spread = 0, at_bounds = 0;  // sums over `length` cycles
  for (std::size_t c = burn_in; c < cycles; ++c) {
    error += run.error[c];
    if (has_spread) spread += spread_at(c);
    if (has_bounds) at_bounds += run.at_bounds[c];
    if (c + 1 < burn_in + length) continue;
    const auto mean = [&](double sum) { return sum / static_cast<double>(length); };
    const auto because = [&](const auto&... why) {
      return std::pair(c + 2 - length,
                       to_text("lost the truth: a mean error of ", three_digits(mean(error)),
                               " over ", length, " cycles, ", why...,
                               "; the climatological deviation "
                               "is ",
                               three_digits(deviation)));
    };
    if (at_bounds > 0.5 * length)
      return because(std::round(100 * mean(at_bounds)),
                     " % of the state at the bounds of the learned analysis: it is outside the "
                     "problem that it was trained for");
    if (!(mean(error) <= 1.2 * deviation))
      return because(
          "more than that of the climatology; tune the analysis (an ensemble may want more "
          "members, inflation or localisation)");
    if (has_spread && mean(error) > 0.5 * deviation && error > 3 * spread)
      return because("where its own spread is only ", three_digits(mean(spread)),
                     "; an ensemble may want more members, inflation or localisation");
    if (has_spread && !(mean(spread) <= 1.5 * deviation) && !(spread <= 3 * error))
      return because("where its own spread is ", three_digits(mean(spread)),
                     ", more than any state is from another");
    const std::size_t first = c + 1 - length;
    error -= run.error[first];
    if (has_spread) spread -= spread_at(first);
    if (has_bounds) at_bounds -= run.at_bounds[first];
  }
  return {};
}

}  // namespace dan::detail
