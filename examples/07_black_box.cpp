// SPDX-License-Identifier: BSD-3-Clause
// A model that can only step: a C function from somewhere else, without a template, without
// derivatives.
//
// All ensemble methods run on it. A data assimilation network can be trained on it too, one
// cycle at a time (N_iter = 1): the gradient then ends at the forecast and never asks for the
// model's adjoint. What that costs is in the table: the same network and as many updates, once with
// the gradient through four cycles of the same model written as a template, once without.
#include "comparison.hpp"

extern "C" {
/// Stands for a library in C or Fortran: Lorenz 96 with 40 variables, one Runge–Kutta step of 0.05.
static void c_model_step(const double* x, double* y) {
  enum { n = 40 };
  double stage[n], k[n], sum[n];
  static const double ahead[4] = {0, 0.025, 0.025, 0.05}, share[4] = {1, 2, 2, 1};
  for (int i = 0; i < n; ++i) sum[i] = k[i] = 0;
  for (int s = 0; s < 4; ++s) {
    for (int i = 0; i < n; ++i) stage[i] = x[i] + ahead[s] * k[i];
    for (int i = 0; i < n; ++i)
      k[i] = (stage[(i + 1) % n] - stage[(i + n - 2) % n]) * stage[(i + n - 1) % n] - stage[i] + 8;
    for (int i = 0; i < n; ++i) sum[i] += share[s] * k[i];
  }
  for (int i = 0; i < n; ++i) y[i] = x[i] + 0.05 / 6 * sum[i];
}
}

namespace {

using namespace dan;

/// The C function as a model.
struct Foreign {
  using Geometry = Ring<40>;
  static constexpr std::size_t points = 40, channels = 1;
  void step(const double* x, double* y) const { c_model_step(x, y); }
};

using Foreign96 = Problem<BlackBox<Foreign>, ObserveAll<40>>;
using Open96 = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
using Network = NetworkFor<
    Foreign96,
    NetworkShape{
        .filters = 24, .blocks = 3, .sub_blocks = 2, .head = Head::gain, .gain_radius = 5}>;

void black_box(const example::Options& options) {
  const Foreign96 problem;
  example::Comparison compare("07_black_box", options, problem,
                              {.runs = 16, .cycles = 1200, .burn_in = 200, .seed = 1});
  const Climate climate = climatology_of(problem);
  compare.add("3D-Var", {"x_B", {0.005, 0.01, 0.015, 0.02, 0.03, 0.05}},
              [&](double share) { return Var3d<Foreign96>(problem, climate, share); });
  compare.add("EnKF-N, 20 members", EnkfN<Foreign96, 20>(problem));
  compare.add("LETKF, 7 members", {"inflation", {1.01, 1.02, 1.04, 1.08}}, [&](double factor) {
    return Letkf<Foreign96, 7>(problem, {.inflation = {.factor = factor}});
  });

  TrainConfig training{.updates = 2000, .groups = 2, .unroll = 1, .warm_up = 200};
  compare.train<Network>("DAN, gradient of one cycle", training);
  training.unroll = 4;  // of the template; its analyses are run on the C function
  const auto trained = example::trained<Network, 16>(Open96{}, training, options);
  compare.add("DAN, through four cycles", Learned<Foreign96, Network>(problem, trained));
  compare.write();
}

}  // namespace

int main(int argc, char** argv) {
  return example::run(argc, argv,
                      "A model that only steps, a C function: EnKF-N, LETKF, and a network whose "
                      "training never asks for the model's adjoint.",
                      {}, black_box);
}
