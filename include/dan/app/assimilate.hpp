// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>
#include <vector>

#include "dan/app/menu.hpp"
#include "dan/app/observation_checks.hpp"
#include "dan/app/writable.hpp"
#include "dan/core/interrupt.hpp"
#include "dan/core/progress.hpp"
#include "dan/io/csv.hpp"
#include "dan/io/json.hpp"
#include "dan/io/npy.hpp"
#include "dan/observe/table_file.hpp"
#include "dan/problem/truth.hpp"

namespace dan::app {

namespace detail {
/// The table of analyses that a run writes, a line for each cycle.
class AnalysesFile {
 public:
  AnalysesFile(std::filesystem::path file, std::size_t size) : file_(std::move(file)) {
    table_.columns = {"time", "observations", "innovation", "spread"};
    for (std::size_t i = 0; i < size; ++i) table_.columns.push_back(to_text("x", i));
  }
  /// Goes on after `cycles` lines of the file; more of them were written just before a kill.
  void resume(std::size_t cycles) {
    const CsvTable before = load_csv(file_);
    if (before.columns != table_.columns || before.numbers.shape()[0] < cycles)
      throw FileError(to_text(file_.string(), " is not what was written in ", cycles,
                              " cycles; take another --out"));
    numbers_.assign(
        before.numbers.begin(),
        before.numbers.begin() + static_cast<std::ptrdiff_t>(cycles * table_.columns.size()));
  }
  /// Of the observations in a cycle that was written; not a number without any.
  [[nodiscard]] double innovation(std::size_t cycle) const {
    return numbers_[(cycle - 1) * table_.columns.size() + 2];
  }
  void add(double time, std::size_t observations, double innovation, double spread,
           std::span<const double> x) {
    for (const double number : {time, static_cast<double>(observations), innovation, spread})
      numbers_.push_back(number);
    numbers_.insert(numbers_.end(), x.begin(), x.end());
  }
  void save() {
    table_.numbers =
        zero_tensor<double>(numbers_.size() / table_.columns.size(), table_.columns.size());
    std::ranges::copy(numbers_, table_.numbers.begin());
    save_csv(file_, table_);
  }

 private:
  std::filesystem::path file_;
  CsvTable table_;
  std::vector<double> numbers_;
};
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
  namespace fs = std::filesystem;
  const auto table = observations_of<Geometry, Channels>(task.table, task.observations);
  const auto fail = [&](const auto&... what) {
    throw ConfigError(to_text(task.observations.string(), ": ", what...));
  };
  const std::size_t slots = cycler.slots(), coordinates = cycler.coordinates();
  if (const auto most = most_in_a_cycle(table, task.times); most > slots)
    fail("a cycle of ", task.times.interval, " units of time has ", most,
         " observations, expected at most ", slots, "; is the interval in the units of the table?");
  detail::check_table(table, task, cycler);
  const auto files = files_of_assimilation(task.out);
  for (const auto& file : files)
    if (is_same_file(file, task.observations))
      fail("a run writes a file of this name into --out; take another folder");
  require_writable_folder("--out", task.out);
  const FolderLock lock("--out", task.out);
  const fs::path &made_by = files[0], &analyses_csv = files[1], &assimilated = files[2],
                 &state = files[3];
  detail::AnalysesFile analyses(analyses_csv, cycler.size());
  detail::InnovationCheck innovations;  // of all cycles of the folder
  const nlohmann::ordered_json run{{"problem", task.problem},
                                   {"method", task.method},
                                   {"seed", task.seed},
                                   {"start", task.times.start},
                                   {"interval", task.times.interval}};
  if (fs::exists(made_by)) {
    if (const auto other = json_differences(read_json(made_by), run); !other.empty())
      throw FileError(
          to_text(made_by.string(), " is of another run: ", other, "; take another --out"));
  } else {
    for (const auto& file : files)
      if (fs::exists(file))
        throw FileError(to_text(file.string(), " is of another run; take another --out"));
  }
  if (fs::exists(state))
    cycler.load(state, task.seed);
  else
    cycler.start_from_climate(task.seed);
  const std::size_t first = cycler.cycle(), last = last_cycle(table, task.times);
  if (first > 0) {
    for (const auto& file : {analyses_csv, assimilated})
      if (!fs::exists(file))
        throw FileError(to_text(file.string(), " is not there, but ", state.string(),
                                " is; take another --out, or remove that to begin anew"));
    analyses.resume(first);
    const auto before = load_observations<Geometry, Channels>(assimilated);
    for (std::size_t k = 1; k <= first; ++k) {
      const auto seen = rows_of(table, task.times, k);
      if (!std::ranges::equal(seen, rows_of(before, task.times, k)))
        fail("cycle ", k, " has other observations than when it was assimilated (",
             assimilated.string(), "); add later cycles only, or take another --out");
      innovations.add_cycle(seen, analyses.innovation(k));
    }
  }

