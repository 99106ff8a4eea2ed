// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dan/core/error.hpp"

/// \file
/// The problem that a network was trained for, and whether another one is outside it.

namespace dan {

/// One of the problems that a network was trained for.
struct TrainedProblem {
  double change = 1;      ///< standard deviation of that of a number in one cycle
  double variance = 1;    ///< R_jj; the geometric mean of the least and the largest
  double observed = 1;    ///< slots that report, per number of the state; the mean of both
  double innovation = 1;  ///< mean of δ²/R at the end of the training; at least 1
};

/// What a trained network must know of the problem that it was trained for.
///
/// Models are told apart by what one cycle does to states of independent normal numbers with the
/// network's input scaling, which sees every parameter and the interval, on any domain size. A
/// network that was trained for several problems knows the ranges of their numbers.
struct TrainedFor {
  std::string problem{};   ///< in words
  std::size_t points = 0;  ///< of the state
  /// Mean and standard deviation of the change of a number in one cycle, of several channels in
  /// units of the deviations of each; NaN if not finite.
  double mean_change = std::numeric_limits<double>::quiet_NaN(), change = mean_change;
  /// Of several problems the largest ones, the others the smallest.
  double most_mean_change = mean_change, most_change = change;
  double least_variance = 1, most_variance = 1;  ///< R_jj of the slots
  /// The least of `observation_deviations` in each channel; empty in files of before they were
  /// kept.
  std::vector<double> deviations{};
  double least_observed = 1, most_observed = 1;  ///< slots that report, per number of the state
  bool between_points = false;  ///< whether observations may lie between the points of the grid
  double innovation = 1;        ///< mean of δ²/R at the end of the training; at least 1
  std::vector<TrainedProblem> problems{};  ///< if there are several

  /// The problem of this record, with its innovation, as one of several.
  [[nodiscard]] TrainedProblem as_one() const {
    return {change, std::sqrt(least_variance * most_variance), (least_observed + most_observed) / 2,
            innovation};
  }
  /// The innovation that is usual in the problem `found`: of several that of the nearest, by the
  /// logarithms of change, deviation of errors and number of observations.
  [[nodiscard]] double innovation_at(const TrainedFor& found) const {
    double usual = innovation, least = std::numeric_limits<double>::infinity();
    const TrainedProblem here = found.as_one();
    for (const auto& one : problems) {
      const double distance = std::pow(std::log(one.change / here.change), 2) +
                              std::pow(std::log(one.variance / here.variance) / 2, 2) +
                              std::pow(std::log(one.observed / here.observed), 2);
      if (distance < least) least = distance, usual = one.innovation;
    }
    return usual;
  }

  /// The innovation that was usual in exactly this problem, one of several; 1: not known.
  [[nodiscard]] double innovation_of(const TrainedProblem& one) const {
    const auto same = [&](const TrainedProblem& p) {
      return p.change == one.change && p.variance == one.variance && p.observed == one.observed;
    };
    const auto at = std::ranges::find_if(problems, same);
    return at == problems.end() ? 1 : at->innovation;
  }

  /// Whether `deviation` was its unit in all problems of the training: their errors are alike.
  [[nodiscard]] bool one_unit() const {
    return std::ranges::all_of(problems,
                               [&](const auto& p) { return p.variance == problems[0].variance; });
  }
  /// The unit in which the network sees observations of a channel whose places come with them.
  [[nodiscard]] double deviation(std::size_t channel) const {
    return channel < deviations.size() ? deviations[channel] : std::sqrt(least_variance);
  }

