// SPDX-License-Identifier: BSD-3-Clause
// expect: Whitened: one R cannot belong to places that change from cycle to cycle
#include "dan/core/tensor.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/interpolate.hpp"
#include "dan/observe/whitened.hpp"

#ifdef MISUSE
using Operator = dan::ObserveAt<dan::Ring<4>, 4>;
#else
using Operator = dan::ObserveAll<4>;
#endif
void whiten(const dan::Matrix& r) { const dan::Whitened<Operator> whitened(Operator{}, r); }
