// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "dan/analysis/learned.hpp"
#include "dan/analysis/var3d.hpp"
#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/tensor.hpp"
#include "dan/diagnose/trajectory.hpp"
#include "dan/problem/climate.hpp"
#include "dan/problem/truth.hpp"

/// \file
/// Assimilation cycles as dynamical systems: forecast and analysis, with the observations given.

namespace dan {

/// The cycle of a learned analysis with its tangent, as `CycleTrajectory` needs it.
///
///   x^a_k = x^f + s a_θ(x^f, s ζ),  x^f = M(x^a_{k−1});  memory channels are part of the state.
/// In double, without the way back and without bounds, which have no derivative: `tangent` throws
/// NumericalError once the analysis leaves the network's bounds.
template <class Problem_, class Network>
class LearnedTangent {
 public:
  using Problem = Problem_;
  using Method = Learned<Problem, Network, tangent_lanes, double>;
  using Cycle = typename Method::Cycle;
  static constexpr std::size_t size = Cycle::carried;

  template <class Real>
  LearnedTangent(const Problem& problem, const Trained<Network, Real>& trained)
      : trained_(in_double(trained)), method_(problem, trained_) {}

  /// What the analysis carries after its start.
  [[nodiscard]] std::vector<double> start(const typename Method::FirstGuessBatch& guess,
                                          double deviation, const RandomKey& key) const {
    const auto carried = method_.start(guess, deviation, key);
    std::vector<double> x(size);
    for (std::size_t i = 0; i < size; ++i) x[i] = carried.values.at(i, 0);
    return x;
  }

  /// y = A(M(x)), dy = (A ∘ M)'(x) dx.
  void tangent(const typename Method::Observed& observed, const TangentLanes* x,
               const TangentLanes* dx, TangentLanes* y, TangentLanes* dy) const {
    method_.cycle(observed).tangent(trained_.parameters.data(), no_change_.data(), x, dx, y, dy);
    const auto bounds = trained_.network.bounds();
    for (std::size_t i = 0; i < Cycle::states; ++i) {
      const std::size_t c = i % Network::channels;
      if (!(y[i][0] > bounds.low[c] && y[i][0] < bounds.high[c]))
        throw NumericalError(to_text("LearnedTangent: element ", i, " of the analysis is ", y[i][0],
                                     ", expected a number between the network's bounds ",
                                     bounds.low[c], " and ", bounds.high[c],
                                     "; the cycle has lost the truth, take a network trained for "
                                     "this problem or a smaller deviation of the first guess"));
    }
  }

 private:
  template <class Real>
  static Trained<Network, double> in_double(const Trained<Network, Real>& from) {
    Trained<Network, double> to(from.network);
    std::ranges::copy(span_of(from.parameters), to.parameters.data());
    to.trained_for = from.trained_for;
    return to;
  }

  Trained<Network, double> trained_;
  Method method_;
  Tensor<double, 1> no_change_ = zero_tensor<double>(Network::parameters);
};

/// The cycle of 3D-Var with its tangent, (I − K H) M'(x), as `CycleTrajectory` needs it: with a
/// linear H the analysis of observations of zero is that of a perturbation. Throws as Var3d.
template <class Problem_>
class Var3dTangent {
 public:
  using Problem = Problem_;
  static_assert(Problem::Operator::linear,
                "Var3dTangent: needs a linear observation operator; the gain of another one "
                "depends on the state");
  using Method = Var3d<Problem, tangent_lanes>;
  static constexpr std::size_t size = Problem::size;

  Var3dTangent(const Problem& problem, const Climate& climate, double scale = 0.02)
      : problem_(problem), method_(problem, climate, scale) {}

  [[nodiscard]] std::vector<double> start(const typename Method::FirstGuessBatch& guess, double,
                                          const RandomKey&) const {
    std::vector<double> x(size);
    for (std::size_t i = 0; i < size; ++i) x[i] = guess.at(i, 0);
    return x;
  }

