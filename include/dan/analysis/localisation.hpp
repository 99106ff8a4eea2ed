// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/observe/places.hpp"

/// \file
/// Which observations a local analysis uses, and with what weight.

namespace dan {

/// The fifth-order taper of compact support: 1 at distance zero, 0 from 2 · half_width on.
///
/// With z = distance / half_width:
///   z ≤ 1: 1 − 5/3 z² + 5/8 z³ + 1/2 z⁴ − 1/4 z⁵,
///   z ≤ 2: 4 − 5 z + 5/3 z² + 5/8 z³ − 1/2 z⁴ + 1/12 z⁵ − 2/(3 z).
/// Source: Gaspari and Cohn, Q. J. R. Meteorol. Soc. 125 (1999) 723–757, equation 4.10.
[[nodiscard]] inline double gaspari_cohn(double distance, double half_width) {
  const double z = std::abs(distance) / half_width;
  if (z >= 2) return 0;
  if (z <= 1) return 1 + z * z * (-5.0 / 3 + z * (5.0 / 8 + z * (1.0 / 2 - z / 4)));
  return 4 - 2 / (3 * z) + z * (-5 + z * (5.0 / 3 + z * (5.0 / 8 + z * (-1.0 / 2 + z / 12))));
}

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
/// The taper is Gaspari–Cohn with half-width 1.82 · radius (so that it is about exp(−½) at
/// distance `radius`) of the mean distance between the slot's place and the points of the batch.
/// A geometry that knows better which points belong together has `batches(batch)`, a list of lists
/// of points.
/// Throws ConfigError unless radius > 0 and batch ≥ 1. Cost: points · slots distances; memory: one
/// entry per pair kept.
/// Source: conventions of DAPPER's localisation.
template <class Geometry, LocatedOperator Operator>
[[nodiscard]] std::vector<LocalDomain> local_domains(const Operator& operation, double radius,
                                                     std::size_t batch = 1) {
  static_assert(Geometry::points == Operator::points,
                "local_domains: the geometry must have the points of the observation operator");
  if (!(std::isfinite(radius) && radius > 0))
    throw ConfigError(text("local_domains: radius is ", radius,
                           ", expected a finite number of grid steps greater than zero; for an "
                           "analysis without localisation take Etkf"));
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
  for (std::size_t slot = 0; slot < Operator::slots; ++slot) {
    const auto position = place_of<Geometry>(operation, slot).position;
    for (LocalDomain& domain : domains) {
      double sum = 0;
      for (const std::size_t p : domain.points) sum += Geometry::distance(p, position);
      const double taper =
          gaspari_cohn(sum / static_cast<double>(domain.points.size()), 1.82 * radius);
      if (taper > 1e-3) domain.observations.push_back({slot, taper});
    }
  }
  return domains;
}

}  // namespace dan
