// SPDX-License-Identifier: BSD-3-Clause
// Experiments, searches and sweeps dealt out among processes: what one process finds, on all ranks.
#include "dan/core/processes.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <span>
#include <vector>

#include "dan/analysis/etkf.hpp"
#include "dan/analysis/var3d.hpp"
#include "dan/experiment/sweep.hpp"
#include "dan/experiment/tune.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/io/json.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "support/temporary_folder.hpp"
#include "support/thread_ranks.hpp"

using namespace dan;
using test::ThreadRanks;

namespace {
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
using Filter = Etkf<Lorenz, 6>;  // too few members without inflation: runs fail or are lost
using Values = std::span<const double>;

/// Counts cycles of each run, in the order of the runs.
struct Lengths : EmptyRecorder {
  std::vector<double> cycles{};

  void begin(const auto& group) { cycles.resize(group.runs); }
  void after_analysis(const auto& view) {
    for (std::size_t l = 0; l < view.runs; ++l) cycles[l] += view.going(l) ? 1 : 0;
  }
  void merge(const Lengths& next) {
    cycles.insert(cycles.end(), next.cycles.begin(), next.cycles.end());
  }
  template <class Archive>
  void transfer(Archive& archive) {
    std::size_t count = cycles.size();
    archive.count("count", count);
    cycles.resize(count);
    archive.numbers("cycles", std::span(cycles), 1);
  }
};

/// All but the seconds.
nlohmann::ordered_json all_of(TwinScores scores) {
  scores.seconds = 0;
  auto json = json_of_scores(scores);
  json["runs"] = scores.run_rmse;
  json["series"] = scores.series;
  json["truth"] = scores.truth;
  json["analysis"] = scores.analysis;
  json["smoothing"] = scores.smoothing_rmse;
  return json;
}
}  // namespace

TEST_CASE("processes: scores and recorders of a twin experiment, more ranks than groups too") {
  const Lorenz problem;
  const TwinConfig config{.runs = 5,
                          .cycles = 150,
                          .burn_in = 10,
                          .threads = 1,
                          .progress = false,
                          .keep_series = 20,
                          .keep_fields = 3};
  const Filter method(problem, {.inflation = {.factor = 1.02}});
  Lengths lengths;
  const auto one = all_of(run_twin(problem, method, config, lengths));
  REQUIRE(lengths.cycles.size() == 5);
  CHECK(one.contains("lost"));
  for (const std::size_t size : {1U, 3U, 7U})
    ThreadRanks::run(size, [&](const ThreadRanks& ranks) {
      Lengths here;
      CHECK(all_of(run_twin(problem, method, config, ranks, here)).dump() == one.dump());
      CHECK(here.cycles == lengths.cycles);
    });
}

TEST_CASE("processes: a search, and its file, which goes on with another number of ranks") {
  const test::TemporaryFolder folder;
  const auto one = folder / "one.json", many = folder / "many.json";
  const std::vector<TunedParameter> few{{"a", {1, 2, 3}}}, more{{"a", {1, 2, 3, 4, 5, 6, 7}}};
  const auto score = [](Values v) {
    if (v[0] == 2 || v[0] == 6) throw NumericalError(to_text("no score at ", v[0]));
    return (v[0] - 4.2) * (v[0] - 4.2);
  };
  const auto table = tune_on_grid(more, score, {.threads = 1, .file = one});
  ThreadRanks::run(2, [&](const ThreadRanks& ranks) {
    CHECK(tune_on_grid(few, score, {.threads = 1, .file = many}, ranks).trials.size() == 3);
  });
  std::atomic<int> computed = 0;
  ThreadRanks::run(4, [&](const ThreadRanks& ranks) {
    const auto here = tune_on_grid(
        more, [&](Values v) { return ++computed, score(v); }, {.threads = 1, .file = many}, ranks);
    CHECK(here.best.values == table.best.values);
    REQUIRE(here.trials.size() == 7);
    for (std::size_t n = 0; n < 7; ++n) {
      CHECK(here.trials[n].score == table.trials[n].score);
      CHECK(here.trials[n].reason == table.trials[n].reason);
    }
    CHECK(here.trials[5].reason == "no score at 6");
  });
  CHECK(computed == 4);
  CHECK(read_json(one) == read_json(many));
}

TEST_CASE("processes: a sweep, and its file, which goes on with another number of ranks") {
  const test::TemporaryFolder folder;
  const auto file = folder / "rows.json";
  std::atomic<int> computed = 0;
  const auto rows = [&](int most, const auto& processes) {
    Sweep sweep("squares", {{"seed", 1}}, {.threads = 1, .progress = false, .file = file});
    for (int n = 0; n < most; ++n)
      sweep.add("square", {{"n", n}}, [n, &computed] {
        ++computed;
        if (n == 2) throw NumericalError("two");
        return Sweep::Json{{"square", n * n}};
      });
    auto found = sweep.run(processes)["results"];
    for (auto& row : found) row.erase("seconds");
    return found;
  };
  ThreadRanks::run(2, [&](const ThreadRanks& ranks) { CHECK(rows(3, ranks).size() == 3); });
  CHECK(computed == 3);
  std::vector<Sweep::Json> found(4);
  ThreadRanks::run(4, [&](const ThreadRanks& ranks) { found[ranks.rank()] = rows(9, ranks); });
  CHECK(computed == 9);
  const auto one = rows(9, OneProcess());
  CHECK(computed == 9);
  for (const auto& its : found) CHECK(its == one);
  CHECK(one[2]["failed"] == "two");
  CHECK(one[8]["square"] == 64);
}
