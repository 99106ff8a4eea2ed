// SPDX-License-Identifier: BSD-3-Clause
// The program of docs/command_line.md.
#include "dan/app/entry.hpp"
#include "dan/app/main.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz63.hpp"
#include "dan/observe/all.hpp"

int main(int argc, char** argv) {
  using namespace dan;
  using Mine = Problem<Rk4<Lorenz63>, ObserveAll<1, 3>>;
  app::Menu menu;
  menu.add(app::Entry("mine", "my problem", {{"variance", "of the observations' errors", 2}},
                      [](app::Values v) {
                        return Mine{.model = {.time_step = 0.01, .steps = 25},
                                    .noise = DiagonalNoise<3>(v[0])};
                      })
               .filters()
               .entry());
  return app::main(argc, argv, menu, "mine");
}
