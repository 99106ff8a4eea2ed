// SPDX-License-Identifier: BSD-3-Clause
// Prints the scores of every analysis; 0 if all are what they must be.
#include <cmath>
#include <cstdio>

#include "numbers.hpp"

namespace {
template <dan::NetworkShape shape>
void learned(const char* name) {
  using Network = dan::AnalysisNetwork<shape, dan::Ring<12>>;
  dan::Trained<Network> trained;
  trained.network.input_mean.fill(2.4);
  trained.network.input_deviation.fill(3.7);
  Network::initialise(1, dan::span_of(trained.parameters));
  score(name, dan::Learned<Lorenz, Network>(here, trained), 4.5);
}
}  // namespace

int main() {
  using namespace dan;
  // A climate with the same bits everywhere, and that of the model, which has not.
  Climate climate{zero_tensor<double>(12), zero_tensor<double>(12, 12)};
  for (std::size_t i = 0; i < 12; ++i) climate.mean(i) = 2.4, climate.covariance(i, i) = 13;
  const Climate found = climatology_of(here, {.cycles = 400});
  const double mean = found.mean(0), variance = found.covariance(0, 0);
  if (!(std::abs(mean - 2.4) < 0.5 && std::abs(variance - 13) < 3))
    ++wrong, std::printf("the climate has mean %g and variance %g\n", mean, variance);

  score("Climatology", Climatology<Lorenz>(climate), 5);
  score("Oi", Oi<Lorenz>(here, climate), 1.05);
  score("Var3d", Var3d<Lorenz>(here, climate), 0.6);
  score("Var4d", Var4d<Lorenz>(here, climate, {.scale = 0.02}), 0.6);
  score("Var4d-lag4", Var4d<Lorenz>(here, climate, {.scale = 0.02, .lag = 4}), 0.6);
  score("Ekf", Ekf<Lorenz>(here, {.inflation = 1.02}), 0.5);
  learned<NetworkShape{.filters = 4, .blocks = 1, .sub_blocks = 1}>("Learned");
  learned<NetworkShape{.filters = 4,
                       .blocks = 1,
                       .sub_blocks = 2,
                       .head = Head::gain,
                       .memory = 2,
                       .gain_radius = 2,
                       .products = 2}>("Learned-gain");
  ensemble_filters();
  return wrong == 0 ? 0 : 1;
}
