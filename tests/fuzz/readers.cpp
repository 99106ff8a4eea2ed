// SPDX-License-Identifier: BSD-3-Clause
// Coverage-guided fuzzing of every reader of files (clang's libFuzzer): whatever the bytes, a
// reader gives a result or one of the library's errors. tests/fuzz/run builds and runs it.
//   FUZZ_READER=csv readers CORPUS -runs=1000000
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "dan/analysis/carried.hpp"
#include "dan/analysis/learned.hpp"
#include "dan/analysis/var3d.hpp"
#include "dan/app/configuration.hpp"
#include "dan/app/cycler.hpp"
#include "dan/app/main.hpp"
#include "dan/app/menu.hpp"
#include "dan/experiment/trials.hpp"
#include "dan/geometry/lat_lon.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/io/csv.hpp"
#include "dan/io/json.hpp"
#include "dan/io/npy.hpp"
#include "dan/io/safetensors.hpp"
#include "dan/models/lorenz63.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/netcdf/states.hpp"
#include "dan/netcdf/table.hpp"
#include "dan/network/weights.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/table_file.hpp"
#include "dan/problem/background/dense.hpp"
#include "dan/train/trainer.hpp"
#include "recipes.hpp"

namespace {
using namespace dan;
namespace fs = std::filesystem;

using Lorenz = Problem<Rk4<Lorenz63>, ObserveAll<1, 3>>;
using Method = Var3d<Lorenz, 1>;
using Tiny =
    AnalysisNetwork<NetworkShape{.filters = 2, .blocks = 1, .sub_blocks = 1, .kernel = 1}, Ring<1>>;

using Four = Problem<Rk4<Lorenz96<4>>, ObserveAll<4>>;
using Recurrent = AnalysisNetwork<
    NetworkShape{.filters = 2, .blocks = 1, .sub_blocks = 1, .kernel = 1, .memory = 1}, Ring<4>>;
using Learning = Trainer<Four, Recurrent, simd_width<float>, EnsrfTeacher<4>>;

fs::path scratch(const std::string& name) {
  return "/dev/shm/dan_fuzz_" + std::to_string(::getpid()) + name;
}

Recurrent scaled_network() {
  Recurrent network;
  scale_inputs(Four(), network);
  return network;
}

const Method& method() {
  static const Method one = [] {
    const Lorenz problem;
    return Method(problem, climatology_of(problem, {.cycles = 50}));
  }();
  return one;
}

/// The bytes of a file that are a recipe for another one, see recipes.hpp.
template <class Use>
void follow_recipe(const fs::path& path, const Use& use) {
  const std::string bytes = read_file("fuzz", path);
  fuzz::Recipe recipe(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  use(recipe);
}

void read_netcdf(const fs::path& path, bool netcdf4) {
  follow_recipe(path, [&](auto& recipe) { fuzz::write_netcdf(path, recipe, netcdf4); });
  try {
    (void)load_netcdf_table(path);
  } catch (const FileError&) {
  }
  (void)load_states(path, "value");
}

/// What weights are read must work, and are written and read again as they are.
void read_weights(const fs::path& path) {
  const auto weights = load_weights<Recurrent>(path);
  save_weights(path, weights);
  if (load_weights<Recurrent>(path).parameters != weights.parameters) std::abort();
  using Method = Learned<Four, Recurrent, 1>;
  app::CyclerOf<Four, Method> cycler(Four(), Method(Four(), weights));
  cycler.start(std::vector<double>(4, 1), 1, 7);
  try {
    cycler.forecast();
    cycler.analyse(std::vector<double>(4, 1), {}, {});
  } catch (const NumericalError&) {
  }
}
/// A right file of weights, which remembers what it was trained for.
const TensorFile<float>& right_weights() {
  static const auto file = [] {
    Trained<Recurrent> trained = random_start<float>(scaled_network(), 1);
    trained.trained_for = trained_for(Four(), trained.network);
    const fs::path path = scratch("weights");
    save_weights(path, trained);
    auto read = load_safetensors<float>(path);
    fs::remove(path);
    return read;
  }();
  return file;
}

/// A training that has all that a checkpoint may hold, and its checkpoint after some updates.
struct Training {
  Learning trainer{Four(), scaled_network(),
                   TrainConfig{.updates = 20,
                               .groups = 1,
                               .unroll = 1,
                               .warm_up = 1,
                               .average = 0.5,
                               .renew_every = 2,
                               .upsets = {.first = 0.5, .last = 0.5},
                               .stored = {.number = 8, .cycles = 5},
                               .taught = 0.8,
                               .threads = 1,
                               .progress = false}};
  fs::path path = scratch("checkpoint");
  TensorFile<double> right;

  Training() {
    for (int n = 0; n < 3; ++n) trainer.update();
    trainer.save_checkpoint(path);
    right = load_safetensors<double>(path);
  }
  ~Training() { fs::remove(path); }
};
Training& training() {
  static Training one;
  return one;
}
/// A training that goes on from it can make its next update, or says why not.
void read_checkpoint(const fs::path& path) {
  training().trainer.resume(path);
  try {
    training().trainer.update();
  } catch (const NumericalError&) {
  }
  training().trainer.resume(training().path);
}

/// Trials that are read are written and read again with one more.
void read_trials(const fs::path& path) {
  const auto check = [](std::span<const double> values) { return values[0] + values[1]; };
  const auto record = [&] {
    return std::make_unique<dan::detail::TrialRecord>(
        std::vector<std::string>{"a", "b"}, TuneConfig{.file = path, .problem = "some"}, check);
  };
  const auto first = record();
  (void)first->trial({1, 2}, [] { return 3.0; });
  (void)record()->trial({1, 2}, []() -> double { std::abort(); });
}

/// The program's own reader: options of a command, which are printed again.
void read_options(const fs::path& path) {
  static const app::Menu menu;
  std::string words[] = {"dan", "run", "--config", path.string(), "--print-config"};
  char* arguments[std::size(words)];
  for (std::size_t n = 0; n < std::size(words); ++n) arguments[n] = words[n].data();
  (void)app::main(std::size(words), arguments, menu);
}

/// What of it reads TOML, for a command that is made once: the program takes most of the time.
void read_section(const fs::path& path) {
  struct Program {
    CLI::App app;
    CLI::App* command = app.add_subcommand("run");
    std::size_t runs = 8, burn_in = 50;
    double first_guess = 1, interval = 0.05;
    std::string json, out = "results";
    std::vector<std::string> set;
    bool quiet = false;

    Program() {
      command->add_option("--runs", runs)->capture_default_str();
      command->add_option("--burn-in", burn_in)->capture_default_str();
      command->add_option("--first-guess", first_guess)->capture_default_str();
      command->add_option("--interval", interval)->capture_default_str();
      command->add_option("--json", json);
      command->add_option("out", out)->capture_default_str();
      command->add_option("--set", set);
      command->add_flag("--quiet", quiet);
      app.add_subcommand("train");
    }
  };
  static const Program program;
  std::istringstream text(read_file("fuzz", path));
  try {
    (void)app::SectionOf(program.app, *program.command).from_config(text);
  } catch (const CLI::ConfigError&) {
  }
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
    {"netcdf_written", {".nc", [](const fs::path& p) { read_netcdf(p, false); }}},
    {"netcdf4_written", {".nc", [](const fs::path& p) { read_netcdf(p, true); }}},
    {"name", {".txt", [](const fs::path& p) { (void)app::Name::parse(read_file("fuzz", p)); }}},
    {"toml", {".toml", read_section}},
    {"toml_whole", {".toml", read_options}},
    {"trials", {".json", read_trials}},
    {"checkpoint", {".st", read_checkpoint}},
    // A right file, damaged as the bytes say, with a right checksum.
    {"checkpoint_whole",
     {".st",
      [](const fs::path& p) {
        auto file = training().right;
        follow_recipe(p, [&](auto& recipe) { fuzz::damage(file, recipe); });
        save_safetensors(p, file);
        read_checkpoint(p);
      }}},
    {"weights_whole",
     {".st",
      [](const fs::path& p) {
        auto file = right_weights();
        follow_recipe(p, [&](auto& recipe) { fuzz::damage(file, recipe); });
        save_safetensors(p, file);
        read_weights(p);
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

/// Writes the seed that only the library can make, if it is asked for, and ends.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  if (const char* to = std::getenv("FUZZ_CHECKPOINT")) {
    fs::copy_file(training().path, to, fs::copy_options::overwrite_existing);
    std::exit(0);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string path = scratch(reader().first);
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
