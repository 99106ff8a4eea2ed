// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <vector>

#include "dan/concepts.hpp"
#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/random.hpp"
#include "dan/core/simd.hpp"
#include "dan/core/tensor.hpp"
#include "dan/problem/model_noise.hpp"
#include "dan/problem/start.hpp"

namespace dan {

/// A dynamical system on one of its trajectories, with the tangent along it:
///   x ← M_k(x),  V ← M_k'(x) V.
///
/// What Lyapunov exponents and vectors are computed of: a model (`ModelTrajectory`), an
/// assimilation cycle (`CycleTrajectory`), or something of yours. `advance(vectors)` advances the
/// state and all columns of a size × n matrix by one cycle, n from zero; it may throw
/// NumericalError. `state()` are the `size` numbers of x; `cycle_length()` is the length of a cycle
/// in the units of time in which exponents are wanted.
template <class S>
concept TangentTrajectory = requires(S trajectory, const S there, Matrix& vectors) {
  { S::size } -> std::convertible_to<std::size_t>;
  trajectory.advance(vectors);
  { there.state() } -> std::convertible_to<std::span<const double>>;
  { there.cycle_length() } -> std::convertible_to<double>;
};

/// Columns that are advanced side by side, a lane each.
inline constexpr std::size_t tangent_lanes = std::max<std::size_t>(8, simd_width<double>);
using TangentLanes = Pack<double, tangent_lanes>;

/// Replaces each column of `vectors` by what tangent(v) makes of it: v is an array of a
/// `TangentLanes` per row, a column in each lane, changed in place; unused lanes are zero. It is
/// called once where there is no column.
template <class Tangent>
void advance_columns(Matrix& vectors, const Tangent& tangent) {
  const std::size_t size = vectors.shape()[0], columns = vectors.shape()[1];
  Scratch<TangentLanes> v(size);
  for (std::size_t first = 0; first == 0 || first < columns; first += tangent_lanes) {
    const std::size_t used = std::min(tangent_lanes, columns - first);
    for (std::size_t i = 0; i < size; ++i) {
      v[i] = TangentLanes(0);
      for (std::size_t l = 0; l < used; ++l) v[i][l] = vectors(i, first + l);
    }
    tangent(v.data());
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t l = 0; l < used; ++l) vectors(i, first + l) = v[i][l];
  }
}

/// The same state in all lanes.
[[nodiscard]] inline Aligned<TangentLanes> in_all_lanes(std::span<const double> x) {
  return {x.begin(), x.end()};
}

/// A model on one of its trajectories, from a random start onto its attractor or from a state.
///
///     ModelTrajectory trajectory(Rk4<Lorenz96<40>>{});
///     const auto spectrum = lyapunov_spectrum(trajectory, {.cycles = 20'000});
/// Cost of a cycle: a model step, and a tangent step for every `tangent_lanes` vectors.
template <DifferentiableModel Model>
class ModelTrajectory {
 public:
  static constexpr std::size_t size = Model::points * Model::channels;

  /// From a start that belongs to the key, after its spin-up.
  template <TruthStart Start = GaussianStart>
  explicit ModelTrajectory(const Model& model, const Start& start = {}, const RandomKey& key = {1})
      : model_(model), x_(size) {
    start(key, x_);
    for (std::size_t n = 0; n < start.spin_up; ++n)
      at_time(model_, start_of_cycle(spin_up_cycle(n, start.spin_up))).step(x_.data(), x_.data());
  }
  /// From a state, `size` numbers. Throws ShapeError for another number of them.
  ModelTrajectory(const Model& model, std::span<const double> x) : model_(model) { move_to(x); }

  /// Goes on from another state: vectors along a filter's analyses, say, which are what its
  /// covariances align with. Throws ShapeError for another number of them.
  void move_to(std::span<const double> x) {
    require_size("ModelTrajectory", "state", x.size(), size, "element of the state");
    x_.assign(x.begin(), x.end());
  }

  void advance(Matrix& vectors) {
    const auto x = in_all_lanes(x_);
    const auto& model = at_time(model_, static_cast<double>(cycle_++));
    if (vectors.shape()[1] > 0)
      advance_columns(vectors, [&](TangentLanes* v) { model.step_tangent(x.data(), v, v); });
    model.step(x_.data(), x_.data());
  }

  [[nodiscard]] std::span<const double> state() const { return x_; }
  [[nodiscard]] double cycle_length() const { return cycle_length_of(model_); }

  /// That of the model, if it knows it, else one.
  [[nodiscard]] static double cycle_length_of(const Model& model) {
    if constexpr (requires { model.cycle_length(); })
      return model.cycle_length();
    else
      return 1;
  }

 private:
  Model model_;
  std::vector<double> x_;
  std::size_t cycle_ = 0;
};

}  // namespace dan
