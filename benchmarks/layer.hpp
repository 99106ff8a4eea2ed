// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "dan/core/memory.hpp"
#include "dan/core/random.hpp"
#include "dan/core/simd.hpp"

namespace dan::bench {

/// A layer with its arrays: normal numbers, the same in whatever type; weights of 0.05 N(0, 1).
template <class Map, class Real, std::size_t Lanes>
struct Layer {
  using T = lanes_t<Real, Lanes>;
  Map map;
  Scratch<Real> params{Map::parameters}, d_params{Map::parameters};
  Scratch<T> in{Map::inputs}, out{Map::outputs}, d_in{Map::inputs}, d_out{Map::outputs};
  std::unique_ptr<typename Map::template Cache<T>> cache =
      std::make_unique<typename Map::template Cache<T>>();

  Layer() {
    fill(reinterpret_cast<Real*>(in.data()), Map::inputs * Lanes, 1, 1);
    fill(reinterpret_cast<Real*>(d_out.data()), Map::outputs * Lanes, 2, 1);
    fill(params.data(), Map::weights, 3, 0.05F);
    forward(), backward();
  }
  void forward() { map.forward(params.data(), in.data(), out.data(), *cache); }
  void backward() {
    map.backward(params.data(), in.data(), *cache, d_out.data(), d_in.data(), d_params.data());
  }
  void backward_input() { map.backward_input(params.data(), d_out.data(), d_in.data()); }
  void backward_weights() { map.backward_weights(in.data(), d_out.data(), d_params.data()); }

 private:
  static void fill(Real* to, std::size_t count, std::uint64_t stream, float scale) {
    std::vector<float> numbers(count);
    fill_normal<float>({1, Purpose::user, stream}, numbers);
    for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<Real>(scale * numbers[i]);
  }
};

}  // namespace dan::bench
