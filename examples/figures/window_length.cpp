// SPDX-License-Identifier: BSD-3-Clause
// Filtering and smoothing error against the length of the window: EnKF-N (as a smoother, EnKS-N),
// 4D-Var and IEnKS-N with 20 members on Lorenz 96 in the mild regime (40 variables, all observed
// every 0.05, R = I).
// After Bocquet and Sakov, Nonlin. Processes Geophys. 20 (2013) 803–818, figure 3; drawn by
// scripts/plot.py window_length FOLDER.
#include <algorithm>
#include <array>
#include <utility>

#include "../support.hpp"

namespace {

using namespace dan;
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
constexpr std::size_t members = 20;

/// The scores of a method, one per lag.
struct Curve {
  std::string method;
  nlohmann::ordered_json points = nlohmann::ordered_json::array();
  std::vector<ConfidenceInterval> filtering{}, smoothing{};
};

/// What two 95 % intervals allow to say of the first.
const char* compared(const ConfidenceInterval& a, const ConfidenceInterval& b) {
  return a.high < b.low ? "better" : a.low > b.high ? "worse" : a.low <= b.high ? "level" : "lost";
}

/// Prints for every lag whether the IEnKS-N is no worse than the others and the EnKF-N ahead of
/// 4D-Var; returns the same for the file.
nlohmann::ordered_json verdicts(const std::vector<std::size_t>& lags, const Curve& enkf_n,
                                const Curve& ienks_n, const Curve& var4d) {
  auto json = nlohmann::ordered_json::array();
  std::printf(
      "\nWhat the 95 %% intervals say, filtering and smoothing:\n%4s  %-20s  %-20s  %-20s  %s\n",
      "lag", "IEnKS-N to EnKF-N", "IEnKS-N to 4D-Var", "EnKF-N to 4D-Var",
      "IEnKS-N no worse, EnKF-N ahead (filtering)");
  std::size_t no_worse = 0, ahead = 0;
  for (std::size_t n = 0; n < lags.size(); ++n) {
    std::vector<std::string> words;  // a pair for each pair of methods
    for (const auto& [a, b] : {std::pair(&ienks_n, &enkf_n), {&ienks_n, &var4d}, {&enkf_n, &var4d}})
      for (const auto scores : {&Curve::filtering, &Curve::smoothing})
        words.emplace_back(compared((a->*scores)[n], (b->*scores)[n]));
    const bool holds = std::all_of(words.begin(), words.begin() + 4, [](const std::string& word) {
      return word == "better" || word == "level";
    });
    const bool leads = words[4] == "better";
    no_worse += holds, ahead += leads;
    std::printf("%4zu", lags[n]);
    for (std::size_t k = 0; k < 6; k += 2)
      std::printf("  %-20s", to_text(words[k], ", ", words[k + 1]).c_str());
    std::printf("  %s, %s\n", holds ? "yes" : "NO", leads ? "yes" : "NO");
    json.push_back({{"lag", lags[n]}, {"ienks_n_no_worse", holds}, {"enkf_n_ahead", leads}});
  }
  std::printf("IEnKS-N no worse at %zu of %zu lags, EnKF-N ahead of 4D-Var at %zu\n", no_worse,
              lags.size(), ahead);
  return json;
}

class Figure {
 public:
  explicit Figure(const example::Options& options) : options_(options) {
    std::printf("%-26s %4s %-16s %9s  %-18s %9s %8s\n", "method", "lag", "tuned", "filtering",
                "95 % interval", "smoothing", "seconds");
  }

  [[nodiscard]] TwinConfig tuning() const {
    TwinConfig twin = tuning_twin();
    twin.seed = options_.seed + 2000;
    twin.threads = options_.threads;
    twin.cycles = options_.quick ? 20 : 400;
    twin.burn_in = options_.quick ? 10 : 100;
    return twin;
  }

