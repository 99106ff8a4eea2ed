// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <type_traits>

#include "dan/autodiff/derivatives.hpp"
#include "dan/concepts.hpp"
#include "dan/core/error.hpp"
#include "dan/core/simd.hpp"
#include "dan/core/unrolled.hpp"
#include "dan/geometry/concepts.hpp"
#include "dan/integrate/stability.hpp"
#include "dan/integrate/tableau.hpp"

/// \file
/// Explicit Runge–Kutta integrators, with tangent and adjoint.

namespace dan {

/// Advances an ordinary differential equation by one cycle of `steps` Runge–Kutta steps.
///
/// One step, h = time_step, with the coefficients of the tableau:
///   k_s = f(x + h Σ_r a_sr k_r), r < s,   y = x + h Σ_s b_s k_s.
/// States: points · channels elements of T, contiguous, nondimensional time. The adjoint
/// recomputes the stages from the input of each step (checkpoints: one state per step). Tangent and
/// adjoint of the tendency are those by hand where the equation has them, else come from dual
/// numbers and a tape. Throws ConfigError for a step beyond the stability limit of an equation that
/// knows its `fastest_decay()`.
/// Cost with S stages: S tendencies per step; tangent S + S, adjoint 2 S + S in all. Memory: a few
/// states, for the adjoint `steps` more.
template <DifferentialEquation Ode, class Tableau>
struct RungeKutta {
  static_assert(
      is_explicit_scheme<Tableau>(),
      "RungeKutta: the weights b of a tableau must add up to one, and a_sr be zero unless "
      "r < s");
  using Geometry = geometry_of<Ode>;
  static constexpr std::size_t points = Ode::points, channels = Ode::channels;
  static constexpr std::size_t size = points * channels, stages = Tableau::stages;

  Ode ode{};
  double time_step = 0.05;
  std::size_t steps = 1;

  /// Throws ConfigError unless the time step is positive and there is a step: what a truth asks
  /// for.
  void require_valid() const {
    require_positive("RungeKutta", "time_step", time_step);
    require_at_least("RungeKutta", "steps", steps, 1);
  }

  /// Length of one cycle in time units of the equation.
  [[nodiscard]] double cycle_length() const { return time_step * static_cast<double>(steps); }

  /// The same in reverse time: a step of it undoes one of this, to the order of the scheme. Where
  /// something decays fast, it would explode.
  [[nodiscard]] RungeKutta backward() const requires(!KnowsDecay<Ode> && !Timed<Ode>) {
    return {.ode = ode, .time_step = -time_step, .steps = steps};
  }

  /// In words, if the equation has some.
  [[nodiscard]] std::string describe() const requires requires(const Ode& o) { o.describe(); }
  { return to_text(ode.describe(), ", ", Tableau::name, ", ", steps, " × ", time_step); }

  /// y = M(x); y may be x. An equation that is told the time has these functions with the time
  /// of the start, in cycles, as last argument.
  template <class T, class... Time>
  requires TimeOf<Ode, Time...>
  void step(const T* x, T* y, Time... time) const {
    check();
    Stages<T> k;
    if (x != y) std::copy_n(x, size, y);
    for (std::size_t n = 0; n < steps; ++n) one_step(k, y, y, start_of(n, time...));
  }

  /// dy = M'(x) dx; dy may be dx.
  template <class T, class... Time>
  requires TimeOf<Ode, Time...>
  void step_tangent(const T* x, const T* dx, T* dy, Time... time) const {
    check();
    const Weights<T> h(time_step);
    Stages<T> k, d_k;
    State<T> point, d_point;
    Scratch<T> at(size, Unset{});
    std::copy_n(x, size, at.data());
    if (dx != dy) std::copy_n(dx, size, dy);
    for (std::size_t n = 0; n < steps; ++n) {
      detail::unrolled<stages>([&](auto s) {
        const T *p = before<s>(h, at.data(), k, point), *d_p = before<s>(h, dy, d_k, d_point);
        const auto& equation = ode_at<s>(start_of(n, time...));
        equation.tendency(p, k[s].data());
        tendency_tangent(equation, p, d_p, d_k[s].data());
      });
      for (std::size_t i = 0; i < size; ++i) {
        at[i] = at[i] + increment(h, k, i);
        dy[i] = dy[i] + increment(h, d_k, i);
      }
    }
  }

