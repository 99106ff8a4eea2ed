// SPDX-License-Identifier: BSD-3-Clause
#include "dan/experiment/tune.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "dan/analysis/etkf.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "support/temporary_folder.hpp"

using namespace dan;

namespace {
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
using Values = std::span<const double>;

bool same_table(const Tuning& a, const Tuning& b) {
  bool same = a.trials.size() == b.trials.size() && a.best.values == b.best.values;
  for (std::size_t n = 0; same && n < a.trials.size(); ++n)
    same = a.trials[n].values == b.trials[n].values && a.trials[n].score == b.trials[n].score;
  return same;
}
}  // namespace

TEST_CASE("tune: the grid's best value, and all that was tried") {
  const auto tuning = tune_on_grid({1.0, 2.0, 3.0, 4.0}, [](double x) {
    return x == 2.0 ? std::nan("") : (x - 2.2) * (x - 2.2);
  });
  CHECK(tuning.best.values[0] == 3);
  CHECK(tuning.best.score == doctest::Approx(0.64));
  CHECK(tuning.trials.size() == 4);
  CHECK(std::isnan(tuning.trials[1].score));
}

TEST_CASE("tune: several parameters, the last one fastest") {
  const auto tuning = tune_on_grid({{"a", {1, 2, 3}}, {"b", {10, 20}}}, [](Values v) {
    return std::abs(v[0] - 2) + std::abs(v[1] - 20);
  });
  CHECK(tuning.names == std::vector<std::string>{"a", "b"});
  REQUIRE(tuning.trials.size() == 6);
  CHECK(tuning.trials[1].values == std::vector<double>{1, 20});
  CHECK(tuning.trials[4].values == std::vector<double>{3, 10});
  CHECK(tuning.best.values == std::vector<double>{2, 20});
  CHECK(tuning.best.score == 0);
}

TEST_CASE("tune: a trial that fails has lost, and says why") {
  const std::vector<double> values{1, 2, 3};
  const auto failing = [](double x) {
    if (x < 3) throw NumericalError(to_text("no root at ", x));
    return x;
  };
  const auto tuning = tune_on_grid(values, failing, {.threads = 2});
  CHECK(tuning.best.values[0] == 3);
  CHECK(std::isinf(tuning.trials[0].score));
  CHECK(tuning.trials[0].reason == "no root at 1");
  CHECK(tuning.trials[2].reason.empty());
  CHECK_THROWS_WITH_AS(
      (void)tune_on_grid({1.0, 2.0}, failing),
      "tune_on_grid: none of the 2 values has a finite score; one failed: no root at 1; try others",
      NumericalError);
  CHECK_THROWS_WITH_AS((void)tune_on_grid({std::nan("")}, failing),
                       "tune_on_grid: a value of value is nan, expected numbers", ConfigError);
  // The same in a file, and when it is gone on with; and where a search goes by itself.
  const test::TemporaryFolder folder;
  const TuneConfig config{.file = folder / "trials.json"};
  std::size_t calls = 0;
  const auto counted = [&](double x) { return ++calls, failing(x); };
  CHECK(same_table(tune_on_grid(values, counted, config), tuning));
  const auto again = tune_on_grid(values, counted, config);
  CHECK(same_table(again, tuning));
  CHECK(again.trials[1].reason == "no root at 2");
  CHECK(calls == 3);
  const auto golden = tune_by_golden_section("x", 0, 10, 25, [](double x) {
    if (x > 8) throw NumericalError("too far");
    return (x - 2.345) * (x - 2.345);
  });
  CHECK(golden.best.values[0] == doctest::Approx(2.345).epsilon(1e-4));
  // A first trial that fails, in a file with a check of the experiment.
  const auto experiment = [&](Values v, const TwinConfig& twin) {
    return failing(v[0] + static_cast<double>(twin.runs));
  };
  for (int n = 0; n < 2; ++n)
    CHECK(tune_experiment({{"x", {0, 2}}}, experiment, {.runs = 1, .cycles = 2, .burn_in = 0},
                          {.threads = 1, .file = folder / "first.json"})
              .best.values[0] == 2);
  // A run that fails: an ensemble whose inflation no state survives.
  const Lorenz problem;
  TwinConfig twin = tuning_twin();
  twin.runs = 1, twin.cycles = 200;
  CHECK_THROWS_WITH_AS(
      (void)tune_analysis(
          problem, {{"inflation", {1e4}}},
          [&](Values v) { return Etkf<Lorenz, 20>(problem, {.inflation = {.factor = v[0]}}); },
          twin),
      doctest::Contains("one failed: run 0, cycle "), NumericalError);
}