  const std::size_t end =
      std::max(first, task.cycles == 0 ? last : std::min(last, first + task.cycles));
  std::vector<double> x(cycler.size()), predicted(slots), values, variances, places;
  double spread = 0;
  // The first cycle with an observation that is far from its forecast, by 20 deviations of its
  // error where those of a filter that works are a few; the same after the first ten.
  std::size_t far = 0, far_later = 0;
  std::size_t used = 0;
  Progress progress("assimilating", end - first, true);
  const auto save_analyses = [&] {
    if (!fs::exists(made_by)) write_json(made_by, run);
    analyses.save();
  };
  const auto save = [&] {
    save_analyses();
    save_observations(assimilated, detail::rows_up_to(table, task.times, cycler.cycle()));
    cycler.save(state);
  };
  auto saved = std::chrono::steady_clock::now();
  while (cycler.cycle() < end) {
    if (std::chrono::steady_clock::now() - saved > std::chrono::minutes(1)) {
      save();
      saved = std::chrono::steady_clock::now();
    }
    if (interrupted()) {
      save();
      throw_if_interrupted("assimilate", cycler.cycle(),
                           " cycles are written; the same command goes on");
    }
    const std::size_t cycle = cycler.cycle() + 1;
    const auto seen = rows_of(table, task.times, cycle);
    values.assign(slots, std::numeric_limits<double>::quiet_NaN());
    variances.assign(slots, 1);
    places.assign(slots * coordinates, std::numeric_limits<double>::quiet_NaN());
    for (std::size_t j = 0; j < seen.size(); ++j) {
      values[j] = seen[j].value;
      variances[j] = seen[j].deviation * seen[j].deviation;
      std::ranges::copy(seen[j].place.position, &places[j * coordinates]);
      if (Channels > 1)
        places[(j + 1) * coordinates - 1] = static_cast<double>(seen[j].place.channel);
    }
    const double time = task.times.start + static_cast<double>(cycle) * task.times.interval;
    double innovation = std::numeric_limits<double>::quiet_NaN();
    try {
      cycler.forecast();
      cycler.observe(places, predicted);
      if (!seen.empty()) {
        innovation = innovations.add(seen, predicted);
        for (std::size_t j = 0; j < seen.size() && far_later == 0; ++j)
          if (std::abs(seen[j].value - predicted[j]) > 20 * seen[j].deviation) {
            if (far == 0) far = cycle;
            if (cycle > 10) far_later = cycle;
          }
        if (!std::isfinite(innovation)) throw NumericalError("the innovations are not finite");
      }
      cycler.analyse(values, variances, places);
      cycler.estimate(x);
    } catch (const NumericalError& e) {
      const bool any = cycle > 1;
      if (any) save_analyses();
      throw NumericalError(
          to_text(task.observations.string(), ": cycle ", cycle, ", at ", time, ": ", e.what(),
                  far > 0 ? to_text("; perhaps there is a value that cannot be in cycle ", far,
                                    ", the first with an innovation of more than 20 deviations")
                          : "",
                  any ? to_text("; what was before is in ", analyses_csv.string()) : ""));
    } catch (const ConfigError& e) {
      if (cycle > 1) save_analyses();
      fail("cycle ", cycle, ", at ", time, ": ", e.what());
    }
    cycler.spread({&spread, 1});
    used += seen.size();
    analyses.add(time, seen.size(), innovation, spread, x);
    progress.advance();
  }
  save();
  if (end > first) innovations.notice_of(task.observations.string());
  if (far_later > 0)
    notice(
        to_text(task.observations.string(), ": in cycle ", far_later,
                " an innovation is more than 20 deviations of its observation's error; is there a "
                "value that cannot be?"));
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