  /// d_x += M'(x)ᵀ d_y; d_x and d_y must not overlap.
  template <class T, class... Time>
  requires TimeOf<Ode, Time...>
  void step_adjoint(const T* x, const T* d_y, T* d_x, Time... time) const {
    check();
    Stages<T> k;
    TendencyAdjoint<AnyTime<Ode>, T> tendency_adjoint;
    Scratch<T> inputs(size * std::max<std::size_t>(steps, 1), Unset{});
    std::copy_n(x, size, inputs.data());
    for (std::size_t n = 0; n + 1 < steps; ++n)
      one_step(k, &inputs[n * size], &inputs[(n + 1) * size], start_of(n, time...));
    State<T> d;
    std::copy_n(d_y, size, d.data());
    for (std::size_t n = steps; n-- > 0;)
      one_step_adjoint(tendency_adjoint, k, &inputs[n * size], d, start_of(n, time...));
    for (std::size_t i = 0; i < size; ++i) d_x[i] += d[i];
  }

 private:
  void check() const {
    if constexpr (KnowsDecay<Ode>)
      require_stable(Tableau::name, ode, time_step, longest_decay<Tableau>);
  }
  /// The time at which step n of a cycle begins, in units of the equation.
  [[nodiscard]] double start_of(std::size_t n, double time = 0) const {
    return time * cycle_length() + time_step * static_cast<double>(n);
  }
  /// The equation at stage S of a step, c_S = Σ_r a_Sr.
  template <std::size_t S>
  [[nodiscard]] decltype(auto) ode_at([[maybe_unused]] double start) const {
    double c = 0;
    if constexpr (Timed<Ode>)
      for (const Fraction& a : Tableau::a[S]) c += static_cast<double>(a.above) / a.below;
    return at_time(ode, start + c * time_step);
  }

  /// Scratch for one state: on the stack while it is small, else on the heap.
  template <class T>
  struct State {
    struct OnHeap : Scratch<T> {
      OnHeap() : Scratch<T>(size, Unset{}) {}
    };
    std::conditional_t<size * sizeof(T) <= 16384, std::array<T, size>, OnHeap> values;
    [[nodiscard]] T* data() { return values.data(); }
    [[nodiscard]] const T* data() const { return values.data(); }
    [[nodiscard]] T& operator[](std::size_t i) { return data()[i]; }
    [[nodiscard]] const T& operator[](std::size_t i) const { return data()[i]; }
  };
  template <class T>
  using Stages = std::array<State<T>, stages>;

  /// h a and h b.
  template <class T>
  struct Weights {
    std::array<std::array<real_t<T>, stages>, stages> a{};
    std::array<real_t<T>, stages> b{};
    explicit Weights(double time_step) {
      const auto times = [h = static_cast<real_t<T>>(time_step)](const Fraction& c) {
        return h * static_cast<real_t<T>>(c.above) / static_cast<real_t<T>>(c.below);
      };
      detail::unrolled<stages>([&](auto s) {  // unrolled, so that they stay in registers
        b[s] = times(Tableau::b[s]);
        detail::unrolled<s>([&](auto r) { a[s][r] = times(Tableau::a[s][r]); });
      });
    }
  };

  /// use(i) for the elements of a state; a small one of plain numbers stays in registers.
  template <class T, class Use>
  [[gnu::always_inline]] static void for_each_element(const Use& use) {
    if constexpr (size <= 8 && Number<T>)
      detail::unrolled<size>(use);
    else
      for (std::size_t i = 0; i < size; ++i) use(i);
  }
  static constexpr Fraction zero{};

