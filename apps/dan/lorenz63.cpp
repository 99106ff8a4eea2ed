// SPDX-License-Identifier: BSD-3-Clause
// Lorenz 63, all three variables observed.
#include "dan/models/lorenz63.hpp"

#include "dan/app/entry.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/observe/all.hpp"
#include "menu.hpp"

namespace {
using namespace dan;
using Lorenz = Problem<Rk4<Lorenz63>, ObserveAll<1, 3>>;

Lorenz problem(app::Values v) {
  return {.model = {.time_step = 0.01, .steps = app::detail::whole("steps", v[0], 1)},
          .noise = DiagonalNoise<3>(v[1])};
}
}  // namespace

app::ProblemEntry lorenz63() {
  return app::Entry("lorenz63", "Lorenz 63, all three variables observed",
                    {{"steps", "of 0.01 from analysis to analysis", 25},
                     {"variance", "of the observations' errors", 2}},
                    problem)
      .interval([](app::Values v) { return 0.01 * v[0]; })
      .filters()
      .entry();
}
