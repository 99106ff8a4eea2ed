// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "dan/observe/places.hpp"
#include "dan/problem/problem.hpp"

namespace dan {

namespace detail {
/// How precisely each element of the state is observed, Σ_j H_ji² / R_jj with every slot reporting,
/// H the tangent at `x`; where places come with the observations, every element of a channel as its
/// most precise slot, H_j then the slope of a channel at the slot's place.
template <class Problem>
[[nodiscard]] std::vector<double> element_precision(const Problem& problem,
                                                    const std::vector<double>& x) {
  constexpr std::size_t size = Problem::size, slots = Problem::slots;
  constexpr std::size_t channels = Problem::channels;
  constexpr bool moves = MovingOperator<typename Problem::Operator>;
  std::vector<double> precision(size), unit(slots), row(size);
  for (std::size_t j = 0; j < slots; ++j) {
    std::ranges::fill(row, 0.0);
    unit[j] = 1;
    problem.observe.observe_adjoint(x.data(), unit.data(), row.data());
    unit[j] = 0;
    std::array<double, channels> slope{};
    for (std::size_t i = 0; i < size; ++i) {
      if (!std::isfinite(row[i])) continue;
      slope[i % channels] += row[i];
      if (!moves) precision[i] += row[i] * row[i] * problem.noise.precision(j);
    }
    for (std::size_t c = 0; moves && c < channels; ++c) {
      // The weights of a place add up to one, but for rounding.
      if (std::abs(slope[c] - 1) < 1e-12) slope[c] = 1;
      precision[c] = std::max(precision[c], slope[c] * slope[c] * problem.noise.precision(j));
    }
  }
  for (std::size_t i = channels; moves && i < size; ++i) precision[i] = precision[i - channels];
  return precision;
}
}  // namespace detail

/// The deviations s in whose units a learned analysis of this problem sees observations and gives
/// increments:
///   s_i = 1/√(largest (Hᵀ R⁻¹ H)_kk of the taps k of i, of the same channel),
/// with every slot reporting and H the tangent, of a nonlinear operator the mean of (Hᵀ R⁻¹ H)
/// where the network's climate is one deviation above its mean and one below, as far as finite.
///
/// For H = I and one variance that is the deviation of the observations' errors. Errors of the
/// state are much alike from point to point, even where those of observations are not: beside a
/// precise observation a coarse one tells little. An element without observed taps has the root of
/// the mean square of the others, in proportion to the climate's deviations (`input_deviation`),
/// and where nothing is observed all have those. Where places come with the observations, any
/// element may be one of them: all of a channel have the smallest deviation of the slots that see
/// this channel at the operator's own places. points · channels numbers. Cost: slots · size flops.
template <class Network, class Problem>
[[nodiscard]] std::vector<double> observation_deviations(const Problem& problem,
                                                         const Network& network) {
  constexpr std::size_t size = Problem::size, channels = Problem::channels;
  constexpr std::size_t width = Network::shape.kernel;
  const auto at = [&](double deviations) {
    std::vector<double> x(size);
    for (std::size_t i = 0; i < size; ++i)
      x[i] = network.input_mean[i % channels] + deviations * network.input_deviation[i % channels];
    return detail::element_precision(problem, x);
  };
  auto precision = at(1);
  if constexpr (!Problem::Operator::linear) {
    const auto below = at(-1);
    for (std::size_t i = 0; i < size; ++i) precision[i] = (precision[i] + below[i]) / 2;
  }
  std::vector<double> out(size);
  double squares = 0, count = 0;
  for (std::size_t i = 0; i < size; ++i) {
    double largest = 0;
    for (std::size_t k = 0; k < Network::Grid::taps(width); ++k)
      largest = std::max(
          largest, precision[Network::Grid::tap(i / channels, k, width) * channels + i % channels]);
    if (largest == 0) continue;
    out[i] = 1 / std::sqrt(largest);
    squares += 1 / (largest * std::pow(network.input_deviation[i % channels], 2)), ++count;
  }
  for (std::size_t i = 0; i < size; ++i)
    if (out[i] == 0)
      out[i] = network.input_deviation[i % channels] * (count > 0 ? std::sqrt(squares / count) : 1);
  return out;
}

}  // namespace dan
