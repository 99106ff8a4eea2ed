// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "dan/core/processes.hpp"
#include "dan/core/random.hpp"
#include "dan/core/simd.hpp"
#include "dan/geometry/band.hpp"
#include "dan/geometry/torus.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/network/band_convolution.hpp"

/// \file
/// What ranks compute together on a torus that is cut into bands; every rank returns the whole.

namespace dan::test {

/// N(0, 1) for every own point of a band, alike in all lanes but for a factor, the same for every
/// cut; the halo is what nobody has filled.
template <class Band, class T>
std::vector<T> random_band(const auto& halo, std::size_t channels, std::uint64_t seed) {
  std::vector<double> whole(Band::bands * Band::own * channels);
  fill_normal<double>(RandomKey{.seed = seed}, whole);
  const double* from = &whole[halo.first_row() / Band::own_rows * Band::own * channels];
  std::vector<T> x(Band::points * channels, T(real_t<T>(7e7)));
  for (std::size_t n = 0; n < Band::own * channels; ++n)
    for (std::size_t l = 0; l < lanes_of<T>; ++l)
      lane_of(x[Band::first * channels + n], l) =
          static_cast<real_t<T>>(from[n] * (1 + 0.1 * static_cast<double>(l)));
  return x;
}

/// Own rows of all ranks, one after the other.
template <class Band, class T>
std::vector<double> joined(const auto& halo, const std::vector<T>& x) {
  const std::size_t channels = x.size() / Band::points;
  std::vector<double> whole, rows(Band::own * channels * lanes_of<T>);
  for (std::size_t rank = 0; rank < Band::bands; ++rank) {
    for (std::size_t n = 0; n < rows.size(); ++n)
      rows[n] = static_cast<double>(
          lane_of(x[Band::first * channels + n / lanes_of<T>], n % lanes_of<T>));
    halo.processes().broadcast(std::as_writable_bytes(std::span(rows)), rank);
    whole.insert(whole.end(), rows.begin(), rows.end());
  }
  return whole;
}

template <class Band>
auto halo_of(const auto& ranks) {
  return Halo<Band, std::remove_cvref_t<decltype(ranks)>>(ranks);
}

/// What all ranks have found, rows in the order of the torus.
struct Found {
  std::vector<double> forward{}, backward{}, weights{};
  bool operator==(const Found&) const = default;
};

inline constexpr std::size_t channels_in = 3, channels_out = 5;

inline std::vector<float> random_parameters(std::size_t count) {
  std::vector<float> params(count);
  fill_normal<float>(RandomKey{.seed = 1}, params);
  for (float& w : params) w *= 0.3F;
  return params;
}

/// A convolution, forward and both ways back, on a torus in bands of `Rows`.
template <class Whole, std::size_t Rows, std::size_t Kernel>
Found convolution_in_bands(const auto& ranks) {
  using Cut = TorusBand<Whole, Rows, Kernel / 2>;
  using Layer = BandConvolution<Cut, channels_in, channels_out, Kernel, Silu>;
  using T = Pack<float, simd_width<float>>;
  const auto halo = halo_of<Cut>(ranks);
  const auto params = random_parameters(Layer::parameters);
  auto in = random_band<Cut, T>(halo, channels_in, 2);
  const auto d_out = random_band<Cut, T>(halo, channels_out, 3);
  std::vector<T> out(Layer::outputs), d_in(Layer::inputs, T(0.0F));
  std::vector<float> d_rows(Rows * Layer::parameters), d_params(Layer::parameters);
  const auto cache = std::make_unique<typename Layer::template Cache<T>>();
  Layer::forward(halo, params.data(), in.data(), out.data(), *cache);
  Layer::backward(halo, params.data(), in.data(), *cache, d_out.data(), d_in.data(), d_rows.data());
  sum_rows(ranks, std::span<const float>(d_rows), std::span(d_params));
  return {joined<Cut>(halo, out), joined<Cut>(halo, d_in), {d_params.begin(), d_params.end()}};
}

/// The same on the torus as it is.
template <class Whole, std::size_t Kernel>
Found convolution_of_whole() {
  using One = TorusBand<Whole, Whole::rows, 0>;
  using Layer = Convolution<Whole, channels_in, channels_out, Kernel, Silu>;
  using T = Pack<float, simd_width<float>>;
  const Halo<One> halo;
  const auto params = random_parameters(Layer::parameters);
  const auto in = random_band<One, T>(halo, channels_in, 2);
  const auto d_out = random_band<One, T>(halo, channels_out, 3);
  std::vector<T> out(Layer::outputs), d_in(Layer::inputs, T(0.0F));
  std::vector<float> d_params(Layer::parameters);
  const auto cache = std::make_unique<typename Layer::template Cache<T>>();
  Layer{}.forward(params.data(), in.data(), out.data(), *cache);
  Layer{}.backward(params.data(), in.data(), *cache, d_out.data(), d_in.data(), d_params.data());
  return {joined<One>(halo, out), joined<One>(halo, d_in), {d_params.begin(), d_params.end()}};
}

/// Burgers' equation on a plane; its stencil has radius 1.
///   dx/dt = −x (∂_r + ∂_c) x / 2 + ν ∇²x.
template <class Grid>
struct Burgers {
  using Geometry = Grid;
  static constexpr std::size_t points = Grid::points, channels = 1;
  double viscosity = 0.3;

