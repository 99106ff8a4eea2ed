// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <string_view>

#include "dan/core/error.hpp"
#include "dan/core/simd.hpp"

namespace dan {

/// How a filter enlarges its anomalies before and after the analysis; the default changes nothing.
///
/// With X^f and X^a the anomalies before and after the analysis, σ their standard deviations, for
/// each element of the state and in this order:
///   X^f ← before · X^f                before the ensemble is observed; the gain grows
///   X ← (1 − α) X^a + α X^f           relax_perturbations = α (RTPP)
///   X ← X (1 + β (σ^f − σ) / σ)       relax_spread = β (RTPS)
///   X ← factor · X                    multiplicative, after the analysis
/// Where nothing is observed (a cycle; of a local analysis, a domain) there is no sampling error of
/// a gain to make up for, and the anomalies are left alone: in a gap the spread grows as the model
/// makes it grow.
/// The fields stand in this order too, so that they end with a number that is never 0: what
/// core/compiler.hpp tells of g++ 12 cannot happen to them, whatever their values.
/// Source: Zhang, Snyder and Sun, Mon. Weather Rev. 132 (2004) 1238–1253 (RTPP); Whitaker and
/// Hamill, Mon. Weather Rev. 140 (2012) 3078–3089, equation 2 (RTPS).
struct Inflation {
  double before = 1;               ///< of the forecast's anomalies
  double relax_perturbations = 0;  ///< between 0 and 1
  double relax_spread = 0;         ///< between 0 and 1
  double factor = 1;               ///< of the analysis' anomalies

  /// Throws ConfigError, in the name of `function`, if a number is out of its range.
  void require_valid(std::string_view function) const {
    require_positive(function, "inflation.before", before);
    require_positive(function, "inflation.factor", factor);
    const auto require_fraction = [&](std::string_view name, double value) {
      if (!(value >= 0 && value <= 1))
        throw ConfigError(to_text(function, ": inflation.", name, " is ", value,
                                  ", expected a number from 0 (no relaxation) to 1"));
    };
    require_fraction("relax_spread", relax_spread);
    require_fraction("relax_perturbations", relax_perturbations);
  }

  /// The inflated anomalies X of one element of the state, `prior` and `posterior` its X^f and X^a;
  /// a lane per member, padding zero.
  template <class T>
  [[nodiscard]] T applied(const T& prior, const T& posterior) const {
    T x = posterior;
    if (relax_perturbations > 0) x += T(relax_perturbations) * (prior - posterior);
    double scale = factor;
    if (relax_spread > 0) {
      const double now = sum_lanes(x * x), then = sum_lanes(prior * prior);
      if (now > 0) scale *= 1 + relax_spread * (std::sqrt(then / now) - 1);
    }
    return T(scale) * x;
  }
};

}  // namespace dan
