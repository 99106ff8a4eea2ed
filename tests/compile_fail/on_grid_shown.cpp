// SPDX-License-Identifier: BSD-3-Clause
// expect: OnGrid: the third argument must have the factor of degree l
#include "dan/geometry/lat_lon.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/on_grid.hpp"
#include "dan/models/quasi_geostrophic.hpp"
#include "dan/transform/spherical_harmonics.hpp"
#include "dan/transform/stream_function.hpp"

using Harmonics = dan::SphericalHarmonics<3, dan::LatLon<6, 12, dan::Latitudes::gaussian>>;
#ifdef MISUSE
using Shown = Harmonics;
#else
using Shown = dan::StreamFunction<Harmonics>;
#endif
[[maybe_unused]] const dan::OnGrid<Harmonics, dan::Rk4<dan::QuasiGeostrophic<Harmonics>>, Shown>
    model{};
