// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <vector>

#include "dan/autodiff/battery_parts.hpp"
#include "dan/core/error.hpp"
#include "dan/problem/background/concepts.hpp"
#include "dan/problem/model_noise.hpp"

/// \file
/// What every covariance must pass, yours too:
///
///     const BatteryReport report = check_background(MyBackground{});
///     if (!report.passes()) std::cerr << report.words();

namespace dan {

namespace detail {
/// The root of a covariance as a map of the battery's, linear, at zero.
template <class Covariance>
struct RootOf {
  static constexpr std::size_t channels = 1;
  static constexpr bool of_states = false;
  static constexpr bool differentiable = BackgroundCovariance<Covariance>;
  static constexpr const char* name = "root";
  const Covariance& covariance;
  std::size_t inputs, outputs;
  template <class T>
  void value(const T* v, T* x) const {
    covariance.root(v, x);
  }
  template <class T>
  void tangent(const T*, const T* dv, T* dx) const {
    covariance.root(dv, dx);
  }
  template <class T>
  void adjoint(const T*, const T* d_x, T* d_v) const {
    covariance.root_adjoint(d_x, d_v);
  }
};

/// Of any size: that the map writes numbers, is linear, has its lanes apart, and what it says of
/// derivatives.
template <class Map>
[[nodiscard]] BatteryReport check_linear(const Map& map) {
  BatteryReport report;
  const std::vector<double> zeros(map.inputs);
  const Battery<Map> at{map, zeros};
  report.written = battery_outputs(at, report);
  if (!report.written) return report;
  const auto a = battery_numbers(map.inputs, 7), b = battery_numbers(map.inputs, 8);
  std::vector<double> sum(map.inputs);
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = a[i] + b[i];
  const auto of_a = at.value(a), of_b = at.value(b), of_sum = at.value(sum);
  for (std::size_t i = 0; i < of_sum.size(); ++i) {
    const double error = std::abs(of_sum[i] - of_a[i] - of_b[i]);
    if (error <= 1e-12 * (std::abs(of_a[i]) + std::abs(of_b[i]) + at.out_units[i])) continue;
    report.say(to_text(Map::name, " is not linear: of a sum it gives ", of_sum[i], " in element ",
                       i, ", expected ", of_a[i] + of_b[i]));
    break;
  }
  if constexpr (Map::differentiable) battery_derivatives(at, report);
  battery_scalars(at, report);
  return report;
}

/// Q of a model's noise as a map of the battery's.
template <ModelNoise Noise>
struct ProductOf {
  static constexpr std::size_t channels = 1, inputs = Noise::size, outputs = Noise::size;
  static constexpr bool of_states = false, differentiable = false;
  static constexpr const char* name = "multiply";
  const Noise& noise;
  template <class T>
  void value(const T* x, T* y) const {
    noise.multiply(x, y);
  }
};
}  // namespace detail

/// A background covariance: its root writes numbers and is linear, its adjoint is the root's
/// transpose and adds, and lanes are apart. Cost: some twenty roots.
template <BackgroundCovariance Background>
[[nodiscard]] BatteryReport check_background(const Background& background) {
  return detail::check_linear(
      detail::RootOf<Background>{background, static_cast<std::size_t>(background.controls()),
                                 static_cast<std::size_t>(background.size())});
}

/// A model's noise: root and multiply write numbers, are linear with lanes apart, and Q = L Lᵀ.
/// Cost: numbers() roots; memory: numbers() · size numbers.
template <ModelNoise Noise>
[[nodiscard]] BatteryReport check_model_noise(const Noise& noise) {
  constexpr std::size_t size = Noise::size;
  const std::size_t numbers = noise.numbers();
  auto report = detail::check_linear(detail::RootOf<Noise>{noise, numbers, size});
  const auto product = detail::check_linear(detail::ProductOf<Noise>{noise});
  for (const auto& sentence : product.wrong) report.say(sentence);
  report.written = report.written && product.written;
  if (!report.passes()) return report;
  const auto x = detail::battery_numbers(size, 9);
  std::vector<double> white(numbers), column(size), expected(size), units(size), found(size);
  for (std::size_t k = 0; k < numbers; ++k) {
    white[k] = 1;
    noise.root(white.data(), column.data());
    white[k] = 0;
    double along = 0;
    for (std::size_t i = 0; i < size; ++i) along += column[i] * x[i];
    for (std::size_t i = 0; i < size; ++i) {
      expected[i] += along * column[i];
      units[i] += std::abs(along * column[i]);
    }
  }
  noise.multiply(x.data(), found.data());
  for (std::size_t i = 0; i < size; ++i)
    if (!(std::abs(found[i] - expected[i]) <= 1e-10 * units[i])) {
      report.say(to_text("multiply is not root and its transpose: Q x has ", found[i],
                         " in element ", i, ", L Lᵀ x has ", expected[i]));
      break;
    }
  return report;
}

}  // namespace dan