  /// The network was trained for this problem, too.
  void join(const TrainedFor& other) {
    if (problems.empty()) problems.push_back(as_one());
    problems.push_back(other.as_one());
    mean_change = std::fmin(mean_change, other.mean_change);
    most_mean_change = std::fmax(most_mean_change, other.most_mean_change);
    change = std::fmin(change, other.change);
    most_change = std::fmax(most_change, other.most_change);
    least_variance = std::min(least_variance, other.least_variance);
    most_variance = std::max(most_variance, other.most_variance);
    for (std::size_t c = 0; c < deviations.size(); ++c)
      deviations[c] = std::min(deviations[c], other.deviations[c]);
    least_observed = std::min(least_observed, other.least_observed);
    most_observed = std::max(most_observed, other.most_observed);
    between_points = between_points || other.between_points;
  }
};

/// In what the problem `found` lies outside the one that a network was trained for; nothing if it
/// does not.
[[nodiscard]] inline std::vector<std::string> differences(const TrainedFor& trained,
                                                          const TrainedFor& found) {
  std::vector<std::string> list;
  // The same random states on the same number of points; else other ones, with a sampling error.
  const auto samples = 128.0 * static_cast<double>(std::min(trained.points, found.points));
  const double tolerance = trained.points == found.points ? 1e-6 : 8 / std::sqrt(samples);
  // From the nearest number of the range.
  const double change = std::max(trained.change, std::min(trained.most_change, found.change));
  const auto outside = [&](double least, double most, double x) {
    return std::abs(x - std::max(least, std::min(most, x))) > tolerance * change;
  };
  if (outside(trained.mean_change, trained.most_mean_change, found.mean_change) ||
      outside(trained.change, trained.most_change, found.change))
    list.emplace_back("the model, or the interval between observations, is another one");
  const double slack = 1 + 1e-6;
  if (found.least_variance * slack < trained.least_variance ||
      found.most_variance > slack * trained.most_variance)
    list.push_back(to_text("observation errors have variances from ", found.least_variance, " to ",
                           found.most_variance, ", in training from ", trained.least_variance,
                           " to ", trained.most_variance));
  constexpr double sampled = 0.06;  // extremes of 64 draws miss the ends of a range by so much
  if (found.least_observed + sampled < trained.least_observed ||
      found.most_observed > sampled + trained.most_observed)
    list.push_back(to_text("between ", found.least_observed, " and ", found.most_observed,
                           " observations per number of the state report, in training between ",
                           trained.least_observed, " and ", trained.most_observed));
  if (found.between_points && !trained.between_points)
    list.emplace_back(
        "observations may lie between the points of the grid, in training they did not");
  return list;
}

/// Numbers that are not finite are null.
inline void to_json(nlohmann::ordered_json& json, const TrainedFor& r) {
  json = {{"setting", r.problem},
          {"points", r.points},
          {"change", {r.mean_change, r.change}},
          {"variance", {r.least_variance, r.most_variance}},
          {"deviations", r.deviations},
          {"observed", {r.least_observed, r.most_observed}},
          {"between_points", r.between_points},
          {"innovation", r.innovation}};
  if (r.most_mean_change > r.mean_change || r.most_change > r.change)
    json["most_change"] = {r.most_mean_change, r.most_change};
  for (const auto& p : r.problems)
    json["problems"].push_back({p.change, p.variance, p.observed, p.innovation});
}
/// Throws nlohmann::json::exception if something is missing or of another type.
inline void from_json(const nlohmann::ordered_json& json, TrainedFor& r) {
  const auto number = [](const nlohmann::ordered_json& value) {
    return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
  };
  json.at("setting").get_to(r.problem);
  json.at("points").get_to(r.points);
  r.mean_change = number(json.at("change").at(0)), r.change = number(json.at("change").at(1));
  const auto& most = json.contains("most_change") ? json["most_change"] : json["change"];
  r.most_mean_change = number(most.at(0)), r.most_change = number(most.at(1));
  json.at("variance").at(0).get_to(r.least_variance);
  json.at("variance").at(1).get_to(r.most_variance);
  r.deviations = json.value("deviations", std::vector<double>{});
  json.at("observed").at(0).get_to(r.least_observed);
  json.at("observed").at(1).get_to(r.most_observed);
  r.between_points = json.value("between_points", false);  // not in files of version 0.1.0
  json.at("innovation").get_to(r.innovation);
  r.problems.clear();
  if (json.contains("problems"))
    for (const auto& p : json["problems"])
      r.problems.push_back({number(p.at(0)), number(p.at(1)), number(p.at(2)), number(p.at(3))});
}

}  // namespace dan
