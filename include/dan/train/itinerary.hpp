// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

namespace dan {

/// Which of several problems each group of a training is at.
///
/// A group stays `stay` updates at a problem and goes on to another one as a new group. Group n, of
/// all that there will have been, is at problem n modulo their number. Not all groups go at once;
/// none goes if there is one problem, or after the last update.
struct Itinerary {
  std::size_t problems = 1, groups = 1, stay = 1, updates = 1;

  /// The number, among all that there will have been, of group `g` < groups at update `update`.
  [[nodiscard]] std::size_t number(std::size_t g, std::size_t update) const {
    if (problems == 1) return g;
    return (std::min(update, updates - 1) + g * stay / groups) / stay * groups + g;
  }
  /// The problem it is at.
  [[nodiscard]] std::size_t problem(std::size_t g, std::size_t update) const {
    return number(g, update) % problems;
  }
  /// Whether it has just come there.
  [[nodiscard]] bool begins(std::size_t g, std::size_t update) const {
    return update > 0 && number(g, update) != number(g, update - 1);
  }
  /// How many problems no group will be at.
  [[nodiscard]] std::size_t not_reached() const {
    std::vector<bool> reached(problems);
    for (std::size_t g = 0; g < groups; ++g)
      for (std::size_t n = g; n <= number(g, updates); n += groups) reached[n % problems] = true;
    return static_cast<std::size_t>(std::ranges::count(reached, false));
  }
};

}  // namespace dan
