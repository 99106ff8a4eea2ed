// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>

namespace dan {

/// Limits the norm of a gradient to `most` times the running mean of the norms before.
///
/// One run that has lost the truth can have a gradient of any size, which would be all that an
/// optimiser's momentum knows for its memory's length.
struct NormLimit {
  double most = 3;
  double mean = 0;  ///< of limited norms, over about 50; 0: none yet

  /// What to multiply a gradient of this norm with.
  double factor(double norm) {
    if (mean == 0) mean = norm;
    const double limited = std::min(norm, most * mean);
    mean += 0.02 * (limited - mean);
    return norm > 0 ? limited / norm : 1;
  }

  /// What a checkpoint must hold, see io/archive.hpp.
  template <class Archive>
  void transfer(Archive& archive) {
    archive.number("mean", mean);
  }
};

}  // namespace dan
