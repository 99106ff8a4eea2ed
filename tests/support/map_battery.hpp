// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dan/autodiff/checks.hpp"
#include "dan/autodiff/map.hpp"
#include "dan/core/random.hpp"

namespace dan::test {

inline std::vector<double> normal(std::size_t n, std::uint64_t stream, double scale = 1) {
  std::vector<double> out(n);
  fill_normal<double>({42, Purpose::user, stream, 0}, std::span<double>(out));
  for (auto& value : out) value *= scale;
  return out;
}

/// Every check of a differentiable map's derivatives, in double with one lane, with the parameters
/// and the input moved together: u = (d_params, d_in), v = d_out.
template <DifferentiableMap Map>
void check_map(const Map& map, double parameter_scale = 0.3, double input_scale = 1) {
  constexpr std::size_t P = Map::parameters, I = Map::inputs, O = Map::outputs;
  auto cache = std::make_unique<typename Map::template Cache<double>>();
  std::vector<double> at = normal(P + I, 1, parameter_scale);
  const auto input = normal(I, 2, input_scale);
  std::copy(input.begin(), input.end(), at.begin() + P);

  const auto value = [&](std::span<const double> x) {
    std::vector<double> out(O);
    map.forward(x.data(), x.data() + P, out.data(), *cache);
    return out;
  };
  const auto tangent = [&](std::span<const double> u) {
    std::vector<double> out(O), d_out(O);
    map.tangent(at.data(), u.data(), at.data() + P, u.data() + P, out.data(), d_out.data());
    CHECK(out == value(at));
    return d_out;
  };
  const auto adjoint = [&](std::span<const double> v) {
    std::vector<double> d(P + I);
    value(at);
    map.backward(at.data(), at.data() + P, *cache, v.data(), d.data() + P, d.data());
    return d;
  };
  const auto u = normal(P + I, 3), v = normal(O, 4);
  CHECK(dot_product_error(tangent, adjoint, u, v) < 1e-13);
  const auto fit = taylor_slope(value, tangent, at, u);
  CHECK_MESSAGE(fit.passes(), "slope ", fit.slope, " over ", fit.points, " points");

  // backward accumulates: from non-zero gradients it adds the same numbers
  const auto fresh = adjoint(v);
  auto d = normal(P + I, 5);
  const auto before = d;
  value(at);
  map.backward(at.data(), at.data() + P, *cache, v.data(), d.data() + P, d.data());
  for (std::size_t i = 0; i < P + I; ++i)
    CHECK(d[i] - before[i] == doctest::Approx(fresh[i]).epsilon(1e-9));
}

}  // namespace dan::test
