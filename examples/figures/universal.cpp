// SPDX-License-Identifier: BSD-3-Clause
// One network for twelve problems, beside the best classical filter of each, tuned for it on other
// truths: noise, the number of observations, whose places change from cycle to cycle, and the
// interval between them are others in each, and the network is told them by its inputs alone;
// Lorenz 96 with 40 variables. Drawn by scripts/plot.py universal FOLDER.
#include <algorithm>
#include <cstdio>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "sweep.hpp"

namespace {

using namespace dan;
using example::SparseProblem;
using Values = std::span<const double>;

struct Setting {
  double variance;
  std::size_t observed, steps;
  [[nodiscard]] std::string name() const {
    return to_text("R ", variance, ", ", observed, " of 40, every ", 0.05 * double(steps));
  }
};

void add_filters(example::SweepFigure& figure, const Setting& setting) {
  const auto problem = example::observed_by(setting.variance, setting.observed, setting.steps);
  const nlohmann::ordered_json name{{"setting", setting.name()}};
  const TwinConfig twin = figure.tuning(2);
  figure.add("EnKF-N, 40 members", name, problem,
             [=] { return EnkfN<SparseProblem, 40>(problem); });
  figure.add_tuned("EnSRF, 64 members, rotated, tuned", name, problem,
                   {{"inflation", {1.01, 1.015, 1.02, 1.03, 1.05}}}, twin,
                   [](const SparseProblem& here, Values v) {
                     return Ensrf<SparseProblem, 64>(here, {.inflation = v[0], .rotation = true});
                   });
  figure.add_tuned("LETKF, 20 members, tuned", name, problem,
                   {{"radius", {4, 7, 10}}, {"inflation", {1.02, 1.05, 1.1}}}, figure.tuning(),
                   [](const SparseProblem& here, Values v) {
                     return Letkf<SparseProblem, 20>(
                         here, {.radius = v[0], .inflation = {.factor = v[1]}, .rotation = true});
                   });
  if (setting.steps > 1)
    figure.add_tuned("IEnKF-N, 40 members, tuned", name, problem, {{"inflation", {1, 1.03}}}, twin,
                     [](const SparseProblem& here, Values v) {
                       return Ienks<SparseProblem, 40>(
                           here, {.finite_size = true, .inflation = {.factor = v[0]}});
                     });
}

/// The best classical aRMSE of a setting in which no run was lost, and that of the network.
void print_comparison(const nlohmann::ordered_json& json, const std::vector<Setting>& settings) {
  std::printf("\n%-32s %-36s %8s %8s %7s\n", "setting", "best classical", "aRMSE", "network",
              "ratio");
  for (const auto& setting : settings) {
    std::string best = "-";
    double least = std::numeric_limits<double>::quiet_NaN(), network = least;
    for (const auto& row : json["results"]) {
      if (row["setting"] != setting.name() || row.contains("failed") || row.contains("lost") ||
          row.contains("failures") || row["analysis_rmse"].is_null())
        continue;
      const auto score = row["analysis_rmse"].get<double>();
      const auto method = row["method"].get<std::string>();
      if (method.starts_with("DAN"))
        network = score;
      else if (!(score >= least))
        least = score, best = method;
    }
    std::printf("%-32s %-36s %8.4f %8.4f %7.3f\n", setting.name().c_str(), best.c_str(), least,
                network, network / least);
  }
}

void universal(example::SweepFigure& figure) {
  const std::vector<Setting> settings = figure.values(std::vector<Setting>{{1, 40, 1},
                                                                           {0.1, 40, 1},
                                                                           {10, 40, 1},
                                                                           {1, 40, 2},
                                                                           {1, 40, 4},
                                                                           {0.1, 40, 4},
                                                                           {1, 20, 1},
                                                                           {10, 20, 1},
                                                                           {1, 10, 1},
                                                                           {0.1, 10, 1},
                                                                           {1, 20, 3},
                                                                           {0.1, 4, 1}});
  for (const auto& setting : settings) {
    add_filters(figure, setting);
    using Network = pretrained::Universal;
    const auto problem = example::observed_by(setting.variance, setting.observed, setting.steps);
    figure.add("DAN, one for all", {{"setting", setting.name()}}, problem,
               [=, file = figure.shipped("universal")] {
                 return Learned<SparseProblem, Network, 16>(problem, load_weights<Network>(file));
               });
  }
  print_comparison(figure.run("setting"), settings);
}

}  // namespace

int main(int argc, char** argv) {
  return example::run_sweep(argc, argv, "universal",
                            "One network for twelve problems beside the best filter of each.",
                            false, universal);
}
