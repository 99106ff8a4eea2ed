// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>

/// \file
/// How the weight of an observation falls with its distance.

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

/// A weight at a distance, both `distance` and `radius` in grid steps: 1 at distance zero.
///
/// One of `tapers`, or any function of yours (a lambda without captures). Those of the library
/// all pass exp(−½) ≈ 0.61 at the distance `radius` (Gaspari–Cohn 0.63), so that one radius means
/// about the same for all, as in DAPPER.
using Taper = double (*)(double distance, double radius);

/// Only Gaspari–Cohn is a correlation function, where a domain closes upon itself as long as it
/// ends within half of it: radius < size / 7.28 of a ring. Otherwise a localised covariance may
/// have eigenvalues below zero, which matters to the stochastic EnKF (it says so) and to no other
/// method.
namespace tapers {

/// Gaspari–Cohn of half-width 1.82 · radius: ends at 3.64 · radius.
[[nodiscard]] inline double gaspari_cohn(double distance, double radius) {
  return dan::gaspari_cohn(distance, 1.82 * radius);
}

/// 1 up to the distance `radius`, then 0.
[[nodiscard]] inline double boxcar(double distance, double radius) {
  return std::abs(distance) <= radius ? 1 : 0;
}

/// exp(−½ (distance / radius)²), cut off at 3.64 · radius (0.0013), where Gaspari–Cohn ends.
[[nodiscard]] inline double gaussian(double distance, double radius) {
  const double z = distance / radius;
  return std::abs(z) < 3.64 ? std::exp(-z * z / 2) : 0;
}

/// exp(−½ distance / radius), cut off at 3.64 · radius (0.16).
[[nodiscard]] inline double exponential(double distance, double radius) {
  const double z = std::abs(distance) / radius;
  return z < 3.64 ? std::exp(-z / 2) : 0;
}

}  // namespace tapers

}  // namespace dan
