// SPDX-License-Identifier: BSD-3-Clause
// What the shipped networks have learned, on Lorenz 96 (40 variables, all observed every 0.05,
// R = I): what they do without an innovation, the covariance they act as if they knew beside that
// of a concurrent EnKF-N with 40 members, how it depends on the state, and how far they are from
// linear in the innovation.
// After Bocquet et al., Chaos 34 (2024) 091104, and the talk's equations 7 to 12; drawn by
// scripts/plot.py learned FOLDER.
#include <utility>
#include <vector>

#include "recipes.hpp"

namespace {

using namespace dan;
using example::Lorenz;
using nlohmann::ordered_json;

struct LearnedOptions {
  std::string weights = "weights";
  std::size_t cycles = 500;  ///< scored, of each run
};

ordered_json json_of(const Matrix& m) {
  auto rows = ordered_json::array();
  for (std::size_t i = 0; i < m.shape()[0]; ++i)
    rows.push_back(
        std::vector<double>(m.data() + i * m.shape()[1], m.data() + (i + 1) * m.shape()[1]));
  return rows;
}

class Figure {
 public:
  Figure(const example::Options& options, const LearnedOptions& learned)
      : weights_(learned.weights), every_(options.quick ? 10 : 25), filter_(every_) {
    const std::size_t burn_in = options.quick ? 20 : 200;
    twin_ = {.runs = options.quick ? 2U : 16U,
             .cycles = burn_in + (options.quick ? 20 : learned.cycles),
             .burn_in = burn_in,
             .seed = options.seed + 3000,
             .threads = options.threads,
             .first_guess_deviation = 0.3};
    const auto scores = run_twin(problem_, EnkfN<Lorenz, 40>(problem_), twin_, filter_);
    example::print_failures(scores);
    spectrum_ = mean_spectrum(filter_.covariances);
    std::printf("EnKF-N, 40 members: aRMSE %.4f, %zu covariances\n", scores.analysis_rmse,
                twin_.runs * filter_.covariances[0].size());
    results.push_back({{"method", "EnKF-N, 40 members"},
                       {"analysis_rmse", scores.analysis_rmse},
                       {"spectrum", spectrum_}});
  }

  template <class Network>
  void add(const std::string& name) {
    const Learned<Lorenz, Network, 8> method(
        problem_, load_weights<Network>(std::filesystem::path(weights_) / (name + ".safetensors")));
    BiasRecorder bias;
    LinearityRecorder linearity({0.25, 0.5, 1, 2});
    CovarianceRecorder covariance(every_);
    SensitivityRecorder sensitivity(4 * every_, 4);
    const auto scores = run_twin(problem_, method, twin_, bias, linearity, covariance, sensitivity);
    example::print_failures(scores);
    const auto [b, s] = bias.scored(twin_.burn_in);
    const auto spectrum = mean_spectrum(covariance.covariances);
    const auto inflation = effective_inflation(covariance.covariances, filter_.covariances);
    const Matrix pattern = sensitivity.mean();
    double skew = 0, count = 0, worst = 0;
    for (const auto& run : covariance.covariances)
      for (const Matrix& p : run) skew += asymmetry(p), ++count;
    for (std::size_t k = 0; k < 10; ++k)
      worst = std::max(worst, std::abs(spectrum[k] / spectrum_[k] - 1));
    const double local = share_within<Ring<40>>(pattern, 6);
    std::vector<double> nonlinear;
    for (std::size_t n = 0; n < linearity.factors().size(); ++n)
      nonlinear.push_back(linearity.nonlinear_share(n));

    std::printf("\n%s: aRMSE %.4f\n", name.c_str(), scores.analysis_rmse);
    std::printf("  b %.5f, s %.5f (talk: 0.005, 0.001)\n", b, s);
    std::printf("  first 10 eigenvalues within %.0f %% of the EnKF-N's (wanted: 15 %%)\n",
                100 * worst);
    std::printf("  energy of S within 6 points: %.3f (wanted: 0.9)\n", local);
    std::printf(
        "  asymmetry of P %.3f; not linear: %.3f of the increment, of twice the innovation "
        "%.3f\n",
        skew / count, nonlinear[2], nonlinear[3]);
    std::printf("  %4s %10s %10s %7s  %s\n", "mode", "DAN", "EnKF-N", "ratio",
                "on the filter's modes");
    for (const std::size_t k : {0U, 1U, 2U, 4U, 6U, 9U, 12U, 15U, 19U, 24U, 29U, 34U, 38U})
      std::printf("  %4zu %10.5f %10.5f %7.2f  %7.2f\n", k + 1, spectrum[k], spectrum_[k],
                  spectrum[k] / spectrum_[k], inflation[k]);
    results.push_back({{"method", name},
                       {"analysis_rmse", scores.analysis_rmse},
                       {"bias", b},
                       {"bias_deviation", s},
                       {"spectrum", spectrum},
                       {"inflation", inflation},
                       {"asymmetry", skew / count},
                       {"factors", linearity.factors()},
                       {"nonlinear", nonlinear},
                       {"local", local},
                       {"sensitivity", json_of(pattern)}});
  }

  ordered_json results = ordered_json::array();

 private:
  Lorenz problem_{};
  std::string weights_;
  std::size_t every_;  ///< cycles from covariance to covariance
  TwinConfig twin_;
  CovarianceRecorder filter_;
  std::vector<double> spectrum_;
};

void learned(const example::Options& options, const LearnedOptions& learned_options) {
  Figure figure(options, learned_options);
  figure.add<pretrained::Plain>("plain");
  figure.add<pretrained::Small>("small");
  figure.add<pretrained::Recurrent>("recurrent");
  const ordered_json json{{"example", "learned"},
                          {"config", {{"seed", options.seed}}},
                          {"version", library_version},
                          {"results", figure.results}};
  example::write_results(options, "learned.json", json);
}

}  // namespace

int main(int argc, char** argv) {
  LearnedOptions learned_options;
  return example::run(
      argc, argv, "What the shipped networks have learned: bias, covariance, sensitivity.", {},
      [&](const example::Options& options) { learned(options, learned_options); },
      [&](CLI::App& app) {
        app.add_option("--weights", learned_options.weights, "Folder of the weights");
        app.add_option("--cycles", learned_options.cycles, "Scored cycles of each of the 16 runs")
            ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}));
      });
}
