// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>

#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"

namespace dan {

/// x ← A⁻¹ b for a symmetric positive definite A that is known by its products, in all lanes of T
/// side by side.
///
/// `apply(p, a_p)` writes A p; b and x: n elements each, x is overwritten (the iteration begins
/// from zero). A lane is done when ‖b − A x‖ ≤ tolerance ‖b‖, and then keeps its x, or when its
/// numbers are not finite; all end after `iterations`. Returns the iterations of the lane that took
/// most. Cost per iteration: one product and 10 n flops per lane; memory: 3 n elements. Source:
/// Hestenes and Stiefel, J. Res. Natl. Bur. Stand. 49 (1952) 409–436, section 3.
template <class T, class Apply>
std::size_t conjugate_gradients(std::size_t n, const Apply& apply, const T* b, T* x,
                                std::size_t iterations, double tolerance) {
  Scratch<T> residual(n, Unset{}), direction(n, Unset{}), product(n, Unset{});
  const auto dot = [n](const auto& u, const auto& v) {
    T sum(0.0);
    for (std::size_t i = 0; i < n; ++i) sum += u[i] * v[i];
    return sum;
  };
  std::copy_n(b, n, residual.data()), std::copy_n(b, n, direction.data());
  std::fill_n(x, n, T(0.0));
  T square = dot(residual, residual);
  const T enough = T(tolerance * tolerance) * square;
  T active = where_positive(square - enough, T(1.0), T(0.0));
  std::size_t used = 0;
  for (; used < iterations && sum_lanes(active) > 0; ++used) {
    apply(direction.data(), product.data());
    const T length = square / dot(direction, product);
    for (std::size_t i = 0; i < n; ++i) {
      x[i] = where_positive(active, T(x[i] + length * direction[i]), x[i]);
      residual[i] -= length * product[i];
    }
    const T before = square;
    square = dot(residual, residual);
    active = where_positive(square - enough, active, T(0.0));
    const T share = square / before;
    for (std::size_t i = 0; i < n; ++i) direction[i] = residual[i] + share * direction[i];
  }
  return used;
}

}  // namespace dan
