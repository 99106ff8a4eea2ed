// SPDX-License-Identifier: BSD-3-Clause
// A model of your own, from its right-hand side to a trained analysis.
//
// The model is the two-scale Lorenz 96: eight slow variables X_k, and around each of them eight
// fast ones Y_j, which nobody observes. All that is written for it is the tendency, once, as a
// template on the scalar: steps of whole ensembles, tangents and adjoints follow from it.
#include "comparison.hpp"

namespace {

using namespace dan;

/// dX_k/dt = X_{k−1} (X_{k+1} − X_{k−2}) − X_k + F − (h c/b) Σ_j Y_{j,k},
/// dY_n/dt = c b Y_{n+1} (Y_{n−1} − Y_{n+2}) − c Y_n + (h c/b) X_k,  n = 8 k + j on a ring of 64.
/// A state has eight points with nine channels: X, then the eight Y.
/// Source: Lorenz, Proc. Seminar on Predictability (ECMWF 1996), equations 2 and 3.
struct TwoScale {
  using Geometry = Ring<8>;
  static constexpr std::size_t points = 8, channels = 9;
  double forcing = 10, h = 1, c = 10, b = 10;

  template <class T>
  void tendency(const T* x, T* dxdt) const {
    const auto slow = [](std::size_t k) { return (k % 8) * 9; };
    const auto fast = [](std::size_t n) { return (n % 64) / 8 * 9 + 1 + n % 8; };
    const double exchange = h * c / b;
    for (std::size_t k = 0; k < 8; ++k) {
      T& f = dxdt[slow(k)];
      f = x[slow(k + 7)] * (x[slow(k + 1)] - x[slow(k + 6)]) - x[slow(k)] + forcing;
      for (std::size_t j = 0; j < 8; ++j) f -= exchange * x[fast(8 * k + j)];
    }
    for (std::size_t n = 0; n < 64; ++n)
      dxdt[fast(n)] = c * b * x[fast(n + 1)] * (x[fast(n + 63)] - x[fast(n + 2)]) - c * x[fast(n)] +
                      exchange * x[slow(n / 8)];
  }
};

/// A truth begins with slow variables from N(2, 3²) and fast ones from N(0, 0.1²).
struct TwoScaleStart {
  std::size_t spin_up = 400;
  void operator()(const RandomKey& key, std::span<double> x) const {
    fill_normal<double>(key, x);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = i % 9 == 0 ? 2 + 3 * x[i] : 0.1 * x[i];
  }
};

using Slow = ObserveSubset<8, 8, 9>;
using TwoScaleProblem = Problem<Rk4<TwoScale>, Slow, TwoScaleStart>;
using Network = NetworkFor<TwoScaleProblem, NetworkShape{.filters = 32,
                                                         .blocks = 3,
                                                         .sub_blocks = 2,
                                                         .kernel = 3,
                                                         .head = Head::gain,
                                                         .memory = 16,
                                                         .gain_radius = 1,
                                                         .products = 24}>;

void own_model(const example::Options& options) {
  // Ten steps from one observation to the next; the unit of an error is a climatological
  // deviation of the fast variables, a tenth of one of the slow ones.
  const TwoScaleProblem problem{.model = {.time_step = 0.005, .steps = 10},
                                .observe = Slow({0, 9, 18, 27, 36, 45, 54, 63}),
                                .norm = {{0.35, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3}}};
  const TwinConfig unseen{.runs = 16, .cycles = 1200, .burn_in = 200, .seed = 1},
      others{.runs = 16, .cycles = 300, .burn_in = 100, .seed = 2};
  const Climate climate = climatology_of(problem);
  example::Comparison compare("04_own_model", options, problem, unseen, others);
  compare.add("climatology", Climatology<TwoScaleProblem>(climate));
  compare.add("3D-Var", {"x_B", {0.005, 0.01, 0.02, 0.05, 0.1, 0.2}},
              [&](double share) { return Var3d<TwoScaleProblem>(problem, climate, share); });
  // The same B by its modes, all 72: so the tape is asked for a product of the Hessian, not for its
  // columns.
  compare.add("4D-Var of 2 cycles", {"x_B", {0.005, 0.01, 0.02}}, [&](double share) {
    return Var4d(problem, ModesBackground(climate, TwoScaleProblem::size, share),
                 {.lag = 2, .iterations = 2, .inner_iterations = 8});
  });
  compare.add("EnKF-N, 40 members", EnkfN<TwoScaleProblem, 40>(problem));
  compare.add("LETKF, 20 members", {"inflation", {1.01, 1.02, 1.04, 1.08}}, [&](double factor) {
    return Letkf<TwoScaleProblem, 20>(problem, {.radius = 1, .inflation = {.factor = factor}});
  });
  compare.train<Network>(
      "DAN, one state and memory",
      {.updates = 1500, .groups = 2, .unroll = 8, .learning_rate = 1e-3, .warm_up = 200});
  compare.write();
}

}  // namespace

int main(int argc, char** argv) {
  return example::run(
      argc, argv,
      "A model of one's own, the two-scale Lorenz 96: 3D-Var, 4D-Var, EnKF-N, LETKF "
      "and a trained network, from its tendency alone.",
      {}, own_model);
}
