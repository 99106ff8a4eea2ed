// SPDX-License-Identifier: BSD-3-Clause
// Ensemble forecasts from one state: free forecasts of members drawn from N(x^a, P^a), P^a from the
// gain head of a trained network, beside those of the EnKF-N's own 40 members; Lorenz 96 with 40
// variables, all observed every 0.05 with error variance 1, lead times 0 to 5. Drawn by
// scripts/plot.py forecast FOLDER.
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "recipes.hpp"

namespace {

using namespace dan;
using example::Lorenz;
constexpr double cycle_length = 0.05;
constexpr std::size_t enough = 40;  ///< members of the EnKF-N, and as many drawn

/// Lead times in cycles.
std::vector<std::size_t> lead_times() {
  return {0, 2, 4, 8, 10, 16, 20, 30, 40, 50, 60, 70, 80, 90, 100};
}

/// The members of the method itself.
struct OwnMembers {
  template <class View>
  Matrix operator()(const View& view, std::size_t lane) {
    using Method = std::decay_t<decltype(view.method)>;
    auto out = zero_tensor<double>(Lorenz::size, Method::members);
    std::vector<double> x(Lorenz::size);
    for (std::size_t m = 0; m < Method::members; ++m) {
      view.method.member(view.carried, lane, m, x);
      for (std::size_t i = 0; i < x.size(); ++i) out(i, m) = x[i];
    }
    return out;
  }
  void merge(const OwnMembers&) {}
};

/// Members drawn from N(x^a, P^a); keeps what of P^a was no covariance.
struct DrawnMembers {
  double negative = 0, count = 0;

  template <class View>
  Matrix operator()(const View& view, std::size_t lane) {
    std::vector<double> mean(Lorenz::size);
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] = view.estimate.at(i, lane);
    const auto root = covariance_root(analysis_covariance(view.method, view.carried, lane));
    negative += root.negative, ++count;
    return sampled_ensemble(mean, root.root, most, view.twin.key(lane));
  }
  void merge(const DrawnMembers& next) { negative += next.negative, count += next.count; }
  static constexpr std::size_t most = 200;
};

/// Scores of one lead time, of each run one number for each forecast.
struct LeadScores {
  RunSeries crps{}, squares{}, variance{};

  template <class F>
  void for_each(const F& f) {
    f(crps), f(squares), f(variance);
  }
};

/// Starts a free forecast of `Members` of the ensemble from every `every`-th scored analysis.
template <class Source, std::size_t Members>
struct ForecastRecorder : EmptyRecorder {
  std::size_t every = 20;
  Source source{};
  std::vector<LeadScores> leads = std::vector<LeadScores>(lead_times().size());

  explicit ForecastRecorder(std::size_t interval) : every(interval) {}

  void begin(const auto& group) {
    for (LeadScores& lead : leads)
      lead.for_each([&](RunSeries& series) { series.runs.resize(group.runs); });
  }
  void after_analysis(const auto& view) {
    if (!view.scored() || (view.twin.cycle() - view.burn_in) % every > 0) return;
    for (std::size_t l = 0; l < view.runs; ++l)
      if (view.going(l)) forecast(source(view, l), view.twin.truth(), l);
  }
  void merge(const ForecastRecorder& next) {
    source.merge(next.source);
    for (std::size_t n = 0; n < leads.size(); ++n) {
      leads[n].crps.append(next.leads[n].crps);
      leads[n].squares.append(next.leads[n].squares);
      leads[n].variance.append(next.leads[n].variance);
    }
  }

 private:
  void forecast(const Matrix& start, const auto& at, std::size_t lane) {
    Batch<double, Lorenz::points, 1, Members> ensemble;
    Batch<double, Lorenz::points, 1, 1> truth;
    for (std::size_t i = 0; i < Lorenz::size; ++i) {
      for (std::size_t m = 0; m < Members; ++m) ensemble.at(i, m) = start(i, m);
      truth.at(i, 0) = at.at(i, lane);
    }
    ensemble.repeat_last_lane(), truth.repeat_last_lane();
    const Lorenz problem;
    std::size_t cycle = 0;
    for (std::size_t n = 0; n < leads.size(); ++n) {
      for (; cycle < lead_times()[n]; ++cycle) {
        problem.model.step(ensemble.data(), ensemble.data());
        problem.model.step(truth.data(), truth.data());
      }
      double crps = 0, squares = 0, variance = 0;
      std::vector<double> members(Members);
      for (std::size_t i = 0; i < Lorenz::size; ++i) {
        for (std::size_t m = 0; m < Members; ++m) members[m] = ensemble.at(i, m);
        const auto belief = Belief::of(members);
        crps += crps_of_ensemble(members, truth.at(i, 0));
        squares += std::pow(truth.at(i, 0) - belief.mean, 2);
        variance += variance_of_error(belief);
      }
      leads[n].crps.runs[lane].push_back(crps / Lorenz::size);
      leads[n].squares.runs[lane].push_back(squares / Lorenz::size);
      leads[n].variance.runs[lane].push_back(variance / Lorenz::size);
    }
  }
};

/// The mean of all numbers of all runs.
double mean_of(const RunSeries& series) { return interval_of(series.after(0)).mean; }

