// SPDX-License-Identifier: BSD-3-Clause
// What the networks of weights/ give, for tests/peers/compare_torch.py: `network_outputs WEIGHTS
// FOLDER` writes, of some cycles of a twin experiment, NAME.inputs.npy and, computed in TYPE from
// the inputs rounded to it (float32 or float64), NAME.TYPE.outputs.npy: cycles × lanes × numbers.
// docs/weights.md has their order.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "dan/analysis/learned.hpp"
#include "dan/geometry/lat_lon.hpp"
#include "dan/integrate/etdrk4.hpp"
#include "dan/integrate/repeated.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/io/npy.hpp"
#include "dan/models/barotropic_sphere.hpp"
#include "dan/models/kuramoto_sivashinsky.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/models/on_grid.hpp"
#include "dan/network/pretrained.hpp"
#include "dan/network/weights.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/interpolate.hpp"
#include "dan/observe/random.hpp"
#include "dan/problem/truth.hpp"
#include "dan/train/start.hpp"
#include "dan/transform/spherical_harmonics.hpp"
#include "dan/transform/stream_function.hpp"

namespace {
using namespace dan;
using std::filesystem::path;

using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
using SparseLorenz = Problem<Rk4<Lorenz96<40>>, ObserveRandom<40>>;
using Places = Problem<Rk4<Lorenz96<40>>, ObserveRandomPlaces<Ring<40>, 40>>;
using Waves =
    Problem<Repeated<Etdrk4<KuramotoSivashinsky<128>>>, ObserveAll<128>, KuramotoSivashinskyStart>;
using Grid = LatLon<32, 64, Latitudes::gaussian>;
using Harmonics = SphericalHarmonics<21, Grid>;
template <class Shown>
using Sphere = Problem<OnGrid<Harmonics, Rk4<QuasiGeostrophic<Harmonics>>, Shown>,
                       ObserveAll<Grid::points>, SphereStart<Harmonics>>;

constexpr NetworkShape members_shape = [] {
  NetworkShape shape = pretrained::Small::shape;
  shape.members = 3;
  return shape;
}();
using Members = AnalysisNetwork<members_shape, Ring<40>>;
using Linear = AnalysisNetwork<
    NetworkShape{.filters = 40, .blocks = 2, .sub_blocks = 2, .activation = Nonlinearity::identity},
    Ring<40>>;
using Simplified = AnalysisNetwork<
    NetworkShape{.filters = 40, .blocks = 2, .sub_blocks = 2, .sees_forecast = false}, Ring<40>>;

using LastLayerOfOne =
    AnalysisNetwork<NetworkShape{.filters = 8, .blocks = 1, .output_kernel = 1}, Ring<40>>;

constexpr std::size_t cycles = 6, lanes = 4;

/// Of inputs, cycles × lanes × numbers.
template <class Real, class Network>
Tensor<double, 3> outputs(const Trained<Network>& trained, const Tensor<double, 3>& inputs) {
  using In = Batch<Real, Network::inputs, 1, lanes>;
  const std::vector<Real> parameters(trained.parameters.begin(), trained.parameters.end());
  const auto cache = std::make_unique<typename Network::template Cache<typename In::T>>();
  auto result = zero_tensor<double>(cycles, lanes, Network::outputs);
  In in;
  Batch<Real, Network::outputs, 1, lanes> out;
  for (std::size_t k = 0; k < cycles; ++k) {
    for (std::size_t l = 0; l < lanes; ++l)
      for (std::size_t i = 0; i < Network::inputs; ++i)
        in.at(i, l) = static_cast<Real>(inputs(k, l, i));
    in.repeat_last_lane();
    trained.network.forward(parameters.data(), in.data(), out.data(), *cache);
    for (std::size_t l = 0; l < lanes; ++l)
      for (std::size_t i = 0; i < Network::outputs; ++i)
        result(k, l, i) = static_cast<double>(out.at(i, l));
  }
  return result;
}

template <class Network, class Problem>
void write(const path& weights, const path& folder, const std::string& name,
           const Problem& problem) {
  const auto trained = load_weights<Network>(weights / (name + ".safetensors"));
  const Learned<Problem, Network, lanes> learned(problem, trained);
  TwinTruth<Problem, lanes> twin(problem, {.seed = 1, .first_run = 0});
  auto carried = learned.start(twin.truth(), problem.unit(0), twin.key(0));
  auto inputs = zero_tensor<double>(cycles, lanes, Network::inputs);
  observed_t<typename Problem::Operator, float, lanes> observed;
  for (std::size_t k = 0; k < cycles; ++k) {
    twin.next();
    convert_precision(twin.observed(), observed);
    learned.forecast(carried);
    learned.analyse(carried, observed, twin.key(0));
    const auto& seen = carried.cache->network_in;
    for (std::size_t l = 0; l < lanes; ++l)
      for (std::size_t i = 0; i < Network::inputs; ++i)
        inputs(k, l, i) = static_cast<double>(lane_of(seen[i], l));
  }
  const std::string to = (folder / name).string();
  save_npy(to + ".inputs.npy", inputs);
  save_npy(to + ".float32.outputs.npy", outputs<float>(trained, inputs));
  save_npy(to + ".float64.outputs.npy", outputs<double>(trained, inputs));
}
}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::fprintf(stderr, "usage: network_outputs WEIGHTS FOLDER\n");
    return 2;
  }
  const path weights = argv[1], folder = argv[2];
  const Lorenz lorenz;
  write<pretrained::Plain>(weights, folder, "plain", lorenz);
  write<Linear>(weights, folder, "linear", lorenz);
  write<Simplified>(weights, folder, "simplified", lorenz);
  write<pretrained::Small>(weights, folder, "small", lorenz);
  write<pretrained::Sparse>(weights, folder, "sparse", SparseLorenz{});
  write<pretrained::Sparse>(weights, folder, "places",
                            Places{.observe = ObserveRandomPlaces<Ring<40>, 40>(20, 30)});
  write<pretrained::Universal>(
      weights, folder, "universal",
      SparseLorenz{.model = {.steps = 2}, .noise = DiagonalNoise<40>(0.5)});
  write<Members>(weights, folder, "members", lorenz);
  write<pretrained::Recurrent>(weights, folder, "recurrent", lorenz);
  write<pretrained::Memoryless>(weights, folder, "memoryless", lorenz);
  for (std::size_t dt = 1; dt <= 4; dt *= 2) {
    const Waves waves{.model = {.model = {}, .count = 2 * dt}};
    write<pretrained::KuramotoSivashinskyPlain>(weights, folder,
                                                to_text("kuramoto_sivashinsky_plain_", dt), waves);
    write<pretrained::KuramotoSivashinsky>(weights, folder,
                                           to_text("kuramoto_sivashinsky_memory_", dt), waves);
  }
  write<pretrained::KuramotoSivashinskyLarge>(weights, folder, "kuramoto_sivashinsky_large_1",
                                              Waves{.model = {.model = {}, .count = 2}});
  const Sphere<OwnFields> sphere{.model = {{one_level<Harmonics>(), 3600, 12}},
                                 .noise = DiagonalNoise<Grid::points>(5.6e-11),
                                 .norm = {{2.67e-5}}};
  write<pretrained::SphereLarge>(weights, folder, "sphere_512_regular", sphere);
  for (const char* observed : {"128_regular", "128_random", "all"})  // the same network
    write<pretrained::Sphere>(weights, folder, to_text("sphere_", observed), sphere);
  write<pretrained::Sphere>(
      weights, folder, "sphere_512_of_the_stream_function",
      Sphere<StreamFunction<Harmonics>>{.model = {{one_level<Harmonics>(), 3600, 12}},
                                        .noise = DiagonalNoise<Grid::points>(3.8e13),
                                        .start = {.deviation = 2.2e5},
                                        .norm = {{2.2e7}}});
  // What no file has.
  save_weights(folder / "last_layer_of_one.safetensors", random_start<float>(LastLayerOfOne{}, 1));
  write<LastLayerOfOne>(folder, folder, "last_layer_of_one", lorenz);
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
