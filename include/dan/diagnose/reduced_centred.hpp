// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <limits>

#include "dan/diagnose/belief.hpp"

namespace dan {

/// The reduced centred random variable z = (t − mean)/√variance: its mean is the bias, in units of
/// the believed deviation, its deviation the dispersion, 1 if the beliefs are as large as the
/// errors, above if they are too narrow.
///
/// See `variance_of_error` for ensembles: of N members z is then distributed like Student's t, with
/// deviation √((N − 1)/(N − 3)) and not 1, if the truth is like one more member. Beliefs without
/// variance have no z and are only counted. Source: Candille, Côté, Houtekamer and Pellerin, Mon.
/// Weather Rev. 135 (2007) 2688–2699; the factor after Fortin et al., J. Hydrometeorol. 15 (2014)
/// 1708–1713.
class ReducedCentred {
 public:
  void add(const Belief& belief, double truth, double = 0) {
    if (!(belief.variance > 0)) {
      ++without_;
      return;
    }
    const double z = (truth - belief.mean) / std::sqrt(variance_of_error(belief));
    sum_ += z, squares_ += z * z, ++count_;
  }
  template <class Archive>
  void transfer(Archive& archive) {
    archive.number("sum", sum_), archive.number("squares", squares_);
    archive.count("count", count_), archive.count("without", without_);
  }
  void merge(const ReducedCentred& next) {
    sum_ += next.sum_, squares_ += next.squares_;
    count_ += next.count_, without_ += next.without_;
  }

  /// The mean of z; not a number without one.
  [[nodiscard]] double bias() const { return mean_of(sum_); }
  /// The standard deviation of z; not a number without one.
  [[nodiscard]] double dispersion() const {
    const double variance = mean_of(squares_) - bias() * bias();
    return variance < 0 ? 0 : std::sqrt(variance);
  }
  [[nodiscard]] std::size_t count() const { return count_; }
  /// Beliefs without variance.
  [[nodiscard]] std::size_t without() const { return without_; }

 private:
  [[nodiscard]] double mean_of(double sum) const {
    return count_ > 0 ? sum / static_cast<double>(count_)
                      : std::numeric_limits<double>::quiet_NaN();
  }

  double sum_ = 0, squares_ = 0;
  std::size_t count_ = 0, without_ = 0;
};

}  // namespace dan
