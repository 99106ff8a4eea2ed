// SPDX-License-Identifier: BSD-3-Clause
// Assimilates the observations of a file, step by step: instruments that drift between the grid
// points of Lorenz 96, each with an error of its own, and cycles without any.
//
//     04_own_observations [observations.csv]
//
// The file begins with the line `time,place,value,deviation`; place is a number from 0 to below 40.
// If it is not there, one is made from a model run.
#include <array>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <filesystem>

#include "dan/analysis/letkf.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/interpolate.hpp"
#include "dan/observe/table_file.hpp"
#include "dan/problem/truth.hpp"

namespace {

using namespace dan;
using Grid = Ring<40>;
constexpr CycleTimes times{.interval = 0.05};  // an analysis every 0.05

/// Observations at random places with errors of 0.5, 1 and 1.5, none in cycles 100 to 119.
void make_file(const std::filesystem::path& path) {
  using Drifting = Problem<Rk4<Lorenz96<40>>, ObserveRandomPlaces<Grid, 30>>;
  std::array<double, 30> variances{};
  for (std::size_t j = 0; j < 30; ++j) variances[j] = j % 3 == 0 ? 0.25 : (j % 3 == 1 ? 1 : 2.25);
  const Drifting problem{.observe = ObserveRandomPlaces<Grid, 30>(20, 30),
                         .noise = DiagonalNoise<30>(variances)};
  TwinTruth<Drifting, 1> twin(problem, {});
  ObservationTable<Grid> table;
  for (std::size_t k = 1; k <= 200; ++k) {
    twin.next();
    if (k < 100 || k >= 120)
      add_observations(table, 0.05 * static_cast<double>(k), problem.observe, twin.observed());
  }
  save_observations(path, table);
}

void assimilate(const std::filesystem::path& path) {
  const auto table = load_observations<Grid>(path);
  std::printf("%zu observations in %zu cycles, at most %zu at a time\n\n", table.rows().size(),
              last_cycle(table, times), most_in_a_cycle(table, times));

  using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAt<Grid, 100>>;  // at most 100 at a time
  const Letkf<Lorenz, 20> filter(Lorenz{}, {.inflation = {.factor = 1.02}});
  Letkf<Lorenz, 20>::FirstGuessBatch guess;
  guess.fill(2.3);  // the climate
  auto carried = filter.start(guess, 3.6, {.seed = 1});
  Letkf<Lorenz, 20>::Observed observed;
  Letkf<Lorenz, 20>::Estimate estimate;
  std::array<double, 1> spread{};

  std::printf("%6s %13s %8s %8s\n", "cycle", "observations", "spread", "x_0");
  for (std::size_t k = 1; k <= last_cycle(table, times); ++k) {
    const auto rows = rows_of(table, times, k);
    set_observations(observed, 0, rows);
    filter.forecast(carried);
    filter.analyse(carried, observed, {.seed = 1, .cycle = k});
    filter.estimate(carried, estimate);
    filter.spread(carried, spread);
    if (k % 10 == 0)
      std::printf("%6zu %13zu %8.3f %8.3f\n", k, rows.size(), spread[0], estimate.at(0, 0));
  }
}

}  // namespace

int main(int count, char** arguments) {
  try {
    const std::filesystem::path path = count > 1 ? arguments[1] : "observations.csv";
    if (!std::filesystem::exists(path)) make_file(path);
    assimilate(path);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
