// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include "dan/autodiff/derivatives.hpp"
#include "dan/concepts.hpp"
#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"
#include "dan/geometry/concepts.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/integrate/stability.hpp"

namespace dan {

/// Advances an equation without time by one cycle of `steps` Adams–Bashforth steps of order three,
/// for which a tendency is computed once a step:
///
///   x_{n+1} = x_n + h (23 f_n − 16 f_{n−1} + 5 f_{n−2})/12,   f_n = f(x_n).
/// The state between cycles is x alone, so that any analysis may change it: the first two steps of
/// each cycle are those of `Rk4`. Stable for shorter steps than that (h |λ| ≤ 0.54 where something
/// decays, where a longer step is refused, 0.72 where it turns).
/// States: points · channels elements of T. Throws ConfigError for fewer than 3 steps, and for a
/// step beyond the stability limit of an equation that knows its `fastest_decay()`. Cost:
/// steps + 8 tendencies, the adjoint those and as many adjoints. Memory of the adjoint: a state for
/// each step. Source: Hairer, Nørsett and Wanner, Solving Ordinary Differential Equations I
/// (2nd ed., 1993), section III.1.
template <DifferentialEquation Ode>
requires(!Timed<Ode>) struct AdamsBashforth {
  using Geometry = geometry_of<Ode>;
  static constexpr std::size_t points = Ode::points, channels = Ode::channels;
  static constexpr std::size_t size = points * channels;

  Ode ode{};
  double time_step = 0.05;
  std::size_t steps = 12;

  /// Throws ConfigError unless the time step is positive and there are three: what a truth asks
  /// for.
  void require_valid() const {
    require_positive("AdamsBashforth", "time_step", time_step);
    check();
  }

  /// Length of one cycle in time units of the equation.
  [[nodiscard]] double cycle_length() const { return time_step * static_cast<double>(steps); }

  /// In words, if the equation has some.
  [[nodiscard]] std::string describe() const requires requires(const Ode& o) { o.describe(); }
  { return to_text(ode.describe(), ", Adams–Bashforth, ", steps, " × ", time_step); }

  /// y = M(x); y may be x.
  template <class T>
  void step(const T* x, T* y) const {
    check();
    Latest<T> f;
    const auto start = starter();
    if (x != y) std::copy_n(x, size, y);
    for (std::size_t n = 0; n < steps; ++n) {
      ode.tendency(y, f[n % 3].data());
      advance(start, n, f, y);
    }
  }

  /// dy = M'(x) dx; dy may be dx.
  template <class T>
  void step_tangent(const T* x, const T* dx, T* dy) const {
    check();
    Latest<T> f, df;
    const auto start = starter();
    Scratch<T> at(size, Unset{});
    std::copy_n(x, size, at.data());
    if (dx != dy) std::copy_n(dx, size, dy);
    for (std::size_t n = 0; n < steps; ++n) {
      ode.tendency(at.data(), f[n % 3].data());
      tendency_tangent(ode, at.data(), dy, df[n % 3].data());
      if (n < 2)
        start.step_tangent(at.data(), dy, dy);
      else
        add(n, df, dy);
      advance(start, n, f, at.data());
    }
  }

  /// d_x += M'(x)ᵀ d_y; d_x and d_y must not overlap.
  template <class T>
  void step_adjoint(const T* x, const T* d_y, T* d_x) const {
    check();
    Latest<T> f;
    const auto start = starter();
    Scratch<T> at(size * steps, Unset{}), d(size, Unset{}), before(size, Unset{});
    std::copy_n(x, size, at.data());
    for (std::size_t n = 0; n + 1 < steps; ++n) {
      T* const here = &at[n * size];
      ode.tendency(here, f[n % 3].data());
      std::copy_n(here, size, here + size);
      advance(start, n, f, here + size);
    }
    std::copy_n(d_y, size, d.data());
    TendencyAdjoint<Ode, T> tendency_adjoint;
    Latest<T> d_f;  // by f_n, f_{n−1}, f_{n−2}: what the steps from n on have handed to them
    for (auto& array : d_f) std::fill(array.begin(), array.end(), constant<T>(0));
    for (std::size_t n = steps; n-- > 0;) {
      const T* const here = &at[n * size];
      if (n < 2) {
        std::fill(before.begin(), before.end(), constant<T>(0));
        start.step_adjoint(here, d.data(), before.data());
        std::swap(d, before);
      } else {
        for (std::size_t back = 0; back < 3; ++back) {
          const auto w = weight<T>(back);
          T* const to = d_f[(n - back) % 3].data();
          // The step from n is the first to see f_{n−2}.
          for (std::size_t i = 0; i < size; ++i) to[i] = back == 2 ? w * d[i] : to[i] + w * d[i];
        }
      }
      tendency_adjoint(ode, here, d_f[n % 3].data(), d.data());
    }
    for (std::size_t i = 0; i < size; ++i) d_x[i] = d_x[i] + d[i];
  }

 private:
  /// The last three tendencies; f_n is at n modulo 3.
  template <class T>
  struct Latest : std::array<Scratch<T>, 3> {
    Latest()
        : std::array<Scratch<T>, 3>{Scratch<T>(size, Unset{}), Scratch<T>(size, Unset{}),
                                    Scratch<T>(size, Unset{})} {}
  };
  [[nodiscard]] Rk4<Ode> starter() const { return {ode, time_step, 1}; }
  void check() const {
    require_at_least("AdamsBashforth", "steps", steps, 3);
    if constexpr (KnowsDecay<Ode>) require_stable("AdamsBashforth", ode, time_step, 6.0 / 11);
  }
  /// h times the weight of f_{n−back}.
  template <class T>
  [[nodiscard]] real_t<T> weight(std::size_t back) const {
    constexpr std::array<double, 3> twelfths{23, -16, 5};
    return static_cast<real_t<T>>(time_step * twelfths[back] / 12);
  }
  /// x += h (23 f_n − 16 f_{n−1} + 5 f_{n−2})/12.
  template <class T>
  void add(std::size_t n, const Latest<T>& f, T* x) const {
    const auto a = weight<T>(0), b = weight<T>(1), c = weight<T>(2);
    const T *now = f[n % 3].data(), *last = f[(n + 2) % 3].data(), *first = f[(n + 1) % 3].data();
    for (std::size_t i = 0; i < size; ++i) x[i] = x[i] + (a * now[i] + b * last[i] + c * first[i]);
  }
  template <class T>
  void advance(const Rk4<Ode>& start, std::size_t n, const Latest<T>& f, T* x) const {
    if (n < 2)
      start.step(x, x);
    else
      add(n, f, x);
  }
};

}  // namespace dan
