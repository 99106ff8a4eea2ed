// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "dan/concepts.hpp"
#include "dan/integrate/runge_kutta.hpp"
#include "dan/integrate/tableau.hpp"

namespace dan {

/// The classical integrator of order four:
///   k1 = f(x), k2 = f(x + h/2 k1), k3 = f(x + h/2 k2), k4 = f(x + h k3),
///   y = x + h/6 (k1 + 2 k2 + 2 k3 + k4).
template <DifferentialEquation Ode>
using Rk4 = RungeKutta<Ode, ClassicalTableau>;

}  // namespace dan
