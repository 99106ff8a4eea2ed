// SPDX-License-Identifier: BSD-3-Clause
// What README.md, docs/classical.md and docs/training.md show beside their whole programs.
#include <cstddef>
#include <cstdio>
#include <vector>

#include "dan/dan.hpp"

namespace {
using namespace dan;
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;

void trained_weights(const Lorenz& problem, const TwinConfig& unseen) {
  const auto trained = load_weights<pretrained::Recurrent>("weights/recurrent.safetensors");
  const Learned<Lorenz, pretrained::Recurrent> dan{problem, trained};
  std::printf("%.3f\n", run_twin(problem, dan, unseen).analysis_rmse);
}

void noise_of_the_model() {
  using Noisy = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>, GaussianStart, DiagonalModelNoise<40>>;
  const Noisy problem{.model_noise = DiagonalModelNoise<40>(0.1)};  // Q = 0.1 I
  run_twin(problem, EnkfN<Noisy, 40>(problem));
  run_twin(problem, Letkf<Noisy, 7>(problem, {.forecast = {.noise = NoiseForm::sampled}}));
}

void another_model() {
  const Lorenz truth;
  Lorenz believed;
  believed.model.ode.forcing =
      8.5;  // or another type of model: Problem<MyCoarseModel, ObserveAll<40>>
  run_twin(truth, EnkfN<Lorenz, 20>(believed, {.inflation = {.factor = 1.1}}));
}

/// Waves on a torus, three variables at a point.
struct Waves {
  using Geometry = Torus<32, 32>;
  static constexpr std::size_t points = 1024, channels = 3;
  template <class T>
  void tendency(const T* x, T* dxdt) const {
    for (std::size_t i = 0; i < points * channels; ++i)
      dxdt[i] = x[(i + channels) % (points * channels)] - x[i];
  }
};

void backgrounds() {
  using Field = Problem<Rk4<Waves>, ObserveAll<1024, 3>>;
  const Field problem;
  const auto moments = climate_moments_of(problem);
  const DistanceBackground<Torus<32, 32>, 3> background(moments.deviation, 2, 5e-4);
  const Var3d three(problem, background);
  const Var4d four(problem, background, {.lag = 2, .iterations = 1, .inner_iterations = 10});
}

void several_problems() {
  using Sparse = Problem<Rk4<Lorenz96<40>>, ObserveRandom<40>>;
  std::vector<Sparse> problems;
  for (const double variance : {0.3, 1.0, 3.0})
    for (const std::size_t number : {10, 20, 40})
      problems.push_back(
          {.observe = ObserveRandom<40>(number, number), .noise = DiagonalNoise<40>(variance)});
  using Network = AnalysisNetwork<NetworkShape{.filters = 24,
                                               .blocks = 2,
                                               .sub_blocks = 2,
                                               .kernel = 3,
                                               .head = Head::gain,
                                               .memory = 8,
                                               .products = 16,
                                               .sees_precision = true,
                                               .sees_scales = true},
                                  Ring<40>>;
  const Recipe<NoTeacher> recipe{.training = {.updates = 150,  // some ten thousand for good weights
                                              .groups = 3,
                                              .unroll = 8,
                                              .learning_rate = 1e-3,
                                              .stay = 50}};
  const auto [trained, report] = train<Network, 16>(problems, recipe);
  run_twin(problems[4], Learned<Sparse, Network, 16>(problems[4], trained));
}
}  // namespace

int main() {
  trained_weights({}, {.runs = 16, .cycles = 1000, .burn_in = 100, .seed = 2});
  noise_of_the_model();
  another_model();
  backgrounds();
  several_problems();
}
