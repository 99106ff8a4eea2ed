// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "dan/analysis/carried.hpp"
#include "dan/app/menu.hpp"
#include "dan/app/writable.hpp"
#include "dan/core/interrupt.hpp"
#include "dan/core/progress.hpp"
#include "dan/experiment/record.hpp"
#include "dan/io/csv.hpp"
#include "dan/observe/table_file.hpp"
#include "dan/problem/climate.hpp"

namespace dan::app {

namespace detail {
/// A first guess that knows the climate only: its mean, and the deviation of all elements together
/// in units of the norm.
template <class Method, class Problem>
typename Method::Carried start_from_climate(const Problem& problem, const Method& method,
                                            const RandomKey& key) {
  const ClimateMoments climate = climate_moments_of(problem);
  typename Method::FirstGuessBatch guess;
  double square = 0;
  for (std::size_t i = 0; i < Problem::size; ++i) {
    for (std::size_t l = 0; l < Method::runs; ++l) guess.at(i, l) = climate.mean[i];
    square += std::pow(climate.deviation[i] / problem.unit(i), 2) / Problem::size;
  }
  guess.repeat_last_lane();
  return method.start(guess, std::sqrt(square), key);
}
}  // namespace detail

/// Assimilates the observations of a file, from the climate or from where an earlier call stopped,
/// and writes analyses.csv: time, observations, spread where the method has one, and the estimate
/// of every element, a line for each cycle. Interrupted, it writes what it has and throws.
///
/// Returns {"cycles": …, "last_cycle": …, "observations": …}. Throws FileError for what cannot be
/// read or written, ConfigError for a cycle with more observations than the problem has slots.
template <class Problem, class Method>
nlohmann::ordered_json assimilate(const Problem& problem, const Method& method,
                                  const Assimilation& task) {
  using Geometry = typename Problem::Geometry;
  namespace fs = std::filesystem;
  const auto table = load_observations<Geometry, Problem::channels>(task.observations);
  if (const auto most = most_in_a_cycle(table, task.times); most > Problem::slots)
    throw ConfigError(to_text(task.observations.string(), ": a cycle has ", most,
                              " observations, expected at most ", Problem::slots));
  require_writable_folder("--out", task.out);
  const fs::path state = task.out / "state.safetensors", file = task.out / "analyses.csv";
  // No structured binding, which clang 14 does not capture.
  Resumed<Method> resumed =
      fs::exists(state)
          ? load_carried(method, state)
          : Resumed<Method>{app::detail::start_from_climate(problem, method, {.seed = task.seed}),
                            0};
  auto& carried = resumed.carried;
  std::size_t& cycle = resumed.cycle;
  CsvTable rows;
  rows.columns = {"time", "observations"};
  if constexpr (HasSpread<Method>) rows.columns.emplace_back("spread");
  for (std::size_t i = 0; i < Problem::size; ++i) rows.columns.push_back(to_text("x", i));
  std::vector<double> numbers;
  const auto time_of = [&](std::size_t k) {
    return task.times.start + static_cast<double>(k) * task.times.interval;
  };
  if (cycle > 0) {
    const CsvTable before = load_csv(file);
    const std::size_t count = before.numbers.shape()[0];
    if (before.columns != rows.columns || count != cycle ||
        std::abs(before.numbers(count - 1, 0) - time_of(cycle)) > 1e-6 * task.times.interval)
      throw FileError(to_text(file.string(), " is not what this command wrote in ", cycle,
                              " cycles, the last one at ", time_of(cycle),
                              "; take the same method, --start and --interval, or another --out"));
    numbers.assign(before.numbers.begin(), before.numbers.end());
  }
  const auto save = [&] {
    rows.numbers = zero_tensor<double>(numbers.size() / rows.columns.size(), rows.columns.size());
    std::ranges::copy(numbers, rows.numbers.begin());
    save_csv(file, rows);
    save_carried(method, carried, cycle, state);
  };

  const std::size_t first = cycle, last = last_cycle(table, task.times);
  const std::size_t end =
      std::max(first, task.cycles == 0 ? last : std::min(last, first + task.cycles));
  typename Method::Observed observed;
  typename Method::Estimate estimate;
  std::size_t used = 0;
  Progress progress("assimilating", end - first, true);
  while (cycle < end) {
    if (interrupted()) {
      save();
      throw_if_interrupted("dan run", cycle, " cycles are written; the same command goes on");
    }
    ++cycle;
    const auto seen = rows_of(table, task.times, cycle);
    for (std::size_t l = 0; l < Method::runs; ++l) set_observations(observed, l, seen);
    method.forecast(carried);
    method.analyse(carried, observed, {.seed = task.seed, .cycle = cycle});
    method.estimate(carried, estimate);
    used += seen.size();
    numbers.push_back(time_of(cycle));
    numbers.push_back(static_cast<double>(seen.size()));
    if constexpr (HasSpread<Method>) {
      std::vector<double> spread(Method::runs);
      method.spread(carried, spread);
      numbers.push_back(spread[0]);
    }
    for (std::size_t i = 0; i < Problem::size; ++i) numbers.push_back(estimate.at(i, 0));
    progress.advance();
  }
  save();
  return {{"cycles", end - first}, {"last_cycle", cycle}, {"observations", used}};
}

/// Writes a twin experiment into a folder: observations.csv, and truth.npy (cycles × elements).
template <class Problem>
void make_observations(const Problem& problem, double interval, std::size_t cycles,
                       std::uint64_t seed, const std::filesystem::path& folder) {
  TwinTruth<Problem, 1> twin(problem, {.seed = seed});
  ObservationTable<typename Problem::Geometry, Problem::channels> table;
  auto states = zero_tensor<double>(cycles, Problem::size);
  for (std::size_t k = 1; k <= cycles; ++k) {
    twin.next();
    for (std::size_t i = 0; i < Problem::size; ++i) states(k - 1, i) = twin.truth().at(i, 0);
    add_observations(table, interval * static_cast<double>(k), problem.observe, twin.observed());
  }
  save_observations(folder / "observations.csv", table);
  save_npy(folder / "truth.npy", states);
}

}  // namespace dan::app
