// SPDX-License-Identifier: BSD-3-Clause
// Fields in two dimensions, three of them with unlike units: a shallow layer of air over a doubly
// periodic plane of 3,200 km, driven towards three jets that are unstable. Height (m) and wind
// (m/s) are observed at 200 random places, others in every cycle; the network convolves over the
// plane.
#include <algorithm>
#include <numbers>

#include "comparison.hpp"

namespace {

using namespace dan;
constexpr std::size_t side = 32;

/// ∂h/∂t = −∇·((H + h) u) − κ ∇⁴h,
/// ∂u/∂t = −(f + ζ) k × u − ∇(g h + |u|²/2) − κ ∇⁴u + (U sin(2π n y/L) e_x − u)/τ.
/// Rows go from south to north, columns from west to east; centred differences on one grid. Source:
/// Vallis, Atmospheric and Oceanic Fluid Dynamics (2017), equations 3.8 and 4.62.
struct ShallowWater {
  using Geometry = Torus<side, side>;
  static constexpr std::size_t points = side * side, channels = 3;  // h, u, v
  double spacing = 1e5, depth = 92, gravity = 9.81, coriolis = 1e-4;
  double jet = 30, jets = 3, relaxation = 3e5, diffusion = 2e14;

  /// The point i rows to the north and j columns to the east of point (r, c), −2 … 2.
  template <class T>
  static T* at(T* x, std::size_t r, std::size_t c, int i, int j) {
    const auto step = [](std::size_t p, int n) {
      return (p + side + static_cast<std::size_t>(n + 2) - 2) % side;
    };
    return x + (step(r, i) * side + step(c, j)) * channels;
  }

  /// −κ ∇⁴ of channel `of` at point (r, c).
  template <class T>
  T diffused(const T* x, std::size_t r, std::size_t c, std::size_t of) const {
    const auto sum = [&](int i, int j) {  // of four points
      return at(x, r, c, i, j)[of] + at(x, r, c, -i, -j)[of] + at(x, r, c, j, -i)[of] +
             at(x, r, c, -j, i)[of];
    };
    const double area = spacing * spacing;
    return -diffusion / (area * area) *
           (20.0 * at(x, r, c, 0, 0)[of] - 8.0 * sum(1, 0) + 2.0 * sum(1, 1) + sum(2, 0));
  }

  template <class T>
  void tendency(const T* x, T* dxdt) const {
    const double per = 1 / (2 * spacing);
    for (std::size_t r = 0; r < side; ++r) {
      const double y = static_cast<double>(r) / side;
      const double forcing = jet * std::sin(2 * std::numbers::pi * jets * y) / relaxation;
      for (std::size_t c = 0; c < side; ++c) {
        const T *here = at(x, r, c, 0, 0), *north = at(x, r, c, 1, 0), *south = at(x, r, c, -1, 0),
                *east = at(x, r, c, 0, 1), *west = at(x, r, c, 0, -1);
        const auto energy = [&](const T* p) {
          return gravity * p[0] + 0.5 * (p[1] * p[1] + p[2] * p[2]);
        };
        const auto flux = [&](const T* p, std::size_t of) { return (depth + p[0]) * p[of]; };
        const T vorticity = coriolis + per * (east[2] - west[2] - north[1] + south[1]);
        T* f = at(dxdt, r, c, 0, 0);
        f[0] = diffused(x, r, c, 0) -
               per * (flux(east, 1) - flux(west, 1) + flux(north, 2) - flux(south, 2));
        f[1] = diffused(x, r, c, 1) + vorticity * here[2] - per * (energy(east) - energy(west)) -
               here[1] * (1 / relaxation) + forcing;
        f[2] = diffused(x, r, c, 2) - vorticity * here[1] - per * (energy(north) - energy(south)) -
               here[2] * (1 / relaxation);
      }
    }
  }
};

/// A truth begins with the jets and a little wind in all directions.
struct Jets {
  std::size_t spin_up = 150;
  void operator()(const RandomKey& key, std::span<double> x) const {
    fill_normal<double>(key, x);
    const double n = 2 * std::numbers::pi * 3 / side;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto row = static_cast<double>(i / (3 * side));
      const double mean = i % 3 == 1 ? 30 * std::sin(n * row) : 0;
      const double height = 1e-4 * 30 * 1e5 / (9.81 * std::sin(n)) * std::cos(n * row);
      x[i] = i % 3 == 0 ? height : mean + x[i];
    }
  }
};

using Places = ObserveRandomPlaces<ShallowWater::Geometry, 200, 3>;
using Plane = Problem<Rk4<ShallowWater>, Places, Jets>;
using Background = DistanceBackground<ShallowWater::Geometry, 3>;
using Network = NetworkFor<Plane, NetworkShape{.filters = 24,
                                               .blocks = 2,
                                               .sub_blocks = 2,
                                               .kernel = 3,
                                               .head = Head::gain,
                                               .memory = 8,
                                               .gain_radius = 3,
                                               .products = 16,
                                               .sees_precision = true}>;

void two_dimensions(const example::Options& options) {
  // An analysis every ten steps, five and a half hours; a metre counts as much as half a metre per
  // second.
  const Plane problem{
      .model = {.time_step = 2000, .steps = 10}, .observe = Places(200, 200), .norm = {{2, 1, 1}}};
  example::Comparison compare("06_two_dimensions", options, problem,
                              {.runs = 4, .cycles = 200, .burn_in = 60, .seed = 1},
                              {.runs = 4, .cycles = 80, .burn_in = 50, .seed = 2});
  // The background's errors are correlated over two grid steps and have a share x_B of the
  // climate's variances. As every method here, the 4D-Var uses an observation once.
  const auto climate = climate_moments_of(problem, {.cycles = options.quick ? 5U : 200U});
  const auto background = [&](double share) { return Background(climate.deviation, 2, share); };
  compare.add("3D-Var", {"x_B", {0.00025, 0.0005, 0.001, 0.002}}, [&](double share) {
    return Var3d<Plane, 1, Background>(problem, background(share));
  });
  compare.add("4D-Var of 2 cycles", {"x_B", {0.00025, 0.0005, 0.001}}, [&](double share) {
    return Var4d(problem, background(share), {.lag = 2, .iterations = 1, .inner_iterations = 10});
  });
  compare.add("LETKF, 20 members",
              Letkf<Plane, 20>(problem, {.radius = 3, .batch = 4, .inflation = {.factor = 1.04}}));
  constexpr std::size_t lanes = std::max<std::size_t>(8, simd_width<float>);  // whole registers
  compare.train<Network, lanes>("DAN, one state and memory",
                                {.updates = 800, .groups = 2, .unroll = 2, .warm_up = 50});
  compare.write();
}

}  // namespace

int main(int argc, char** argv) {
  return example::run(argc, argv,
                      "Shallow water on a periodic plane, observed at random places: 3D-Var, "
                      "4D-Var, LETKF and a network that convolves over the plane.",
                      {}, two_dimensions);
}
