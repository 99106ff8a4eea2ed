// SPDX-License-Identifier: BSD-3-Clause
// expect: Transformed: the inner operator must observe states of the map's shape
#include "dan/geometry/lat_lon.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/transformed.hpp"
#include "dan/transform/spherical_harmonics.hpp"
#include "dan/transform/stream_function.hpp"

using Harmonics = dan::SphericalHarmonics<3, dan::LatLon<6, 8, dan::Latitudes::gaussian>>;
#ifdef MISUSE
constexpr std::size_t points = 40;
#else
constexpr std::size_t points = 48;
#endif
[[maybe_unused]] const dan::Transformed<dan::StreamFunction<Harmonics>, dan::ObserveAll<points>>
    observe{};
