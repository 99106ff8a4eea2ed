// SPDX-License-Identifier: BSD-3-Clause
// expect: SphericalHarmonics: write LatLon<rows, columns, Latitudes::gaussian>
#include "dan/geometry/lat_lon.hpp"
#include "dan/transform/spherical_harmonics.hpp"

#ifdef MISUSE
constexpr auto rows = dan::Latitudes::equidistant;
#else
constexpr auto rows = dan::Latitudes::gaussian;
#endif
static_assert(dan::SphericalHarmonics<9, dan::LatLon<16, 32, rows>>::coefficients == 100);
