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

/// A method on its way through the file; what it carries is read where a call before wrote it, else
/// begins from a first guess like the climate.
template <class Method>
class OnTheWay {
 public:
  OnTheWay(std::string name, const Method& method, std::filesystem::path file)
      : name_(std::move(name)), method_(method), file_(std::move(file)), now_(resumed()) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::size_t cycle() const { return now_.cycle; }
  [[nodiscard]] double mean_error() const { return errors_ / static_cast<double>(done_); }
  [[nodiscard]] double spread() const {
    double spread = 0;
    method_.spread(now_.carried, std::span(&spread, 1));
    return spread;
  }

  void next(std::span<const ObservationRow<1>> seen) {
    const RandomKey key{.seed = 1, .cycle = ++now_.cycle};
    set_observations(observed_, 0, seen);
    method_.forecast(now_.carried);
    method_.analyse(now_.carried, observed_, key);
    save_carried(method_, now_.carried, now_.cycle, file_);
  }
  /// The RMSE from this truth.
  double error(std::span<const double> truth) {
    typename Method::Estimate estimate;
    method_.estimate(now_.carried, estimate);
    double square = 0;
    for (std::size_t i = 0; i < 40; ++i) square += std::pow(estimate.at(i, 0) - truth[i], 2) / 40;
    errors_ += std::sqrt(square), ++done_;
    return std::sqrt(square);
  }

 private:
  [[nodiscard]] Resumed<Method> resumed() const {
    if (std::filesystem::exists(file_)) return load_carried(method_, file_);
    typename Method::FirstGuessBatch guess;
    guess.fill(2.3);
    return {method_.start(guess, 3.6, {.seed = 1}), 0};
  }

  std::string name_;
  const Method& method_;
  std::filesystem::path file_;
  Resumed<Method> now_;
  typename Method::Observed observed_{};
  double errors_ = 0;
  std::size_t done_ = 0;
};

/// The x_B with which `make(problem, x_B)` is best on truths of its own.
template <class Make>
double tuned_scale(const example::Options& options, const Make& make) {
  const Drifting problem = drifting();
  const TwinConfig other{.runs = 8,
                         .cycles = options.quick ? 20U : 400U,
                         .burn_in = options.quick ? 5U : 100U,
                         .seed = options.seed + 2,
                         .threads = 1,
                         .first_guess_deviation = 1};
  return tune_analysis(problem, {{"x_B", {0.01, 0.02, 0.04, 0.08, 0.16}}},
                       [&](auto v) { return make(problem, v[0]); }, other,
                       {.threads = options.threads})
      .best.values[0];
}

void own_observations(const example::Options& options, std::size_t cycles) {
  const std::filesystem::path out = options.out.empty() ? "." : options.out;
  const auto file = out / "observations.csv", truth_file = out / "truth.npy";
  if (!std::filesystem::exists(file)) make_files(file, truth_file);
  const auto table = load_observations<Grid>(file);
  const std::size_t last = last_cycle(table, times);
  std::printf("%zu observations in %zu cycles, at most %zu at a time\n", table.rows().size(), last,
              most_in_a_cycle(table, times));
  std::optional<Tensor<double, 2>> truth;
  if (std::filesystem::exists(truth_file)) truth = load_npy<2>(truth_file);

  const FromFile problem;
  const Climate climate = climatology_of(problem);
  const auto three = [&]<class Here>(const Here& here, double scale) {
    return Var3d<Here>(here, climate, scale);
  };
  const auto four = [&](const auto& here, double scale) {
    return Var4d(here, DenseBackground(climate, scale), {.lag = 2});
  };
  const Filter filter(problem, {.inflation = {.factor = 1.02}});
  const Dan dan(problem, trained_network(options));
  const auto var3d = three(problem, tuned_scale(options, three));
  const auto var4d = four(problem, tuned_scale(options, four));
  OnTheWay ensemble("LETKF", filter, out / "letkf.safetensors");
  OnTheWay network("DAN", dan, out / "dan_state.safetensors");
  OnTheWay static_b("3D-Var", var3d, out / "3dvar.safetensors");
  OnTheWay window("4D-Var", var4d, out / "4dvar.safetensors");
  const auto each = [&](const auto& use) {
    use(ensemble), use(network), use(static_b), use(window);
  };

  std::printf("%6s %13s %8s", "cycle", "observations", "spread");
  if (truth) each([](const auto& one) { std::printf(" %8s", one.name().c_str()); });
  nlohmann::ordered_json rows;
  std::size_t cycle = last;
  each([&](const auto& one) { cycle = std::min(cycle, one.cycle()); });
  for (const std::size_t end = std::min(cycle + cycles, last); cycle < end;) {
    throw_if_interrupted("05_own_observations", cycle, " cycles; the same command goes on");
    const auto seen = rows_of(table, times, ++cycle);
    each([&](auto& one) {
      if (one.cycle() < cycle) one.next(seen);
    });
    rows.push_back({{"cycle", cycle}, {"spread", ensemble.spread()}});
    if (truth)
      each([&](auto& one) {  // one that was saved last is a cycle ahead
        if (one.cycle() == cycle)
          rows.back()[one.name()] = one.error(std::span(&(*truth)(cycle - 1, 0), 40));
      });
    if (cycle % 20 != 0) continue;
    std::printf("\n%6zu %13zu %8.3f", cycle, seen.size(), ensemble.spread());
    if (truth)
      each([&](const auto& one) {
        std::printf(" %8.3f", rows.back().value(one.name(), std::nan("")));
      });
  }
  std::printf("\n");
  if (truth && !rows.empty()) {
    std::printf("mean errors:");
    each([](const auto& one) { std::printf(" %s %.3f", one.name().c_str(), one.mean_error()); });
    std::printf("\n");
  }
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