TEST_CASE("tune: golden section finds a minimum, past values that fail") {
  const auto tuning = tune_by_golden_section("x", 0, 10, 25, [](double x) {
    return x > 8 ? std::nan("") : (x - 2.345) * (x - 2.345) + 1;
  });
  CHECK(tuning.best.values[0] == doctest::Approx(2.345).epsilon(1e-4));
  CHECK(tuning.trials.size() == 25);
}

TEST_CASE("tune: an analysis; the number of threads changes no bit") {
  const Lorenz problem;
  const std::vector<TunedParameter> grid{{"inflation", {1.0, 1.04, 1.5}}};
  const auto make = [&](Values v) {
    return Etkf<Lorenz, 20>(problem, {.inflation = {.factor = v[0]}});
  };
  TwinConfig twin = tuning_twin();
  twin.runs = 2, twin.cycles = 150;
  const auto one = tune_analysis(problem, grid, make, twin, {.threads = 1});
  CHECK(one.best.values[0] < 1.5);
  CHECK(same_table(one, tune_analysis(problem, grid, make, twin, {.threads = 3})));
}

TEST_CASE("tune: a search that was killed goes on from its file") {
  const test::TemporaryFolder folder;
  const auto score = [](double x) { return x * x - 3 * x; };
  std::size_t calls = 0, limit = 2;
  const auto evaluate = [&](double x) {
    if (calls == limit) throw std::logic_error("killed");
    ++calls;
    return x == 1.0 ? std::nan("") : score(x);
  };
  const TuneConfig config{.file = folder / "trials.json"};
  const std::vector<double> values{1.0, 1.1, 1.3, 2.0};
  CHECK_THROWS_AS((void)tune_on_grid(values, evaluate, config), std::logic_error);
  limit = 100;
  const auto tuning = tune_on_grid(values, evaluate, config);
  CHECK(calls == 4);
  CHECK(std::isnan(tuning.trials[0].score));
  CHECK(tuning.best.values[0] == 1.3);
  CHECK(tuning.best.score == doctest::Approx(score(1.3)));
  CHECK_THROWS_AS((void)tune_by_golden_section("x", 0, 1, 3, score, config), FileError);
  const TuneConfig other{.file = config.file, .problem = "another model"};
  CHECK_THROWS_WITH_AS((void)tune_on_grid(values, evaluate, other),
                       doctest::Contains("expected \"another model\""), FileError);
  CHECK(calls == 4);
}

TEST_CASE("tune: an interrupted search keeps the trials that were finished and goes on") {
  const test::TemporaryFolder folder;
  const TuneConfig config{.file = folder / "trials.json"};
  const Lorenz problem;
  std::size_t calls = 0, stop_at = 3;
  const auto evaluate = [&](double factor) {
    if (++calls == stop_at) std::raise(SIGINT);  // in the middle of the trial
    return score_to_tune(run_twin(problem,
                                  Etkf<Lorenz, 20>(problem, {.inflation = {.factor = factor}}),
                                  {.runs = 1, .cycles = 20, .burn_in = 0, .progress = false}));
  };
  const std::vector<double> values{1.0, 1.02, 1.04, 1.06};
  {
    const InterruptHandler handler;
    CHECK_THROWS_WITH_AS((void)tune_on_grid(values, evaluate, config),
                         to_text("tune: interrupted after 2 trials; the same call goes on from ",
                                 config.file.string())
                             .c_str(),
                         Interrupted);
    CHECK(calls == 3);
    CHECK_THROWS_WITH_AS((void)tune_by_golden_section("x", 0, 1, 3, evaluate),
                         "tune: interrupted after 0 trials; nothing is kept: give a file",
                         Interrupted);
    CHECK(calls == 3);
  }
  stop_at = 0;
  const auto resumed = tune_on_grid(values, evaluate, config);
  CHECK(calls == 5);
  CHECK(same_table(resumed, tune_on_grid(values, evaluate)));
}

