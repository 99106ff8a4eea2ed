// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>

#include "dan/core/memory.hpp"
#include "dan/diagnose/increment.hpp"
#include "dan/experiment/record.hpp"

namespace dan {

/// Mean and standard deviation of numbers; not a number without one.
struct MeanAndDeviation {
  double mean = std::numeric_limits<double>::quiet_NaN();
  double deviation = mean;
};

/// What a learned analysis does where the innovation is nothing, in every cycle:
///   b_k = √(mean over the state of w a(x^f_k, 0)²), w the weights of the problem's norm,
/// with the memory of that cycle. A Kalman filter's is zero.
///
///     BiasRecorder bias;
///     run_twin(problem, method, config, bias);
///     const auto [b, s] = bias.scored(config.burn_in);
///
/// Cost: one more pass of the network per cycle. Source: Bocquet et al., Chaos 34 (2024) 091104;
/// equation 7 of the talk.
struct BiasRecorder : EmptyRecorder {
  RunSeries series{};  ///< b_k of each run, in every cycle

  void begin(const auto& group) { series.runs.resize(group.runs); }
  void after_analysis(const auto& view) {
    using Method = std::decay_t<decltype(view.method)>;
    static_assert(LearnedMethod<Method>, "BiasRecorder: the method must be a Learned analysis");
    using T = typename Method::T;
    const LearnedIncrement increment(view.method);
    constexpr std::size_t size = decltype(increment)::size, inputs = decltype(increment)::inputs;
    Scratch<T> in(inputs, Unset{}), out(size, Unset{});
    std::copy_n(view.carried.cache->network_in.data(), inputs, in.data());
    std::ranges::fill(increment.innovation(in.data()), T(0));
    increment(in.data(), out.data());
    std::array<double, Method::runs> b{};
    for (std::size_t l = 0; l < view.runs; ++l) {
      double sum = 0;
      for (std::size_t i = 0; i < size; ++i)
        sum += view.weights[i] * std::pow(static_cast<double>(lane_of(out[i], l)), 2);
      b[l] = std::sqrt(sum / size);
    }
    series.add(view, b);
  }
  template <class Archive>
  void transfer(Archive& archive) {
    series.transfer(archive);
  }
  void merge(const BiasRecorder& next) { series.append(next.series); }

  /// b and s: of all b_k after the first `burn_in` cycles of each run.
  [[nodiscard]] MeanAndDeviation scored(std::size_t burn_in) const {
    double sum = 0, squares = 0, count = 0;
    for (const auto& run : series.after(burn_in))
      for (const double b : run) sum += b, squares += b * b, ++count;
    const double mean = sum / count;
    return {mean, std::sqrt(std::max(0.0, squares / count - mean * mean))};
  }
};

}  // namespace dan
