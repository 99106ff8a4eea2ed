// SPDX-License-Identifier: BSD-3-Clause
// Lorenz 96 with 40 variables, all observed.
#include "dan/models/lorenz96.hpp"

#include "dan/app/entry.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/network/pretrained.hpp"
#include "dan/observe/all.hpp"
#include "dan/train/pretrained_recipes.hpp"
#include "menu.hpp"

namespace {
using namespace dan;
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;

Lorenz problem(app::Values v) {
  return {.model = {.ode = {.forcing = v[2]}, .steps = app::detail::whole("steps", v[0], 1)},
          .noise = DiagonalNoise<40>(v[1])};
}
}  // namespace

app::ProblemEntry lorenz96() {
  return app::Entry("lorenz96", "Lorenz 96, 40 variables, all observed",
                    {{"steps", "of 0.05 from analysis to analysis", 1},
                     {"variance", "of the observations' errors", 1},
                     {"forcing", "F", 8}},
                    problem)
      .interval([](app::Values v) { return 0.05 * v[0]; })
      .filters()
      .network<pretrained::Small, 16>("small", "network with gain head and memory",
                                      pretrained::small_recipe())
      .network<pretrained::Recurrent, 16>("recurrent", "the same, three times as large",
                                          pretrained::recurrent_recipe())
      .network<pretrained::Plain, 16>("plain", "the talk's network, without memory",
                                      pretrained::plain_recipe())
      .entry();
}
