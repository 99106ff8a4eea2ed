// SPDX-License-Identifier: BSD-3-Clause
// The talk's table (Bocquet et al., Chaos 34 (2024) 091104): learned analyses beside 3D-Var,
// EnKF-N and EnSRF, on the same unseen truth and observations; Lorenz 96 with 40 variables, all
// observed every 0.05 with error variance 1. Below it the same under random sparse networks.
//
// Learned rows read their weights from a folder; `--train ROW` trains that row first, from scratch
// or from its checkpoint, and writes the weights there. A training that is stopped goes on when it
// is started again.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "dan/app/writable.hpp"
#include "recipes.hpp"

namespace {

using namespace dan;
using nlohmann::ordered_json;

struct TableOptions {
  std::string train, from, only, weights = "weights", checkpoints;
  std::vector<std::string> set;  ///< NAME=VALUE, fields of the training
  std::size_t cycles = 100'000, updates = 0;
};

template <class Lorenz>
class Table {
 public:
  Table(std::string title, const example::Options& options, const TableOptions& table)
      : title_(std::move(title)), options_(options), table_(table) {
    if (options_.quick) table_.cycles = 640;
    const std::size_t burn_in = options_.quick ? 20 : 400;
    twin_ = {.runs = 64,
             .cycles = burn_in + (table_.cycles + 63) / 64,
             .burn_in = burn_in,
             .seed = options_.seed + 1000,
             .threads = options_.threads};
  }

  template <class Make>
  void classical(const std::string& method, const std::string& published, const Make& make) {
    if (wanted(method)) report(method, published, run_twin(problem_, make(), twin_), {});
  }

  template <class LearnedRow>
  void learned(const LearnedRow& row) {
    using Network = typename LearnedRow::Network;
    const auto file = row.file(table_.weights);
    const std::string label = row.name + ": " + row.method;
    if (!wanted(label)) return;
    if (!std::filesystem::exists(file)) {
      std::printf("%-48s %9s %8s  no %s; train it with --train %s\n", label.c_str(),
                  row.published.c_str(), "-", file.c_str(), row.name.c_str());
      return;
    }
    const auto trained = load_weights<Network>(file);
    report(
        label, row.published,
        run_twin(problem_, Learned<Lorenz, Network, 16>(problem_, trained), twin_),
        {{"weights", Network::parameters}, {"training", load_safetensors<float>(file).metadata}});
  }

  [[nodiscard]] const std::vector<example::Row>& rows() const { return rows_; }

 private:
  /// Whether the row is asked for; before the first one comes the heading.
  [[nodiscard]] bool wanted(const std::string& label) {
    if (label.find(table_.only) == std::string::npos) return false;
    if (!title_.empty())
      std::printf("%s\n%-48s %9s %8s  %-18s %8s %9s\n", title_.c_str(), "method", "published",
                  "aRMSE", "95 % interval", "cycles", "training");
    title_.clear();
    return true;
  }

  void report(const std::string& method, const std::string& published, const TwinScores& scores,
              ordered_json more) {
    std::string cost = "-";
    if (more.contains("training") && more["training"].contains("training_seconds"))
      cost = more["training"]["training_seconds"].template get<std::string>() + " s";
    std::printf("%-48s %9s %8.4f  %-18s %8zu %9s\n", method.c_str(), published.c_str(),
                scores.analysis_rmse, example::text_of(scores.interval).c_str(), scores.cycles,
                cost.c_str());
    example::print_failures(scores);
    more["published"] = published;
    rows_.push_back({method, scores, std::move(more)});
  }

