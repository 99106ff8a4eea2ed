// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/diagnose/belief.hpp"

namespace dan {

/// What came together where the believed deviation was alike.
struct SpreadSkillBin {
  double spread = 0;  ///< √ of the mean variance of the error, as believed
  double skill = 0;   ///< √ of the mean of (t − mean)²
  std::size_t count = 0;
};

/// How large the errors are where they are believed to be so large: bins on the diagonal, spread =
/// skill, for a method that knows when it is wrong; all of one spread for one that does not.
///
/// See `variance_of_error` for ensembles. Memory: two numbers for each belief.
/// Source: Fortin, Abaza, Anctil and Turcotte, J. Hydrometeorol. 15 (2014) 1708–1713.
class SpreadSkill {
 public:
  void add(const Belief& belief, double truth, double = 0) {
    pairs_.emplace_back(variance_of_error(belief), std::pow(truth - belief.mean, 2));
  }
  template <class Archive>
  void transfer(Archive& archive) {
    transfer_list(pairs_, archive, [&](auto& pair) {
      archive.number("variance", pair.first), archive.number("square", pair.second);
    });
  }
  void merge(const SpreadSkill& next) {
    pairs_.insert(pairs_.end(), next.pairs_.begin(), next.pairs_.end());
  }

  /// `count` bins of equal counts (by one), ordered by their spread. Throws ConfigError for none,
  /// or more than there are beliefs. Cost: a sort.
  [[nodiscard]] std::vector<SpreadSkillBin> bins(std::size_t count) const {
    require_at_least("SpreadSkill::bins", "count", count, 1);
    if (count > pairs_.size())
      throw ConfigError(to_text("SpreadSkill::bins: count is ", count, ", expected at most ",
                                pairs_.size(), ", the number of beliefs; record more cycles"));
    auto sorted = pairs_;
    std::ranges::sort(sorted);
    std::vector<SpreadSkillBin> out(count);
    for (std::size_t b = 0; b < count; ++b) {
      const std::size_t first = b * sorted.size() / count, end = (b + 1) * sorted.size() / count;
      double variance = 0, squares = 0;
      for (std::size_t n = first; n < end; ++n)
        variance += sorted[n].first, squares += sorted[n].second;
      const auto n = static_cast<double>(end - first);
      out[b] = {std::sqrt(variance / n), std::sqrt(squares / n), end - first};
    }
    return out;
  }

 private:
  std::vector<std::pair<double, double>> pairs_;  ///< variance, squared error
};

}  // namespace dan