  template <class Method>
  void add(Curve& curve, const Method& analysis, std::size_t lag, const std::string& tuned) const {
    const auto s = run_twin(problem, analysis,
                            {.runs = 8,
                             .cycles = options_.quick ? 40U : 1500U,
                             .burn_in = options_.quick ? 20U : 200U,
                             .seed = options_.seed,
                             .threads = options_.threads,
                             .first_guess_deviation = 0.3});
    std::printf("%-26s %4zu %-16s %9.4f  %-18s %9.4f %8.1f\n", curve.method.c_str(), lag,
                tuned.c_str(), s.analysis_rmse, example::text_of(s.interval).c_str(),
                s.smoothing_rmse, s.seconds);
    example::print_failures(s);
    const auto interval_json = [](const ConfidenceInterval& i) {
      return nlohmann::ordered_json::array({i.low, i.high});
    };
    curve.points.push_back({{"lag", lag},
                            {"tuned", tuned},
                            {"filtering", s.analysis_rmse},
                            {"filtering_interval", interval_json(s.interval)},
                            {"smoothing", s.smoothing_rmse},
                            {"smoothing_interval", interval_json(s.smoothing_interval)},
                            {"failed_runs", s.failures.size()},
                            {"lost_runs", s.lost.size()}});
    curve.filtering.push_back(s.interval);
    curve.smoothing.push_back(s.smoothing_interval);
  }

  const Lorenz problem{};

 private:
  example::Options options_;
};

void window_length(const example::Options& options) {
  const Figure figure(options);
  const Climate climate = climatology_of(figure.problem);
  const std::vector<std::size_t> lags =
      options.quick ? std::vector<std::size_t>{1, 5}
                    : std::vector<std::size_t>{1, 2, 4, 6, 8, 10, 13, 16, 20};

  // EnKF-N and IEnKS-N: no inflation to tune. The filtering error of an EnKS is the filter's.
  std::array<Curve, 3> curves{{{"EnKF-N"}, {"IEnKS-N"}, {"4D-Var"}}};
  auto& [enkf_n, ienks_n, var_4d] = curves;
  for (const std::size_t lag : lags)
    figure.add(enkf_n, Enks{EnkfN<Lorenz, members>(figure.problem), lag}, lag, "-");
  for (const std::size_t lag : lags)
    figure.add(ienks_n, Ienks<Lorenz, members>(figure.problem, {.lag = lag, .finite_size = true}),
               lag, "-");

  // 4D-Var uses all observations of its window; its x_B is tuned for every lag.
  for (const std::size_t lag : lags) {
    const auto var4d = [&](double logarithm) {
      return Var4d<Lorenz>(figure.problem, climate,
                           {.scale = std::pow(10, logarithm), .lag = lag, .use = WindowUse::all});
    };
    const auto tuning =
        tune_by_golden_section("log10 x_B", -5, -1.5, options.quick ? 2 : 8, [&](double x) {
          return score_to_tune(run_twin(figure.problem, var4d(x), figure.tuning()));
        });
    const double best = tuning.best.values[0];
    figure.add(var_4d, var4d(best), lag,
               to_text("x_B ", std::round(std::pow(10, best) * 1e5) / 1e5));
  }

  nlohmann::ordered_json json{{"example", "window_length"},
                              {"config", {{"seed", options.seed}, {"members", members}}},
                              {"version", library_version},
                              {"curves", nlohmann::ordered_json::array()}};
  for (const auto& curve : curves)
    json["curves"].push_back({{"method", curve.method}, {"points", curve.points}});
  json["verdicts"] = verdicts(lags, enkf_n, ienks_n, var_4d);
  example::write_results(options, "window_length.json", json);
}

}  // namespace

int main(int argc, char** argv) {
  return example::run(argc, argv,
                      "Filtering and smoothing error of EnKF-N, 4D-Var and IEnKS-N against the "
                      "window's length.",
                      {}, window_length);
}
