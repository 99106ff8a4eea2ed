// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <concepts>
#include <cstddef>
#include <span>

#include "dan/core/random.hpp"

namespace dan {

/// How the truth of a problem begins: `start(key, x)` writes a random state that belongs to the
/// key, points · channels numbers; then the model runs `start.spin_up` cycles onto its attractor,
/// which are not counted.
template <class S>
concept TruthStart = requires(const S start, const RandomKey& key, std::span<double> x) {
  start(key, x);  // write: void operator()(const RandomKey& key, std::span<double> x) const
  // write: std::size_t spin_up = 400;
  { start.spin_up } -> std::convertible_to<std::size_t>;
};

/// Independent normal numbers, the same mean and deviation for all.
///
/// The defaults suit Lorenz 63 and 96. A model in other units needs others (280 and 10 for
/// kelvin); one whose states must be smooth or balanced, or whose channels are unlike, a
/// `TruthStart` of its own: the third argument of `Problem`.
struct GaussianStart {
  double mean = 2, deviation = 3;
  std::size_t spin_up = 400;

  void operator()(const RandomKey& key, std::span<double> x) const {
    fill_normal<double>(key, x);
    for (double& number : x) number = mean + deviation * number;
  }
};

}  // namespace dan
