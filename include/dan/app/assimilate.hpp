// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dan/app/assimilation_folder.hpp"
#include "dan/app/menu.hpp"
#include "dan/app/observation_checks.hpp"
#include "dan/app/writable.hpp"
#include "dan/core/interrupt.hpp"
#include "dan/core/progress.hpp"
#include "dan/io/npy.hpp"
#include "dan/observe/table_file.hpp"
#include "dan/problem/truth.hpp"

namespace dan::app {

namespace detail {
/// Observations of a cycle as a cycler takes them: NaN in a slot without any.
struct SlotArrays {
  std::vector<double> values, variances, places;
};
template <std::size_t Channels, class Rows>
SlotArrays slot_arrays(const Cycler& cycler, const Rows& rows) {
  const std::size_t slots = cycler.slots(), coordinates = cycler.coordinates();
  constexpr double silent = std::numeric_limits<double>::quiet_NaN();
  SlotArrays arrays{std::vector<double>(slots, silent), std::vector<double>(slots, 1),
                    std::vector<double>(slots * coordinates, silent)};
  for (std::size_t j = 0; j < rows.size(); ++j) {
    arrays.values[j] = rows[j].value;
    arrays.variances[j] = rows[j].deviation * rows[j].deviation;
    std::ranges::copy(rows[j].place.position, &arrays.places[j * coordinates]);
    if (Channels > 1)
      arrays.places[(j + 1) * coordinates - 1] = static_cast<double>(rows[j].place.channel);
  }
  return arrays;
}
}  // namespace detail

/// Assimilates the observations of a file, from the climate or from where an earlier call stopped,
/// with a cycler of one run into the folder `task.out`: run.json, what the run is of; analyses.csv:
/// time, observations, the root mean square of their innovations y − H(x^f) (nan without any),
/// spread (nan where the method knows none) and the estimate of every element, a line for each
/// cycle; assimilated.csv: the observations up to there; state.safetensors. They are written at the
/// end and once a minute; meanwhile no other process may write there. A `notice` says what looks
/// wrong: observations before the first analysis, which are not used, cycles without any, others
/// than a network was trained for, and innovations that do not suit the observations. Interrupted,
/// it keeps what it has; where the analysis cannot go on, the analyses before.
///
/// Returns {"cycles": …, "last_cycle": …, "observations": …, "innovation_rms": …, "error_rms": …};
/// the last two, of the innovations and of the observations' errors, are of the last three quarters
/// of those that the folder has, null without any. Throws FileError for what cannot be read or
/// written, or is of another run; ConfigError for a table without an observation to assimilate, a
/// cycle with more of them than the problem has slots, or with others than when it was assimilated;
/// NumericalError, which names the cycle, where an analysis cannot go on.
template <class Geometry, std::size_t Channels>
nlohmann::ordered_json assimilate(Cycler& cycler, const Assimilation& task) {
  const std::string name = task.observations.string();
  const auto table = observations_of<Geometry, Channels>(task.table, task.observations);
  if (const auto most = most_in_a_cycle(table, task.times); most > cycler.slots())
    throw ConfigError(to_text(name, ": a cycle of ", task.times.interval, " units of time has ",
                              most, " observations, expected at most ", cycler.slots(),
                              "; is the interval in the units of the table?"));
  detail::check_table(table, task, cycler);
  detail::AssimilationFolder folder(task, table, cycler.size());
  detail::InnovationCheck innovations;  // of all cycles of the folder
  folder.resume(cycler, innovations);

  const std::size_t first = cycler.cycle(), last = last_cycle(table, task.times);
  const std::size_t end =
      std::max(first, task.cycles == 0 ? last : std::min(last, first + task.cycles));
  std::vector<double> x(cycler.size()), predicted(cycler.slots());
  std::size_t used = 0;
  Progress progress("assimilating", end - first, true);
  while (cycler.cycle() < end) {
    folder.save_now_and_then(cycler);
    if (interrupted()) {
      folder.save(cycler);
      throw_if_interrupted("assimilate", cycler.cycle(),
                           " cycles are written; the same command goes on");
    }
    const std::size_t cycle = cycler.cycle() + 1;
    const double time = task.times.start + static_cast<double>(cycle) * task.times.interval;
    const auto seen = rows_of(table, task.times, cycle);
    const auto arrays = detail::slot_arrays<Channels>(cycler, seen);
    double innovation = std::numeric_limits<double>::quiet_NaN(), spread = innovation;
    // Keeps what was before, and says where the analysis stopped.
    const auto stopped = [&](const auto&... what) {
      if (cycle > 1) folder.save_analyses();
      return to_text(name, ": cycle ", cycle, ", at ", time, ": ", what...);
    };
    try {
      cycler.forecast();
      cycler.observe(arrays.places, predicted);
      if (!seen.empty()) {
        innovation = innovations.add(cycle, seen, predicted);
        if (!std::isfinite(innovation)) throw NumericalError("the innovations are not finite");
      }
      cycler.analyse(arrays.values, arrays.variances, arrays.places);
      cycler.estimate(x);
    } catch (const NumericalError& e) {
      throw NumericalError(stopped(
          e.what(), innovations.suspicion(),
          cycle > 1 ? to_text("; what was before is in ", folder.analyses().string()) : ""));
    } catch (const ConfigError& e) {
      throw ConfigError(stopped(e.what()));
    }
    cycler.spread({&spread, 1});
    used += seen.size();
    folder.add(time, seen.size(), innovation, spread, x);
    progress.advance();
  }
  folder.save(cycler);
  if (end > first) innovations.notice_of(name);
  const auto sizes = innovations.sizes();
  return {{"cycles", end - first},
          {"last_cycle", cycler.cycle()},
          {"observations", used},
          {"innovation_rms", sizes.innovation},
          {"error_rms", sizes.error}};
}

namespace detail {
/// Throws ConfigError where there is a file and `is_same` finds other contents, or cannot read it.
template <class IsSame>
void require_same_or_none(const std::filesystem::path& file, const IsSame& is_same) {
  if (!std::filesystem::exists(file)) return;
  bool same = false;
  try {
    same = is_same();
  } catch (const std::exception&) {  // what cannot be read is another file
  }
  if (!same)
    throw ConfigError(to_text("make: ", file.string(),
                              " is there with other contents; give --out another folder, or remove "
                              "it"));
}
}  // namespace detail

/// Writes a twin experiment into a folder: observations.csv, and truth.npy (cycles × elements).
/// Throws ConfigError where files of these names have other contents.
template <class Problem>
void make_observations(const Problem& problem, double interval, std::size_t cycles,
                       std::uint64_t seed, const std::filesystem::path& folder) {
  TwinTruth<Problem, 1> twin(problem, {.seed = seed});
  ObservationTable<typename Problem::Geometry, Problem::channels> table;
  auto states = zero_tensor<double>(cycles, Problem::size);
  require_writable_folder("--out", folder);
  const FolderLock lock("--out", folder);
  for (std::size_t k = 1; k <= cycles; ++k) {
    throw_if_interrupted("make_observations", k - 1, " cycles; nothing is written");
    twin.next();
    for (std::size_t i = 0; i < Problem::size; ++i) states(k - 1, i) = twin.truth().at(i, 0);
    add_observations(table, interval * static_cast<double>(k), problem.observe, twin.observed());
  }
  const auto observations = folder / "observations.csv", truth = folder / "truth.npy";
  detail::require_same_or_none(observations, [&] {
    using Table = decltype(table);
    const auto there = load_observations<typename Table::Geometry, Table::channels>(observations);
    return std::ranges::equal(there.rows(), table.rows());
  });
  detail::require_same_or_none(truth, [&] {
    const auto there = load_npy<2>(truth);
    return there.shape() == states.shape() && std::ranges::equal(there, states);
  });
  save_observations(observations, table);
  save_npy(truth, states);
}

}  // namespace dan::app
