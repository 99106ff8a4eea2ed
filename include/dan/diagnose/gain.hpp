// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "dan/autodiff/dual.hpp"
#include "dan/core/error.hpp"
#include "dan/core/linalg.hpp"
#include "dan/core/random.hpp"
#include "dan/core/tensor.hpp"
#include "dan/diagnose/increment.hpp"

/// \file
/// The gain and the covariance that a learned analysis behaves as if it knew: a_θ(x, ζ) ≈ P^a(x) ζ.

namespace dan {

/// Whether derivatives are taken where the innovation is zero or where it was.
enum class ExpandedAt { zero, innovation };

namespace detail {
/// An input of one lane in all lanes of T; with z = 0 if the expansion is about that.
template <class T, class Increment>
Scratch<T> spread_input(const Increment&, std::span<const typename Increment::Real> in,
                        ExpandedAt about) {
  require_size("LearnedIncrement", "input", in.size(), Increment::inputs,
               "element of the network's input");
  Scratch<T> out(in.size(), Unset{});
  for (std::size_t i = 0; i < in.size(); ++i) out[i] = T(in[i]);
  if (about == ExpandedAt::zero)
    std::ranges::fill(Increment::innovation(out.data()), T(typename Increment::Real(0)));
  return out;
}
}  // namespace detail

/// The covariance that the increment implies, exactly: P = ∂a/∂ζ at the state (and memory) of an
/// input, there where ζ = 0 or where the innovation was.
///
/// size × size, in units of the state; of a Kalman filter the covariance P^a of its analysis, for
/// its increment is P^a Hᵀ R⁻¹ δ = P^a ζ. Symmetric only as far as that was learned. `in`: see
/// LearnedIncrement::input. Throws ShapeError for an input of another size. Cost: twice `size`
/// passes of the network, side by side in lanes.
/// Source: Bocquet et al., Chaos 34 (2024) 091104; equation 11 of the talk.
template <class Increment>
[[nodiscard]] Matrix learned_covariance(const Increment& increment,
                                        std::span<const typename Increment::Real> in,
                                        ExpandedAt about = ExpandedAt::zero) {
  using Real = typename Increment::Real;
  using T = lanes_t<Real, simd_width<Real>>;
  constexpr std::size_t size = Increment::size, width = lanes_of<T>;
  auto at = detail::spread_input<Dual<T>>(increment, in, about);
  const auto z = Increment::innovation(at.data());
  Scratch<Dual<T>> out(size, Unset{});
  auto p = zero_tensor<double>(size, size);
  for (std::size_t first = 0; first < size; first += width) {
    const std::size_t count = std::min(width, size - first);
    for (std::size_t l = 0; l < count; ++l) lane_of(z[first + l].slope, l) = Real(1);
    increment(at.data(), out.data());
    for (std::size_t l = 0; l < count; ++l) {
      z[first + l].slope = T(Real(0));
      for (std::size_t i = 0; i < size; ++i)
        p(i, first + l) =
            static_cast<double>(lane_of(out[i].slope, l)) * increment.deviations()[first + l];
    }
  }
  return p;
}

/// The covariance that a gain head gives: P_ij = s_i u_ij s_j, the mean over the members; zero
/// beyond the reach of the head.
///
/// What was taught, where a gain was taught by covariances (`TrainConfig::taught_gain`), and what
/// the increment would be if the coefficients did not depend on ζ: `learned_covariance` at ζ = 0
/// differs from it by ∂bias/∂ζ only. Cost: one pass of the network.
template <class Increment>
[[nodiscard]] Matrix head_covariance(const Increment& increment,
                                     std::span<const typename Increment::Real> in,
                                     ExpandedAt about = ExpandedAt::zero) {
  using Network = typename Increment::Network;
  using Real = typename Increment::Real;
  static_assert(Network::gain,
                "head_covariance: the network has no gain head (NetworkShape::head) of one level "
                "(gain_levels); take learned_covariance, which asks the increment itself");
  auto p = zero_tensor<double>(Network::size, Network::size);
  if constexpr (Network::gain) {
    const auto at = detail::spread_input<Real>(increment, in, about);
    const auto cache = std::make_unique<typename Network::template Cache<Real>>();
    std::vector<Real> out(Network::outputs);
    const auto& trained = increment.trained();
    trained.network.forward(trained.parameters.data(), at.data(), out.data(), *cache);
    constexpr std::size_t channels = Network::channels, width = 2 * Network::shape.gain_radius + 1;
    const auto s = increment.deviations();
    for (std::size_t m = 0; m < Network::members; ++m)
      for (std::size_t i = 0; i < Network::size; ++i) {
        const Real* const row = Network::gain_row(*cache, m, i);
        for (std::size_t n = 0; n < Network::Grid::taps(width) * channels; ++n) {
          const std::size_t j =
              Network::Grid::tap(i / channels, n / channels, width) * channels + n % channels;
          p(i, j) += s[i] * static_cast<double>(row[n]) * s[j] / Network::members;
        }
      }
  }
  return p;
}

/// Hᵀ R⁻¹ of the slots that report in one cycle, ζ = uplift · δ, and the deviations √R_jj of their
/// errors.
struct Uplift {
  Matrix matrix;                   ///< size × reporting slots
  std::vector<double> deviations;  ///< one per reporting slot
};

/// What the observations `observed` of lane `lane` are to a problem, H the tangent at a state: the
/// uplift of δ. Slots that are silent are left out. Cost: an adjoint per slot.
///
/// `at`: the state, size elements, or an input of one member, which begins with it; of several
/// `LearnedIncrement::mean_state(in)`, where a learned analysis linearises.
template <class Problem, class Observed, class Real>
[[nodiscard]] Uplift uplift_of(const Problem& problem, const Observed& observed, std::size_t lane,
                               std::span<const Real> at) {
  using T = lanes_t<typename decltype(observed.values)::Real, Observed::lanes>;
  constexpr std::size_t size = Problem::size;
  std::vector<std::size_t> reporting;
  for (std::size_t j = 0; j < Problem::slots; ++j)
    if (observed.precision.at(j, lane) > 0) reporting.push_back(j);
  Uplift out{zero_tensor<double>(size, reporting.size()), {}};
  Scratch<T> x(size, Unset{}), d_y(Problem::slots), row(size, Unset{});
  for (std::size_t i = 0; i < size; ++i) x[i] = T(at[i]);
  for (std::size_t n = 0; n < reporting.size(); ++n) {
    const auto precision = static_cast<double>(observed.precision.at(reporting[n], lane));
    std::ranges::fill(row, T(0));
    d_y[reporting[n]] = T(1);
    placed(problem.observe, observed).observe_adjoint(x.data(), d_y.data(), row.data());
    d_y[reporting[n]] = T(0);
    for (std::size_t i = 0; i < size; ++i)
      out.matrix(i, n) = static_cast<double>(lane_of(row[i], lane)) * precision;
    out.deviations.push_back(1 / std::sqrt(precision));
  }
  return out;
}

/// The K of the least-squares problem Σ_j ‖a_j − ā − K (δ_j − δ̄)‖² (the talk's equation 9).
///
/// δ: samples × slots, a: samples × size; K: size × slots. Throws ShapeError unless both have as
/// many rows, ConfigError unless these are more than the slots, and NumericalError where the δ_j
/// span less than their space. Cost: samples · slots · (slots + size) multiplications.
[[nodiscard]] inline Matrix regressed_gain(const Matrix& departures, const Matrix& increments) {
  const std::size_t samples = departures.shape()[0], slots = departures.shape()[1];
  require_size("regressed_gain", "rows of the increments", increments.shape()[0], samples,
               "departure");
  if (samples <= slots)
    throw ConfigError(to_text("regressed_gain: there are ", samples, " samples, expected at least ",
                              slots + 1, " for ", slots,
                              " observations; ten times as many give a gain within some per cent"));
  const auto centred = [](const Matrix& from) {
    Matrix out = from;
    for (std::size_t c = 0; c < out.shape()[1]; ++c) {
      double mean = 0;
      for (std::size_t r = 0; r < out.shape()[0]; ++r) mean += out(r, c);
      mean /= static_cast<double>(out.shape()[0]);
      for (std::size_t r = 0; r < out.shape()[0]; ++r) out(r, c) -= mean;
    }
    return out;
  };
  const Matrix d = centred(departures), d_t = transpose_of(d);
  return transpose_of(
      solve_linear(matrix_product(d_t, d), matrix_product(d_t, centred(increments))));
}

/// Which innovations are sampled.
struct SampledInnovations {
  std::size_t samples = 1000;  ///< N_p
  double scale = 1;            ///< δ_j ~ N(0, scale² R)
};

/// K(x) by regression: increments a_j = a(x, Hᵀ R⁻¹ δ_j) of sampled innovations δ_j ~ N(0, scale²
/// R), then `regressed_gain` (the talk's equations 8 and 9).
///
/// size × reporting slots. For many samples it is the mean of the exact gain, `learned_covariance`
/// · Hᵀ R⁻¹, over these innovations (Stein's lemma), for small ones the exact one at ζ = 0. Throws
/// ConfigError for too few samples or a scale that is not positive. Cost: `samples` passes of the
/// network, in lanes; memory: samples · (slots + size) numbers.
template <class Increment>
[[nodiscard]] Matrix sampled_gain(const Increment& increment,
                                  std::span<const typename Increment::Real> in,
                                  const Uplift& uplift, const RandomKey& key,
                                  const SampledInnovations& config = {}) {
  using Real = typename Increment::Real;
  using T = lanes_t<Real, simd_width<Real>>;
  constexpr std::size_t size = Increment::size, width = lanes_of<T>;
  const std::size_t slots = uplift.deviations.size();
  require_positive("sampled_gain", "scale", config.scale);
  if (config.samples <= slots)  // before the work
    throw ConfigError(to_text("sampled_gain: samples is ", config.samples, ", expected at least ",
                              slots + 1, " for ", slots, " observations"));
  auto departures = zero_tensor<double>(config.samples, slots);
  auto increments = zero_tensor<double>(config.samples, size);
  fill_normal<double>(key.with(Purpose::sample), span_of(departures));
  for (std::size_t n = 0; n < config.samples; ++n)
    for (std::size_t j = 0; j < slots; ++j) departures(n, j) *= config.scale * uplift.deviations[j];
  const Matrix zeta = matrix_product(departures, transpose_of(uplift.matrix));
  auto at = detail::spread_input<T>(increment, in, ExpandedAt::zero);
  const auto z = Increment::innovation(at.data());
  Scratch<T> out(size, Unset{});
  for (std::size_t first = 0; first < config.samples; first += width) {
    const std::size_t count = std::min(width, config.samples - first);
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t l = 0; l < count; ++l)
        lane_of(z[i], l) = static_cast<Real>(increment.deviations()[i] * zeta(first + l, i));
    increment(at.data(), out.data());
    for (std::size_t l = 0; l < count; ++l)
      for (std::size_t i = 0; i < size; ++i)
        increments(first + l, i) = static_cast<double>(lane_of(out[i], l));
  }
  return regressed_gain(departures, increments);
}

}  // namespace dan
