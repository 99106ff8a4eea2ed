// SPDX-License-Identifier: BSD-3-Clause
// Who finds the truth again, and how soon: bad first guesses, jumps, gaps, outliers, a noise and a
// forcing that are not what the method believes, for the trained networks beside EnKF-N, LETKF and
// 3D-Var on Lorenz 96 with 40 variables, all observed every 0.05 with error variance 1, or for
// those of other observations, of the Kuramoto–Sivashinsky equation or the sphere (--problem).
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "flows.hpp"
#include "recipes.hpp"

namespace {

using namespace dan;
using example::Lorenz;
using nlohmann::ordered_json;

struct Case {
  Shock shock;
  double forcing = 8;  ///< of the method's model, in Lorenz 96; the truth has 8
};

Case event(const std::string& name, ShockEvent kind, double size, std::size_t every,
           std::size_t gap = 0) {
  return {{.name = name, .event = kind, .size = size, .every = every, .gap = gap}};
}

/// The shocks of every problem: states in units of its norm, outliers of the observations' errors.
std::vector<Case> shocks() {
  return {{{"start: climatological mean", FirstGuess::climate, 3}},
          {{"start: another state", FirstGuess::elsewhere, 3}},
          {{.name = "none"}},
          event("jump of 5 N(0, 1)", ShockEvent::jump, 5, 200),
          event("gap of 50 cycles", ShockEvent::gap, 0, 200, 50),
          event("outlier of 100 deviations", ShockEvent::outlier, 100, 100)};
}

/// Those, and more, of Lorenz 96.
std::vector<Case> cases() {
  std::vector<Case> list;
  for (const double d : {1.0, 2.0, 3.0, 4.0, 5.0, 7.0})
    list.push_back({{to_text("start: truth + ", d, " N(0, 1)"), FirstGuess::far, d}});
  for (const auto& shock : shocks()) list.push_back(shock);
  list.push_back(event("shift of 5", ShockEvent::shift, 5, 200));
  list.push_back(event("gap of 20 cycles", ShockEvent::gap, 0, 200, 20));
  list.push_back(event("gap of 37 cycles", ShockEvent::gap, 0, 200, 37));
  list.push_back(event("outlier of 10 deviations", ShockEvent::outlier, 10, 100));
  list.push_back(event("outlier of 1e6 deviations", ShockEvent::outlier, 1e6, 100));
  for (const double noise : {2.0, 1.4, 0.5})
    list.push_back({{.name = to_text("noise of deviation ", noise), .noise = noise}});
  list.push_back({{.name = "forcing 8.5 in the method"}, 8.5});
  return list;
}

struct RobustnessOptions {
  std::string problem = "lorenz96", only, shock, weights = "weights";
  std::size_t cycles = 3000;
  bool alone = false;
};

template <class Problem>
class Table {
 public:
  /// An RMSE below `found` is at the truth.
  Table(const example::Options& options, const RobustnessOptions& table, Problem problem,
        std::vector<Case> cases, double found)
      : options_(options),
        table_(table),
        problem_(std::move(problem)),
        cases_(std::move(cases)),
        found_(found) {}

