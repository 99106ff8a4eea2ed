// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>

namespace dan {

/// A grid point and its weight in the value between grid points, Σ weight · x[point].
///
/// A geometry that interpolates has `corners`, their number, and `corners_of(position)`, an array
/// of them whose weights sum up to one; it throws ConfigError for a position outside the domain.
struct Corner {
  std::size_t point = 0;
  double weight = 0;
  bool across = false;  ///< beyond a pole, where components of vectors have the other sign
};

}  // namespace dan
