// SPDX-License-Identifier: BSD-3-Clause
#include "dan/experiment/sweep.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <string>

#include "dan/analysis/enkf_n.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "support/temporary_folder.hpp"

using namespace dan;

namespace {
using Json = Sweep::Json;

/// A sweep over squares; `computed` counts.
Sweep squares(const SweepConfig& config, std::atomic<int>& computed, int most, int seed = 1) {
  Sweep sweep("squares", {{"seed", seed}}, config);
  for (int n = 0; n < most; ++n)
    sweep.add("square", {{"n", n}, {"noise", 0.1 * n}}, [n, &computed] {
      ++computed;
      return Json{{"square", n * n}};
    });
  return sweep;
}

template <class Exception, class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}
}  // namespace

TEST_CASE("sweep: a row for every setting, in the order in which they were added") {
  std::atomic<int> computed = 0;
  for (const std::size_t threads : {1U, 3U}) {
    const Json json = squares({.threads = threads}, computed, 5).run();
    CHECK(json["example"] == "squares");
    CHECK(json["config"]["seed"] == 1);
    REQUIRE(json["results"].size() == 5);
    for (std::size_t n = 0; n < 5; ++n) {
      const Json& row = json["results"][n];
      CHECK(row["method"] == "square");
      CHECK(row["n"] == n);
      CHECK(row["square"] == n * n);
      CHECK(row["seconds"].is_number());
    }
  }
  CHECK(computed == 10);
}

TEST_CASE("sweep: what is in the file is not computed again, and nothing of it is lost") {
  const test::TemporaryFolder folder;
  const SweepConfig config{.threads = 1, .file = folder / "sweep.json"};
  std::atomic<int> computed = 0;
  (void)squares(config, computed, 3).run();
  const Json json = squares(config, computed, 5).run();
  CHECK(computed == 5);
  CHECK(json["results"].size() == 5);
  CHECK(json["results"][4]["square"] == 16);
  // Fewer settings: the others' rows stay.
  const Json fewer = squares(config, computed, 2).run();
  CHECK(computed == 5);
  CHECK(fewer["results"].size() == 5);
  CHECK(Json(read_json(config.file))["results"].size() == 5);
}

TEST_CASE("sweep: a row with one parameter more is another setting's") {
  const test::TemporaryFolder folder;
  const SweepConfig config{.threads = 1, .file = folder / "sweep.json"};
  Sweep first("lags", Json::object(), config);
  first.add("IEnKS", {{"lag", 1}, {"radius", 4}}, [] { return Json{{"score", 4}}; });
  (void)first.run();
  Sweep second("lags", Json::object(), config);
  second.add("IEnKS", {{"lag", 1}}, [] { return Json{{"score", 100}}; });
  const Json json = second.run();
  REQUIRE(json["results"].size() == 2);
  CHECK(json["results"][0]["score"] == 100);
  CHECK(json["results"][1]["score"] == 4);
}

TEST_CASE("sweep: parameters that are not finite, and in another order, are known again") {
  const test::TemporaryFolder folder;
  const SweepConfig config{.threads = 1, .file = folder / "sweep.json"};
  constexpr double infinity = std::numeric_limits<double>::infinity();
  std::atomic<int> computed = 0;
  const auto sweep = [&](bool turned) {
    Sweep out("radii", {{"most", {1, -infinity}}}, config);
    for (const double radius : {4.0, infinity}) {
      const Json setting =
          turned ? Json{{"n", 1}, {"radius", radius}} : Json{{"radius", radius}, {"n", 1}};
      out.add("LETKF", setting, [&, radius] {
        ++computed;
        return Json{{"score", 1 / radius}};
      });
    }
    return out.run();
  };
  (void)sweep(false);
  const Json json = sweep(true);
  CHECK(computed == 2);
  REQUIRE(json["results"].size() == 2);
  CHECK(json["results"][1]["radius"] == "inf");
  CHECK(json["results"][1]["score"] == 0);
  CHECK(json["config"]["most"][1] == "-inf");
}

TEST_CASE("sweep: a setting that fails is a row, another error passes and keeps the others") {
  const test::TemporaryFolder folder;
  const SweepConfig config{.threads = 1, .file = folder / "sweep.json"};
  const auto sweep = [&](bool broken) {
    Sweep out("errors", {}, config);
    out.add("diverges", {{"n", 1}}, []() -> Json { throw NumericalError("not finite"); });
    out.add("broken", {{"n", 1}}, [=]() -> Json {
      if (broken) throw std::logic_error("broken");
      return {{"score", 1}};
    });
    out.add("fine", {{"n", 1}}, [] { return Json{{"score", 2}}; });
    return out;
  };
  CHECK(message_of<std::logic_error>([&] { (void)sweep(true).run(); }) == "broken");
  CHECK(read_json(config.file)["results"].size() == 2);
  const Json json = sweep(false).run();
  REQUIRE(json["results"].size() == 3);
  CHECK(json["results"][0]["failed"] == "not finite");
  CHECK(json["results"][1]["score"] == 1);
}

