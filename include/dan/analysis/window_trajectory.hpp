// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "dan/analysis/window.hpp"
#include "dan/core/memory.hpp"
#include "dan/problem/problem.hpp"

namespace dan {

/// Which observations of its window a 4D-Var uses.
enum class WindowUse {
  newest,  ///< those that are new, so that each is used once
  all      ///< all of them; with shift < lag an observation is used more than once
};

/// A trajectory of the model through a window of observations, and its derivative: what a 4D-Var
/// needs of model and observation operator, of `Runs` runs side by side.
///
/// With x_n the state n cycles after the window's start and the batches in use b = 0 (newest), 1, …
/// at the times n_b, the observed trajectory is y_b = H(x_{n_b}), an array of batches × slots
/// elements with zeros for silent slots. Throws nothing. Refers to the observations of the window.
/// Cost: L model steps to make; L of the tangent or the adjoint for a derivative; memory: L + 1
/// states, a few more while the adjoint runs.
template <class Problem, std::size_t Runs>
class WindowTrajectory {
 public:
  static constexpr std::size_t size = Problem::size, slots = Problem::slots;
  using Observed = observed_t<typename Problem::Operator, double, Runs>;
  using T = lanes_t<double, Runs>;

  /// From the state `start` at the window's start, of `size` elements.
  WindowTrajectory(const Problem& problem, const ObservationWindow<Observed>& window, WindowUse use,
                   const T* start)
      : problem_(problem), start_(window.time(0)), states_((window.length() + 1) * size) {
    std::copy_n(start, size, states_.data());
    for (std::size_t n = 0; n < window.length(); ++n)
      model_at(n).step(state(n), &states_[(n + 1) * size]);
    for (std::size_t b = window.batches(); b-- > 0;)
      if (use == WindowUse::all || window.uses_before(b) == 0)
        batches_.emplace_back(&window.batch(b), std::min(b + 1, window.length()));
  }

  /// Cycles from the window's start to the newest time.
  [[nodiscard]] std::size_t length() const { return states_.size() / size - 1; }
  [[nodiscard]] const T* state(std::size_t n) const { return &states_[n * size]; }
  [[nodiscard]] const T* newest() const { return state(length()); }
  [[nodiscard]] std::size_t batches() const { return batches_.size(); }
  [[nodiscard]] const Observed& batch(std::size_t b) const { return *batches_[b].first; }

  /// d_b = y_b observed − H(x_{n_b}).
  [[nodiscard]] Aligned<T> departures() const {
    Aligned<T> d(batches() * slots);
    for (std::size_t b = 0; b < batches(); ++b) {
      const auto& [observed, n] = batches_[b];
      placed(problem_.observe, *observed).observe(state(n), &d[b * slots]);
      for (std::size_t j = 0; j < slots; ++j)
        d[b * slots + j] = departure_of(*observed, j, d[b * slots + j]);
    }
    return d;
  }

  /// y ← R⁻¹ y.
  void weigh(T* y) const {
    for (std::size_t b = 0; b < batches(); ++b)
      for (std::size_t j = 0; j < slots; ++j) y[b * slots + j] *= batch(b).precision[j];
  }

  /// dy_b = H' M_{n_b}' dx; dx, at the window's start, becomes the change at the newest time.
  void tangent(T* dx, T* dy) const {
    std::size_t left = batches();
    for (std::size_t n = 0; n <= length(); ++n) {
      if (n > 0) model_at(n - 1).step_tangent(state(n - 1), dx, dx);
      if (left == 0 || batches_[left - 1].second != n) continue;
      const Observed& observed = batch(--left);
      T* const y = dy + left * slots;
      placed(problem_.observe, observed).observe_tangent(state(n), dx, y);
      for (std::size_t j = 0; j < slots; ++j) y[j] = where_reporting(observed, j, y[j]);
    }
  }

  /// d_x = Σ_b M_{n_b}'ᵀ H'ᵀ d_y_b, at the window's start; overwritten. d_y: zero where silent.
  void adjoint(const T* d_y, T* d_x) const {
    Scratch<T> after(size);
    std::fill_n(d_x, size, T(0.0));
    std::size_t next = 0;
    for (std::size_t n = length() + 1; n-- > 0;) {
      if (n < length()) {
        std::copy_n(d_x, size, after.data());
        std::fill_n(d_x, size, T(0.0));
        model_at(n).step_adjoint(state(n), after.data(), d_x);
      }
      if (next == batches() || batches_[next].second != n) continue;
      placed(problem_.observe, batch(next)).observe_adjoint(state(n), d_y + next * slots, d_x);
      ++next;
    }
  }

 private:
  /// The model in cycle n of the window.
  [[nodiscard]] decltype(auto) model_at(std::size_t n) const {
    return at_time(problem_.model, start_ + static_cast<double>(n));
  }

  const Problem& problem_;
  double start_;                                                  ///< time of the window's start
  Aligned<T> states_;                                             ///< one after the other
  std::vector<std::pair<const Observed*, std::size_t>> batches_;  ///< in use, and their times
};

}  // namespace dan
