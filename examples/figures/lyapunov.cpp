// SPDX-License-Identifier: BSD-3-Clause
// How fast small differences grow: Lyapunov exponents of the models (Lorenz 96,
// Kuramoto–Sivashinsky, flow on the sphere), and of the assimilation cycles of 3D-Var and of the
// shipped networks for Lorenz 96, in which they must be negative; and where these analyses put
// their increments: the share in the span of the model's first n backward Lyapunov vectors.
// Drawn by scripts/plot.py lyapunov FOLDER.
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "recipes.hpp"

namespace {

using namespace dan;
using example::Lorenz;
using nlohmann::ordered_json;

/// Exponents of a trajectory per `unit` of time: a line on the screen, a row for the file.
template <class Trajectory>
ordered_json spectrum_row(const std::string& name, Trajectory& trajectory,
                          const LyapunovConfig& config, const std::string& unit = "unit of time",
                          double length = 1) {
  auto s = lyapunov_spectrum(trajectory, config);
  const auto per_unit = [&](ConfidenceInterval& e) {
    e = {e.mean * length, e.low * length, e.high * length};
  };
  for (auto& exponent : s.exponents) per_unit(exponent);
  per_unit(s.sum);
  std::printf("%-34s %8.3f  %-18s %8.2f %10.3f %8zu\n", name.c_str(), s.exponents[0].mean,
              example::text_of(s.exponents[0], 3).c_str(), s.dimension.mean, s.sum.mean, s.cycles);
  if (!s.failure.empty()) std::printf("  %s\n", s.failure.c_str());
  ordered_json row{{"system", name},
                   {"per", unit},
                   {"exponents", s.means()},
                   {"intervals", ordered_json::array()},
                   {"sum", s.sum.mean},
                   {"dimension", s.dimension.mean},
                   {"dimension_interval", {s.dimension.low, s.dimension.high}},
                   {"cycles", s.cycles}};
  for (const auto& e : s.exponents) row["intervals"].push_back({e.low, e.high});
  if (!s.failure.empty()) row["failure"] = s.failure;
  return row;
}

/// Mean shares of a cycle's increments and errors in the span of the first n backward vectors of
/// the model along its analyses.
template <class Cycle>
ordered_json alignment_row(const std::string& name, const Cycle& cycle,
                           const example::Options& options) {
  const Lorenz problem;
  CycleTrajectory filter(cycle, problem, {.seed = options.seed + 1000});
  ModelTrajectory model(problem.model, filter.state().first(Lorenz::size));
  Matrix vectors = random_vectors(Lorenz::size, Lorenz::size, options.seed);
  auto none = zero_tensor<double>(decltype(filter)::size, 0);
  auto one = zero_tensor<double>(Lorenz::size, 1);
  std::vector<double> increment(Lorenz::size + 1), error(Lorenz::size + 1);
  const auto add = [&](std::vector<double>& sum, std::span<const double> to,
                       std::span<const double> from, double weight) {
    for (std::size_t i = 0; i < Lorenz::size; ++i) one(i, 0) = to[i] - from[i];
    const auto share = alignment(vectors, one);
    for (std::size_t n = 0; n < sum.size(); ++n) sum[n] += weight * share[n];
  };
  const std::size_t burn_in = options.quick ? 20 : 400, cycles = options.quick ? 40 : 4000;
  Progress progress("alignment of " + name, burn_in + cycles);
  for (std::size_t k = 0; k < burn_in + cycles; ++k, progress.advance()) {
    throw_if_interrupted("lyapunov", k, " cycles of an alignment");
    advance_vectors(model, vectors);  // now its state is the forecast
    filter.advance(none);
    const auto analysis = filter.state().first(Lorenz::size);
    if (k >= burn_in) {
      add(increment, analysis, model.state(), 1 / static_cast<double>(cycles));
      add(error, analysis, filter.truth(), 1 / static_cast<double>(cycles));
    }
    model.move_to(analysis);
  }
  std::printf("%-34s %10.3f %10.3f\n", name.c_str(), increment[14], error[14]);
  return {{"system", name}, {"increment", increment}, {"error", error}, {"cycles", cycles}};
}

/// Kuramoto–Sivashinsky on a trajectory of mean zero.
template <std::size_t Points>
ordered_json waves_row(const std::string& name, double length, double time_step,
                       const LyapunovConfig& config) {
  ModelTrajectory model(Etdrk4<KuramotoSivashinsky<Points>>({.length = length}, time_step),
                        KuramotoSivashinskyStart{.spin_up = 2000});
  return spectrum_row(name, model, config);
}

/// Barotropic flow at T21, per day.
ordered_json sphere_row(const LyapunovConfig& config) {
  using Harmonics = SphericalHarmonics<21, LatLon<32, 64, Latitudes::gaussian>>;
  using Flow = QuasiGeostrophic<Harmonics>;
  constexpr double day = 86400;
  ModelTrajectory model(OnGrid<Harmonics, Rk4<Flow>>{{one_level<Harmonics>(), 3600, 24}},
                        SphereStart<Harmonics>{.spin_up = 60});
  return spectrum_row("sphere, T21", model, config, "day", day);
}

void lyapunov(const example::Options& options, const std::string& weights) {
  const Lorenz problem;
  const Climate climate = climatology_of(problem);
  const Var3dTangent var3d(problem, climate);
  const LearnedTangent plain(problem,
                             load_weights<pretrained::Plain>(weights + "/plain.safetensors"));
  const LearnedTangent recurrent(
      problem, load_weights<pretrained::Recurrent>(weights + "/recurrent.safetensors"));

  std::printf("%-34s %8s  %-18s %8s %10s %8s\n", "system", "largest", "95 % interval", "dimension",
              "sum", "cycles");
  ordered_json spectra = ordered_json::array(), alignments = ordered_json::array();
  ModelTrajectory model(problem.model, problem.start, {.seed = options.seed});
  spectra.push_back(
      spectrum_row("Lorenz 96", model, {.cycles = options.quick ? 2000U : 400'000U, .every = 4}));
  const std::size_t shorter = options.quick ? 100 : 1;
  const LyapunovConfig wide{
      .exponents = 32, .spin_up = 1000, .cycles = 60'000 / shorter, .every = 8};
  const LyapunovConfig narrow{
      .exponents = 8, .spin_up = 1000, .cycles = 300'000 / shorter, .every = 20};
  const LyapunovConfig flow{.exponents = 120, .spin_up = 60 / shorter, .cycles = 800 / shorter};
  ordered_json models{
      waves_row<128>("Kuramoto–Sivashinsky, L = 32π", 32 * std::numbers::pi, 0.5, wide),
      waves_row<64>("Kuramoto–Sivashinsky, L = 22", 22, 0.25, narrow), sphere_row(flow)};
  const auto of_cycle = [&](const std::string& name, const auto& cycle, std::size_t cycles) {
    CycleTrajectory filter(cycle, problem, {.seed = options.seed + 1000});
    spectra.push_back(spectrum_row(name, filter,
                                   {.exponents = Lorenz::size,
                                    .spin_up = options.quick ? 10U : 200U,
                                    .cycles = options.quick ? 20U : cycles}));
  };
  of_cycle("cycle of 3D-Var", var3d, 20'000);
  of_cycle("cycle of the DAN, plain", plain, 1500);
  of_cycle("cycle of the DAN, recurrent", recurrent, 1500);

  std::printf("\n%-34s %10s %10s\n", "share in the first 14 vectors", "increment", "error");
  alignments.push_back(alignment_row("3D-Var", var3d, options));
  alignments.push_back(alignment_row("DAN, plain", plain, options));
  alignments.push_back(alignment_row("DAN, recurrent", recurrent, options));
  example::write_results(options, "lyapunov.json",
                         {{"example", "lyapunov"},
                          {"config", {{"seed", options.seed}}},
                          {"version", library_version},
                          {"spectra", std::move(spectra)},
                          {"models", std::move(models)},
                          {"alignments", std::move(alignments)}});
}

}  // namespace

int main(int argc, char** argv) {
  std::string weights = "weights";
  return example::run(
      argc, argv,
      "Lyapunov exponents of models and of assimilation cycles, and the alignment of increments.",
      {}, [&](const example::Options& options) { lyapunov(options, weights); },
      [&](CLI::App& app) { app.add_option("--weights", weights, "Folder of the weights"); });
}