  template <class T>
  void tendency(const T* x, T* dxdt) const {
    using Real = real_t<T>;
    for (std::size_t p = 0; p < points; ++p) {
      const auto at = [&](std::size_t k) { return x[Grid::tap(p, k, 3)]; };
      dxdt[p] = Real(viscosity) * (at(1) + at(3) + at(5) + at(7) - Real(4) * x[p]) -
                Real(0.25) * x[p] * (at(7) - at(1) + at(5) - at(3));
    }
  }
};

/// How the adjoint of a step crosses the edges of bands.
enum class Adjoint {
  gather,  ///< the gradient is exchanged, and who owns a row computes all that is added to it
  scatter  ///< what is added to others' rows is handed to them
};

/// Three steps of RK4 and their adjoint. A step reaches 4 rows; its adjoint by `gather` needs the
/// stages of all rows that gradients come from, so twice as many. A band that is the whole torus
/// needs no halo.
template <class Whole, std::size_t Rows, std::size_t Width, Adjoint adjoint = Adjoint::gather>
Found model_in_bands(const auto& ranks) {
  using Cut = TorusBand<Whole, Rows, Width>;
  using T = Pack<double, simd_width<double>>;
  const auto halo = halo_of<Cut>(ranks);
  const Rk4<Burgers<Cut>> model;
  std::vector<std::vector<T>> x{random_band<Cut, T>(halo, 1, 4)};
  for (std::size_t n = 0; n < 3; ++n) {
    halo.exchange(std::span(x[n]));
    x.emplace_back(x[n].size());
    model.step(x[n].data(), x[n + 1].data());
  }
  auto d = random_band<Cut, T>(halo, 1, 5);
  for (std::size_t n = 3; n-- > 0;) {
    std::vector<T> d_before(d.size(), T(0.0));
    if (adjoint == Adjoint::gather)
      halo.exchange(std::span(d));
    else  // nobody uses what a step makes of the halo
      for (std::size_t i = 0; i < Cut::first; ++i) d[i] = d[d.size() - 1 - i] = T(0.0);
    model.step_adjoint(x[n].data(), d.data(), d_before.data());
    if (adjoint == Adjoint::scatter) halo.exchange_adjoint(std::span(d_before));
    d = d_before;
  }
  return {joined<Cut>(halo, x.back()), joined<Cut>(halo, d)};
}

}  // namespace dan::test
