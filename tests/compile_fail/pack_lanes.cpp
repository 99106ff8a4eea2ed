// SPDX-License-Identifier: BSD-3-Clause
// expect: Pack: Lanes must be a multiple of dan::simd_width<Real>
// expect: round it up with dan::padded_lanes<Real, Lanes>
#include "dan/core/simd.hpp"

constexpr std::size_t lanes = dan::simd_width<float> + 1;
#ifdef MISUSE
dan::Pack<float, lanes> pack;
#else
dan::Pack<float, dan::padded_lanes<float, lanes> > pack;
#endif
