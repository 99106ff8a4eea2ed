// SPDX-License-Identifier: BSD-3-Clause
// The talk's table (Bocquet et al., Chaos 34 (2024) 091104): learned analyses with one forecast
// state beside 3D-Var and the EnKF-N, on the same unseen truth and observations; Lorenz 96 with 40
// variables, all observed every 0.05 with error variance 1.
//
// Learned rows read their weights from a folder; `--train ROW` trains that row first, from scratch
// or from its checkpoint, and writes the weights there.
#include "../support.hpp"

namespace {

using namespace dan;
using nlohmann::ordered_json;
using Problem = Setting<Rk4<Lorenz96<40>>, FullNetwork<40>>;

struct TableOptions {
  std::string train, only, weights = "weights", checkpoints;
  std::size_t cycles = 100'000, updates = 0;
};

class Table {
 public:
  Table(const example::Options& options, TableOptions table)
      : options_(options), table_(std::move(table)) {
    if (options_.quick) table_.cycles = 640;
    const std::size_t burn_in = options_.quick ? 20 : 400;
    twin_ = {.runs = 64,
             .cycles = burn_in + (table_.cycles + 63) / 64,
             .burn_in = burn_in,
             .seed = options_.seed + 1000,
             .threads = options_.threads};
    std::printf("%-34s %9s %8s  %-18s %8s %9s\n", "method", "published", "aRMSE", "95 % interval",
                "cycles", "training");
  }

  template <class Make>
  void classical(const std::string& method, const std::string& published, const Make& make) {
    if (wanted(method)) report(method, published, run_twin(problem_, make(), twin_), {});
  }

  /// `name`: of the row and of its weights file.
  template <class Network>
  void learned(const std::string& name, const std::string& method, const std::string& published,
               TrainConfig config) {
    namespace fs = std::filesystem;
    const fs::path file = fs::path(table_.weights) / (name + ".safetensors");
    if (table_.train == name) train<Network>(name, file, config);
    const std::string label = name + ": " + method;
    if (!wanted(label)) return;
    if (!fs::exists(file)) {
      std::printf("%-34s %9s %8s  no %s; train it with --train %s\n", label.c_str(),
                  published.c_str(), "-", file.c_str(), name.c_str());
      return;
    }
    const auto trained = load_weights<Network>(file);
    const auto notes = load_safetensors<float>(file).metadata;
    report(label, published,
           run_twin(problem_, Learned<Problem, Network, 16>(problem_, trained), twin_),
           {{"weights", Network::parameters}, {"training", notes}});
  }

  [[nodiscard]] const std::vector<example::Row>& rows() const { return rows_; }

 private:
  [[nodiscard]] bool wanted(const std::string& label) const {
    return label.find(table_.only) != std::string::npos;
  }

  template <class Network>
  void train(const std::string& name, const std::filesystem::path& file, TrainConfig config) {
    if (table_.updates > 0) config.updates = table_.updates;
    if (options_.quick) config.updates = 20;
    config.warm_up = std::min(config.warm_up, config.updates / 10);
    if (!table_.checkpoints.empty()) std::filesystem::create_directories(table_.checkpoints);
    config.seed = options_.seed;
    config.threads = options_.threads;
    std::fprintf(stderr, "Training %s: %zu weights, %zu updates\n", name.c_str(),
                 Network::parameters, config.updates);
    Network network;
    scale_inputs(problem_, network, options_.seed);
    Trainer<Problem, Network, 32> trainer(problem_, network, config);
    const auto& trained =
        trainer.run(table_.checkpoints.empty()
                        ? std::filesystem::path()
                        : std::filesystem::path(table_.checkpoints) / (name + ".checkpoint"));
    const auto& report = trainer.report();
    std::filesystem::create_directories(table_.weights);
    save_weights(
        file, trained,
        {{"command",
          text("table --train ", name, " --seed ", options_.seed, " --updates ", config.updates)},
         {"training_seconds", text(std::round(report.seconds))},
         {"restarts", text(report.restarts, ", the last one at update ", report.last_restart)}});
  }

  void report(const std::string& method, const std::string& published, const TwinScores& scores,
              ordered_json more) {
    std::string cost = "-";
    if (more.contains("training") && more["training"].contains("training_seconds"))
      cost = more["training"]["training_seconds"].get<std::string>() + " s";
    char interval[32];
    std::snprintf(interval, sizeof interval, "[%.4f, %.4f]", scores.interval.low,
                  scores.interval.high);
    std::printf("%-34s %9s %8.4f  %-18s %8zu %9s\n", method.c_str(), published.c_str(),
                scores.analysis_rmse, interval, scores.cycles, cost.c_str());
    example::print_failures(scores);
    more["published"] = published;
    rows_.push_back({method, scores, std::move(more)});
  }

  Problem problem_;
  example::Options options_;
  TableOptions table_;
  TwinConfig twin_;
  std::vector<example::Row> rows_;
};

void table_of_the_talk(const example::Options& options, const TableOptions& table_options) {
  Table table(options, table_options);
  const Problem problem;
  const auto climate = climatology_of(problem);
  table.classical("3D-Var, tuned", "0.40",
                  [&] { return Var3d<Problem>(problem, climate, tune_var3d(problem, climate)); });
  table.classical("EnKF-N, 20 members", "0.191", [&] { return EnkfN<Problem, 20>(problem); });
  table.classical("EnKF-N, 40 members", "0.179", [&] { return EnkfN<Problem, 40>(problem); });

  const TrainConfig small{.updates = 4000, .groups = 2, .window = 8, .first_window = 4};
  const TrainConfig recurrent{.updates = 16000, .groups = 2, .window = 16, .first_window = 4};
  const TrainConfig plain{.updates = 16000, .groups = 2, .window = 4};
  table.learned<pretrained::Plain>("plain", "plain head, 40 filters", "0.191", plain);
  table.learned<pretrained::Small>("small", "gain head, memory", "-", small);
  table.learned<pretrained::Recurrent>("recurrent", "gain head, memory", "-", recurrent);

  const auto json = example::result("table", {{"seed", options.seed}}, table.rows());
  if (!options.json.empty()) write_json(options.json, json);
  if (!options.out.empty()) write_json(std::filesystem::path(options.out) / "table.json", json);
}

}  // namespace

int main(int argc, char** argv) {
  TableOptions table;
  return example::run(
      argc, argv,
      "The talk's table: learned analyses of one state beside 3D-Var and the EnKF-N on Lorenz 96.",
      {}, [&](const example::Options& options) { table_of_the_talk(options, table); },
      [&](CLI::App& app) {
        app.add_option("--train", table.train, "Train this row first")
            ->check(CLI::IsMember({"plain", "small", "recurrent"}));
        app.add_option("--updates", table.updates, "Updates of that training; 0: the row's own");
        app.add_option("--checkpoints", table.checkpoints,
                       "Keep checkpoints of the training in this folder and go on from them");
        app.add_option("--weights", table.weights, "Folder of the weights");
        app.add_option("--only", table.only, "Only rows whose name contains this text");
        app.add_option("--cycles", table.cycles, "Scored cycles per row, all runs together")
            ->check(CLI::Range(std::size_t{64}, std::size_t{100'000'000}));
      });
}
