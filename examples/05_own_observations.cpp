// SPDX-License-Identifier: BSD-3-Clause
// Observations from a file, step by step: instruments that drift between the grid points of Lorenz
// 96, each with an error of its own, and cycles without any. An LETKF and a trained network
// assimilate them side by side; every call goes on where the last one with the same --out stopped,
// with the same bits.
//
// The file, observations.csv in the folder of --out, begins with the line
//     time,place,value,deviation
// and is made from a model run where it is not there. Then truth.npy holds the truth, and the
// errors are told; of a file of your own the spread is.

#include <optional>

#include "support.hpp"

namespace {

using namespace dan;
using Grid = Ring<40>;
using Drifting = Problem<Rk4<Lorenz96<40>>, ObserveRandomPlaces<Grid, 30>>;  // makes the file
using FromFile = Problem<Rk4<Lorenz96<40>>, ObserveAt<Grid, 30>>;            // reads it
using Filter = Letkf<FromFile, 20>;
using Network = NetworkFor<FromFile, NetworkShape{.filters = 32,
                                                  .blocks = 3,
                                                  .sub_blocks = 2,
                                                  .kernel = 3,
                                                  .head = Head::gain,
                                                  .memory = 12,
                                                  .gain_radius = 5,
                                                  .products = 24,
                                                  .sees_precision = true}>;
using Dan = Learned<FromFile, Network, 1>;
constexpr CycleTimes times{.interval = 0.05};  // an analysis every 0.05

/// 20 to 30 observations at random places with deviations 0.5, 1 and 1.5.
Drifting drifting() {
  std::array<double, 30> variances{};
  for (std::size_t j = 0; j < 30; ++j) variances[j] = j % 3 == 0 ? 0.25 : (j % 3 == 1 ? 1 : 2.25);
  return {.observe = ObserveRandomPlaces<Grid, 30>(20, 30), .noise = DiagonalNoise<30>(variances)};
}

/// 400 cycles; none in cycles 100 to 119 is observed.
void make_files(const std::filesystem::path& observations, const std::filesystem::path& truth) {
  const Drifting problem = drifting();
  TwinTruth<Drifting, 1> twin(problem, {.seed = 7});
  ObservationTable<Grid> table;
  auto states = zero_tensor<double>(400, 40);
  for (std::size_t k = 1; k <= 400; ++k) {
    twin.next();
    for (std::size_t i = 0; i < 40; ++i) states(k - 1, i) = twin.truth().at(i, 0);
    if (k < 100 || k >= 120)
      add_observations(table, 0.05 * static_cast<double>(k), problem.observe, twin.observed());
  }
  save_observations(observations, table);
  save_npy(truth, states);
}

/// The network, trained on such observations, or what was trained before.
Trained<Network> trained_network(const example::Options& options) {
  const std::filesystem::path file = std::filesystem::path(options.out) / "dan.safetensors";
  if (!options.out.empty() && std::filesystem::exists(file)) return load_weights<Network>(file);
  const Drifting problem = drifting();
  Network network;
  scale_inputs(problem, network);
  Trainer<Drifting, Network, 16> trainer(problem, network,
                                         {.updates = options.quick ? 20U : 1500U,
                                          .groups = 2,
                                          .unroll = 8,
                                          .warm_up = options.quick ? 5U : 200U,
                                          .seed = options.seed,
                                          .threads = options.threads});
  const auto trained = trainer.run();
  if (!options.out.empty()) save_weights(file, trained);
  return trained;
}

/// What a method carries, from its file or from a first guess like the climate.
template <class Method>
Resumed<Method> resumed(const Method& method, const std::filesystem::path& file) {
  if (std::filesystem::exists(file)) return load_carried(method, file);
  typename Method::FirstGuessBatch guess;
  guess.fill(2.3);
  return {method.start(guess, 3.6, {.seed = 1}), 0};
}

void own_observations(const example::Options& options, std::size_t cycles) {
  const std::filesystem::path out = options.out.empty() ? "." : options.out;
  const auto file = out / "observations.csv", truth_file = out / "truth.npy";
  if (!std::filesystem::exists(file)) make_files(file, truth_file);
  const auto table = load_observations<Grid>(file);
  std::printf("%zu observations in %zu cycles, at most %zu at a time\n", table.rows().size(),
              last_cycle(table, times), most_in_a_cycle(table, times));

  const FromFile problem;
  const Filter filter(problem, {.inflation = {.factor = 1.02}});
  const Dan dan(problem, trained_network(options));
  auto [ensemble, cycle] = resumed(filter, out / "letkf.safetensors");
  auto [state, same] = resumed(dan, out / "dan_state.safetensors");
  std::optional<Tensor<double, 2>> truth;
  if (std::filesystem::exists(truth_file)) truth = load_npy<2>(truth_file);

  Filter::Observed observed;
  Dan::Observed observed_by_dan;
  Filter::Estimate estimate;
  double spread = 0, filter_errors = 0, dan_errors = 0;
  nlohmann::ordered_json rows;
  std::printf("%6s %13s %8s%s\n", "cycle", "observations", "spread",
              truth ? "    LETKF      DAN" : "");
  const std::size_t first = cycle, end = std::min(cycle + cycles, last_cycle(table, times));
  while (cycle < end) {
    throw_if_interrupted("05_own_observations", cycle, " cycles; the same command goes on");
    ++cycle;
    const auto seen = rows_of(table, times, cycle);
    set_observations(observed, 0, seen);
    set_observations(observed_by_dan, 0, seen);
    filter.forecast(ensemble);
    dan.forecast(state);
    filter.analyse(ensemble, observed, {.seed = 1, .cycle = cycle});
    dan.analyse(state, observed_by_dan, {.seed = 1, .cycle = cycle});
    save_carried(filter, ensemble, cycle, out / "letkf.safetensors");
    save_carried(dan, state, cycle, out / "dan_state.safetensors");

    filter.spread(ensemble, std::span(&spread, 1));
    rows.push_back({{"cycle", cycle}, {"spread", spread}});
    const auto error = [&, now = cycle - 1](const char* name, const auto& method,
                                            const auto& carried) {
      method.estimate(carried, estimate);
      double square = 0;
      for (std::size_t i = 0; i < 40; ++i)
        square += std::pow(estimate.at(i, 0) - (*truth)(now, i), 2) / 40;
      rows.back()[name] = std::sqrt(square);
      return std::sqrt(square);
    };
    if (truth)
      filter_errors += error("letkf", filter, ensemble), dan_errors += error("dan", dan, state);
    if (cycle % 20 == 0) {
      std::printf("%6zu %13zu %8.3f", cycle, seen.size(), spread);
      for (const char* name : {"letkf", "dan"})
        if (truth) std::printf(" %8.3f", rows.back()[name].get<double>());
      std::printf("\n");
    }
  }
  const auto count = static_cast<double>(std::max<std::size_t>(1, cycle - first));
  if (truth)
    std::printf("mean errors: LETKF %.3f, DAN %.3f\n", filter_errors / count, dan_errors / count);
  example::write_results(options, "results.json",
                         {{"example", "05_own_observations"}, {"cycles", rows}});
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t cycles = 200;
  return example::run(
      argc, argv,
      "Observations from a file, step by step; the next call with the same --out goes on.", {},
      [&](const example::Options& options) {
        own_observations(options, options.quick ? 40 : cycles);
      },
      [&](CLI::App& app) {
        app.add_option("--cycles", cycles, "Cycles to assimilate")
            ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}));
      });
}