  Lorenz problem_;
  std::string title_;
  example::Options options_;
  TableOptions table_;
  TwinConfig twin_;
  std::vector<example::Row> rows_;
};

/// The weights that the row's training begins with: random ones, or those of another row, the seed
/// of whose truths is left far behind.
template <class Row>
auto start_of(const Row& row, TrainConfig& config, const TableOptions& table,
              std::map<std::string, std::string>& notes) {
  using Network = typename Row::Network;
  if constexpr (Network::shape.retrace > 0) {
    const auto file = std::filesystem::path(table.weights) / (row.start + ".safetensors");
    notes["earlier_training_seconds"] =
        load_safetensors<float>(file).metadata.at("training_seconds");
    config.seed += 20;
    return retraced<Network::shape.retrace>(load_weights<Retraced<Network, 0>>(file));
  } else {
    Network network;
    scale_inputs(typename Row::Problem(), network, config.seed);  // all have this climate
    return random_start<float>(network, config.seed);
  }
}

/// Trains the row and writes its weights, if it is the one asked for.
template <class Row>
void train_row(const Row& row, const example::Options& options, const TableOptions& table) {
  if (table.train != row.name) return;
  using Network = typename Row::Network;
  auto recipe = row.recipe;
  TrainConfig& config = recipe.training;
  if (table.updates > 0 && table.from.empty()) config.updates = table.updates;
  config.seed = options.seed;
  config.threads = options.threads;
  for (const auto& field : table.set)
    set_field("--set", config, field.substr(0, field.find('=')),
              field.substr(std::min(field.size(), field.find('=') + 1)));
  auto updates = to_text(config.updates, " updates through ", config.unroll, " cycles");
  std::map<std::string, std::string> notes;
  if (!table.from.empty()) {
    const auto before = load_safetensors<float>(table.from).metadata;
    updates = before.contains("updates") ? before.at("updates") : "an unknown training";
    if (before.contains("training_seconds"))
      notes["earlier_training_seconds"] = before.at("training_seconds");
  }
  if (recipe.finish.share > 0) {
    const auto last = table.from.empty() ? recipe.finish.after(config)
                                         : recipe.finish.again(config, table.updates);
    updates += to_text(", then ", last.updates, " through ", last.unroll, " cycles");
  }
  std::fprintf(stderr, "Training %s: %zu weights, %s\n", row.name.c_str(), Network::parameters,
               updates.c_str());
  using Problem = typename Row::Problem;
  const auto problems = row.problems.empty() ? std::vector<Problem>{Problem()} : row.problems;
  const auto name =
      std::filesystem::path(table.checkpoints.empty() ? table.weights : table.checkpoints) /
      row.name;
  const auto [trained, report] =
      table.from.empty()
          ? dan::train<Row::lanes>(problems, start_of(row, config, table, notes), recipe, name)
          : dan::finish<Row::lanes>(problems, load_weights<Network>(table.from), recipe, name,
                                    table.updates);
  notes["command"] = to_text(
      "table --train ", row.name, " --seed ", options.seed, " --updates ",
      table.from.empty() ? config.updates : table.updates,
      table.from.empty() ? "" : " --from " + std::filesystem::path(table.from).filename().string());
  notes["updates"] = updates;
  notes["training"] = json_of_fields(config.shortened()).dump();
  notes["training_seconds"] = to_text(std::round(report.seconds));
  notes["restarts"] = to_text(report.restarts, ", the last one at update ", report.last_restart);
  save_weights(row.file(table.weights), trained, notes);
}

void table_of_the_talk(const example::Options& options, const TableOptions& table_options) {
  if (!table_options.train.empty()) {
    dan::app::require_writable_folder("--weights", table_options.weights);
    example::for_each_row([&](const auto& row) { train_row(row, options, table_options); });
    train_row(example::sparse_row(), options, table_options);
    train_row(example::universal_row(), options, table_options);
  }
  Table<example::Lorenz> table("Full observation", options, table_options);
  const example::Lorenz problem;
  const auto climate = climatology_of(problem);
  table.classical("3D-Var, tuned", "0.40", [&] {
    return Var3d<example::Lorenz>(problem, climate, tune_var3d(problem, climate));
  });
  table.classical("EnKF-N, 20 members", "0.191",
                  [&] { return EnkfN<example::Lorenz, 20>(problem); });
  table.classical("EnKF-N, 40 members", "0.179",
                  [&] { return EnkfN<example::Lorenz, 40>(problem); });
  // As the learned rows' teacher, with an inflation at which no run is lost (docs/notebook.md).
  table.classical("EnSRF, 64 members, rotated, inflation 1.015", "-", [&] {
    return Ensrf<example::Lorenz, 64>(problem, {.inflation = 1.015, .rotation = true});
  });
  table.classical("Kalman's covariance along 20 cycles back from x^f", "-",
                  [&] { return BackwardKalman<example::Lorenz>(problem); });
  example::for_each_row([&](const auto& row) { table.learned(row); });

  Table<example::SparseProblem> sparse(
      "\nZero to forty observations at random places, others "
      "in every cycle",
      options, table_options);
  const example::SparseProblem sparse_problem;
  sparse.classical("EnKF-N, 40 members", "-",
                   [&] { return EnkfN<example::SparseProblem, 40>(sparse_problem); });
  sparse.learned(example::sparse_row());

  auto rows = table.rows();
  for (auto row : sparse.rows()) {
    row.method = "random networks, " + row.method;
    rows.push_back(std::move(row));
  }
  const auto json = example::result("table", {{"seed", options.seed}}, rows);
  example::write_results(options, "table.json", json);
}

}  // namespace

int main(int argc, char** argv) {
  TableOptions table;
  std::set<std::string> names{example::sparse_row().name, example::universal_row().name};
  example::for_each_row([&](const auto& row) { names.insert(row.name); });
  return example::run(
      argc, argv,
      "The talk's table: learned analyses beside 3D-Var, EnKF-N and EnSRF on Lorenz 96.", {},
      [&](const example::Options& options) { table_of_the_talk(options, table); },
      [&](CLI::App& app) {
        app.add_option("--train", table.train, "Train this row first")
            ->check(CLI::IsMember(names))
            ->excludes("--quick");
        app.add_option("--from", table.from,
                       "Weights to finish, instead of a training from scratch; with upsets, if "
                       "the row has them");
        app.add_option("--updates", table.updates,
                       "Updates of that training, before its finish (with --from: of the finish); "
                       "0: the row's own")
            ->check(CLI::Range(std::size_t{0}, std::size_t{100'000'000}));
        app.add_option("--set", table.set,
                       "NAME=VALUE: fields of TrainConfig in that training, such as "
                       "muon.rate=20; with checkpoints of its own")
            ->needs("--train");
        app.add_option("--checkpoints", table.checkpoints,
                       "Folder of the training's checkpoints; else that of the weights");
        app.add_option("--weights", table.weights, "Folder of the weights");
        app.add_option("--only", table.only, "Only rows whose name contains this text");
        app.add_option("--cycles", table.cycles, "Scored cycles per row, all runs together")
            ->check(CLI::Range(std::size_t{64}, std::size_t{100'000'000}));
      });
}
