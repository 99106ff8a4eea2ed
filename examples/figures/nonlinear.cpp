// SPDX-License-Identifier: BSD-3-Clause
// Strong nonlinearity: accuracy against the time between analyses, Δt = 0.05 to 0.6; Lorenz 96 with
// 40 variables, all observed, R = I. Networks are trained for each Δt, but for 0.05, of which the
// shipped weights are; 3D-Var, EnKF-N, IEnKF-N and IEnKS-N (40 members) are tuned for each on other
// truths. How far from Gaussian the EnKF-N's forecast errors are stands in its rows. After the
// talk's figures on nonlinearity; drawn by scripts/plot.py nonlinear FOLDER.
#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "sweep.hpp"

namespace {

using namespace dan;
using example::Lorenz;
using Values = std::span<const double>;

void add_classical(example::SweepFigure& figure, const Lorenz& problem,
                   const nlohmann::ordered_json& interval) {
  const TwinConfig twin = figure.tuning();
  figure.add_tuned("3D-Var, tuned", interval, problem, {{"x_B", {0.01, 0.02, 0.05, 0.1, 0.2, 0.4}}},
                   twin, example::var3d_of_climate());
  const auto with_moments = [](const Lorenz& here, const auto& method, const TwinConfig& unseen) {
    ErrorMoments moments;
    auto row = json_of_scores(run_twin(here, method, unseen, moments));
    row["skewness"] = moments.skewness();
    row["excess_kurtosis"] = moments.excess_kurtosis();
    return row;
  };
  figure.add_tuned(
      "EnKF-N, 40 members, tuned", interval, problem, {{"inflation", {1, 1.02, 1.05, 1.1, 1.2}}},
      twin,
      [](const Lorenz& here, Values v) {
        return EnkfN<Lorenz, 40>(here, {.inflation = {.factor = v[0]}});
      },
      with_moments);
  for (const bool smoother : {false, true}) {
    const std::vector<double> lags = smoother ? std::vector<double>{2, 3, 5} : std::vector{1.0};
    figure.add_tuned(smoother ? "IEnKS-N, 40 members, tuned" : "IEnKF-N, 40 members, tuned",
                     interval, problem, {{"lag", lags}, {"inflation", {1, 1.03}}}, twin,
                     [](const Lorenz& here, Values v) {
                       return Ienks<Lorenz, 40>(here, {.lag = static_cast<std::size_t>(v[0]),
                                                       .finite_size = true,
                                                       .inflation = {.factor = v[1]}});
                     });
  }
}

/// From the shipped weights at half the rate (random ones learn less in as many updates, and at the
/// whole rate those with memory lose all runs), taught by an IEnKS-N of 25 members whose window is
/// 0.8 time units long: an EnSRF's forecasts are too far from Gaussian. The gradient goes through
/// 1.6 time units, but at least four cycles and at most eight, in the finish through 3.2.
template <class Network>
void add_network(example::SweepFigure& figure, const std::string& method, const std::string& name,
                 const Lorenz& problem, const nlohmann::ordered_json& interval,
                 TrainConfig config) {
  if (problem.model.steps == 1)
    return figure.add(method, interval, problem, [=, file = figure.shipped(name)] {
      return Learned<Lorenz, Network, 16>(problem, load_weights<Network>(file));
    });
  using Smoother = Ienks<Lorenz, 25>;
  const double length = problem.model.cycle_length();
  const auto cycles = [&](double time) {
    return std::max<std::size_t>(1, static_cast<std::size_t>(std::lround(time / length)));
  };
  config.unroll = std::clamp<std::size_t>(cycles(1.6), 4, 8);
  config.first_unroll = 2;
  config.learning_rate /= 2;
  const Recipe<FilterTeacher<Smoother>> recipe{
      .training = config,
      .finish = {.share = 0.5, .unroll = 2 * cycles(1.6)},
      .teacher = {Smoother(problem, {.lag = cycles(0.8), .iterations = 6, .finite_size = true})}};
  figure.add_trained<Network, 16>(method, interval, problem, recipe, name);
}

void nonlinear(example::SweepFigure& figure) {
  const auto for_each = [&](const auto& add) {
    for (const std::size_t steps :
         figure.values(std::vector<std::size_t>{1, 2, 4, 6, 8, 10, 12}, 3))
      add(Lorenz{.model = {.steps = steps}},
          nlohmann::ordered_json{{"dt", static_cast<double>(steps) / 20}});
  };
  for_each([&](const Lorenz& problem, const auto& interval) {
    add_classical(figure, problem, interval);
  });
  for_each([&](const Lorenz& problem, const auto& interval) {
    add_network<pretrained::Plain>(figure, "DAN, one state (the talk's)", "plain", problem,
                                   interval, training_without_memory(2000));
  });
  for_each([&](const Lorenz& problem, const auto& interval) {
    add_network<pretrained::Recurrent>(figure, "DAN, one state and memory", "recurrent", problem,
                                       interval, training_with_memory(2000));
  });
  (void)figure.run("dt");
}

}  // namespace

int main(int argc, char** argv) {
  return example::run_sweep(argc, argv, "nonlinear",
                            "Accuracy against the time between analyses, 0.05 to 0.6.", true,
                            nonlinear);
}
