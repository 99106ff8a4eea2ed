// SPDX-License-Identifier: BSD-3-Clause
// expect: QuasiGeostrophic: products alias on this grid
#include "dan/geometry/lat_lon.hpp"
#include "dan/models/quasi_geostrophic.hpp"

#ifdef MISUSE
constexpr std::size_t truncation = 22;
#else
constexpr std::size_t truncation = 21;
#endif
using Harmonics =
    dan::SphericalHarmonics<truncation, dan::LatLon<32, 64, dan::Latitudes::gaussian>>;
static_assert(dan::QuasiGeostrophic<Harmonics>::channels == 1);
