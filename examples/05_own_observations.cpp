// SPDX-License-Identifier: BSD-3-Clause
// Observations from a file, step by step: instruments that drift between the grid points of Lorenz
// 96, each with an error of its own, and cycles without any. An LETKF, a trained network, 3D-Var
// and 4D-Var assimilate them side by side; every call goes on where the last one with the same
// --out stopped, with the same bits.
//
// The file, observations.csv in the folder of --out, begins with the line
//     time,place,value,deviation
// and is made from a model run where it is not there. Then truth.npy holds the truth, and the
// errors are told; of a file of your own the spread is.

#include "comparison.hpp"

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
  const auto trained = example::trained<Network, 16>(
      drifting(), {.updates = 1500, .groups = 2, .unroll = 8, .warm_up = 200}, options);
  if (!options.out.empty()) save_weights(file, trained);
  return trained;
}

/// The share of the climate's variances with which make(problem, share) is best on truths of their
/// own.
template <class Make>
double tuned_share(const example::Options& options, const Make& make) {
  const auto twin = example::as_asked(
      {.runs = 8, .cycles = 400, .burn_in = 100, .seed = 2, .first_guess_deviation = 1}, options);
  const auto tuning = tune_analysis(
      drifting(), {{"x_B", {0.01, 0.02, 0.04, 0.08, 0.16}}},
      [&](auto v) { return make(drifting(), v[0]); }, twin);
  return tuning.best.values[0];
}

/// The RMSE of an estimate after `cycle` cycles; NaN where the truth is not known.
double error_of(const auto& estimate, const Tensor<double, 2>& truth, std::size_t cycle) {
  if (truth.shape()[0] < cycle) return std::nan("");
  double square = 0;
  for (std::size_t i = 0; i < 40; ++i)
    square += std::pow(estimate.at(i, 0) - truth(cycle - 1, i), 2) / 40;
  return std::sqrt(square);
}

void own_observations(const example::Options& options, std::size_t cycles) {
  const std::filesystem::path out = options.out.empty() ? "." : options.out;
  const auto file = out / "observations.csv", truth_file = out / "truth.npy";
  if (!std::filesystem::exists(file)) make_files(file, truth_file);
  const auto table = load_observations<Grid>(file);
  const auto truth =
      std::filesystem::exists(truth_file) ? load_npy<2>(truth_file) : zero_tensor<double>(0, 40);
  const std::size_t last = last_cycle(table, times);
  std::printf("%zu observations in %zu cycles, at most %zu at a time\n", table.rows().size(), last,
              most_in_a_cycle(table, times));

  const FromFile problem;
  const Climate climate = climatology_of(problem);
  const auto three = [&]<class Here>(const Here& here, double share) {
    return Var3d<Here>(here, climate, share);
  };
  const auto four = [&](const auto& here, double share) {
    return Var4d(here, DenseBackground(climate, share), {.lag = 2});
  };
  const Filter filter(problem, {.inflation = {.factor = 1.02}});
  const Dan dan(problem, trained_network(options));
  const auto var3d = three(problem, tuned_share(options, three));
  const auto var4d = four(problem, tuned_share(options, four));

  // From where a call before stopped, or from a first guess like the climate.
  const auto begin = [&]<class Method>(const Method& method, const char* name) {
    typename Method::FirstGuessBatch guess;
    guess.fill(2.3);
    return OperationalRun<Method>(method, method.start(guess, 3.6, {.seed = 1}), out / name);
  };
  auto ensemble = begin(filter, "letkf.safetensors");
  auto network = begin(dan, "dan_state.safetensors");
  auto static_b = begin(var3d, "3dvar.safetensors");
  auto window = begin(var4d, "4dvar.safetensors");
  const auto each = [&](const auto& use) {
    use("LETKF", ensemble), use("DAN", network), use("3D-Var", static_b), use("4D-Var", window);
  };

  std::printf("%6s %13s %8s %8s %8s %8s %8s\n", "cycle", "observations", "spread", "LETKF", "DAN",
              "3D-Var", "4D-Var");
  std::size_t cycle = last;
  each([&](const char*, const auto& run) { cycle = std::min(cycle, run.cycle()); });
  nlohmann::ordered_json rows;
  for (const std::size_t end = std::min(cycle + cycles, last); cycle < end;) {
    throw_if_interrupted("05_own_observations", cycle, " cycles; the same command goes on");
    const auto seen = rows_of(table, times, ++cycle);
    rows.push_back({{"cycle", cycle}});
    each([&](const char* name, auto& run) {
      while (run.cycle() < cycle) run.next(seen), run.save();
      rows.back()[name] = error_of(run.estimate(), truth, cycle);
    });
    rows.back()["spread"] = ensemble.spread();
    if (cycle % 20 != 0) continue;
    std::printf("%6zu %13zu %8.3f", cycle, seen.size(), ensemble.spread());
    each([&](const char* name, const auto&) { std::printf(" %8.3f", double(rows.back()[name])); });
    std::printf("\n");
  }
  std::printf("%-29s", rows.empty() ? "nothing was left to do" : "mean");
  each([&](const char* name, const auto&) {
    double sum = 0;
    for (const auto& row : rows) sum += double(row[name]);
    if (!rows.empty()) std::printf(" %8.3f", sum / static_cast<double>(rows.size()));
  });
  std::printf("\n");
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
