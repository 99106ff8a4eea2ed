// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "dan/concepts.hpp"
#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"
#include "dan/geometry/concepts.hpp"

namespace dan {

/// A model whose cycle is `count` cycles of another: y = M(M(… M(x))).
///
///     Repeated<Rk4<Lorenz96<40>>>{.model = {}, .count = 12}  // observations every 12 steps
///
/// Serves any model that has a step; tangent and adjoint are there where the model has them. The
/// adjoint keeps the input of each cycle and runs each adjoint from its own: for a
/// `Differentiated` step the tape is that of one step. Cost: `count` times that of the model, the
/// adjoint count − 1 steps more. Memory of the adjoint: `count` states.
template <DynamicalModel Model>
struct Repeated {
  using Geometry = geometry_of<Model>;
  static constexpr std::size_t points = Model::points, channels = Model::channels;
  static constexpr std::size_t size = points * channels;

  Model model{};
  std::size_t count = 1;

  /// Throws ConfigError unless there is a step and the model is valid, if it knows: what a truth
  /// asks for.
  void require_valid() const {
    require_at_least("Repeated", "count", count, 1);
    if constexpr (requires { model.require_valid(); }) model.require_valid();
  }

  /// Length of one cycle in time units of the equation, if the model knows its own.
  [[nodiscard]] double cycle_length() const requires requires(const Model& m) { m.cycle_length(); }
  { return model.cycle_length() * static_cast<double>(count); }

  /// The same in reverse time, if the model has one.
  [[nodiscard]] auto backward() const requires requires(const Model& m) { m.backward(); }
  { return Repeated<decltype(model.backward())>{.model = model.backward(), .count = count}; }

  /// In words, if the model has some.
  [[nodiscard]] std::string describe() const requires requires(const Model& m) { m.describe(); }
  { return to_text(model.describe(), ", ", count, " times"); }

  /// y = M(x); y may be x. A model that is told the time has these functions with the time, in
  /// cycles of `count`, as last argument.
  template <class T, class... Time>
  requires TimeOf<Model, Time...>
  void step(const T* x, T* y, Time... time) const {
    if (x != y) std::copy_n(x, size, y);
    for (std::size_t n = 0; n < count; ++n) model_at(n, time...).step(y, y);
  }

  /// dy = M'(x) dx; dy may be dx.
  template <class T, class... Time>
  requires(DifferentiableModel<Model>&& TimeOf<Model, Time...>) void step_tangent(
      const T* x, const T* dx, T* dy, Time... time) const {
    Scratch<T> at(size, Unset{});
    std::copy_n(x, size, at.data());
    if (dx != dy) std::copy_n(dx, size, dy);
    for (std::size_t n = 0; n < count; ++n) {
      model_at(n, time...).step_tangent(at.data(), dy, dy);
      if (n + 1 < count) model_at(n, time...).step(at.data(), at.data());
    }
  }

  /// d_x += M'(x)ᵀ d_y; d_x and d_y must not overlap.
  template <class T, class... Time>
  requires(DifferentiableModel<Model>&& TimeOf<Model, Time...>) void step_adjoint(
      const T* x, const T* d_y, T* d_x, Time... time) const {
    Scratch<T> inputs(size * std::max<std::size_t>(count, 1), Unset{});
    std::copy_n(x, size, inputs.data());
    for (std::size_t n = 0; n + 1 < count; ++n)
      model_at(n, time...).step(&inputs[n * size], &inputs[(n + 1) * size]);
    Scratch<T> d(size, Unset{}), d_before(size, Unset{});
    std::copy_n(d_y, size, d.data());
    for (std::size_t n = count; n-- > 0;) {
      std::fill(d_before.begin(), d_before.end(), constant<T>(0));
      model_at(n, time...).step_adjoint(&inputs[n * size], d.data(), d_before.data());
      std::swap(d, d_before);
    }
    for (std::size_t i = 0; i < size; ++i) d_x[i] = d_x[i] + d[i];
  }

 private:
  /// The model in cycle n of one of these, which begins at `time`.
  [[nodiscard]] decltype(auto) model_at(std::size_t n, [[maybe_unused]] double time = 0) const {
    return at_time(model, time * static_cast<double>(count) + static_cast<double>(n));
  }
};

}  // namespace dan
