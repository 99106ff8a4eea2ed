// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dan/autodiff/checks.hpp"
#include "dan/concepts.hpp"
#include "dan/core/random.hpp"
#include "dan/core/simd.hpp"
#include "dan/core/tensor.hpp"

/// \file
/// What every model, equation and observation operator must pass: `check_model(model, x)`,
/// `check_equation(ode, x)`, `check_network(network, x)`, with x a typical state.

namespace dan::test {

using Numbers = std::vector<double>;
template <class T>
using Aligned = std::vector<T, AlignedAllocator<T>>;

/// `count` numbers from N(0, 1), others for every `run`.
inline Numbers normal_numbers(std::size_t count, std::uint64_t run = 0) {
  Numbers out(count);
  fill_normal<double>({.seed = 4711, .purpose = Purpose::user, .run = run}, out);
  return out;
}

inline bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

/// Whether two sequences are the same, bit for bit.
template <class A, class B>
bool all_same_bits(const A& a, const B& b) {
  return std::ranges::equal(a, b, same_bits);
}

/// The three functions of a model, an equation or an observation operator under common names.
template <DifferentiableModel Model>
struct StepOf {
  static constexpr std::size_t inputs = Model::points * Model::channels, outputs = inputs;
  const Model& model;
  template <class T>
  void value(const T* x, T* y) const {
    model.step(x, y);
  }
  template <class T>
  void tangent(const T* x, const T* dx, T* dy) const {
    model.step_tangent(x, dx, dy);
  }
  template <class T>
  void adjoint(const T* x, const T* d_y, T* d_x) const {
    model.step_adjoint(x, d_y, d_x);
  }
};
template <DifferentialEquation Ode>
struct TendencyOf {
  static constexpr std::size_t inputs = Ode::points * Ode::channels, outputs = inputs;
  const Ode& ode;
  template <class T>
  void value(const T* x, T* y) const {
    ode.tendency(x, y);
  }
  template <class T>
  void tangent(const T* x, const T* dx, T* dy) const {
    ode.tendency_tangent(x, dx, dy);
  }
  template <class T>
  void adjoint(const T* x, const T* d_y, T* d_x) const {
    ode.tendency_adjoint(x, d_y, d_x);
  }
};
template <ObservationOperator Network>
struct ObserveOf {
  static constexpr std::size_t inputs = Network::points * Network::channels;
  static constexpr std::size_t outputs = Network::slots;
  const Network& network;
  template <class T>
  void value(const T* x, T* y) const {
    network.observe(x, y);
  }
  template <class T>
  void tangent(const T* x, const T* dx, T* dy) const {
    network.observe_tangent(x, dx, dy);
  }
  template <class T>
  void adjoint(const T* x, const T* d_y, T* d_x) const {
    network.observe_adjoint(x, d_y, d_x);
  }
};

/// Tangent against f (Taylor), adjoint against tangent (dot product), accumulation of the adjoint.
/// Returns the Taylor fit.
template <class Map>
TaylorFit check_derivatives(const Map& map, std::span<const double> x) {
  constexpr std::size_t n = Map::inputs, m = Map::outputs;
  const auto value = [&](std::span<const double> at) {
    Numbers y(m);
    map.value(at.data(), y.data());
    return y;
  };
  const auto tangent = [&](std::span<const double> dx) {
    Numbers dy(m);
    map.tangent(x.data(), dx.data(), dy.data());
    return dy;
  };
  const auto adjoint_onto = [&](std::span<const double> d_y, Numbers d_x) {
    map.adjoint(x.data(), d_y.data(), d_x.data());
    return d_x;
  };
  const auto adjoint = [&](std::span<const double> d_y) { return adjoint_onto(d_y, Numbers(n)); };

  const Numbers u = normal_numbers(n, 1), v = normal_numbers(m, 2), before = normal_numbers(n, 3);
  for (std::uint64_t run = 0; run < 3; ++run)
    CHECK(dot_product_error(tangent, adjoint, normal_numbers(n, 10 + run),
                            normal_numbers(m, 20 + run)) <= 1e-13);

  const TaylorFit fit = taylor_slope(value, tangent, x, u);
  CAPTURE(fit.slope);
  CAPTURE(fit.points);
  CHECK(fit.passes());

  const Numbers gradient = adjoint(v), after = adjoint_onto(v, before);
  double accumulation = 0, size = 1;
  for (std::size_t i = 0; i < n; ++i) {
    accumulation = std::max(accumulation, std::abs(after[i] - (before[i] + gradient[i])));
    size = std::max(size, std::abs(gradient[i]));
  }
  CHECK(accumulation <= 1e-14 * size);
  return fit;
}

/// Each lane of a pack gives the bits of that state alone; float agrees with double.
template <class Map>
void check_scalars(const Map& map, std::span<const double> x) {
  constexpr std::size_t n = Map::inputs, m = Map::outputs, lanes = 2 * simd_width<double>;
  using T = Pack<double, lanes>;
  const Numbers noise = normal_numbers(2 * n * lanes, 4), noise_y = normal_numbers(m * lanes, 5);
  Aligned<T> xs(n), dxs(n), ys(m), dys(m), d_ys(m), d_xs(n);
  for (std::size_t l = 0; l < lanes; ++l) {
    for (std::size_t i = 0; i < n; ++i) {
      xs[i][l] = x[i] + 0.1 * noise[i * lanes + l];
      dxs[i][l] = d_xs[i][l] = noise[(n + i) * lanes + l];
    }
    for (std::size_t i = 0; i < m; ++i) d_ys[i][l] = noise_y[i * lanes + l];
  }
  const auto lane = [](const Aligned<T>& packs, std::size_t l) {
    Numbers out(packs.size());
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = packs[i][l];
    return out;
  };
  const Aligned<T> before = d_xs;
  map.value(xs.data(), ys.data());
  map.tangent(xs.data(), dxs.data(), dys.data());
  map.adjoint(xs.data(), d_ys.data(), d_xs.data());
  bool value = true, tangent = true, adjoint = true;
  for (std::size_t l = 0; l < lanes; ++l) {
    const Numbers at = lane(xs, l);
    Numbers y(m), dy(m), d_x = lane(before, l);
    map.value(at.data(), y.data());
    map.tangent(at.data(), lane(dxs, l).data(), dy.data());
    map.adjoint(at.data(), lane(d_ys, l).data(), d_x.data());
    value = value && all_same_bits(y, lane(ys, l));
    tangent = tangent && all_same_bits(dy, lane(dys, l));
    adjoint = adjoint && all_same_bits(d_x, lane(d_xs, l));
  }
  CHECK(value);
  CHECK(tangent);
  CHECK(adjoint);

  const std::vector<float> in(x.begin(), x.end());
  const Numbers rounded(in.begin(), in.end());
  std::vector<float> single(m);
  Numbers exact(m);
  map.value(in.data(), single.data());
  map.value(rounded.data(), exact.data());
  double error = 0, size = 0;
  for (std::size_t i = 0; i < m; ++i) {
    error = std::max(error, std::abs(exact[i] - static_cast<double>(single[i])));
    size = std::max(size, std::abs(exact[i]));
  }
  CHECK(error <= 1e-5 * size);
}

/// An equation: derivatives and scalars of its tendency.
template <DifferentialEquation Ode>
void check_equation(const Ode& ode, std::span<const double> x) {
  REQUIRE(x.size() == Ode::points * Ode::channels);
  check_derivatives(TendencyOf<Ode>{ode}, x);
  check_scalars(TendencyOf<Ode>{ode}, x);
}

/// A model: derivatives and scalars of its step, and the step and the tangent in place.
template <DifferentiableModel Model>
void check_model(const Model& model, std::span<const double> x) {
  REQUIRE(x.size() == Model::points * Model::channels);
  check_derivatives(StepOf<Model>{model}, x);
  check_scalars(StepOf<Model>{model}, x);

  const Numbers dx = normal_numbers(x.size(), 6);
  Numbers y(x.size()), in_place(x.begin(), x.end()), dy(x.size()), d_in_place = dx;
  model.step(x.data(), y.data());
  model.step(in_place.data(), in_place.data());
  CHECK(all_same_bits(y, in_place));
  model.step_tangent(x.data(), dx.data(), dy.data());
  model.step_tangent(x.data(), d_in_place.data(), d_in_place.data());
  CHECK(all_same_bits(dy, d_in_place));
}

/// An observation operator: derivatives and scalars of H; says truly whether it is linear; the
/// same slots report whenever the key is the same.
template <ObservationOperator Network>
void check_network(const Network& network, std::span<const double> x) {
  REQUIRE(x.size() == Network::points * Network::channels);
  const TaylorFit fit = check_derivatives(ObserveOf<Network>{network}, x);
  CHECK(fit.at_round_off == Network::linear);
  check_scalars(ObserveOf<Network>{network}, x);

  std::array<bool, Network::slots> once{}, again{};
  for (std::uint64_t cycle = 0; cycle < 20; ++cycle) {
    const RandomKey key{.seed = 5, .run = 2, .cycle = cycle};
    network.available(key, once.data());
    again.fill(cycle % 2 == 0);
    network.available(key, again.data());
    CHECK(once == again);
  }
}

}  // namespace dan::test