  /// y = A(M(x)), dy = (I − K H) M'(x) dx.
  void tangent(const typename Method::Observed& observed, const TangentLanes* x,
               const TangentLanes* dx, TangentLanes* y, TangentLanes* dy) {
    auto nothing = observed;
    nothing.values.fill(0);
    problem_.model.step_tangent(x, dx, work_.state.data());
    method_.analyse(work_, nothing, {});
    std::copy_n(work_.state.data(), size, dy);
    problem_.model.step(x, work_.state.data());
    method_.analyse(work_, observed, {});
    std::copy_n(work_.state.data(), size, y);
  }

 private:
  Problem problem_;
  Method method_;
  typename Method::Carried work_{};
};

/// An assimilation cycle on one of its trajectories: the observations of a twin experiment make it
/// a dynamical system that changes with time.
///
///     CycleTrajectory filter(LearnedTangent(problem, load_weights<pretrained::Plain>(file)),
///                            problem);
///     lyapunov_spectrum(filter, {.exponents = 10}).exponents[0].mean;  // < 0: it is stable
/// `Cycle` is a LearnedTangent, a Var3dTangent or something of yours with a Problem, a Method (for
/// the types of first guess and observations), `size`, `start` and `tangent` as they have.
/// Truth and observations are those of run `truth.first_run` of a twin experiment; the first guess
/// is the truth plus `deviation` of noise in units of the norm.
/// The derivative is that for fixed observations: of the difference of two filters that see the
/// same. Cost of a cycle: two model steps and a pass of the network, with their tangents, for every
/// `tangent_lanes` vectors.
/// Source: Carrassi, Ghil, Trevisan and Uboldi, Chaos 18 (2008) 023112.
template <class Cycle>
class CycleTrajectory {
 public:
  using Problem = typename Cycle::Problem;
  static_assert(DifferentiableModel<typename Problem::Model>,
                "CycleTrajectory: the model must have step_tangent and step_adjoint; write them, "
                "or put it into Differentiated<...>");
  static_assert(!Timed<typename Problem::Model>,
                "CycleTrajectory: the model must not depend on the time; see ModelTrajectory");
  static constexpr std::size_t size = Cycle::size;

  CycleTrajectory(const Cycle& cycle, const Problem& problem, const TruthConfig& truth = {},
                  double deviation = 1)
      : cycle_(cycle), problem_(problem), twin_(problem, truth) {
    const RandomKey key = twin_.key(0);
    const auto error = problem.errors(key.with(Purpose::first_guess), deviation);
    typename Cycle::Method::FirstGuessBatch guess;
    for (std::size_t i = 0; i < Problem::size; ++i)
      for (std::size_t l = 0; l < tangent_lanes; ++l)
        guess.at(i, l) = twin_.truth().at(i, 0) + error[i];
    x_ = cycle_.start(guess, deviation, key);
  }

  void advance(Matrix& vectors) {
    twin_.next();
    see(twin_.observed());
    const auto x = in_all_lanes(x_);
    Scratch<TangentLanes> y(size);
    advance_columns(vectors, [&](TangentLanes* v) {
      const Aligned<TangentLanes> before(v, v + size);
      cycle_.tangent(observed_, x.data(), before.data(), y.data(), v);
    });
    for (std::size_t i = 0; i < size; ++i) x_[i] = y[i][0];
  }

  /// What the analysis carries: states, then memory channels.
  [[nodiscard]] std::span<const double> state() const { return x_; }
  /// The truth of this cycle, points × channels numbers.
  [[nodiscard]] std::span<const double> truth() const {
    return std::span(twin_.truth().data(), Problem::size);
  }
  [[nodiscard]] double cycle_length() const {
    return ModelTrajectory<typename Problem::Model>::cycle_length_of(problem_.model);
  }

 private:
  /// The observations of the run in all lanes.
  void see(const typename TwinTruth<Problem, 1>::Observed& from) {
    for (std::size_t l = 0; l < tangent_lanes; ++l) {
      observed_.values.set_lane(l, from.values.data());
      observed_.precision.set_lane(l, from.precision.data());
      if constexpr (PlacedOperator<typename Problem::Operator>)
        observed_.places.set_lane(l, from.places);
    }
  }

  Cycle cycle_;
  Problem problem_;
  TwinTruth<Problem, 1> twin_;
  typename Cycle::Method::Observed observed_;
  std::vector<double> x_;
};

}  // namespace dan
