// SPDX-License-Identifier: BSD-3-Clause
// Experiments, a search and a sweep under MPI; tests/mpi/run_experiments compares numbers of ranks.
//   experiments scores          a twin experiment; every number of its scores
//   experiments search FILE     a search that keeps its trials
//   experiments sweep FILE ROWS a sweep of rows of a quarter of a second each, without the seconds
//   experiments error           a row that throws
// What one rank prints all ranks have found.
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>

#include "dan/analysis/etkf.hpp"
#include "dan/analysis/var3d.hpp"
#include "dan/experiment/sweep.hpp"
#include "dan/experiment/tune.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/mpi/ranks.hpp"
#include "dan/observe/all.hpp"

namespace {
using namespace dan;
using Json = Sweep::Json;
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
using Values = std::span<const double>;

Json scores_of(const TwinScores& scores) {
  Json json = json_of_scores(scores);
  json.erase("seconds");
  json["runs"] = scores.run_rmse;
  json["series"] = scores.series;
  json["truth"] = scores.truth;
  json["analysis"] = scores.analysis;
  return json;
}

Json twin(const MpiRanks& ranks) {
  const Lorenz problem;
  const TwinConfig config{.runs = 10,
                          .cycles = 200,
                          .threads = 1,
                          .progress = false,
                          .keep_series = 20,
                          .keep_fields = 2};
  return scores_of(
      run_twin(problem, Etkf<Lorenz, 6>(problem, {.inflation = {.factor = 1.02}}), config, ranks));
}

Json search(const MpiRanks& ranks, const std::string& file) {
  const Lorenz problem;
  const Tuning tuning = tune_analysis(
      problem, {{"inflation", {1.0, 1.02, 1.04, 1.06, 1.1}}},
      [&](Values v) { return Etkf<Lorenz, 20>(problem, {.inflation = {.factor = v[0]}}); },
      {.runs = 2, .cycles = 150, .burn_in = 50, .seed = 2}, {.threads = 1, .file = file}, ranks);
  Json json{{"best", tuning.best.values}};
  for (const auto& trial : tuning.trials) json["scores"].push_back(trial.score);
  return json;
}

Json sweep(const MpiRanks& ranks, const std::string& file, std::size_t count) {
  Sweep rows("rows", {{"seed", 1}}, {.threads = 1, .progress = false, .file = file});
  for (std::size_t n = 0; n < count; ++n)
    rows.add("row", {{"n", n}}, [n] {
      std::this_thread::sleep_for(std::chrono::milliseconds(250));
      if (n == 3) throw NumericalError("row 3 has diverged");
      return Json{{"third", static_cast<double>(n) / 3}};
    });
  Json json = rows.run(ranks)["results"];
  for (auto& row : json) row.erase("seconds");
  return json;
}

Json failing(const MpiRanks& ranks) {
  Sweep rows("rows", {}, {.threads = 1});
  for (std::size_t n = 0; n < 4; ++n)
    rows.add("row", {{"n", n}}, [n]() -> Json {
      if (n == 1) throw std::runtime_error("row 1 is bad");
      return {{"n", n}};
    });
  return rows.run(ranks);
}

Json run(const MpiRanks& ranks, const std::string& what, std::span<char*> more) {
  if (what == "scores") return twin(ranks);
  if (what == "search" && more.size() == 1) return search(ranks, more[0]);
  if (what == "sweep" && more.size() == 2) return sweep(ranks, more[0], std::stoul(more[1]));
  if (what == "error") return failing(ranks);
  throw ConfigError("experiments: expected scores, search FILE, sweep FILE ROWS or error");
}
}  // namespace

int main(int argc, char** argv) {
  return mpi_main(argc, argv, [&](MpiRanks& ranks) {
    const std::span<char*> arguments(argv, static_cast<std::size_t>(argc));
    const std::string mine =
        run(ranks, argc < 2 ? "" : argv[1], arguments.subspan(argc < 2 ? 1 : 2)).dump();
    std::string first = mine;
    broadcast_value(ranks, first, 0);
    if (ranks.any(first != mine)) throw NumericalError("experiments: the ranks do not agree");
    if (ranks.rank() == 0) std::puts(mine.c_str());
  });
}
