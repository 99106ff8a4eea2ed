// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// The table of an example: methods side by side on one problem, tuned and trained on other data.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support.hpp"

namespace example {

/// With `--quick` an experiment has a twentieth of its cycles.
inline dan::TwinConfig as_asked(dan::TwinConfig twin, const Options& options) {
  twin.seed += options.seed;
  twin.threads = options.threads;
  if (options.quick) twin.burn_in /= 10, twin.cycles = twin.burn_in + twin.cycles / 20;
  return twin;
}
/// With `--quick` a training has a few updates.
inline dan::TrainConfig as_asked(dan::TrainConfig training, const Options& options) {
  training.seed = options.seed;
  training.threads = options.threads;
  if (options.quick) training.updates = 4 + training.updates / 100;
  training.warm_up = std::min(training.warm_up, training.updates / 4);
  return training;
}

/// A network from random weights, trained on this problem.
template <class Network, std::size_t Lanes, class Problem>
dan::Trained<Network> trained(const Problem& problem, const dan::TrainConfig& training,
                              const Options& options) {
  Network network;
  scale_inputs(problem, network);
  dan::Trainer<Problem, Network, Lanes> trainer(problem, network, as_asked(training, options));
  return trainer.run();
}

/// Methods side by side on one problem: the same truths and observations, on which none was tuned
/// or trained.
template <class Problem>
class Comparison {
 public:
  /// The seeds of `unseen`, where methods are scored, and of `tuning` are counted from that of
  /// `--seed`.
  Comparison(std::string name, const Options& options, Problem problem, dan::TwinConfig unseen,
             dan::TwinConfig tuning = dan::tuning_twin())
      : name_(std::move(name)),
        options_(options),
        problem_(std::move(problem)),
        unseen_(as_asked(unseen, options)),
        tuning_(as_asked(tuning, options)) {
    print_heading();
  }

  /// Scores a method.
  template <class Method>
  Row& add(const std::string& name, const Method& method) {
    rows_.push_back({name, run_twin(problem_, method, unseen_)});
    print_row(rows_.back());
    return rows_.back();
  }
  /// Scores make(value) with the best value of a parameter.
  template <class Make>
  Row& add(const std::string& name, const dan::TunedParameter& parameter, const Make& make) {
    const auto tuning =
        tune_analysis(problem_, {parameter}, [&](std::span<const double> v) { return make(v[0]); },
                      tuning_, {.threads = options_.threads});
    const double best = tuning.best.values[0];
    Row& row = add(dan::to_text(name, ", ", parameter.name, " ", best), make(best));
    row.more["tuned"] = best;
    for (const auto& trial : tuning.trials)
      row.more["trials"].push_back({{parameter.name, trial.values[0]}, {"rmse", trial.score}});
    return row;
  }
  /// Scores a network from random weights, trained on this problem in groups of `Lanes` runs.
  template <class Network, std::size_t Lanes = 16>
  Row& train(const std::string& name, const dan::TrainConfig& training) {
    const dan::Learned<Problem, Network> learned(
        problem_, trained<Network, Lanes>(problem_, training, options_));
    return add(name, learned);
  }

  /// Every method that was added, in this order.
  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }

  /// Writes what was asked for, with `more` beside the settings of the experiment.
  void write(const nlohmann::ordered_json& more = nlohmann::ordered_json::object()) const {
    nlohmann::ordered_json config{{"seed", options_.seed},
                                  {"runs", unseen_.runs},
                                  {"cycles", unseen_.cycles},
                                  {"burn_in", unseen_.burn_in}};
    config.update(more);
    write_results(options_, "results.json", result(name_, std::move(config), rows_));
  }

 private:
  std::string name_;
  Options options_;
  Problem problem_;
  dan::TwinConfig unseen_, tuning_;
  std::vector<Row> rows_;
};

}  // namespace example
