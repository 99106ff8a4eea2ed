// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "dan/core/batch.hpp"
#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/problem/problem.hpp"

namespace dan {

/// The options of an extended Kalman filter.
struct EkfConfig {
  double inflation = 1;  ///< of standard deviations where anything is observed: P ← inflation² P
};

/// The extended Kalman filter, for small states: it carries the whole covariance.
///
///   x^f = M(x),  P^f = M'(x) P M'(x)ᵀ + Q,
///   K = P Hᵀ (H P Hᵀ + R)⁻¹,  x^a = x^f + K (y − H(x^f)),  P^a = inflation² (I − K H) P,
/// with H the tangent at x^f. The observations are used one after the other, which is the same
/// because R is diagonal and H stays as it is.
/// P: state elements × state elements, a lane per column, so that the tangent model and H act on
/// all columns at once.
/// The constructor throws ConfigError unless inflation > 0; `start` unless deviation > 0; `analyse`
/// throws NumericalError when the state or an observation is not finite or an innovation variance
/// not positive.
/// Cost per cycle: 2 tangent steps per state element, size² + slots² flops per observation.
/// Memory: 3 size² numbers.
/// With model noise: size² numbers more.
/// Source: Jazwinski, Stochastic Processes and Filtering Theory (1970), theorem 8.1.
template <class Problem_>
class Ekf : public AnalysisTypes<Problem_, double, 1> {
 public:
  using Problem = Problem_;
  static_assert(DifferentiableModel<typename Problem::Model>,
                "Ekf: the model must have step_tangent and step_adjoint; write them, put it "
                "into Differentiated<...>, or take an ensemble filter");
  static_assert(DifferentiableOperator<typename Problem::Operator>,
                "Ekf: the observation operator must have observe_tangent, observe_adjoint and "
                "linear; write them, put it into Differentiated<...>, or take an ensemble filter");
  using Types = AnalysisTypes<Problem, double, 1>;
  using typename Types::Estimate, typename Types::FirstGuessBatch, typename Types::Observed;
  using Types::size, Types::slots;
  using Columns = typename Problem::template States<double, size>;
  using T = typename Columns::T;

  static constexpr bool keeps_past = true;  ///< see HasElements
  static constexpr std::string_view method = "Ekf";

  struct Carried {
    Estimate state;
    Columns covariance;
    std::size_t cycle = 0;  ///< at which the next forecast begins
  };

  explicit Ekf(const Problem& problem, const EkfConfig& config = {})
      : problem_(problem), weights_(problem.weights()), config_(config) {
    require_positive("Ekf", "inflation", config.inflation);
    if constexpr (!Problem::perfect_model) {
      Columns unit;
      for (std::size_t i = 0; i < size; ++i) unit.at(i, i) = 1;
      problem.model_noise.multiply(unit.data(), q_.data());
    }
  }

  /// The first guess with P = deviation² I, in units of the norm.
  [[nodiscard]] Carried start(const FirstGuessBatch& guess, double deviation,
                              const RandomKey& key) const {
    require_positive("Ekf::start", "deviation", deviation);
    Carried carried{guess, {}, key.cycle};
    for (std::size_t i = 0; i < size; ++i)
      carried.covariance.at(i, i) = std::pow(deviation * problem_.unit(i), 2);
    return carried;
  }

  void forecast(Carried& carried) const {
    Columns& p = carried.covariance;
    Scratch<T> x(size, Unset{});
    const auto& model = at_time(problem_.model, static_cast<double>(carried.cycle++));
    for (std::size_t i = 0; i < size; ++i) x[i] = T(carried.state[i]);
    model.step_tangent(x.data(), p.data(), p.data());
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t j = 0; j < i; ++j) std::swap(p.at(i, j), p.at(j, i));
    model.step_tangent(x.data(), p.data(), p.data());  // M' (M' P)ᵀ = M' P M'ᵀ
    for (std::size_t i = 0; i < size; ++i)             // round-off must not grow with the model
      for (std::size_t j = 0; j < i; ++j) p.at(i, j) = p.at(j, i) = (p.at(i, j) + p.at(j, i)) / 2;
    if constexpr (!Problem::perfect_model)
      for (std::size_t i = 0; i < size; ++i) p[i] += q_[i];
    model.step(carried.state.data(), carried.state.data());
  }

  void analyse(Carried& carried, const Observed& observed, const RandomKey&) const {
    require_valid_observations("Ekf::analyse", observed);
    Columns& p = carried.covariance;
    Scratch<double> at(size, Unset{});
    std::copy_n(carried.state.data(), size, at.data());
    Scratch<double> departure(slots, Unset{}), row(slots, Unset{});
    const auto& here = placed(problem_.observe, observed);
    here.observe(at.data(), departure.data());
    for (std::size_t j = 0; j < slots; ++j) departure[j] = observed.values[j] - departure[j];
    Scratch<T> hp(slots);  // H P: rows are states
    {
      Scratch<T> x(size, Unset{});
      for (std::size_t i = 0; i < size; ++i) x[i] = T(at[i]);
      here.observe_tangent(x.data(), p.data(), hp.data());
    }
    for (std::size_t j = 0; j < slots; ++j) {
      if (observed.precision[j] == 0) continue;
      const double* gain = &lane_of(hp[j], 0);            // times the innovation variance
      here.observe_tangent(at.data(), gain, row.data());  // row j of H P Hᵀ
      const double variance = row[j] + 1 / observed.precision[j];
      if (!(variance > 0 && std::isfinite(variance * departure[j])))
        throw NumericalError(to_text("Ekf::analyse: the innovation variance of slot ", j, " is ",
                                     variance, " and the departure ", departure[j],
                                     ", expected finite numbers and a variance above zero; the "
                                     "filter has diverged, use more inflation"));
      const T scaled = T(1 / variance) * hp[j];
      const double step = departure[j] / variance;
      for (std::size_t i = 0; i < size; ++i) {
        carried.state[i] += gain[i] * step;
        p[i] -= T(gain[i]) * scaled;
      }
      for (std::size_t k = j + 1; k < slots; ++k) {
        departure[k] -= row[k] * step;
        hp[k] -= T(row[k]) * scaled;
      }
    }
    if (reports(observed))
      for (double& value : p.numbers()) value *= config_.inflation * config_.inflation;
  }

  void estimate(const Carried& carried, Estimate& to) const { to = carried.state; }

  /// What of it outlives a process, see save_carried.
  template <class Archive>
  void transfer(Carried& carried, Archive& archive) const {
    archive.batch("state", carried.state);
    archive.count("time", carried.cycle);
    archive.numbers("covariance", std::span(carried.covariance.data(), size), size);
  }

  /// P_ii of lane 0, the only run.
  void variances(const Carried& carried, std::size_t, std::span<double> to) const {
    for (std::size_t i = 0; i < size; ++i) to[i] = carried.covariance.at(i, i);
  }

  /// √(Σ_i w_i P_ii / state elements), w the weights of the norm.
  void spread(const Carried& carried, std::span<double> to) const {
    double variance = 0;
    for (std::size_t i = 0; i < size; ++i) variance += weights_[i] * carried.covariance.at(i, i);
    to[0] = std::sqrt(variance / static_cast<double>(size));
  }

 private:
  Problem problem_;
  std::vector<double> weights_;  ///< of the norm
  EkfConfig config_;
  [[no_unique_address]] std::conditional_t<Problem::perfect_model, NoModelNoise, Columns> q_;
};

}  // namespace dan
