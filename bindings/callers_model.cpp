// SPDX-License-Identifier: BSD-3-Clause
// A model that the caller brings: 40 variables on a ring, all observed; for methods that need no
// derivative. Other sizes are another type: change `points` here.
#include "dan/app/entry.hpp"
#include "dan/models/black_box.hpp"
#include "dan/observe/all.hpp"
#include "menu.hpp"

namespace {
using namespace dan;
constexpr std::size_t size = callers_size;

struct Callers {
  using Geometry = Ring<size>;
  static constexpr std::size_t points = size, channels = 1;
  app::CallersModel call{};

  void step(const double* x, double* y) const {
    if (!call) throw ConfigError("callers_model: there is no model; give one");
    call(x, y);
  }
};
using Mine = Problem<BlackBox<Callers>, ObserveAll<size>>;

Mine problem(app::Values v) { return {.noise = DiagonalNoise<size>(v[0])}; }
}  // namespace

app::ProblemEntry callers_model() {
  return app::Entry("callers_model", "a model of the caller's with 40 variables, all observed",
                    {{"variance", "of the observations' errors", 1}}, problem)
      .filters()
      .entry();
}
