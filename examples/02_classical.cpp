// SPDX-License-Identifier: BSD-3-Clause
// All classical methods on one problem, the same truth and observations: Lorenz 96 with 40
// variables, all observed every 0.05 with error variance 1 (Sakov and Oke 2008). Each is tuned on
// short runs with other data; the table shows the parameter found and the aRMSE, and in brackets,
// where there is one, the score that an independent implementation (DAPPER) publishes with its own.
#include "comparison.hpp"

namespace {

using namespace dan;
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;

void classical(const example::Options& options) {
  const Lorenz problem;
  const Climate climate = climatology_of(problem);
  const TunedParameter x_b{"x_B", {0.005, 0.01, 0.02, 0.05, 0.1, 0.2}},
      inflation{"inflation", {1.0, 1.01, 1.02, 1.04, 1.06, 1.1}},
      strong{"inflation", {1.01, 1.02, 1.04, 1.06, 1.1, 1.2, 1.4}}, lag{"lag", {1, 5, 10, 15}};
  const auto by = [](double factor) { return Inflation{.factor = factor}; };

  TwinConfig tuning = tuning_twin();
  tuning.seed = 2000;
  example::Comparison compare(
      "02_classical", options, problem,
      {.runs = 8, .cycles = 1700, .burn_in = 200, .seed = 0, .first_guess_deviation = 0.3}, tuning);
  compare.add("climatology (3.6)", Climatology<Lorenz>(climate));
  compare.add("OI (0.95)", Oi<Lorenz>(problem, climate));
  compare.add("3D-Var (0.41)", x_b,
              [&](double share) { return Var3d<Lorenz>(problem, climate, share); });
  for (const std::size_t cycles : {1U, 4U})
    compare.add(to_text("4D-Var, lag ", cycles), x_b, [&](double share) {
      return Var4d<Lorenz>(problem, climate, {.scale = share, .lag = cycles});
    });
  compare.add("extended KF (0.24)", strong,
              [&](double factor) { return Ekf<Lorenz>(problem, {.inflation = factor}); });
  compare.add("EnKF, N = 40 (0.22)", inflation,
              [&](double factor) { return Enkf<Lorenz, 40>(problem, {.inflation = by(factor)}); });
  compare.add("DEnKF, N = 40 (0.18)", inflation,
              [&](double factor) { return Denkf<Lorenz, 40>(problem, {.inflation = by(factor)}); });
  const auto etkf = [&]<std::size_t N>(const char* name) {
    compare.add(name, inflation, [&](double factor) {
      return Etkf<Lorenz, N>(problem, {.inflation = by(factor), .rotation = true});
    });
  };
  etkf.operator()<20>("ETKF, N = 20 (0.20)");
  etkf.operator()<24>("ETKF, N = 24 (0.18)");
  compare.add("EnKF-N, N = 20 (0.19)", EnkfN<Lorenz, 20>(problem));
  compare.add("EnKF-N, N = 40", EnkfN<Lorenz, 40>(problem));
  compare.add("LETKF, N = 7, r = 4 (0.22)", inflation, [&](double factor) {
    return Letkf<Lorenz, 7>(problem, {.inflation = by(factor), .rotation = true});
  });
  compare.add("IEnKF, N = 40 (0.17)", inflation, [&](double factor) {
    return Ienks<Lorenz, 40>(problem, {.inflation = by(factor), .rotation = true});
  });
  compare.add("IEnKS-N, N = 20", lag, [&](double cycles) {
    return Ienks<Lorenz, 20>(problem,
                             {.lag = static_cast<std::size_t>(cycles), .finite_size = true});
  });
  compare.write();
}

}  // namespace

int main(int argc, char** argv) {
  return example::run(argc, argv,
                      "Tunes all classical methods on Lorenz 96 and compares them on the same "
                      "truth and\nobservations (about two minutes on two cores).",
                      {}, classical);
}
