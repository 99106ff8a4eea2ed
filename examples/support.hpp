// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// What the examples share: their options, their table and their JSON result.
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dan/app/options.hpp"
#include "dan/app/writable.hpp"
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

inline void print_heading() { dan::app::print_scores_heading(44); }
using dan::app::print_failures;
inline void print_row(const Row& row) { dan::app::print_scores(row.method, row.scores, 44); }

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

/// Throws FileError, before any work is done, unless the files asked for can be written.
inline void check_writable(const Options& options) {
  if (!options.out.empty()) dan::app::require_writable_folder("--out", options.out);
  if (!options.json.empty()) dan::app::require_writable_file("--json", options.json);
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
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // help
    std::fprintf(stderr, "error: %s\n", error.what());
    return 2;
  }
  return dan::run_main([&] {
    if (const auto note = dan::slow_blas_note(); !note.empty())
      std::fprintf(stderr, "note: %s\n", note.c_str());
    check_writable(options);
    std::setvbuf(stdout, nullptr, _IOLBF, 4096);
    body(options);
  });
}
template <class Body>
int run(int argc, char** argv, const std::string& about, const Options& options, const Body& body) {
  return run(argc, argv, about, options, body, [](CLI::App&) {});
}

}  // namespace example
