// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <vector>

#include "dan/concepts.hpp"
#include "dan/core/batch.hpp"
#include "dan/core/random.hpp"
#include "dan/geometry/concepts.hpp"
#include "dan/observe/noise.hpp"
#include "dan/observe/observations.hpp"
#include "dan/problem/model_noise.hpp"
#include "dan/problem/norm.hpp"
#include "dan/problem/start.hpp"

namespace dan {

/// The problem that all methods are given: a model, what observes it and with which errors, how a
/// truth begins, and how large an error is.
///
///   x(k+1) = M(x(k)) + η(k),  η ~ N(0, Q),  y(k) = H_k(x(k)) + ε(k),  ε ~ N(0, R).
/// Where the points of the state are is said by the model (`Model::Geometry`). By default the model
/// is perfect, Q = 0. Truths have the noise. Of the methods the ensemble filters, the EKF and the
/// BackwardKalman know it; for 3D-Var, 4D-Var and learned analyses, which have a B or weights for
/// all that a forecast is wrong by, M alone is the forecast; the IEnKS needs a perfect model
/// (`without_model_noise`).
template <DynamicalModel Model_, ObservationOperator Operator_, TruthStart Start_ = GaussianStart,
          class ModelNoise_ = NoModelNoise>
struct Problem {
  using Model = Model_;
  using Operator = Operator_;
  using Start = Start_;
  using NoiseOfModel = ModelNoise_;
  using Geometry = geometry_of<Model>;
  static constexpr std::size_t points = Model::points, channels = Model::channels;
  static constexpr std::size_t size = points * channels, slots = Operator::slots;
  static_assert(Operator::points == points && Operator::channels == channels,
                "Problem: the observation operator must observe states of the model's shape");
  static_assert(
      [] {
        if constexpr (requires { Geometry::points; }) return Geometry::points == points;
        return true;
      }(),
      "Problem: the model's Geometry must have as many points as its state");
  static constexpr bool perfect_model = !detail::ModelNoiseOrNone<NoiseOfModel>::is_one;
  static_assert(
      [] {
        if constexpr (!perfect_model) return NoiseOfModel::size == size;
        return true;
      }(),
      "Problem: the model's noise must be one of states of the model's size");

  Model model{};
  Operator observe{};
  DiagonalNoise<Operator::slots> noise{};
  Start start{};
  Norm<channels> norm{};
  [[no_unique_address]] NoiseOfModel model_noise{};

  /// The unit of element i of the state.
  [[nodiscard]] double unit(std::size_t i) const { return norm.units[i % channels]; }
  /// The weights of the norm, points × channels numbers.
  [[nodiscard]] std::vector<double> weights() const {
    return norm.template weights<Geometry, points>();
  }

  /// Errors of `states` states in a row, each size independent numbers: deviation · N(0, 1) units
  /// of the norm. Those of the first states do not depend on how many there are.
  [[nodiscard]] std::vector<double> errors(const RandomKey& key, double deviation,
                                           std::size_t states = 1) const {
    std::vector<double> error(states * size);
    fill_normal<double>(key, error);
    for (std::size_t n = 0; n < error.size(); ++n) error[n] *= deviation * unit(n % size);
    return error;
  }

  /// `Lanes` states of this problem.
  template <class Real, std::size_t Lanes>
  using States = Batch<Real, points, channels, Lanes>;
};

/// The same problem for a method that takes the model for perfect, as the IEnKS.
template <class Model, class Operator, class Start, class Noise>
[[nodiscard]] Problem<Model, Operator, Start> without_model_noise(
    const Problem<Model, Operator, Start, Noise>& problem) {
  return {.model = problem.model,
          .observe = problem.observe,
          .noise = problem.noise,
          .start = problem.start,
          .norm = problem.norm};
}

/// The types that every analysis of `Runs` runs side by side in precision `Real` names.
template <class Problem_, class Real_, std::size_t Runs>
struct AnalysisTypes {
  using Problem = Problem_;
  using Real = Real_;
  static constexpr std::size_t points = Problem::points, channels = Problem::channels;
  static constexpr std::size_t size = Problem::size, slots = Problem::slots, runs = Runs;
  using Observed = observed_t<typename Problem::Operator, Real, Runs>;  ///< what `analyse` reads
  using FirstGuessBatch = Batch<double, points, channels, Runs>;        ///< what `start` reads
  using Estimate = Batch<double, points, channels, Runs>;               ///< what `estimate` writes

  /// Number i of the state of run l, of a method that carries one state for each run, `state`; see
  /// HasElements.
  template <class Carried>
  requires requires(Carried& carried) { carried.state.at(0, 0); }
  [[nodiscard]] static auto& element(Carried& carried, std::size_t, std::size_t i, std::size_t l) {
    return carried.state.at(i, l);
  }
};

}  // namespace dan
