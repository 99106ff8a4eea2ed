// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/random.hpp"
#include "dan/problem/problem.hpp"

/// \file
/// The problem that a network was trained for, and whether another one is outside it.

namespace dan {

/// A problem in words: what the `describe()` of its parts say, else their sizes.
template <class Problem>
[[nodiscard]] std::string describe(const Problem& problem) {
  const auto words = [](const auto& part, const std::string& otherwise) {
    if constexpr (requires { std::string(part.describe()); })
      return std::string(part.describe());
    else
      return otherwise;
  };
  return words(problem.model, text("a model of ", Problem::size, " numbers")) + "; " +
         words(problem.observe, text("observed in ", Problem::slots, " slots"));
}

/// What a trained network must know of the problem that it was trained for.
///
/// Models are told apart by what one cycle does to states of independent normal numbers with the
/// network's input scaling, which sees every parameter and the interval, on any domain size.
struct TrainedFor {
  std::string problem{};   ///< in words
  std::size_t points = 0;  ///< of the state
  /// Mean and standard deviation of the change of a number in one cycle; NaN if not finite.
  double mean_change = std::numeric_limits<double>::quiet_NaN(), change = mean_change;
  double least_variance = 1, most_variance = 1;  ///< R_jj of the slots
  double least_observed = 1, most_observed = 1;  ///< slots that report, per number of the state
  double innovation = 1;  ///< mean of δ²/R at the end of the training; at least 1
};

/// The record of a problem for a network with this input scaling; `innovation` stays 1.
/// Cost: 128 model steps.
template <class Problem, class Network>
[[nodiscard]] TrainedFor trained_for(const Problem& problem, const Network& network) {
  constexpr std::size_t states = 128, lanes = 16, keys = 64, size = Problem::size;
  TrainedFor record{.problem = describe(problem), .points = Problem::points};
  std::vector<double> changes, state(size);
  typename Problem::template States<double, lanes> x;
  for (std::size_t first = 0; first < states; first += lanes) {
    for (std::size_t l = 0; l < lanes; ++l) {
      fill_normal<double>({1, Purpose::fingerprint, first + l, 0}, state);
      for (std::size_t i = 0; i < size; ++i) {
        const std::size_t c = i % Problem::channels;
        x.at(i, l) = network.input_mean[c] + network.input_deviation[c] * state[i];
      }
    }
    auto y = x;
    problem.model.step(y.data(), y.data());
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t l = 0; l < lanes; ++l) changes.push_back(y.at(i, l) - x.at(i, l));
  }
  double mean = 0, variance = 0;
  const auto count = static_cast<double>(changes.size());
  for (const double d : changes) mean += d / count;
  for (const double d : changes) variance += (d - mean) * (d - mean) / count;
  if (std::isfinite(variance)) record.mean_change = mean, record.change = std::sqrt(variance);

  record.least_variance = record.most_variance = problem.noise.variance(0);
  for (std::size_t j = 1; j < Problem::slots; ++j) {
    record.least_variance = std::min(record.least_variance, problem.noise.variance(j));
    record.most_variance = std::max(record.most_variance, problem.noise.variance(j));
  }
  std::array<bool, Problem::slots> mask;
  for (std::size_t n = 0; n < keys; ++n) {
    problem.observe.available({1, Purpose::fingerprint, n, n}, mask.data());
    const auto seen = static_cast<double>(std::ranges::count(mask, true)) / size;
    record.least_observed = n == 0 ? seen : std::min(record.least_observed, seen);
    record.most_observed = n == 0 ? seen : std::max(record.most_observed, seen);
  }
  return record;
}

/// In what the problem `found` lies outside the one that a network was trained for; nothing if it
/// does not.
[[nodiscard]] inline std::vector<std::string> differences(const TrainedFor& trained,
                                                          const TrainedFor& found) {
  std::vector<std::string> list;
  // The same random states on the same number of points; else other ones, with a sampling error.
  const auto samples = 128.0 * static_cast<double>(std::min(trained.points, found.points));
  const double tolerance = trained.points == found.points ? 1e-6 : 8 / std::sqrt(samples);
  const auto differ = [&](double a, double b) {
    return std::abs(a - b) > tolerance * trained.change;
  };
  if (differ(trained.mean_change, found.mean_change) || differ(trained.change, found.change))
    list.push_back("the model, or the interval between observations, is another one");
  const double slack = 1 + 1e-6;
  if (found.least_variance * slack < trained.least_variance ||
      found.most_variance > slack * trained.most_variance)
    list.push_back(text("observation errors have variances from ", found.least_variance, " to ",
                        found.most_variance, ", in training from ", trained.least_variance, " to ",
                        trained.most_variance));
  constexpr double sampled = 0.06;  // extremes of 64 draws miss the ends of a range by so much
  if (found.least_observed + sampled < trained.least_observed ||
      found.most_observed > sampled + trained.most_observed)
    list.push_back(text("between ", found.least_observed, " and ", found.most_observed,
                        " observations per number of the state report, in training between ",
                        trained.least_observed, " and ", trained.most_observed));
  return list;
}

/// Numbers that are not finite are null.
inline void to_json(nlohmann::ordered_json& json, const TrainedFor& r) {
  json = {{"setting", r.problem},
          {"points", r.points},
          {"change", {r.mean_change, r.change}},
          {"variance", {r.least_variance, r.most_variance}},
          {"observed", {r.least_observed, r.most_observed}},
          {"innovation", r.innovation}};
}
/// Throws nlohmann::json::exception if something is missing or of another type.
inline void from_json(const nlohmann::json& json, TrainedFor& r) {
  const auto number = [](const nlohmann::json& value) {
    return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
  };
  json.at("setting").get_to(r.problem);
  json.at("points").get_to(r.points);
  r.mean_change = number(json.at("change").at(0)), r.change = number(json.at("change").at(1));
  json.at("variance").at(0).get_to(r.least_variance);
  json.at("variance").at(1).get_to(r.most_variance);
  json.at("observed").at(0).get_to(r.least_observed);
  json.at("observed").at(1).get_to(r.most_observed);
  json.at("innovation").get_to(r.innovation);
}

}  // namespace dan
