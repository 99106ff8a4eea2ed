// SPDX-License-Identifier: BSD-3-Clause
// Who finds the truth again, and how soon: bad first guesses, jumps, gaps, outliers, a noise and a
// forcing that are not what the method believes, for the trained networks beside EnKF-N, LETKF and
// 3D-Var on Lorenz 96 with 40 variables, all observed every 0.05 with error variance 1.
#include <string>
#include <vector>

#include "recipes.hpp"

namespace {

using namespace dan;
using example::Lorenz;
using nlohmann::ordered_json;

struct Case {
  Shock shock;
  double forcing = 8;  ///< of the method's model; the truth has 8
};

std::vector<Case> cases() {
  std::vector<Case> list;
  for (const double d : {1.0, 2.0, 3.0, 4.0, 5.0, 7.0})
    list.push_back({{to_text("start: truth + ", d, " N(0, 1)"), FirstGuess::far, d}});
  list.push_back({{"start: climatological mean", FirstGuess::climate, 3}});
  list.push_back({{"start: another state", FirstGuess::elsewhere, 3}});
  list.push_back({{.name = "none"}});
  const auto event = [&](const std::string& name, ShockEvent kind, double size, std::size_t every,
                         std::size_t gap = 0) {
    list.push_back({{.name = name, .event = kind, .size = size, .every = every, .gap = gap}});
  };
  event("jump of 5 N(0, 1)", ShockEvent::jump, 5, 200);
  event("shift of 5", ShockEvent::shift, 5, 200);
  event("gap of 20 cycles", ShockEvent::gap, 0, 200, 20);
  event("gap of 37 cycles", ShockEvent::gap, 0, 200, 37);
  event("gap of 50 cycles", ShockEvent::gap, 0, 200, 50);
  event("outlier of 10 deviations", ShockEvent::outlier, 10, 100);
  event("outlier of 100 deviations", ShockEvent::outlier, 100, 100);
  event("outlier of 1e6 deviations", ShockEvent::outlier, 1e6, 100);
  list.push_back({{.name = "noise of deviation 2", .noise = 2}});
  list.push_back({{.name = "noise of deviation 0.5", .noise = 0.5}});
  list.push_back({{.name = "forcing 8.5 in the method"}, 8.5});
  return list;
}

struct RobustnessOptions {
  std::string only, shock, weights = "weights";
  std::size_t cycles = 3000;
  bool alone = false;
};

class Table {
 public:
  Table(const example::Options& options, const RobustnessOptions& table)
      : options_(options), table_(table) {}

  /// make(problem): the method for a problem, whose model may be wrong.
  template <class Make>
  void row(const std::string& name, const Make& make) {
    if (name.find(table_.only) == std::string::npos) return;
    std::printf("%s%-32s %6s %6s %7s %6s %6s %5s %8s\n", results_.empty() ? "" : "\n", name.c_str(),
                "events", "never", "median", "90 %", "most", "lost", "error");
    for (const auto& [shock, forcing] : cases()) {
      if (shock.name.find(table_.shock) == std::string::npos) continue;
      Lorenz believed;
      believed.model.ode.forcing = forcing;
      const bool start = shock.start != FirstGuess::near;
      ShockConfig config{.runs = start ? 64u : 32u,
                         .cycles = start ? 600 : table_.cycles,
                         .seed = options_.seed + 4710,
                         .threads = options_.threads};
      if (options_.quick) config.runs = 4, config.cycles = start ? 60 : 401;
      const ShockOutcome out = run_shock(Lorenz{}, make(believed), shock, config);
      std::printf("  %-30s %6zu %6zu %7.0f %6.0f %6.0f %5zu %8.4g\n", shock.name.c_str(),
                  out.events, out.never, out.quantile(0.5), out.quantile(0.9), out.quantile(1),
                  out.lost, out.error);
      if (!out.reason.empty()) std::printf("    %s\n", out.reason.c_str());
      results_.push_back({{"method", name},
                          {"shock", shock.name},
                          {"runs", config.runs},
                          {"lost", out.lost},
                          {"events", out.events},
                          {"never_back", out.never},
                          {"median_cycles", out.quantile(0.5)},
                          {"most_cycles", out.quantile(1)},
                          {"error", out.error}});
    }
  }

  template <class LearnedRow>
  void learned(const LearnedRow& learned_row) {
    using Network = typename LearnedRow::Network;
    const auto file = learned_row.file(table_.weights);
    if (!std::filesystem::exists(file) || learned_row.name.find(table_.only) == std::string::npos)
      return;
    const auto trained = load_weights<Network>(file);
    row(learned_row.name, [&](const Lorenz& problem) {
      return Learned<Lorenz, Network, 16>(problem, trained, {.way_back = !table_.alone});
    });
  }

  [[nodiscard]] const ordered_json& results() const { return results_; }

 private:
  example::Options options_;
  RobustnessOptions table_;
  ordered_json results_ = ordered_json::array();
};

void robustness(const example::Options& options, const RobustnessOptions& table_options) {
  set_notice_handler({});  // that a problem is outside the training's is the point here
  Table table(options, table_options);
  table.row("EnKF-N, 20 members", [](const Lorenz& p) { return EnkfN<Lorenz, 20>(p); });
  table.row("EnKF-N, 40 members", [](const Lorenz& p) { return EnkfN<Lorenz, 40>(p); });
  table.row("LETKF, 7 members", [](const Lorenz& p) {  // as in DAPPER's sakov2008
    return Letkf<Lorenz, 7>(
        p, {.radius = 4, .batch = 2, .inflation = {.factor = 1.04}, .rotation = true});
  });
  const auto climate = climatology_of(Lorenz{});
  table.row("3D-Var", [&](const Lorenz& p) { return Var3d<Lorenz, 8>(p, climate, 0.02); });
  example::for_each_row([&](const auto& row) { table.learned(row); });
  table.learned(example::sparse_row());
  const ordered_json json{{"example", "robustness"},
                          {"config", {{"seed", options.seed}, {"cycles", table_options.cycles}}},
                          {"version", dan::library_version},
                          {"results", table.results()}};
  example::write_results(options, "robustness.json", json);
}

}  // namespace

int main(int argc, char** argv) {
  RobustnessOptions table;
  return example::run(
      argc, argv, "Shocks and who recovers from them: networks beside EnKF-N, LETKF and 3D-Var.",
      {}, [&](const example::Options& options) { robustness(options, table); },
      [&](CLI::App& app) {
        app.add_option("--weights", table.weights, "Folder of the weights");
        app.add_option("--only", table.only, "Only methods whose name contains this text");
        app.add_option("--shock", table.shock, "Only shocks whose name contains this text");
        app.add_option("--cycles", table.cycles, "Cycles of a run; 600 after a bad start")
            ->check(CLI::Range(std::size_t{401}, std::size_t{1'000'000}));
        app.add_flag("--alone", table.alone, "Networks without the way back of Learned");
      });
}
