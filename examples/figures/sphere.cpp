// SPDX-License-Identifier: BSD-3-Clause
// Barotropic flow on the sphere (T21 on 32 × 64 points), its vorticity observed every twelve hours
// at every second point both ways, at every fourth, at 128 random places, others in every cycle, or
// everywhere, or the stream function at every second: 3D-Var, ETKF with 60 members, LETKF with 20,
// each tuned on other truths, EnKF-N, and a network of one state that convolves over the sphere.
// After the talk's experiment with quasi-geostrophic flow; drawn by scripts/plot.py sphere FOLDER.
#include <algorithm>
#include <span>
#include <string>

#include "flows.hpp"
#include "sweep.hpp"

namespace {

using namespace dan;
using example::every_point, example::Harmonics;
constexpr std::size_t points = example::Sphere::points;

template <class Operator>
void add_rows(example::SweepFigure& figure, const std::string& observed, const Operator& operation,
              double variance = 5.6e-11) {
  using Here = example::Flow<Operator>;
  const Here problem = example::flow_observed_by(operation, variance);
  const nlohmann::ordered_json setting{{"observed", observed}};
  TwinConfig unseen = figure.unseen(), tuning = figure.tuning();
  unseen.runs = 4, tuning.runs = 2;
  unseen.cycles = figure.quick() ? 24 : 260, unseen.burn_in = figure.quick() ? 8 : 60;
  tuning.cycles = figure.quick() ? 8 : 100, tuning.burn_in = figure.quick() ? 2 : 50;
  // Scores and the spectra by degree; of some also the first fields.
  const auto scored = [=](std::size_t fields) {
    return [=](const Here& here, const auto& method, const TwinConfig&) {
      TwinConfig twin = unseen;
      twin.keep_fields = fields;
      WaveSpectrum<SpherePower<Harmonics>> spectrum;
      const auto scores = run_twin(here, method, twin, spectrum);
      auto row = json_of_scores(scores);
      row["spectrum"] = {{"truth", spectrum.truth()},
                         {"forecast", spectrum.forecast()},
                         {"analysis", spectrum.analysis()}};
      if (fields > 0 && !scores.truth.empty())
        row["truth"] = scores.truth[0], row["analysis"] = scores.analysis[0];
      return row;
    };
  };
  const auto tuned = [&](const std::string& method, const std::vector<TunedParameter>& grid,
                         const auto& make) {
    figure.add_tuned(method, setting, problem, grid, tuning, make, scored(0));
  };
  const Recipe<> recipe{.training = {.updates = 2000,
                                     .groups = 1,
                                     .unroll = 2,
                                     .warm_up = 100,
                                     .first_guess_deviation = 0.3},
                        .finish = {.share = 0.5, .unroll = 4}};
  std::string name = "sphere_" + observed;
  std::ranges::replace(name, ' ', '_');
  figure.add_shipped<pretrained::Sphere, 16>("DAN, one state and memory", setting, problem, recipe,
                                             name, scored(1));
  using Values = std::span<const double>;
  tuned("3D-Var, tuned", {{"x_B", {0.03, 0.1, 0.3, 1, 3}}}, [](const Here& here, Values v) {
    using Background = DistanceBackground<example::Sphere, 1>;
    Vector deviations = zero_tensor<double>(points);
    deviations.fill(example::vorticity_deviation);
    return Var3d<Here, 1, Background>(here, Background(deviations, 3, v[0]));
  });
  tuned("ETKF, 60 members, tuned", {{"inflation", {1.005, 1.01, 1.02, 1.04}}},
        [](const Here& here, Values v) {
          return Etkf<Here, 60>(here, {.inflation = {.factor = v[0]}, .rotation = true});
        });
  figure.add("EnKF-N, 60 members", setting, [=, score = scored(0)] {
    return score(problem, EnkfN<Here, 60>(problem, {.rotation = true}), unseen);
  });
  tuned("LETKF, 20 members, tuned", {{"radius", {5, 8, 12}}, {"inflation", {1.02, 1.06}}},
        [](const Here& here, Values v) {
          return Letkf<Here, 20>(
              here, {.radius = v[0], .batch = 8, .inflation = {.factor = v[1]}, .rotation = true});
        });
}

void sphere(example::SweepFigure& figure) {
  add_rows(figure, "512 regular", every_point<2>());
  if (!figure.quick()) {
    add_rows(figure, "128 regular", every_point<4>());
    add_rows(figure, "128 random", example::SeenAtRandom(128, 128));
    add_rows(figure, "all", ObserveAll<points>());
    // With the same share of its climate's deviation, 2.2e7 m²/s, as error.
    using Psi = StreamFunction<Harmonics>;
    using Seen = ObserveSubset<points, 512>;
    add_rows(figure, "512 stream function", Transformed<Psi, Seen>{{}, every_point<2>()}, 3.8e13);
  }
  (void)figure.run("observed");
}

}  // namespace

int main(int argc, char** argv) {
  return example::run_sweep(
      argc, argv, "sphere",
      "Barotropic flow on the sphere: vorticity or stream function at some places.", true, sphere);
}
