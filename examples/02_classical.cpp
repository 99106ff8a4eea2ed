// SPDX-License-Identifier: BSD-3-Clause
// All classical methods on one problem, the same truth and observations: Lorenz 96 with 40
// variables, all observed every 0.05 with error variance 1 (Sakov and Oke 2008). Each is tuned on
// short runs with other data; the table shows the parameter found, the aRMSE, and where there is
// one, the score that an independent implementation (DAPPER) publishes with its own parameter.
#include "support.hpp"

namespace {

using namespace dan;
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;

class Table {
 public:
  Table(const Lorenz& problem, const example::Options& options)
      : problem_(problem), options_(options) {
    std::printf("%-20s %-20s %8s  %-18s %8s %9s %8s\n", "method", "tuned", "aRMSE", "95 % interval",
                "spread", "published", "seconds");
  }

  /// Tunes and scores one method; make(parameter) returns it; no `values`: nothing to tune.
  template <class Make>
  void add(const std::string& method, const TunedParameter& parameter, const Make& make,
           const std::string& published = "") {
    const auto begin = std::chrono::steady_clock::now();
    double value = 0;
    nlohmann::ordered_json more{{"published", published}};
    std::string tuned = "-";
    if (!parameter.values.empty()) {
      TwinConfig twin = tuning_twin();
      twin.seed = options_.seed + 2000;
      if (options_.quick) twin.runs = 2, twin.cycles = 30, twin.burn_in = 10;
      const auto tuning = tune_analysis(problem_, {parameter},
                                        [&](std::span<const double> v) { return make(v[0]); }, twin,
                                        {.threads = options_.threads});
      value = tuning.best.values[0];
      tuned = to_text(parameter.name, ' ', value);
      more["parameter"] = parameter.name;
      more["tuned"] = value;
      for (const auto& trial : tuning.trials)
        more["trials"].push_back({{"value", trial.values[0]}, {"rmse", trial.score}});
    }
    const TwinConfig config{.runs = 8,
                            .cycles = options_.quick ? 40U : 1700U,
                            .burn_in = options_.quick ? 20U : 200U,
                            .seed = options_.seed,
                            .threads = options_.threads,
                            .first_guess_deviation = 0.3};
    rows_.push_back({method, run_twin(problem_, make(value), config), more});
    const auto& s = rows_.back().scores;
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    char spread[16] = "-";
    if (std::isfinite(s.spread)) std::snprintf(spread, sizeof spread, "%.3f", s.spread);
    std::printf("%-20s %-20s %8.4f  %-18s %8s %9s %8.1f\n", method.c_str(), tuned.c_str(),
                s.analysis_rmse, example::text_of(s.interval).c_str(), spread, published.c_str(),
                seconds);
    example::print_failures(s);
  }

  [[nodiscard]] const std::vector<example::Row>& rows() const { return rows_; }

 private:
  Lorenz problem_;
  example::Options options_;
  std::vector<example::Row> rows_;
};

void classical(const example::Options& options) {
  const Lorenz problem;
  const Climate climate = climatology_of(problem);
  const TunedParameter none{}, x_b{"x_B", {0.005, 0.01, 0.02, 0.05, 0.1, 0.2}},
      inflation{"inflation", {1.0, 1.01, 1.02, 1.04, 1.06, 1.1}};
  const auto by = [](double factor) { return Inflation{.factor = factor}; };

  Table table(problem, options);
  table.add(
      "climatology", none, [&](double) { return Climatology<Lorenz>(climate); }, "3.6");
  table.add(
      "OI", none, [&](double) { return Oi<Lorenz>(problem, climate); }, "0.95");
  table.add(
      "3D-Var", x_b, [&](double x) { return Var3d<Lorenz>(problem, climate, x); }, "0.41");
  for (const std::size_t lag : {1U, 4U})
    table.add(to_text("4D-Var, lag ", lag), x_b,
              [&](double x) { return Var4d<Lorenz>(problem, climate, {.scale = x, .lag = lag}); });
  table.add(
      "extended KF", {"inflation", {1.01, 1.02, 1.04, 1.06, 1.1, 1.2, 1.4}},
      [&](double f) { return Ekf<Lorenz>(problem, {.inflation = f}); }, "0.24");
  table.add(
      "EnKF, N = 40", inflation,
      [&](double f) { return Enkf<Lorenz, 40>(problem, {.inflation = by(f)}); }, "0.22");
  table.add(
      "DEnKF, N = 40", inflation,
      [&](double f) { return Denkf<Lorenz, 40>(problem, {.inflation = by(f)}); }, "0.18");
  const auto etkf = [&]<std::size_t N>(const std::string& published) {
    table.add(
        to_text("ETKF, N = ", N), inflation,
        [&](double f) { return Etkf<Lorenz, N>(problem, {.inflation = by(f), .rotation = true}); },
        published);
  };
  etkf.operator()<20>("0.20");
  etkf.operator()<24>("0.18");
  table.add(
      "EnKF-N, N = 20", none, [&](double) { return EnkfN<Lorenz, 20>(problem); }, "0.19");
  table.add("EnKF-N, N = 40", none, [&](double) { return EnkfN<Lorenz, 40>(problem); });
  table.add(
      "LETKF, N = 7, r = 4", inflation,
      [&](double f) { return Letkf<Lorenz, 7>(problem, {.inflation = by(f), .rotation = true}); },
      "0.22");
  table.add(
      "IEnKF, N = 40", inflation,
      [&](double f) { return Ienks<Lorenz, 40>(problem, {.inflation = by(f), .rotation = true}); },
      "0.17");
  table.add("IEnKS-N, N = 20", {"lag", {1, 5, 10, 15}}, [&](double lag) {
    return Ienks<Lorenz, 20>(problem, {.lag = static_cast<std::size_t>(lag), .finite_size = true});
  });

  const auto json = example::result("02_classical", {{"seed", options.seed}}, table.rows());
  example::write_results(options, "results.json", json);
}

}  // namespace

int main(int argc, char** argv) {
  return example::run(argc, argv,
                      "Tunes all classical methods on Lorenz 96 and compares them on the same "
                      "truth and\nobservations (about two minutes on two cores).",
                      {}, classical);
}
