// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// The talk's other models, as the figures observe them: the Kuramoto–Sivashinsky equation, and
// barotropic flow on the sphere.
#include <array>
#include <cstddef>

#include "dan/dan.hpp"

namespace example {

/// 128 points on a length of 32π, all observed with error variance 1.
using Waves = dan::Problem<dan::Repeated<dan::Etdrk4<dan::KuramotoSivashinsky<128>>>,
                           dan::ObserveAll<128>, dan::KuramotoSivashinskyStart>;

/// Every `dt` units of time, two steps a unit.
inline Waves waves_observed_every(std::size_t dt) {
  return {.model = {.model = {}, .count = 2 * dt}};
}

/// T21 on 32 × 64 points.
using Sphere = dan::LatLon<32, 64, dan::Latitudes::gaussian>;
using Harmonics = dan::SphericalHarmonics<21, Sphere>;
inline constexpr double vorticity_deviation = 2.67e-5;  // of the climate, 1/s

/// `Shown`: what the state is, vorticity or the stream function.
template <class Operator, class Shown = dan::OwnFields>
using Flow = dan::Problem<dan::OnGrid<Harmonics, dan::Rk4<dan::QuasiGeostrophic<Harmonics>>, Shown>,
                          Operator, dan::SphereStart<Harmonics>>;

/// Vorticity every so many hours, with an error of 0.28 of its climate's deviation.
template <class Operator>
Flow<Operator> flow_observed_by(const Operator& operation, std::size_t hours = 12) {
  return {.model = {{dan::one_level<Harmonics>(), 3600, hours}},
          .observe = operation,
          .noise = dan::DiagonalNoise<Operator::slots>(5.6e-11),
          .norm = {{vorticity_deviation}}};
}

using Psi = dan::StreamFunction<Harmonics>;

/// The stream function, in m²/s, with the same share of its climate's deviation as error.
template <class Operator>
Flow<Operator, Psi> stream_function_observed_by(const Operator& operation) {
  constexpr double deviation = 2.2e7;
  return {.model = {{dan::one_level<Harmonics>(), 3600, 12}},
          .observe = operation,
          .noise = dan::DiagonalNoise<Operator::slots>(3.8e13),
          .start = {.deviation = deviation / 100},
          .norm = {{deviation}}};
}

/// Every `Step`-th point both ways, from row Step/2 on.
template <std::size_t Step>
auto every_point() {
  constexpr std::size_t count = Sphere::points / (Step * Step), columns = Sphere::columns / Step;
  std::array<std::size_t, count> elements{};
  for (std::size_t j = 0; j < count; ++j)
    elements[j] = (j / columns * Step + Step / 2) * Sphere::columns + j % columns * Step;
  return dan::ObserveSubset<Sphere::points, count>(elements);
}

using SeenAtRandom = dan::ObserveRandomPlaces<Sphere, 128>;

}  // namespace example
