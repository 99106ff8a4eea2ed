// SPDX-License-Identifier: BSD-3-Clause
// The Kuramoto–Sivashinsky equation, 128 points on a length of 32π, all observed.
#include "dan/models/kuramoto_sivashinsky.hpp"

#include "dan/app/entry.hpp"
#include "dan/integrate/etdrk4.hpp"
#include "dan/integrate/repeated.hpp"
#include "dan/network/pretrained.hpp"
#include "dan/observe/all.hpp"
#include "dan/train/pretrained_recipes.hpp"
#include "menu.hpp"

namespace {
using namespace dan;
using Waves =
    Problem<Repeated<Etdrk4<KuramotoSivashinsky<128>>>, ObserveAll<128>, KuramotoSivashinskyStart>;

Waves problem(app::Values v) {
  return {.model = {.model = {}, .count = app::detail::whole("steps", v[0], 1)},
          .noise = DiagonalNoise<128>(v[1])};
}
}  // namespace

app::ProblemEntry kuramoto_sivashinsky() {
  return app::Entry("kuramoto_sivashinsky",
                    "Kuramoto–Sivashinsky, 128 points on a length of 32π, all observed",
                    {{"steps", "of 0.5 from analysis to analysis", 2},
                     {"variance", "of the observations' errors", 1}},
                    problem)
      .interval([](app::Values v) { return 0.5 * v[0]; })
      .filters()
      .network<pretrained::KuramotoSivashinsky, 16>("memory", "network with gain head and memory",
                                                    pretrained::kuramoto_sivashinsky_recipe())
      .network<pretrained::KuramotoSivashinskyLarge, 16>(
          "large", "the same, three times as large",
          pretrained::kuramoto_sivashinsky_large_recipe())
      .entry();
}
