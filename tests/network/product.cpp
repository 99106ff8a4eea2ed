// SPDX-License-Identifier: BSD-3-Clause
#include "dan/network/product.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>

#include "../support/map_battery.hpp"

using namespace dan;

TEST_CASE("product: derivatives") { test::check_map(Product<5, 3>{}); }

TEST_CASE("product: the first half of a point's channels times the SiLU of the second") {
  const Product<2, 2> map;
  Product<2, 2>::Cache<double> cache;
  const std::array<double, 8> in{1, 2, 3, 4, 5, 6, -1, 0};
  std::array<double, 4> out{};
  map.forward(in.data(), in.data(), out.data(), cache);
  const auto silu = [](double z) { return z / (1 + std::exp(-z)); };
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(out[i] == doctest::Approx(in[i / 2 * 4 + i % 2] * silu(in[i / 2 * 4 + 2 + i % 2])));
}
