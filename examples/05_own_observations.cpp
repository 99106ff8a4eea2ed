// SPDX-License-Identifier: BSD-3-Clause
// An operational run: observations come in day by day, some are missing, and nobody knows the
// truth. Every call of this program assimilates some days and keeps what the filter carries in
// the folder of --out, from which the next call goes on with the same bits.
#include "support.hpp"

namespace {

using namespace dan;
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
using Filter = EnkfN<Lorenz, 20>;

/// Stands for whatever delivers observations: those of a day, NaN where there is none.
class World {
 public:
  World(const Lorenz& problem, std::uint64_t seed) : twin_(problem, {.seed = seed}) {}

  std::array<double, 40> observations(std::size_t day) {
    while (twin_.cycle() < day) twin_.next();
    std::array<double, 40> y{};
    for (std::size_t j = 0; j < y.size(); ++j)
      y[j] = (j + day) % 7 == 0 ? std::nan("") : twin_.observed().values.at(j, 0);
    return y;
  }
  [[nodiscard]] double error(const Filter::Estimate& estimate) const {
    return rmse(estimate, twin_.truth(), 0);
  }

 private:
  TwinTruth<Lorenz, 1> twin_;
};

void operate(const example::Options& options, std::size_t days) {
  const Lorenz problem;
  const Filter filter(problem);
  World world(problem, options.seed);

  // Where the last call stopped, or an ensemble like the climate.
  const std::filesystem::path out = options.out, file = out / "state.safetensors";
  auto [carried, day] = [&]() -> Resumed<Filter> {
    if (!options.out.empty() && std::filesystem::exists(file)) return load_carried(filter, file);
    const Climate climate = climatology_of(problem);
    Filter::FirstGuessBatch guess;
    guess.set_lane(0, climate.mean.data());
    return {filter.start(guess, std::sqrt(climate.covariance(0, 0)), {.seed = options.seed}), 0};
  }();

  nlohmann::ordered_json rows;
  Filter::Observed observed;
  Filter::Estimate estimate;
  std::printf("%6s %10s %10s\n", "day", "error", "spread");
  for (const std::size_t end = day + days; day < end;) {
    throw_if_interrupted(
        "05_own_observations", day, " days; ",
        options.out.empty() ? "nothing is kept: give --out" : "the same command goes on");
    ++day;
    set_observations<double, 40, 1>(observed, 0, world.observations(day), problem.noise,
                                    MissingValues::unobserved);
    filter.forecast(carried);
    filter.analyse(carried, observed, {options.seed, Purpose::analysis, 0, day});
    if (!options.out.empty()) save_carried(filter, carried, day, file);
    double spread = 0;
    filter.estimate(carried, estimate);
    filter.spread(carried, std::span(&spread, 1));
    std::printf("%6zu %10.4f %10.4f\n", day, world.error(estimate), spread);
    rows.push_back({{"day", day}, {"error", world.error(estimate)}, {"spread", spread}});
  }
  example::write_results(options, "results.json",
                         {{"example", "05_own_observations"}, {"version", version}, {"days", rows}});
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t days = 20;
  return example::run(
      argc, argv,
      "Assimilates some days of observations; the next call with the same --out goes on.", {},
      [&](const example::Options& options) { operate(options, options.quick ? 2 : days); },
      [&](CLI::App& app) {
        app.add_option("--days", days, "Days to assimilate")
            ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}));
      });
}
