// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <span>

#include "dan/analysis/innovation_test.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/scalar.hpp"
#include "dan/core/simd.hpp"
#include "dan/network/analysis_network.hpp"
#include "dan/observe/observations.hpp"

namespace dan {

/// The way back of a learned analysis, which may not find the truth again from where no training
/// has been.
///
/// A run whose innovations contradict its forecasts (`InnovationTest`) is not left to the network.
/// Its analysis is a static one, with errors of the forecast like those of the climate: B = v D, D
/// the climate's variances, and the v that the innovations themselves show:
///   v = min((Σ_j δ_j²/R_jj − n) / Σ_j (H √D 1)_j²/R_jj, 2),
///   x^a = x^f + α d,  d_i = ζ_i / (1/B_ii + (Hᵀ R⁻¹ H 1)_i),  α the best step along d,
/// which for uncorrelated observations of single elements is 3D-Var.
/// Cost: H and its adjoint some times; no model step. Source: ours.
template <class Problem, class Real, std::size_t Runs>
class WayBack {
 public:
  using T = lanes_t<Real, Runs>;
  static constexpr std::size_t size = Problem::size, slots = Problem::slots;
  static constexpr std::size_t channels = Problem::channels;

  /// What it carries of the runs side by side.
  struct State {
    /// v, in the lanes where the last analysis was static; else zero.
    std::array<double, Runs> variance{};
    std::array<InnovationTest, Runs> tests{};

    template <class Archive>
    void transfer(Archive& archive) {
      archive.numbers("static_variance", std::span<double>(variance), 1);
      const auto numbers = [&](const char* name, double InnovationTest::*number) {
        std::array<double, Runs> all;
        for (std::size_t l = 0; l < Runs; ++l) all[l] = tests[l].*number;
        archive.numbers(name, std::span<double>(all), 1);
        for (std::size_t l = 0; l < Runs; ++l) tests[l].*number = all[l];
      };
      numbers("excess", &InnovationTest::excess);
      numbers("usual", &InnovationTest::usual);
    }
  };

  /// `climate`: deviations √D; `bounds` of the analyses; `usual`: δ²/R of innovations that are as
  /// they should be.
  WayBack(const std::array<double, channels>& climate, const AnalysisBounds<channels>& bounds,
          double usual = 1)
      : climate_(climate), bounds_(bounds), usual_(usual) {}

  /// Finds the lanes whose innovations contradict the forecast x; returns whether there is one.
  template <class Operator, class Observed>
  [[nodiscard]] bool find(const Operator& operation, const Observed& observed, const T* x,
                          State& state) const {
    Scratch<T> h(slots, Unset{});
    Scratch<T> climate(size, Unset{}), seen(slots, Unset{});  // deviations, and H of them
    operation.observe(x, h.data());
    for (std::size_t i = 0; i < size; ++i)
      climate[i] = T(static_cast<Real>(climate_[i % channels]));
    operation.observe_tangent(x, climate.data(), seen.data());
    const T none(Real(0)), one(Real(1)), most(Real(9)), scale(static_cast<Real>(1 / usual_));
    T count = none, limited = none, squares = none, precision = none;
    for (std::size_t j = 0; j < slots; ++j) {
      const T p = observed.precision[j], d = departure_of(observed, j, h[j]), r = p * d * d;
      limited += minimum(most, T(scale * r));
      squares += r;
      precision += where_positive(p, T(p * seen[j] * seen[j]), none);
      count += where_positive(p, one, none);
    }
    bool anywhere = false;
    for (std::size_t l = 0; l < Runs; ++l) {
      const auto number = [&](const T& value) { return static_cast<double>(lane_of(value, l)); };
      const double n = number(count);
      state.variance[l] = 0;
      if (n == 0 || !state.tests[l].add(n, number(limited))) continue;
      state.variance[l] = std::min((number(squares) - n) / number(precision), 2.0);
      anywhere = true;
    }
    return anywhere;
  }

  /// The static analysis x^a of the forecast x in the lanes that were found; the others of `to`
  /// stay as they are.
  template <class Operator, class Observed>
  void analyse(const Operator& operation, const Observed& observed, const State& state, const T* x,
               T* to) const {
    T inverse(Real(0));  // 1/v; where no lane asks, any number
    for (std::size_t l = 0; l < lanes_of<T>; ++l) {
      const double v = state.variance[std::min(l, Runs - 1)];
      lane_of(inverse, l) = static_cast<Real>(v > 0 ? 1 / v : 1);
    }
    const T none(Real(0)), tiny(std::numeric_limits<Real>::min());
    Scratch<T> zeta(size, Unset{}), precision(size, Unset{}), step(size, Unset{}),
        ones(size, Unset{}), y(slots, Unset{});
    std::ranges::fill(ones, T(Real(1)));
    uplift(operation, observed, x, zeta.data());
    operation.observe_tangent(x, ones.data(), y.data());
    for (std::size_t j = 0; j < slots; ++j)
      y[j] = where_positive(observed.precision[j], T(observed.precision[j] * y[j]), none);
    std::ranges::fill(precision, none);
    operation.observe_adjoint(x, y.data(), precision.data());
    T descent = none, curvature = none;
    for (std::size_t i = 0; i < size; ++i) {
      const double climate = climate_[i % channels];
      const T b = inverse * T(static_cast<Real>(1 / (climate * climate)));  // 1/B_ii
      step[i] = zeta[i] / (b + maximum(none, precision[i]));
      descent += zeta[i] * step[i];
      curvature += b * step[i] * step[i];
    }
    operation.observe_tangent(x, step.data(), y.data());
    for (std::size_t j = 0; j < slots; ++j)
      curvature +=
          where_positive(observed.precision[j], T(observed.precision[j] * y[j] * y[j]), none);
    const T length = descent / maximum(tiny, curvature);
    for (std::size_t l = 0; l < Runs; ++l)
      for (std::size_t i = 0; i < size && state.variance[l] > 0; ++i) {
        const auto move = lane_of(length, l) * lane_of(step[i], l);
        lane_of(to[i], l) =
            std::clamp(lane_of(x[i], l) + move, static_cast<Real>(bounds_.low[i % channels]),
                       static_cast<Real>(bounds_.high[i % channels]));
      }
  }

 private:
  std::array<double, channels> climate_;
  AnalysisBounds<channels> bounds_;
  double usual_;
};

}  // namespace dan