  /// Where stage S evaluates the tendency: x, or `point` = x + h Σ_r a_Sr k_r.
  template <std::size_t S, class T>
  [[gnu::always_inline]] static const T* before(const Weights<T>& h, const T* x, const Stages<T>& k,
                                                State<T>& point) {
    if constexpr (S == 0) {
      return x;
    } else {
      for_each_element<T>([&](std::size_t i) {
        T at = x[i];
        detail::unrolled<S>([&](auto r) {
          if constexpr (Tableau::a[S][r] != zero) at = at + h.a[S][r] * k[r][i];
        });
        point[i] = at;
      });
      return point.data();
    }
  }

  /// h Σ_s b_s k_s; stages of the same weight are added first.
  template <class T>
  [[gnu::always_inline]] static T increment(const Weights<T>& h, const Stages<T>& k,
                                            std::size_t i) {
    T total;
    detail::unrolled<stages>([&](auto s) {
      constexpr std::size_t first = first_of_weight(s);
      if constexpr (first == s && Tableau::b[s] != zero) {
        T sum = k[s][i];
        detail::unrolled<stages>([&](auto r) {
          if constexpr (r > s && first_of_weight(r) == s) sum = sum + k[r][i];
        });
        if constexpr (s == first_weight)
          total = h.b[s] * sum;
        else
          total = total + h.b[s] * sum;
      }
    });
    return total;
  }
  /// The first stage with the weight of stage s.
  static constexpr std::size_t first_of_weight(std::size_t s) {
    return static_cast<std::size_t>(std::ranges::find(Tableau::b, Tableau::b[s]) -
                                    Tableau::b.begin());
  }
  /// The first stage with a weight.
  static constexpr std::size_t first_weight = static_cast<std::size_t>(
      std::ranges::find_if(Tableau::b, [](const Fraction& b) { return b != Fraction{}; }) -
      Tableau::b.begin());
  static_assert(first_weight < stages,
                "RungeKutta: all weights b of the tableau are zero; a step would change nothing");

  template <class T>
  void one_step(Stages<T>& k, const T* x, T* y, double start) const {
    const Weights<T> h(time_step);
    State<T> point;
    detail::unrolled<stages>(
        [&](auto s) { ode_at<s>(start).tendency(before<s>(h, x, k, point), k[s].data()); });
    for_each_element<T>([&](std::size_t i) { y[i] = x[i] + increment(h, k, i); });
  }

  /// d = M'(x)ᵀ d for one step from x.
  template <class T, class Adjoint>
  void one_step_adjoint(Adjoint& tendency_adjoint, Stages<T>& k, const T* x, State<T>& d,
                        double start) const {
    const Weights<T> h(time_step);
    Stages<T> point, d_point;
    std::array<const T*, stages> at;
    detail::unrolled<stages>([&](auto s) {
      at[s] = before<s>(h, x, k, point[s]);
      if constexpr (s + 1 < stages) ode_at<s>(start).tendency(at[s], k[s].data());
    });
    State<T> d_in = d, d_k;
    // A stage f(x + h Σ a k) hands its gradient to x and, times h a, to the stages before.
    detail::unrolled<stages>([&](auto reverse) {
      constexpr std::size_t s = stages - 1 - reverse;
      for (std::size_t i = 0; i < size; ++i) {
        T sum = h.b[s] * d[i];
        detail::unrolled<reverse>([&](auto later) {
          constexpr std::size_t r = stages - 1 - later;
          if constexpr (Tableau::a[r][s] != zero) sum = sum + h.a[r][s] * d_point[r][i];
        });
        d_k[i] = sum;
      }
      for (std::size_t i = 0; i < size; ++i) d_point[s][i] = T(real_t<T>(0));
      tendency_adjoint(ode_at<s>(start), at[s], d_k.data(), d_point[s].data());
      for (std::size_t i = 0; i < size; ++i) d_in[i] += d_point[s][i];
    });
    d = d_in;
  }
};

}  // namespace dan