class Figure {
 public:
  explicit Figure(const example::Options& options) {
    twin_ = {.runs = 64,
             .cycles = options.quick ? 60U : 1400U,
             .burn_in = options.quick ? 40U : 400U,
             .seed = options.seed + 1000,
             .threads = options.threads};
  }

  template <class Method, class... Recorders>
  void run(const Method& method, Recorders&... recorders) {
    example::print_failures(run_twin(Lorenz{}, method, twin_, recorders...));
  }

  void add(const std::string& method, std::size_t members, const std::vector<LeadScores>& leads) {
    std::printf("%s\n%8s %9s %-20s %9s %9s\n", method.c_str(), "lead", "CRPS", "  95 % interval",
                "RMSE", "spread");
    for (std::size_t n = 0; n < leads.size(); ++n) {
      const double lead = cycle_length * static_cast<double>(lead_times()[n]);
      const auto crps = interval_of(leads[n].crps.after(0));
      const double rmse = std::sqrt(mean_of(leads[n].squares));
      const double spread = std::sqrt(mean_of(leads[n].variance));
      std::printf("%8.2f %9.4f %-20s %9.4f %9.4f\n", lead, crps.mean,
                  example::text_of(crps).c_str(), rmse, spread);
      results_.push_back({{"method", method},
                          {"members", members},
                          {"lead_time", lead},
                          {"crps", crps.mean},
                          {"crps_interval", {crps.low, crps.high}},
                          {"rmse", rmse},
                          {"spread", spread}});
    }
    crps_[method] = leads;
  }

  /// CRPS of `a` / that of `b`, forecast by forecast of the same truths, so that the interval is
  /// that of the difference. Runs that ended early in one of both are left out.
  [[nodiscard]] nlohmann::ordered_json compared(const std::string& a, const std::string& b) const {
    auto json = nlohmann::ordered_json::array();
    std::printf("CRPS of %s / that of %s\n", a.c_str(), b.c_str());
    for (std::size_t n = 0; n < lead_times().size(); ++n) {
      const auto &ours = crps_.at(a)[n].crps.runs, &theirs = crps_.at(b)[n].crps.runs;
      RunSeries difference, reference;
      for (std::size_t r = 0; r < ours.size(); ++r) {
        if (ours[r].size() != theirs[r].size()) continue;
        auto& run = difference.runs.emplace_back(ours[r]);
        for (std::size_t k = 0; k < run.size(); ++k) run[k] -= theirs[r][k];
        reference.runs.push_back(theirs[r]);
      }
      const double lead = cycle_length * static_cast<double>(lead_times()[n]);
      const auto d = interval_of(difference.after(0));
      const double unit = mean_of(reference);
      const ConfidenceInterval ratio{1 + d.mean / unit, 1 + d.low / unit, 1 + d.high / unit};
      std::printf("%8.2f %9.4f %-20s\n", lead, ratio.mean, example::text_of(ratio).c_str());
      json.push_back(
          {{"lead_time", lead}, {"ratio", ratio.mean}, {"interval", {ratio.low, ratio.high}}});
    }
    return json;
  }
  [[nodiscard]] const nlohmann::ordered_json& results() const { return results_; }

 private:
  TwinConfig twin_;
  nlohmann::ordered_json results_ = nlohmann::ordered_json::array();
  std::map<std::string, std::vector<LeadScores>> crps_;
};

void forecast(const example::Options& options, const std::string& weights) {
  const Lorenz problem;
  Figure figure(options);
  const std::size_t every = options.quick ? 10 : 20;

  ForecastRecorder<OwnMembers, enough> own(every);
  figure.run(EnkfN<Lorenz, enough>(problem), own);
  figure.add("EnKF-N, 40 members", enough, own.leads);

  using Network = pretrained::Recurrent;
  const auto trained =
      load_weights<Network>(std::filesystem::path(weights) / "recurrent.safetensors");
  ForecastRecorder<DrawnMembers, enough> drawn(every);
  ForecastRecorder<DrawnMembers, DrawnMembers::most> more(every);
  figure.run(Learned<Lorenz, Network, 16>(problem, trained), drawn, more);
  figure.add("DAN, 40 members drawn", enough, drawn.leads);
  figure.add("DAN, 200 members drawn", DrawnMembers::most, more.leads);

  const double negative = drawn.source.negative / drawn.source.count;
  std::printf("negative eigenvalues of P^a: %.3f %% of the trace\n", 100 * negative);
  const auto ratios = figure.compared("DAN, 40 members drawn", "EnKF-N, 40 members");
  example::write_results(options, "forecast.json",
                         {{"example", "forecast"},
                          {"config", {{"seed", options.seed}}},
                          {"version", library_version},
                          {"negative_share", negative},
                          {"compared", ratios},
                          {"results", figure.results()}});
}

}  // namespace

int main(int argc, char** argv) {
  std::string weights = "weights";
  return example::run(
      argc, argv, "Forecasts of an ensemble drawn from one state's P^a beside those of the EnKF-N.",
      {}, [&](const example::Options& options) { forecast(options, weights); },
      [&](CLI::App& app) { app.add_option("--weights", weights, "Folder of the weights"); });
}
