// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "dan/autodiff/dual.hpp"
#include "dan/core/memory.hpp"
#include "dan/diagnose/increment.hpp"
#include "dan/experiment/record.hpp"

namespace dan {

/// How far a learned analysis is from linear in the innovation: of `factor` f times the innovations
/// of the scored cycles, what is left of the increment without its linear part,
///   q(f) = √(Σ ‖a(x, f ζ) − a(x, 0) − f P ζ‖² / Σ ‖a(x, f ζ) − a(x, 0)‖²),  P = ∂a/∂ζ at ζ = 0,
/// sums over runs and cycles, in the problem's norm. A Kalman filter's is zero.
///
///     LinearityRecorder linearity({1, 2});
///     run_twin(problem, method, config, linearity);
///     const double q = linearity.nonlinear_share(0);
///
/// P ζ by dual numbers. Cost: per factor one pass of the network and two more per scored cycle.
/// Source: ours; the talk's equation 8 keeps the leading order in the innovation only.
class LinearityRecorder : public EmptyRecorder {
 public:
  explicit LinearityRecorder(std::vector<double> factors = {1})
      : factors_(std::move(factors)), rest_(factors_.size()), all_(factors_.size()) {}

  void after_analysis(const auto& view) {
    using Method = std::decay_t<decltype(view.method)>;
    static_assert(LearnedMethod<Method>,
                  "LinearityRecorder: the method must be a Learned analysis");
    using T = typename Method::T;
    if (!view.scored()) return;
    const LearnedIncrement increment(view.method);
    constexpr std::size_t size = decltype(increment)::size, inputs = decltype(increment)::inputs;
    Scratch<T> in(inputs, Unset{}), z(size, Unset{}), out(size, Unset{});
    Scratch<Dual<T>> along(inputs, Unset{}), linear(size, Unset{});
    std::copy_n(view.carried.cache->network_in.data(), inputs, in.data());
    std::ranges::copy(increment.innovation(in.data()), z.begin());
    for (std::size_t i = 0; i < inputs; ++i) along[i] = {in[i], T(0)};
    for (std::size_t i = 0; i < size; ++i) increment.innovation(along.data())[i] = {T(0), z[i]};
    increment(along.data(), linear.data());
    for (std::size_t n = 0; n < factors_.size(); ++n) {
      const T f(static_cast<typename Method::Real>(factors_[n]));
      for (std::size_t i = 0; i < size; ++i) increment.innovation(in.data())[i] = f * z[i];
      increment(in.data(), out.data());
      for (std::size_t l = 0; l < view.runs; ++l) {
        if (!view.going(l)) continue;
        for (std::size_t i = 0; i < size; ++i) {
          const double step = static_cast<double>(lane_of(out[i], l)) -
                              static_cast<double>(lane_of(linear[i].value, l));
          const double rest = step - factors_[n] * static_cast<double>(lane_of(linear[i].slope, l));
          all_[n] += view.weights[i] * step * step;
          rest_[n] += view.weights[i] * rest * rest;
        }
      }
    }
  }
  template <class Archive>
  void transfer(Archive& archive) {
    archive.numbers("rest", std::span(rest_), 1), archive.numbers("all", std::span(all_), 1);
  }
  void merge(const LinearityRecorder& next) {
    for (std::size_t n = 0; n < factors_.size(); ++n)
      all_[n] += next.all_[n], rest_[n] += next.rest_[n];
  }

  [[nodiscard]] const std::vector<double>& factors() const { return factors_; }
  /// q of factor n; not a number without a scored cycle.
  [[nodiscard]] double nonlinear_share(std::size_t n) const {
    return std::sqrt(rest_.at(n) / all_.at(n));
  }

 private:
  std::vector<double> factors_, rest_, all_;
};

}  // namespace dan
