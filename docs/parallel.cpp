// SPDX-License-Identifier: BSD-3-Clause
// What docs/parallel.md shows.
#include <cstddef>
#include <span>
#include <vector>

#include "dan/dan.hpp"
#include "dan/mpi/ranks.hpp"

namespace {
using Lorenz = dan::Problem<dan::Rk4<dan::Lorenz96<40>>, dan::ObserveAll<40>>;
using Network = dan::NetworkFor<Lorenz, dan::NetworkShape{.filters = 16, .head = dan::Head::gain}>;
const Lorenz problem;
const dan::Recipe<dan::EnsrfTeacher<64>> recipe{.training = {.updates = 100}};

/// Something flows from row to row.
template <class Geometry_>
struct MyEquation {
  using Geometry = Geometry_;
  static constexpr std::size_t points = Geometry::points, channels = 1;
  template <class T>
  void tendency(const T* x, T* dxdt) const {
    for (std::size_t p = 0; p < points; ++p) dxdt[p] = x[Geometry::tap(p, 1, 3)] - x[p];
  }
};

template <class Analysis, class Make, class... Recorders>
void experiments(dan::MpiRanks& ranks, const Analysis& analysis, const Make& make,
                 const std::vector<dan::TunedParameter>& grid, const dan::TwinConfig& twin,
                 const dan::TuneConfig& config, dan::Sweep& sweep, Recorders&... recorders) {
  const auto scores =
      dan::run_twin(problem, analysis, twin, ranks, recorders...);  // shares out groups of runs
  const auto tuning = dan::tune_analysis(problem, grid, make, twin, config, ranks);  // trials
  const auto rows = sweep.run(ranks);                                                // rows
}

void bands(dan::MpiRanks& ranks, std::vector<double>& x) {
  using Cut = dan::TorusBand<dan::Torus<256, 256>, 64,
                             8>;  // 4 ranks: 64 rows each, 8 rows of halo on either side
  const dan::Halo<Cut, dan::MpiRanks> halo(ranks);
  const dan::Rk4<MyEquation<Cut>> model;  // asks its geometry for neighbours
  halo.exchange(std::span(x));            // x: Cut::points × channels numbers or packs
  model.step(x.data(), x.data());         // the own rows are right, until the next exchange
}

[[maybe_unused]] void all(dan::MpiRanks& ranks) {
  const dan::EnkfN<Lorenz, 20> analysis(problem);
  dan::Sweep sweep("rows", {}, {});
  experiments(
      ranks, analysis,
      [](std::span<const double> v) {
        return dan::Etkf<Lorenz, 20>(problem, {.inflation = {.factor = v[0]}});
      },
      {{"inflation", {1.0, 1.02}}}, {.runs = 2}, {}, sweep);
  std::vector<double> band(dan::TorusBand<dan::Torus<256, 256>, 64, 8>::points);
  bands(ranks, band);
}
}  // namespace

int main(int argc, char** argv) {
  return dan::mpi_main(argc, argv, [](dan::MpiRanks& ranks) {
    const auto [trained, report] =
        dan::train<Network, 16>(problem, recipe, "checkpoints/mine", ranks);
    if (ranks.rank() == 0) dan::save_weights("mine.safetensors", trained);
  });
}
