// SPDX-License-Identifier: BSD-3-Clause
// Coverage-guided fuzzing of every reader of files (clang's libFuzzer): whatever the bytes, a
// reader gives a result or one of the library's errors. tests/fuzz/run builds and runs it.
//   FUZZ_READER=csv readers CORPUS -runs=1000000
#include <fuzzer/FuzzedDataProvider.h>
#include <netcdf.h>
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
#include <vector>

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
#include "dan/netcdf/states.hpp"
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

/// Puts a NetCDF file where its recipe is: whatever dimensions, variables, types and numbers the
/// bytes say, written by NetCDF's own library, which crashes on damaged files before a reader of
/// ours is reached. What it will not write is left out. The files are of the classic formats,
/// which take microseconds, and have all of their types.
void write_netcdf(const fs::path& path) {
  const std::string recipe = read_file("fuzz", path);
  FuzzedDataProvider bytes(reinterpret_cast<const std::uint8_t*>(recipe.data()), recipe.size());
  const auto name = [&]() -> std::string {
    static constexpr const char* usual[] = {"time", "value", "member", "lat", "lon", "place"};
    const auto which = bytes.ConsumeIntegralInRange<std::size_t>(0, std::size(usual));
    return which < std::size(usual) ? usual[which] : bytes.ConsumeRandomLengthString(8);
  };
  int file = 0;
  std::size_t buffer = 4096;
  const int format = NC_CLOBBER | (bytes.ConsumeBool() ? NC_64BIT_DATA : 0);
  if (nc__create(path.c_str(), format, 0, &buffer, &file)) std::abort();
  int ignored = 0;
  nc_set_fill(file, bytes.ConsumeBool() ? NC_FILL : NC_NOFILL, &ignored);
  const int dimensions = bytes.ConsumeIntegralInRange(0, 4);
  for (int d = 0; d < dimensions; ++d)
    nc_def_dim(file, name().c_str(), bytes.ConsumeIntegralInRange<std::size_t>(0, 9), &ignored);
  const int variables = bytes.ConsumeIntegralInRange(0, 6);
  for (int v = 0; v < variables; ++v) {
    std::vector<int> over(bytes.ConsumeIntegralInRange<std::size_t>(0, 3));
    for (int& d : over) d = bytes.ConsumeIntegralInRange(0, 4);
    nc_def_var(file, name().c_str(), bytes.ConsumeIntegralInRange(1, 12),
               static_cast<int>(over.size()), over.data(), &ignored);
  }
  const std::string text = bytes.ConsumeRandomLengthString(8);
  nc_put_att_text(file, bytes.ConsumeIntegralInRange(-1, 5), name().c_str(), text.size(),
                  text.data());
  nc_enddef(file);
  while (bytes.remaining_bytes() > 0) {
    const std::size_t start[3] = {bytes.ConsumeIntegralInRange<std::size_t>(0, 9)},
                      count[3] = {1, 1, 1};
    const int variable = bytes.ConsumeIntegralInRange(0, 5);
    const auto number = bytes.ConsumeFloatingPoint<double>();
    nc_put_vara_double(file, variable, start, count, &number);
  }
  nc_close(file);
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
    {"netcdf_written",
     {".nc",
      [](const fs::path& p) {
        write_netcdf(p);
        try {
          (void)load_netcdf_table(p);
        } catch (const FileError&) {
        }
        (void)load_states(p, "value");
      }}},
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
