// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>
#include <vector>

#include "dan/app/menu.hpp"
#include "dan/app/observation_checks.hpp"
#include "dan/app/writable.hpp"
#include "dan/core/error.hpp"
#include "dan/core/tensor.hpp"
#include "dan/io/csv.hpp"
#include "dan/io/json.hpp"
#include "dan/observe/table.hpp"
#include "dan/observe/table_file.hpp"

namespace dan::app::detail {

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

/// The folder of an assimilation, which goes on with it: run.json, what the run is of; the
/// analyses; the observations that were assimilated; what the method carries. No other process
/// writes there meanwhile.
template <class Table>
class AssimilationFolder {
 public:
  /// Throws FileError unless the folder can be written and has nothing of another run, ConfigError
  /// where it would write over the observations. Both live as long.
  AssimilationFolder(const Assimilation& task, const Table& table, std::size_t size)
      : task_(task),
        table_(table),
        files_(writable_files(task)),
        lock_("--out", task.out),
        analyses_(files_[1], size),
        run_{{"problem", task.problem},
             {"method", task.method},
             {"seed", task.seed},
             {"start", task.times.start},
             {"interval", task.times.interval}} {
    if (std::filesystem::exists(made_by())) {
      if (const auto other = json_differences(read_json(made_by()), run_); !other.empty())
        throw FileError(
            to_text(made_by().string(), " is of another run: ", other, "; take another --out"));
    } else {
      for (const auto& file : files_)
        if (std::filesystem::exists(file))
          throw FileError(to_text(file.string(), " is of another run; take another --out"));
    }
  }

  /// Brings the cycler to the end of what was assimilated, or to the climate, and innovations to
  /// those of the cycles before. Throws FileError for what is missing or damaged, ConfigError where
  /// the table has other observations in a cycle than were assimilated.
  void resume(Cycler& cycler, InnovationCheck& innovations) {
    if (!std::filesystem::exists(state())) return cycler.start_from_climate(task_.seed);
    cycler.load(state(), task_.seed);
    const std::size_t cycles = cycler.cycle();
    if (cycles == 0) return;
    for (const auto& file : {analyses(), assimilated()})
      if (!std::filesystem::exists(file))
        throw FileError(to_text(file.string(), " is not there, but ", state().string(),
                                " is; take another --out, or remove that to begin anew"));
    analyses_.resume(cycles);
    const auto before = load_observations<typename Table::Geometry, Table::channels>(assimilated());
    for (std::size_t k = 1; k <= cycles; ++k) {
      const auto seen = rows_of(table_, task_.times, k);
      if (!std::ranges::equal(seen, rows_of(before, task_.times, k)))
        throw ConfigError(to_text(task_.observations.string(), ": cycle ", k,
                                  " has other observations than when it was assimilated (",
                                  assimilated().string(),
                                  "); add later cycles only, or take another --out"));
      innovations.add_cycle(seen, analyses_.innovation(k));
    }
  }

  [[nodiscard]] const std::filesystem::path& analyses() const { return files_[1]; }
  /// A cycle more.
  template <class... Parts>
  void add(const Parts&... parts) {
    analyses_.add(parts...);
  }
  void save_analyses() {
    if (!std::filesystem::exists(made_by())) write_json(made_by(), run_);
    analyses_.save();
  }
  void save(const Cycler& cycler) {
    save_analyses();
    save_observations(assimilated(), rows_up_to(table_, task_.times, cycler.cycle()));
    cycler.save(state());
    saved_ = std::chrono::steady_clock::now();
  }
  /// The same, where the last time was a minute ago.
  void save_now_and_then(const Cycler& cycler) {
    if (std::chrono::steady_clock::now() - saved_ > std::chrono::minutes(1)) save(cycler);
  }

 private:
  [[nodiscard]] static std::array<std::filesystem::path, 4> writable_files(
      const Assimilation& task) {
    auto files = files_of_assimilation(task.out);
    for (const auto& file : files)
      if (is_same_file(file, task.observations))
        throw ConfigError(to_text(task.observations.string(),
                                  ": a run writes a file of this name into --out; take another "
                                  "folder"));
    require_writable_folder("--out", task.out);
    return files;
  }
  [[nodiscard]] const std::filesystem::path& made_by() const { return files_[0]; }
  [[nodiscard]] const std::filesystem::path& assimilated() const { return files_[2]; }
  [[nodiscard]] const std::filesystem::path& state() const { return files_[3]; }

  const Assimilation& task_;
  const Table& table_;
  std::array<std::filesystem::path, 4> files_;
  FolderLock lock_;
  AnalysesFile analyses_;
  nlohmann::ordered_json run_;
  std::chrono::steady_clock::time_point saved_ = std::chrono::steady_clock::now();
};

}  // namespace dan::app::detail
