// SPDX-License-Identifier: BSD-3-Clause
// Coverage-guided fuzzing of every reader of files (clang's libFuzzer): whatever the bytes, a
// reader gives a result or one of the library's errors. tests/fuzz/run builds and runs it.
//   FUZZ_READER=csv readers CORPUS -runs=1000000
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "dan/analysis/carried.hpp"
#include "dan/analysis/var3d.hpp"
#include "dan/app/cycler.hpp"
#include "dan/app/menu.hpp"
#include "dan/geometry/lat_lon.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/io/csv.hpp"
#include "dan/io/json.hpp"
#include "dan/io/npy.hpp"
#include "dan/io/safetensors.hpp"
#include "dan/models/lorenz63.hpp"
#include "dan/netcdf/table.hpp"
#include "dan/network/weights.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/table_file.hpp"
#include "dan/problem/background/dense.hpp"

namespace {
using namespace dan;
namespace fs = std::filesystem;

using Lorenz = Problem<Rk4<Lorenz63>, ObserveAll<1, 3>>;
using Method = Var3d<Lorenz, 1>;
using Tiny =
    AnalysisNetwork<NetworkShape{.filters = 2, .blocks = 1, .sub_blocks = 1, .kernel = 1}, Ring<1>>;

const Method& method() {
  static const Method one = [] {
    const Lorenz problem;
    return Method(problem, climatology_of(problem, {.cycles = 50}));
  }();
  return one;
}

const std::map<std::string, std::pair<const char*, void (*)(const fs::path&)>> readers{
    {"csv", {".csv", [](const fs::path& p) { (void)load_csv(p); }}},
    {"observations", {".csv", [](const fs::path& p) { (void)load_observations<Ring<40>>(p); }}},
    {"observations_npy",
     {".npy", [](const fs::path& p) { (void)load_observations<LatLon<4, 8>, 2>(p); }}},
    {"npy", {".npy", [](const fs::path& p) { (void)load_npy<2>(p); }}},
    {"json", {".json", [](const fs::path& p) { (void)read_json(p); }}},
    {"safetensors", {".st", [](const fs::path& p) { (void)load_safetensors<float>(p); }}},
    {"weights", {".st", [](const fs::path& p) { (void)load_weights<Tiny>(p); }}},
    {"carried", {".st", [](const fs::path& p) { (void)load_carried(method(), p); }}},
    // What comes after a right checksum: the bytes get one.
    {"carried_whole",
     {".st",
      [](const fs::path& p) {
        save_safetensors(p, load_safetensors<double>(p));
        app::CyclerOf<Lorenz, Method>(Lorenz(), method()).load(p);
      }}},
    {"netcdf", {".nc", [](const fs::path& p) { (void)load_netcdf_table(p); }}},
    {"name", {".txt", [](const fs::path& p) { (void)app::Name::parse(read_file("fuzz", p)); }}},
    {"toml",
     {".toml",
      [](const fs::path& p) {
        static double number = 0;
        static CLI::App app;
        static const bool made [[maybe_unused]] = [] {
          auto* run = app.add_subcommand("run")->configurable();
          run->add_option("--number", number);
          app.set_config("--config");
          return true;
        }();
        try {
          app.parse("run --config " + p.string());
        } catch (const CLI::Error&) {
        }
      }}},
};

const std::pair<const char*, void (*)(const fs::path&)>& reader() {
  static const std::pair<const char*, void (*)(const fs::path&)>& one =
      []() -> const std::pair<const char*, void (*)(const fs::path&)>& {
    const char* name = std::getenv("FUZZ_READER");
    const auto at = readers.find(name ? name : "");
    if (at != readers.end()) return at->second;
    std::fprintf(stderr, "FUZZ_READER: expected one of:");
    for (const auto& [known, what] : readers) std::fprintf(stderr, " %s", known.c_str());
    std::fprintf(stderr, "\n");
    std::exit(2);
  }();
  return one;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string path =
      "/dev/shm/dan_fuzz_" + std::to_string(::getpid()) + reader().first;
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file || std::fwrite(data, 1, size, file) != size) std::abort();
  std::fclose(file);
  try {
    reader().second(path);
  } catch (const FileError&) {
  } catch (const ConfigError&) {
  }
  return 0;
}