TEST_CASE("sweep: another sweep's file and a setting twice are refused") {
  const test::TemporaryFolder folder;
  const SweepConfig config{.threads = 1, .file = folder / "sweep.json"};
  std::atomic<int> computed = 0;
  (void)squares(config, computed, 2).run();
  const auto other = message_of<FileError>([&] { (void)squares(config, computed, 2, 7); });
  CHECK(other.find("holds a sweep with config.seed = 1, expected 7;") != std::string::npos);
  CHECK(read_json(config.file)["results"].size() == 2);
  write_json(config.file, Json{{"rows", 3}});
  CHECK(message_of<FileError>([&] {
          (void)squares(config, computed, 2);
        }).find("is no file of a sweep: no example") != std::string::npos);

  (void)squares({.threads = 1, .file = folder / "damaged.json"}, computed, 2).run();
  Json damaged = read_json(folder / "damaged.json");
  damaged["results"][1]["square"] = 2;
  write_json(folder / "damaged.json", damaged);
  CHECK(message_of<FileError>([&] {
          (void)squares({.threads = 1, .file = folder / "damaged.json"}, computed, 2);
        }).find("is damaged: it has another checksum") != std::string::npos);
  damaged.erase("checksum");  // a file of an earlier version
  write_json(folder / "damaged.json", damaged);
  CHECK(squares({.threads = 1, .file = folder / "damaged.json"}, computed, 2)
            .run()["results"][1]["square"] == 2);

  Sweep colliding("colliding", {}, {.progress = false});
  colliding.add("a", {{"cycles", 1}}, [] { return Json{{"cycles", 100}}; });
  CHECK(message_of<ConfigError>([&] {
          (void)colliding.run();
        }).find("has the result cycles, expected other names") != std::string::npos);

  Sweep twofold("settings", {}, {.progress = false});
  twofold.add("a", {{"n", 1}}, [] { return Json{{"setting", 100}}; });
  CHECK(message_of<ConfigError>([&] {
          (void)twofold.run();
        }).find("has the result setting, expected other names") != std::string::npos);
  for (const char* name : {"method", "setting", "seconds", "failed"})
    CHECK(message_of<ConfigError>([&] {
            twofold.add("b", {{name, 1}}, [] { return Json::object(); });
          }).find("expected another name: rows have something else there") != std::string::npos);

  Sweep sweep("twice", {});
  sweep.add("a", {{"n", 1}}, [] { return Json::object(); });
  CHECK(message_of<ConfigError>([&] {
          sweep.add("a", {{"n", 1}}, [] { return Json::object(); });
        }).find("expected another setting") != std::string::npos);
}

TEST_CASE("sweep: an interrupt keeps the rows that are finished") {
  const test::TemporaryFolder folder;
  const SweepConfig config{.threads = 1, .file = folder / "sweep.json"};
  const auto sweep = [&](bool stop) {
    Sweep out("interrupted", {}, config);
    for (int n = 0; n < 4; ++n)
      out.add("m", {{"n", n}}, [=] {
        if (stop && n == 1) (void)std::raise(SIGINT);
        return Json::object();
      });
    return out;
  };
  {
    const InterruptHandler handler;
    CHECK(message_of<Interrupted>([&] {
            (void)sweep(true).run();
          }).find("interrupted after 2 of 4 settings; the same call goes on from ") !=
          std::string::npos);
  }
  CHECK(read_json(config.file)["results"].size() == 2);
  CHECK(sweep(false).run()["results"].size() == 4);
}

TEST_CASE("sweep: scores of twin experiments, the same for any number of threads") {
  using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
  const auto rows = [](std::size_t threads) {
    Sweep sweep("scores", {}, {.threads = threads});
    for (const std::size_t seed : {1U, 2U})
      sweep.add("EnKF-N", {{"seed", seed}}, [seed] {
        const Lorenz problem;
        return json_of_scores(
            run_twin(problem, EnkfN<Lorenz, 20>(problem),
                     {.runs = 2, .cycles = 60, .burn_in = 20, .seed = seed, .threads = 1}));
      });
    Json json = sweep.run()["results"];
    for (Json& row : json) row.erase("seconds");
    return json;
  };
  const Json one = rows(1);
  CHECK(one == rows(2));
  CHECK(one[0]["cycles"] == 80);
  CHECK(one[0]["interval"][0] < one[0]["analysis_rmse"]);
}
