// SPDX-License-Identifier: BSD-3-Clause
// Barotropic flow on the sphere (T21 on 32 × 64 points), its vorticity observed every twelve hours
// at every second point both ways, at every fourth, at 128 random places, others in every cycle, or
// everywhere, or every sixty hours at every second, or, as a state of its own, the stream function
// there: 3D-Var, ETKF with 60 members, LETKF with 20, each tuned on other truths, EnKF-N, IEnKF-N,
// and a network of one state that convolves over the sphere.
// After the talk's experiment with quasi-geostrophic flow; drawn by scripts/plot.py sphere FOLDER.
#include <algorithm>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "flows.hpp"
#include "sweep.hpp"

namespace {

using namespace dan;
using example::every_point, example::Harmonics;
constexpr std::size_t points = example::Sphere::points;

/// The kinetic energy by degree, m²/s², of fields with these mean squares p_l by degree: of
/// vorticity a²/(2 l (l + 1)) p_l, of a stream function l (l + 1)/(2 a²) p_l.
template <bool OfVorticity>
std::vector<double> kinetic_energy(const auto& squares) {
  std::vector<double> energy(squares.begin(), squares.end());
  for (std::size_t l = 0; l < energy.size(); ++l) {
    const double inverse = -example::Psi{}.factor(l);
    energy[l] *= OfVorticity || l == 0 ? inverse / 2 : 1 / (2 * inverse);
  }
  return energy;
}

/// A network, in how many runs it is trained, and how.
template <class Network_, std::size_t Runs>
struct Learning {
  using Network = Network_;
  static constexpr std::size_t runs = Runs;
  Recipe<> recipe{};
};
const Learning<pretrained::Sphere, 16> usual{
    {.training =
         {.updates = 2000, .groups = 1, .unroll = 2, .warm_up = 100, .first_guess_deviation = 0.3},
     .finish = {.share = 0.5, .unroll = 4}}};
/// More and smaller steps, through longer chains: 8 runs, or as many as a register has numbers.
const Learning<pretrained::SphereLarge, std::max<std::size_t>(8, simd_width<float>)> longer{
    {.training = {.updates = 6000,
                  .groups = 1,
                  .unroll = 4,
                  .first_unroll = 1,
                  .warm_up = 100,
                  .first_guess_deviation = 0.3},
     .finish = {.share = 0.1, .unroll = 16}}};

/// What run 0 observes in its first scored cycle: latitude, longitude, value.
template <class Operator>
struct FirstObservations : EmptyRecorder {
  Operator operation;
  std::vector<std::vector<double>> seen{};