TEST_CASE("tune: the file of another analysis, problem or search is refused") {
  const test::TemporaryFolder folder;
  const Lorenz problem;
  std::size_t made = 0;
  const auto with = [&](const Lorenz& given, const EtkfConfig& base,
                        const std::vector<double>& values) {
    TwinConfig twin = tuning_twin();
    twin.runs = 1, twin.cycles = 120;
    return tune_analysis(given, {{"inflation", values}},
                         [&](Values v) {
                           ++made;
                           EtkfConfig config = base;
                           config.inflation.factor = v[0];
                           return Etkf<Lorenz, 20>(given, config);
                         },
                         twin, {.threads = 1, .file = folder / "trials.json"});
  };
  const auto first = with(problem, {}, {1.02, 1.04});
  made = 0;
  CHECK(same_table(first, with(problem, {}, {1.02, 1.04})));
  CHECK(made == 1);                                                // the check; no trial
  CHECK(with(problem, {}, {1.0, 1.02, 1.04}).trials.size() == 3);  // a grid may grow
  const auto refused = [&](const Lorenz& given, const EtkfConfig& base) {
    CHECK_THROWS_WITH_AS((void)with(given, base, {1.02}),
                         doctest::Contains("holds trials of another problem or analysis"),
                         FileError);
  };
  refused(problem, {.rotation = true});
  refused(problem, {.inflation = {.before = 1.01}});
  refused({.model = {.time_step = 0.06}}, {});
  refused({.model = {.ode = {.forcing = 8.1}}}, {});
  refused({.noise = DiagonalNoise<40>(0.9)}, {});
  // Also where the first trial failed.
  const auto search = [&](double least) {
    TwinConfig twin = tuning_twin();
    return tune_experiment({{"x", {0, 1, 2}}},
                           [&](Values v, const TwinConfig&) {
                             if (v[0] == 0) throw NumericalError("diverges");
                             return std::abs(v[0] - least) + 0.1;
                           },
                           twin, {.threads = 1, .file = folder / "failing.json"});
  };
  CHECK(search(1).best.values[0] == 1);
  CHECK(search(1).trials.size() == 3);
  CHECK_THROWS_WITH_AS((void)search(2),
                       doctest::Contains("holds trials of another problem or analysis"), FileError);
  // A table that is nobody's.
  write_json(folder / "trials.json", {{"problem", read_json(folder / "trials.json")["problem"]},
                                      {"names", {"inflation"}},
                                      {"trials", {{{"values", {1.02}}, {"score", 0.1}}}}});
  CHECK_THROWS_WITH_AS((void)with(problem, {}, {1.02}), doctest::Contains("no table of trials"),
                       FileError);
}

