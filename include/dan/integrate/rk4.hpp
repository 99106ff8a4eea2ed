// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <type_traits>
#include <vector>

#include "dan/concepts.hpp"
#include "dan/core/error.hpp"
#include "dan/core/simd.hpp"
#include "dan/core/tensor.hpp"
#include "dan/geometry/concepts.hpp"

/// \file
/// The classical Runge–Kutta integrator of order four, with tangent and adjoint.

namespace dan {

/// Advances an ordinary differential equation by one cycle of `steps` Runge–Kutta steps.
///
/// One step, h = time_step:
///   k1 = f(x), k2 = f(x + h/2 k1), k3 = f(x + h/2 k2), k4 = f(x + h k3),
///   y = x + h/6 (k1 + 2 k2 + 2 k3 + k4).
/// States: points · channels elements of T, contiguous, nondimensional time. The adjoint
/// recomputes the stages from the input of each step (checkpoints: one state per step).
/// Cost: 4 tendencies per step; tangent 4 + 4, adjoint 8 + 4 in all. Memory: a few states, for the
/// adjoint `steps` more.
template <DifferentialEquation Ode>
struct Rk4 {
  using Geometry = geometry_of<Ode>;
  static constexpr std::size_t points = Ode::points, channels = Ode::channels;
  static constexpr std::size_t size = points * channels;

  Ode ode{};
  double time_step = 0.05;
  std::size_t steps = 1;

  /// Length of one cycle in time units of the equation.
  [[nodiscard]] double cycle_length() const { return time_step * static_cast<double>(steps); }

  /// In words, if the equation has some.
  [[nodiscard]] std::string describe() const requires requires(const Ode& o) { o.describe(); }
  { return text(ode.describe(), ", Runge–Kutta, ", steps, " × ", time_step); }

  /// y = M(x); y may be x.
  template <class T>
  void step(const T* x, T* y) const {
    Stages<T> s;
    if (x != y) std::copy_n(x, size, y);
    for (std::size_t n = 0; n < steps; ++n) one_step(s, y, y);
  }

  /// dy = M'(x) dx; dy may be dx.
  template <class T>
  void step_tangent(const T* x, const T* dx, T* dy) const {
    const real_t<T> h = static_cast<real_t<T>>(time_step), half = h / 2, third = h / 3,
                    sixth = h / 6;
    Stages<T> s, d;
    State<T> point, d_point;
    std::vector<T, AlignedAllocator<T>> at(x, x + size);
    if (dx != dy) std::copy_n(dx, size, dy);
    for (std::size_t n = 0; n < steps; ++n) {
      ode.tendency(at.data(), s.k1.data());
      ode.tendency_tangent(at.data(), dy, d.k1.data());
      along(at.data(), half, s.k1, point), along(dy, half, d.k1, d_point);
      ode.tendency(point.data(), s.k2.data());
      ode.tendency_tangent(point.data(), d_point.data(), d.k2.data());
      along(at.data(), half, s.k2, point), along(dy, half, d.k2, d_point);
      ode.tendency(point.data(), s.k3.data());
      ode.tendency_tangent(point.data(), d_point.data(), d.k3.data());
      along(at.data(), h, s.k3, point), along(dy, h, d.k3, d_point);
      ode.tendency(point.data(), s.k4.data());
      ode.tendency_tangent(point.data(), d_point.data(), d.k4.data());
      for (std::size_t i = 0; i < size; ++i) {
        at[i] = at[i] + (sixth * (s.k1[i] + s.k4[i]) + third * (s.k2[i] + s.k3[i]));
        dy[i] = dy[i] + (sixth * (d.k1[i] + d.k4[i]) + third * (d.k2[i] + d.k3[i]));
      }
    }
  }

  /// d_x += M'(x)ᵀ d_y; d_x and d_y must not overlap.
  template <class T>
  void step_adjoint(const T* x, const T* d_y, T* d_x) const {
    Stages<T> s;
    std::vector<T, AlignedAllocator<T>> inputs(size * std::max<std::size_t>(steps, 1));
    std::copy_n(x, size, inputs.data());
    for (std::size_t n = 0; n + 1 < steps; ++n)
      one_step(s, &inputs[n * size], &inputs[(n + 1) * size]);
    State<T> d;
    std::copy_n(d_y, size, d.data());
    for (std::size_t n = steps; n-- > 0;) one_step_adjoint(s, &inputs[n * size], d);
    for (std::size_t i = 0; i < size; ++i) d_x[i] += d[i];
  }

 private:
  /// Scratch for one state: on the stack while it is small, else on the heap.
  template <class T>
  struct State {
    static constexpr bool small = size * sizeof(T) <= 16384;
    std::conditional_t<small, std::array<T, size>, std::vector<T, AlignedAllocator<T>>> values;
    State() {
      if constexpr (!small) values.resize(size);
    }
    [[nodiscard]] T* data() { return values.data(); }
    [[nodiscard]] T& operator[](std::size_t i) { return values[i]; }
    [[nodiscard]] const T& operator[](std::size_t i) const { return values[i]; }
  };
  template <class T>
  struct Stages {
    State<T> k1, k2, k3, k4;
  };

  /// point = x + h k
  template <class T>
  static void along(const T* x, real_t<T> h, const State<T>& k, State<T>& point) {
    for (std::size_t i = 0; i < size; ++i) point[i] = x[i] + h * k[i];
  }

  template <class T>
  void one_step(Stages<T>& s, const T* x, T* y) const {
    const real_t<T> h = static_cast<real_t<T>>(time_step), half = h / 2, third = h / 3,
                    sixth = h / 6;
    State<T> point;
    ode.tendency(x, s.k1.data());
    along(x, half, s.k1, point);
    ode.tendency(point.data(), s.k2.data());
    along(x, half, s.k2, point);
    ode.tendency(point.data(), s.k3.data());
    along(x, h, s.k3, point);
    ode.tendency(point.data(), s.k4.data());
    for (std::size_t i = 0; i < size; ++i)
      y[i] = x[i] + (sixth * (s.k1[i] + s.k4[i]) + third * (s.k2[i] + s.k3[i]));
  }

  /// d = M'(x)ᵀ d for one step from x.
  template <class T>
  void one_step_adjoint(Stages<T>& s, const T* x, State<T>& d) const {
    const real_t<T> h = static_cast<real_t<T>>(time_step), half = h / 2, third = h / 3,
                    sixth = h / 6;
    State<T> point2, point3, point4, d_k, d_point;
    ode.tendency(x, s.k1.data());
    along(x, half, s.k1, point2);
    ode.tendency(point2.data(), s.k2.data());
    along(x, half, s.k2, point3);
    ode.tendency(point3.data(), s.k3.data());
    along(x, h, s.k3, point4);

    State<T> d_in = d;
    // A stage f(x + a k) hands its gradient to x and, times a, to the stage before.
    const auto stage = [&](const T* point, real_t<T> weight, real_t<T> a) {
      for (std::size_t i = 0; i < size; ++i)
        d_k[i] = a == real_t<T>(0) ? weight * d[i] : weight * d[i] + a * d_point[i];
      for (std::size_t i = 0; i < size; ++i) d_point[i] = T(real_t<T>(0));
      ode.tendency_adjoint(point, d_k.data(), d_point.data());
      for (std::size_t i = 0; i < size; ++i) d_in[i] += d_point[i];
    };
    stage(point4.data(), sixth, real_t<T>(0));
    stage(point3.data(), third, h);
    stage(point2.data(), third, half);
    stage(x, sixth, half);
    d = d_in;
  }
};

}  // namespace dan
