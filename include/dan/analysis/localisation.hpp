// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <vector>

#include "dan/observe/all.hpp"
#include "dan/observe/nonlinear.hpp"
#include "dan/observe/subset.hpp"

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

/// The distance of two points on a ring of `Points`, in grid steps.
///
/// Another geometry is another callable (point, point) → distance.
template <std::size_t Points>
struct RingDistance {
  [[nodiscard]] double operator()(std::size_t p, std::size_t q) const {
    const std::size_t steps = p < q ? q - p : p - q;
    return static_cast<double>(std::min(steps, Points - steps));
  }
};

/// The element of the state that a slot of the operator sees. Overload this for your own operator.
template <std::size_t Points, std::size_t Channels>
[[nodiscard]] std::size_t slot_element(const ObserveAll<Points, Channels>&, std::size_t slot) {
  return slot;
}
template <std::size_t Points, std::size_t Slots, std::size_t Channels>
[[nodiscard]] std::size_t slot_element(const ObserveSubset<Points, Slots, Channels>& observed,
                                       std::size_t slot) {
  return observed.elements()[slot];
}
template <class Operator, class Function>
requires requires(const Operator& n) { slot_element(n, std::size_t(0)); }
[[nodiscard]] std::size_t slot_element(const Nonlinear<Operator, Function>& observed,
                                       std::size_t slot) {
  return slot_element(observed.inner, slot);
}

/// An observation operator each of whose slots has a place.
template <class Operator>
concept LocatedOperator = requires(const Operator& observed, std::size_t slot) {
  { slot_element(observed, slot) } -> std::same_as<std::size_t>;
};

/// Points that share one local analysis, and the observations it uses.
struct LocalDomain {
  struct Observation {
    std::size_t slot;
    double taper;  ///< factor of the precision
  };
  std::size_t first, last;  ///< points first ≤ p < last
  std::vector<Observation> observations;
};

/// Cuts the state into batches of `batch` consecutive points (the last one may be smaller), each
/// with the observations whose taper is above 1e-3.
///
/// The taper is Gaspari–Cohn with half-width 1.82 · radius (so that it is about exp(−½) at
/// distance `radius`) of the mean distance between the slot and the points of the batch.
/// Throws ConfigError unless radius > 0 and batch ≥ 1. Cost: points · slots distances; memory: one
/// entry per pair kept.
/// Source: conventions of DAPPER's localisation.
template <LocatedOperator Operator, class Distance>
[[nodiscard]] std::vector<LocalDomain> local_domains(const Operator& observed,
                                                     const Distance& distance, double radius,
                                                     std::size_t batch = 1) {
  if (!(std::isfinite(radius) && radius > 0))
    throw ConfigError(text("local_domains: radius is ", radius,
                           ", expected a finite number of grid steps greater than zero; for an "
                           "analysis without localisation take Etkf"));
  require_at_least("local_domains", "batch", batch, 1);
  std::vector<LocalDomain> domains;
  for (std::size_t first = 0; first < Operator::points; first += batch) {
    LocalDomain domain{first, std::min(first + batch, Operator::points), {}};
    for (std::size_t slot = 0; slot < Operator::slots; ++slot) {
      const std::size_t seen = slot_element(observed, slot) / Operator::channels;
      double sum = 0;
      for (std::size_t p = first; p < domain.last; ++p) sum += distance(p, seen);
      const double taper =
          gaspari_cohn(sum / static_cast<double>(domain.last - first), 1.82 * radius);
      if (taper > 1e-3) domain.observations.push_back({slot, taper});
    }
    domains.push_back(domain);
  }
  return domains;
}

}  // namespace dan