  explicit FirstObservations(const Operator& of) : operation(of) {}
  void after_analysis(const auto& view) {
    if (view.first > 0 || !view.going(0) || !view.scored() || !seen.empty()) return;
    const auto position = [&](std::size_t slot) {
      if constexpr (PlacedOperator<Operator>)
        return operation.draw(view.twin.key(0)).sight(0, slot).place.position;
      else
        return place_of<example::Sphere>(operation, slot).position;
    };
    for (std::size_t j = 0; j < Operator::slots; ++j)
      if (view.observed.precision.at(j, 0) > 0) {
        const auto [latitude, longitude] = position(j);
        seen.push_back({latitude, longitude, view.observed.values.at(j, 0)});
      }
  }
  void merge(const FirstObservations& next) {
    if (!next.seen.empty()) seen = next.seen;
  }
};

/// `cycles`: of each run, the first 3/13 of which do not count.
template <class Here, class HowLearned>
void add_rows(example::SweepFigure& figure, const std::string& observed, const Here& problem,
              const HowLearned& learning, std::size_t cycles = 260) {
  constexpr bool of_vorticity = std::is_same_v<decltype(problem.model.shown), OwnFields>;
  const nlohmann::ordered_json setting{{"observed", observed}};
  TwinConfig unseen = figure.unseen(), tuning = figure.tuning();
  unseen.runs = 4, tuning.runs = 2;
  unseen.cycles = figure.quick() ? 24 : cycles;
  unseen.burn_in = figure.quick() ? 8 : cycles * 3 / 13;
  tuning.cycles = figure.quick() ? 8 : cycles * 5 / 13;
  tuning.burn_in = figure.quick() ? 2 : tuning.cycles / 2;
  // Scores and the spectra by degree; of some also the first fields.
  const auto scored = [=](std::size_t fields) {
    return [=](const Here& here, const auto& method, const TwinConfig&) {
      TwinConfig twin = unseen;
      twin.keep_fields = fields;
      WaveSpectrum<SpherePower<Harmonics>> spectrum;
      FirstObservations observations(here.observe);
      const auto scores = run_twin(here, method, twin, spectrum, observations);
      auto row = json_of_scores(scores);
      row["kinetic_energy"] = {{"truth", kinetic_energy<of_vorticity>(spectrum.truth())},
                               {"forecast", kinetic_energy<of_vorticity>(spectrum.forecast())},
                               {"analysis", kinetic_energy<of_vorticity>(spectrum.analysis())}};
      if (fields > 0 && !scores.truth.empty()) {
        row["truth"] = scores.truth[0], row["analysis"] = scores.analysis[0];
        row["observations"] = observations.seen;
        row["unit"] = of_vorticity ? 1e-5 : 1e7;
        row["field"] = of_vorticity ? "vorticity, 1e-5/s" : "stream function, 1e7 m²/s";
      }
      return row;
    };
  };
  const auto tuned = [&](const std::string& method, const std::vector<TunedParameter>& grid,
                         const auto& make) {
    figure.add_tuned(method, setting, problem, grid, tuning, make, scored(0));
  };
  std::string name = "sphere_" + observed;
  std::ranges::replace(name, ' ', '_');
  figure.add_shipped<typename HowLearned::Network, HowLearned::runs>(
      "DAN, one state and memory", setting, problem, learning.recipe, name, scored(1));
  using Values = std::span<const double>;
  const std::vector<double> variances =
      variances_by_degree<Harmonics>(problem, {.cycles = figure.quick() ? 8u : 500u});
  tuned("3D-Var, tuned", {{"x_B", {0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1}}},
        [=](const Here& here, Values v) {
          using Background = SpectralBackground<Harmonics>;
          return Var3d<Here, 1, Background>(here, Background(variances, v[0]));
        });
  tuned("ETKF, 60 members, tuned", {{"inflation", {1.02, 1.04, 1.07, 1.1, 1.15, 1.2}}},
        [](const Here& here, Values v) {
          return Etkf<Here, 60>(here, {.inflation = {.factor = v[0]}, .rotation = true});
        });
  figure.add("EnKF-N, 60 members", setting, [=, score = scored(0)] {
    return score(problem, EnkfN<Here, 60>(problem, {.rotation = true}), unseen);
  });
  figure.add("IEnKF-N, 60 members", setting, [=, score = scored(0)] {
    return score(problem, Ienks<Here, 60>(problem, {.finite_size = true, .rotation = true}),
                 unseen);
  });
  tuned("LETKF, 20 members, tuned",
        {{"radius", {5, 8, 12}}, {"inflation", {1.03, 1.06, 1.1, 1.15, 1.2}}},
        [](const Here& here, Values v) {
          return Letkf<Here, 20>(
              here, {.radius = v[0], .batch = 8, .inflation = {.factor = v[1]}, .rotation = true});
        });
}

void sphere(example::SweepFigure& figure) {
  using example::flow_observed_by;
  add_rows(figure, "512 regular", flow_observed_by(every_point<2>()), longer);
  if (!figure.quick()) {
    add_rows(figure, "128 regular", flow_observed_by(every_point<4>()), usual);
    add_rows(figure, "128 random", flow_observed_by(example::SeenAtRandom(128, 128)), usual);
    add_rows(figure, "all", flow_observed_by(ObserveAll<points>()), usual);
    add_rows(figure, "512 every 60 hours", flow_observed_by(every_point<2>(), 60), usual, 104);
    add_rows(figure, "512 of the stream function",
             example::stream_function_observed_by(every_point<2>()), usual);
  }
  (void)figure.run("observed");
}

}  // namespace

int main(int argc, char** argv) {
  return example::run_sweep(
      argc, argv, "sphere",
      "Barotropic flow on the sphere: vorticity or stream function at some places.", true, sphere);
}