  /// make(problem): the method for a problem, whose model may be wrong.
  template <class Make>
  void row(const std::string& name, const Make& make) {
    if (name.find(table_.only) == std::string::npos) return;
    std::printf("%s%-32s %6s %6s %7s %6s %6s %5s %8s\n", results_.empty() ? "" : "\n", name.c_str(),
                "events", "never", "median", "90 %", "most", "lost", "error");
    for (const auto& [shock, forcing] : cases_) {
      if (shock.name.find(table_.shock) == std::string::npos) continue;
      Problem believed = problem_;
      if constexpr (std::is_same_v<Problem, Lorenz>) believed.model.ode.forcing = forcing;
      const bool start = shock.start != FirstGuess::near;
      ShockConfig config{.runs = start ? 64u : 32u,
                         .cycles = start ? 600 : table_.cycles,
                         .seed = options_.seed + 4710,
                         .threads = options_.threads,
                         .found = found_};
      if (options_.quick) config.runs = 4, config.cycles = start ? 60 : 401;
      const ShockOutcome out = run_shock(problem_, make(believed), shock, config);
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

  /// The shipped network of that name.
  template <class Network>
  void learned(const std::string& name) {
    const auto file = std::filesystem::path(table_.weights) / (name + ".safetensors");
    if (!std::filesystem::exists(file) || name.find(table_.only) == std::string::npos) return;
    const auto trained = load_weights<Network>(file);
    row(name, [&](const Problem& problem) {
      return Learned<Problem, Network, 16>(problem, trained, {.way_back = !table_.alone});
    });
  }

  [[nodiscard]] const ordered_json& results() const { return results_; }

 private:
  example::Options options_;
  RobustnessOptions table_;
  Problem problem_;
  std::vector<Case> cases_;
  double found_;
  ordered_json results_ = ordered_json::array();
};

ordered_json lorenz96(const example::Options& options, const RobustnessOptions& table_options) {
  Table<Lorenz> table(options, table_options, {}, cases(), 0.4);
  table.row("EnKF-N, 20 members", [](const Lorenz& p) { return EnkfN<Lorenz, 20>(p); });
  table.row("EnKF-N, 40 members", [](const Lorenz& p) { return EnkfN<Lorenz, 40>(p); });
  table.row("LETKF, 7 members", [](const Lorenz& p) {  // as in DAPPER's sakov2008
    return Letkf<Lorenz, 7>(
        p, {.radius = 4, .batch = 2, .inflation = {.factor = 1.04}, .rotation = true});
  });
  const auto climate = climatology_of(Lorenz{});
  table.row("3D-Var", [&](const Lorenz& p) { return Var3d<Lorenz, 8>(p, climate, 0.02); });
  example::for_each_row([&](const auto& row) {
    table.learned<typename std::decay_t<decltype(row)>::Network>(row.name);
  });
  table.learned<pretrained::Sparse>(example::sparse_row().name);
  table.learned<pretrained::Universal>(example::universal_row().name);
  return table.results();
}

/// Lorenz 96 seen at 20 to 30 random places in a cycle, others in every one.
ordered_json places(const example::Options& options, const RobustnessOptions& table_options) {
  using Places = Problem<Rk4<Lorenz96<40>>, ObserveRandomPlaces<Ring<40>, 40>>;
  Table<Places> table(options, table_options,
                      {.observe = ObserveRandomPlaces<Ring<40>, 40>(20, 30)}, shocks(), 0.6);
  table.row("EnKF-N, 40 members", [](const Places& p) { return EnkfN<Places, 40>(p); });
  table.learned<pretrained::Sparse>("places");
  return table.results();
}

ordered_json kuramoto_sivashinsky(const example::Options& options,
                                  const RobustnessOptions& table_options) {
  ordered_json results = ordered_json::array();
  for (const std::size_t dt : {1U, 2U, 4U}) {
    using example::Waves;
    Table<Waves> table(options, table_options, example::waves_observed_every(dt), shocks(), 0.4);
    table.row(to_text("EnKF-N, 40 members, every ", dt),
              [](const Waves& p) { return EnkfN<Waves, 40>(p, {.rotation = true}); });
    table.learned<pretrained::KuramotoSivashinsky>(to_text("kuramoto_sivashinsky_memory_", dt));
    table.learned<pretrained::KuramotoSivashinskyLarge>(to_text("kuramoto_sivashinsky_large_", dt));
    table.learned<pretrained::KuramotoSivashinskyPlain>(to_text("kuramoto_sivashinsky_plain_", dt));
    for (const auto& row : table.results()) results.push_back(row);
  }
  return results;
}

/// The networks of vorticity at fixed and at random places.
ordered_json sphere(const example::Options& options, const RobustnessOptions& table_options) {
  ordered_json results = ordered_json::array();
  const auto rows = [&]<class Network>(const std::string& observed, const auto& operation) {
    const auto problem = example::flow_observed_by(operation);
    using Flow = std::decay_t<decltype(problem)>;
    Table<Flow> table(options, table_options, problem, shocks(), 0.3);
    table.template learned<Network>("sphere_" + observed);
    for (const auto& row : table.results()) results.push_back(row);
  };
  rows.operator()<pretrained::SphereLarge>("512_regular", example::every_point<2>());
  rows.operator()<pretrained::Sphere>("128_regular", example::every_point<4>());
  rows.operator()<pretrained::Sphere>("128_random", example::SeenAtRandom(128, 128));
  rows.operator()<pretrained::Sphere>("all", ObserveAll<example::Sphere::points>());
  return results;
}

void robustness(const example::Options& options, const RobustnessOptions& table) {
  set_notice_handler({});  // that a problem is outside the training's is the point here
  const ordered_json json{
      {"example", "robustness"},
      {"config", {{"problem", table.problem}, {"seed", options.seed}, {"cycles", table.cycles}}},
      {"version", dan::library_version},
      {"results", table.problem == "lorenz96" ? lorenz96(options, table)
                  : table.problem == "places" ? places(options, table)
                  : table.problem == "sphere" ? sphere(options, table)
                                              : kuramoto_sivashinsky(options, table)}};
  example::write_results(options, "robustness.json", json);
}

}  // namespace

int main(int argc, char** argv) {
  RobustnessOptions table;
  return example::run(
      argc, argv, "Shocks and who recovers from them: networks beside EnKF-N, LETKF and 3D-Var.",
      {}, [&](const example::Options& options) { robustness(options, table); },
      [&](CLI::App& app) {
        app.add_option("--problem", table.problem, "The problem")
            ->check(CLI::IsMember({"lorenz96", "places", "kuramoto_sivashinsky", "sphere"}));
        app.add_option("--weights", table.weights, "Folder of the weights");
        app.add_option("--only", table.only, "Only methods whose name contains this text");
        app.add_option("--shock", table.shock, "Only shocks whose name contains this text");
        app.add_option("--cycles", table.cycles, "Cycles of a run; 600 after a bad start")
            ->check(CLI::Range(std::size_t{401}, std::size_t{1'000'000}));
        app.add_flag("--alone", table.alone, "Networks without the way back of Learned");
      });
}
