// SPDX-License-Identifier: BSD-3-Clause
// Lorenz 96 with 40 variables; at most 40 observations a cycle, at places between the points that
// come with them, from a file perhaps.
#include "dan/app/entry.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/network/pretrained.hpp"
#include "dan/observe/interpolate.hpp"
#include "dan/train/pretrained_recipes.hpp"
#include "menu.hpp"

namespace {
using namespace dan;
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveRandomPlaces<Ring<40>, 40>>;

Lorenz problem(app::Values v) {
  return {.model = {.ode = {.forcing = v[2]}, .steps = app::detail::whole("steps", v[0], 1)},
          .observe = ObserveRandomPlaces<Ring<40>, 40>(app::detail::whole("least", v[3], 0),
                                                       app::detail::whole("most", v[4], 0)),
          .noise = DiagonalNoise<40>(v[1])};
}
}  // namespace

app::ProblemEntry lorenz96_from_file() {
  return app::Entry("lorenz96_places",
                    "Lorenz 96, 40 variables; observations of a file, or at random places",
                    {{"steps", "of 0.05 from analysis to analysis", 1},
                     {"variance", "of the observations' errors, where no file gives them", 1},
                     {"forcing", "F", 8},
                     {"least", "observations a cycle, where no file gives them", 20},
                     {"most", "", 30}},
                    problem)
      .filters()
      .network<pretrained::Sparse, 16>(
          "sparse", "network with gain head and memory that is shown where observations are",
          pretrained::places_recipe())
      .writes_observations([](app::Values v) { return 0.05 * v[0]; })
      .entry();
}
