// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "dan/core/batch.hpp"
#include "dan/core/random.hpp"
#include "dan/core/simd.hpp"
#include "dan/io/checksum.hpp"
#include "dan/network/weights.hpp"
#include "dan/observe/places.hpp"
#include "dan/problem/model_noise.hpp"
#include "dan/train/config.hpp"

namespace dan {

/// Numbers that change with a problem's model, observation operator, noise, start or norm, and with
/// the order of their numbers: a first state, a step from it at several times, its observations,
/// the errors of one cycle, the slots that report in several, weights and units, and the model's
/// noise in one cycle, if it has any.
template <class Problem>
[[nodiscard, gnu::cold]] std::vector<double> fingerprint(const Problem& problem) {
  std::vector<double> x(Problem::size), y(Problem::slots), errors(Problem::slots);
  std::vector<double> next(Problem::size);
  std::array<bool, Problem::slots> mask;
  problem.start({1, Purpose::fingerprint}, x);  // the model knows such states, whatever its units
  problem.observe.observe(x.data(), y.data());
  problem.noise.sample({1, Purpose::fingerprint}, std::span<double, Problem::slots>(errors));
  std::vector<double> sums(8);
  const auto weighted = [](std::size_t i, double value) {
    return static_cast<double>(i + 1) * value;
  };
  for (const double time : {0.0, 1.0, 7.0, 50.0}) {
    at_time(problem.model, time).step(x.data(), next.data());
    for (std::size_t i = 0; i < Problem::size; ++i)
      sums[0] += (time + 1) * weighted(i, next[i] - x[i]);
  }
  for (std::size_t j = 0; j < Problem::slots; ++j)
    sums[1] += weighted(j, y[j]), sums[2] += weighted(j, errors[j]);
  for (std::size_t cycle = 0; cycle < 8; ++cycle) {
    const RandomKey key{1, Purpose::fingerprint, 0, cycle};
    if constexpr (PlacedOperator<typename Problem::Operator>) {
      problem.observe.at(problem.observe.draw(key)).observe(x.data(), y.data());
      for (std::size_t j = 0; j < Problem::slots; ++j)
        sums[1] += weighted(cycle * Problem::slots + j, y[j]);
    }
    problem.observe.available(key, mask.data());
    for (std::size_t j = 0; j < Problem::slots; ++j)
      sums[3] += weighted(cycle * Problem::slots + j, mask[j]);
  }
  sums[5] = static_cast<double>(problem.start.spin_up);
  const std::vector<double> weights = problem.weights();
  for (std::size_t i = 0; i < Problem::size; ++i)
    sums[4] += weighted(i, x[i]), sums[6] += weighted(i, weights[i]),
        sums[7] += weighted(i, problem.unit(i));
  if constexpr (!Problem::perfect_model) {
    Batch<double, Problem::points, Problem::channels, 1> noise;
    add_noise_to_truth(problem.model_noise, noise, [](std::size_t) {
      return RandomKey{1, Purpose::fingerprint};
    });
    sums.push_back(0);
    for (std::size_t i = 0; i < Problem::size; ++i) sums[8] += weighted(i, noise.at(i, 0));
  }
  return sums;
}

/// A number that changes with a loss: its value, and its gradient along fixed numbers.
template <class Network, class Loss>
[[nodiscard, gnu::cold]] double loss_fingerprint(const Loss& loss) {
  constexpr std::size_t states = Network::members * Network::size;
  std::vector<double> x(states), truth(Network::size), along(states), gradient(states);
  const std::vector<double> norm(Network::size, 1.0);
  std::uint64_t run = 0;
  for (auto* numbers : {&x, &truth, &along})
    fill_normal<double>({.seed = 1, .purpose = Purpose::fingerprint, .run = run++}, *numbers);
  double sum = loss.template add<Network::members>(
      x.data(), truth.data(), std::span<const double>(norm), 1.0, 0.5, gradient.data());
  for (std::size_t i = 0; i < states; ++i) sum += along[i] * gradient[i];
  return sum;
}

/// What a training began from: with its types, the scaling of its inputs and its configuration all
/// that decides about its bits.
struct TrainingOrigin {
  std::string weights{};           ///< the checksum of the first ones
  std::vector<double> problems{};  ///< their fingerprints, one after the other
  double teacher = 0;              ///< a number that changes with it
  double loss = 0;                 ///< likewise
};
template <class Problem, class Network, class Real>
[[nodiscard, gnu::cold]] TrainingOrigin training_origin(const std::vector<Problem>& problems,
                                                        const Trained<Network, Real>& start,
                                                        double teacher, double loss) {
  TrainingOrigin origin{
      .weights = detail::checksum({{reinterpret_cast<const char*>(start.parameters.data()),
                                    Network::parameters * sizeof(Real)}}),
      .teacher = teacher,
      .loss = loss};
  for (const auto& problem : problems)
    for (const double number : fingerprint(problem)) origin.problems.push_back(number);
  return origin;
}

/// All that must agree for the same bits, as a text.
template <std::size_t Lanes, Kernels By, class Problem, class Real, class Network>
[[nodiscard, gnu::cold]] std::string training_description(const TrainingOrigin& origin,
                                                          const Network& network,
                                                          const TrainConfig& config) {
  return nlohmann::ordered_json{
      {"architecture", detail::architecture<Network>()},
      {"config", json_of_fields(config)},  // first, so that errors name it before what it changes
      {"start", origin.weights},
      {"points", Problem::points},
      {"lanes", Lanes},
      {"bytes", sizeof(Real)},
      {"simd", {simd_width<Real>, simd_width<double>}},
      {"kernels", By == Kernels::minimal ? "minimal" : "direct"},
      {"setting", origin.problems},
      {"scaling", {network.input_mean, network.input_deviation}},
      {"teacher", origin.teacher},
      {"loss", origin.loss}}
      .dump();
}

}  // namespace dan
