// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// What the examples share: their options, their table and their JSON result.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dan/dan.hpp"

namespace example {

/// The options of every example.
struct Options {
  std::uint64_t seed = 1;
  std::size_t threads = 0;
  std::string json;
  std::string out;
  bool quick = false;
};

/// One line of a table of results.
struct Row {
  std::string method;
  dan::TwinScores scores;
  nlohmann::ordered_json more = nlohmann::ordered_json::object();  ///< what else was measured
};

/// `[low, high]`.
inline std::string text_of(const dan::ConfidenceInterval& interval, int digits = 4) {
  char out[48];
  std::snprintf(out, sizeof out, "[%.*f, %.*f]", digits, interval.low, digits, interval.high);
  return out;
}

inline void print_heading() {
  std::printf("%-30s %8s  %-18s %9s %8s %8s %8s\n", "method", "aRMSE", "95 % interval", "forecast",
              "spread", "cycles", "seconds");
}

/// The runs that failed or lost the truth, if any.
inline void print_failures(const dan::TwinScores& s) {
  for (const auto& [run, cycle, reason] : s.failures)
    std::printf("  run %zu failed at cycle %zu: %s\n", run, cycle, reason.c_str());
  for (const auto& [run, cycle, reason] : s.lost)
    std::printf("  run %zu from cycle %zu: %s\n", run, cycle, reason.c_str());
  if (s.went_back > 0)
    std::printf("  the way back was taken in %.3f %% of the cycles\n", 100 * s.went_back);
  std::fflush(stdout);
}

inline void print_row(const Row& row) {
  const auto& s = row.scores;
  char spread[16] = "-";
  if (std::isfinite(s.spread)) std::snprintf(spread, sizeof spread, "%.4f", s.spread);
  std::printf("%-30s %8.4f  %-18s %9.4f %8s %8zu %8.1f\n", row.method.c_str(), s.analysis_rmse,
              text_of(s.interval).c_str(), s.forecast_rmse, spread, s.cycles, s.seconds);
  print_failures(s);
}

/// The result of an example: its configuration and a list of rows.
inline nlohmann::ordered_json result(const std::string& example, nlohmann::ordered_json config,
                                     const std::vector<Row>& rows) {
  nlohmann::ordered_json json{{"example", example},
                              {"config", std::move(config)},
                              {"version", dan::library_version},
                              {"results", nlohmann::ordered_json::array()}};
  for (const auto& row : rows) {
    nlohmann::ordered_json one{{"method", row.method}};
    one.update(dan::json_of_scores(row.scores));
    one.update(row.more);
    json["results"].push_back(std::move(one));
  }
  return json;
}

/// Writes the results to the file of `--json` and to `name` in the folder of `--out`.
inline void write_results(const Options& options, const char* name,
                          const nlohmann::ordered_json& json) {
  if (!options.json.empty()) dan::write_json(options.json, json);
  if (!options.out.empty()) dan::write_json(std::filesystem::path(options.out) / name, json);
}

/// Makes the folder of an option; throws FileError unless it can be written to.
inline void require_writable(const char* option, const std::filesystem::path& folder,
                             std::string reason = "") {
  std::error_code failure;
  if (reason.empty() && !std::filesystem::is_directory(folder) &&
      !std::filesystem::create_directories(folder, failure))
    reason = failure.message();
  if (reason.empty() && ::access(folder.c_str(), W_OK) != 0) reason = std::strerror(errno);
  if (!reason.empty())
    throw dan::FileError(dan::to_text(option, ": cannot write to ", folder.string(), ": ", reason));
}

/// Throws FileError, before any work is done, unless the files asked for can be written.
inline void check_writable(const Options& options) {
  namespace fs = std::filesystem;
  if (!options.out.empty()) require_writable("--out", options.out);
  if (options.json.empty()) return;
  const fs::path file = options.json, folder = file.has_parent_path() ? file.parent_path() : ".";
  require_writable("--json", folder,
                   fs::is_directory(file)      ? "the name is that of a folder"
                   : !fs::is_directory(folder) ? "there is no such folder"
                                               : "");
}

/// Reads the options, makes the output folder and runs `body(options)`; errors become a message
/// and exit code 1, Ctrl-C what was kept and exit code 130. `add` may add options of the example's
/// own.
template <class Body, class Add>
int run(int argc, char** argv, const std::string& about, Options options, const Body& body,
        const Add& add) {
  CLI::App app{about};
  app.option_defaults()->always_capture_default();
  const CLI::Validator whole(
      [](const std::string& value) {
        return value.starts_with('-') ? "expected a whole number from zero" : "";
      },
      "FROM ZERO");
  app.add_option("--seed", options.seed, "Seed of truth, observations and initial weights")
      ->check(whole);
  app.add_option("--threads", options.threads, "Threads; 0 means one per core")
      ->check(CLI::Range(0, 1024));
  app.add_option("--json", options.json, "Write the results to this JSON file");
  app.add_option("--out", options.out, "Write all files (weights, results, figure data) here");
  app.add_flag("--quick", options.quick,
               "A few seconds only: shows that it runs, scores mean little");
  add(app);
  CLI11_PARSE(app, argc, argv);
  try {
    if (const auto note = dan::slow_blas_note(); !note.empty())
      std::fprintf(stderr, "note: %s\n", note.c_str());
    check_writable(options);
    std::setvbuf(stdout, nullptr, _IOLBF, 4096);
    const dan::InterruptHandler handler;
    body(options);
    return 0;
  } catch (const dan::Interrupted& stop) {
    std::fprintf(stderr, "%s\n", stop.what());
    return 130;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
template <class Body>
int run(int argc, char** argv, const std::string& about, const Options& options, const Body& body) {
  return run(argc, argv, about, options, body, [](CLI::App&) {});
}

}  // namespace example
