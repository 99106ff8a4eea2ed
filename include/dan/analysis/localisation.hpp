// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string_view>
#include <vector>

#include "dan/analysis/taper.hpp"
#include "dan/core/error.hpp"
#include "dan/core/notice.hpp"
#include "dan/observe/places.hpp"

/// \file
/// Which observations a local analysis uses, and with what weight.

namespace dan {

/// How far an observation reaches; the default reaches everything: no localisation.
struct Localisation {
  double radius = std::numeric_limits<double>::infinity();  ///< of the taper, in grid steps
  Taper taper = tapers::gaspari_cohn;

  /// Whether it reaches everything.
  [[nodiscard]] bool global() const { return std::isinf(radius) && radius > 0; }

  /// The weight at a distance, 0 where it is at most `least`. Throws ConfigError unless the taper
  /// is finite there.
  [[nodiscard]] double weight(double distance, double least = 1e-3) const {
    const double found = taper(distance, radius);
    if (!std::isfinite(found))
      throw ConfigError(to_text("Localisation: the taper is ", found, " at the distance ", distance,
                                ", expected a finite number; give a taper that is 0 far away"));
    return found > least ? found : 0;
  }

  /// Throws ConfigError, in the name of `function`, unless the radius is above zero and there is a
  /// taper that is 1 at the distance zero.
  void require_valid(std::string_view function) const {
    if (!(radius > 0))
      throw ConfigError(to_text(function, ": radius is ", radius,
                                ", expected a number of grid steps greater than zero"));
    if (taper == nullptr)
      throw ConfigError(to_text(function,
                                ": there is no taper, expected a function of distance and "
                                "radius such as tapers::gaspari_cohn"));
    if (global()) return;
    if (const double found = taper(0, radius); found != 1)
      throw ConfigError(to_text(function, ": the taper is ", found,
                                " at the distance 0, expected 1; divide it by its value there"));
  }
};

/// Points that share one local analysis, and the observations it uses.
struct LocalDomain {
  struct Observation {
    std::size_t slot;
    double taper;  ///< factor of the precision
  };
  std::vector<std::size_t> points;
  std::vector<Observation> observations;
};

/// Cuts the points of a geometry into batches of `batch` consecutive ones (the last one may be
/// smaller), each with the observations whose taper is above 1e-3.
///
/// The taper is that of the mean distance between the slot's place and the points of the batch. A
/// `notice` tells of observations that lie on a point of a batch too wide to use them.
/// A geometry that knows better which points belong together has `batches(batch)`, a list of lists
/// of points.
/// Throws ConfigError unless the radius is finite, it and the taper valid, and batch ≥ 1. Cost:
/// points · slots distances; memory: one entry per pair kept.
/// Source: conventions of DAPPER's localisation.
template <class Geometry, LocatedOperator Operator>
[[nodiscard]] std::vector<LocalDomain> local_domains(const Operator& operation,
                                                     const Localisation& localisation,
                                                     std::size_t batch = 1) {
  static_assert(Geometry::points == Operator::points,
                "local_domains: the geometry must have the points of the observation operator");
  if (!std::isfinite(localisation.radius) || localisation.radius <= 0)
    throw ConfigError(to_text("local_domains: radius is ", localisation.radius,
                              ", expected a finite number of grid steps greater than zero; for an "
                              "analysis without localisation take Etkf"));
  localisation.require_valid("local_domains");
  require_at_least("local_domains", "batch", batch, 1);
  std::vector<LocalDomain> domains;
  if constexpr (requires { Geometry::batches(batch); }) {
    for (const auto& points : Geometry::batches(batch)) domains.push_back({points, {}});
  } else {
    for (std::size_t p = 0; p < Geometry::points; ++p) {
      if (p % batch == 0) domains.emplace_back();
      domains.back().points.push_back(p);
    }
  }
  bool too_wide = false;
  for (std::size_t slot = 0; slot < Operator::slots; ++slot) {
    const auto position = place_of<Geometry>(operation, slot).position;
    for (LocalDomain& domain : domains) {
      double sum = 0, nearest = std::numeric_limits<double>::infinity();
      for (const std::size_t p : domain.points) {
        const double distance = Geometry::distance(p, position);
        sum += distance, nearest = std::min(nearest, distance);
      }
      const double taper = localisation.weight(sum / static_cast<double>(domain.points.size()));
      if (taper > 0)
        domain.observations.push_back({slot, taper});
      else
        too_wide |= nearest < 0.5;
    }
  }
  if (too_wide)
    notice(to_text("local_domains: batches of ", batch, " points are too wide for a radius of ",
                   localisation.radius,
                   ": they do not use observations of their own points; take smaller batches or a "
                   "larger radius"));
  return domains;
}

}  // namespace dan
