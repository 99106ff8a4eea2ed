// SPDX-License-Identifier: BSD-3-Clause
// Accuracy against the number of members, N_e = 1 to 40: the talk's network, which sees all of them
// and gives each an increment, trained for each; and whether the members do the same (rows with
// `correlation`, `scatter`, `member_spread`, `used`, see dan/diagnose/collapse.hpp). Lorenz 96 with
// 40 variables, all observed every 0.05, R = I. After the talk's "feature collapse"; drawn by
// scripts/plot.py ensemble_size FOLDER.
#include "sweep.hpp"

namespace {

using namespace dan;
using example::Lorenz;

template <std::size_t Members>
void add_network(example::SweepFigure& figure) {
  using Network =
      AnalysisNetwork<NetworkShape{.filters = 40, .blocks = 5, .sub_blocks = 5, .members = Members},
                      Ring<40>>;
  const auto measure = [](const Lorenz& problem, const auto& method, const TwinConfig& twin) {
    if constexpr (Members == 1) {
      return json_of_scores(run_twin(problem, method, twin));
    } else {
      CollapseRecorder collapse;
      auto row = json_of_scores(run_twin(problem, method, twin, collapse));
      row["correlation"] = collapse.correlation();
      row["scatter"] = collapse.scatter();
      row["member_spread"] = collapse.spread();
      row["used"] = collapse.used();
      return row;
    }
  };
  const Recipe<EnsrfTeacher<64>> recipe{.training = training_without_memory(4000),
                                        .finish = {.share = 0.25, .unroll = 32}};
  figure.add_trained<Network, 16>("DAN, N_e states", {{"N_e", Members}}, Lorenz(), recipe, "",
                                  measure);
}

template <std::size_t... Members>
void ensemble_size(example::SweepFigure& figure) {
  (add_network<Members>(figure), ...);
  const auto json = figure.run("N_e");
  std::printf("\n%4s %12s %9s %14s %7s\n", "N_e", "correlation", "scatter", "member spread",
              "used");
  for (const auto& row : json["results"])
    if (row.contains("used") && row["used"].is_number())
      std::printf("%4zu %12.4f %9.2e %14.5f %7.4f\n", row["N_e"].get<std::size_t>(),
                  row["correlation"].get<double>(), row["scatter"].get<double>(),
                  row["member_spread"].get<double>(), row["used"].get<double>());
}

}  // namespace

int main(int argc, char** argv) {
  return example::run_sweep(argc, argv, "ensemble_size",
                            "Accuracy against the number of members, and their collapse.", true,
                            ensemble_size<1, 2, 5, 10, 20, 40>);
}