TEST_CASE("tune: a damaged file is refused") {
  const test::TemporaryFolder folder;
  const TuneConfig config{.file = folder / "trials.json"};
  const auto square = [](double x) { return x * x; };
  const auto resume = [&](const std::string& trials) {
    nlohmann::ordered_json json{
        {"problem", ""}, {"names", {"value"}}, {"trials", nlohmann::ordered_json::parse(trials)}};
    json["checksum"] = detail::checksum({with_sorted_keys(json).dump()});
    write_json(config.file, json);
    return tune_on_grid({1.0, 2.0}, square, config);
  };
  CHECK(resume(R"([{"values": [1], "score": 7}])").best.score == 4);
  CHECK(resume(R"([{"values": [1.0], "score": null}])").best.score == 4);
  CHECK(resume(R"([{"score": 7, "values": [1]}])").best.score == 4);  // in any order
  const auto damaged = [&](const std::string& trials, const std::string& part) {
    CAPTURE(trials);
    CHECK_THROWS_WITH_AS((void)resume(trials), doctest::Contains(part.c_str()), FileError);
  };
  damaged(R"([{"values": [1, 2], "score": 1}])", "[1,2], expected 1 numbers");
  damaged(R"([{"values": [], "score": 1}])", "[], expected 1 numbers");
  damaged(R"([{"values": 1, "score": 1}])", "1, expected 1 numbers");
  damaged(R"([{"values": {"a": 1}, "score": 1}])", "expected 1 numbers");
  damaged(R"([{"values": [true], "score": 1}])", "true for a number");
  damaged(R"([{"values": ["1"], "score": 1}])", "\"1\" for a number");
  damaged(R"([{"values": [1], "score": "nan"}])", "\"nan\" for a number");
  damaged(R"([{"values": [1], "score": true}])", "true for a number");
  damaged(R"([{"values": [1]}])", "is no table of trials");
  damaged(R"([{"values": [1], "score": 1}, {"values": [1], "score": 2}])", "[1] twice");
  damaged(R"({"a": {"values": [1], "score": 1}})", "no list");
  damaged(R"("x")", "no list");
  // Whatever byte is another one: refused, or it says the same.
  std::filesystem::remove(config.file);
  const auto whole = tune_on_grid({1.0, 2.0}, square, config);
  const std::string bytes = read_file("test", config.file);
  std::size_t refused = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string other = bytes;
      other[at] = static_cast<char>(other[at] ^ 1 << bit);
      write_file_atomically(config.file, other);
      try {
        const bool same = same_table(tune_on_grid({1.0, 2.0}, square, config), whole);
        CHECK_MESSAGE(same, other);
      } catch (const FileError& error) {
        ++refused;
        CHECK(std::string(error.what()).find("trials.json") != std::string::npos);
      }
    }
  CHECK(refused > 7 * bytes.size());
  std::filesystem::remove(config.file);
  CHECK_THROWS_WITH_AS((void)tune_on_grid({1.0, HUGE_VAL}, square, config),
                       doctest::Contains("is inf, expected finite numbers"), ConfigError);
}

TEST_CASE("tune: nothing to try, or nothing that works") {
  CHECK_THROWS_AS((void)tune_on_grid(std::vector<double>{}, [](double x) { return x; }),
                  ConfigError);
  CHECK_THROWS_WITH_AS((void)tune_on_grid({1.0, 2.0}, [](double) { return std::nan(""); }),
                       "tune_on_grid: none of the 2 values has a finite score; try others",
                       NumericalError);
  const auto square = [](double x) { return x * x; };
  CHECK_THROWS_AS((void)tune_by_golden_section("x", 1, 1, 5, square), ConfigError);
  CHECK_THROWS_AS((void)tune_by_golden_section("x", 0, 1, 1, square), ConfigError);
}

TEST_CASE("tune: an x_B at the end of the grid is said") {
  const Lorenz problem{.noise = DiagonalNoise<40>(1e-4)};  // forecasts are far better than 0.005
  std::string said;
  const auto before = set_notice_handler([&](const std::string& what) { said = what; });
  const double scale = tune_var3d(
      problem, climatology_of(problem, {.cycles = 100}),
      {.runs = 4, .cycles = 60, .burn_in = 20, .first_guess_deviation = 0.01, .progress = false});
  set_notice_handler(before);
  CHECK(scale == 0.005);
  CHECK(said.find("the best x_B is 0.005, an end of its grid from 0.005 to 0.1") !=
        std::string::npos);
}

TEST_CASE("tune: x_B of 3D-Var on Lorenz 96 is near 0.02") {
  const Lorenz problem;
  const double scale = tune_var3d(problem, climatology_of(problem));
  CHECK(scale >= 0.015);
  CHECK(scale <= 0.03);
}
