// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "dan/core/random.hpp"
#include "dan/observe/all.hpp"

namespace dan::test {

/// Sees all of a state or nothing, by turns of chance.
template <std::size_t Points>
struct Sometimes : ObserveAll<Points> {
  static void available(const RandomKey& key, bool* mask) {
    std::array<double, 1> chance;
    fill_uniform<double>(key, std::span<double>(chance));
    std::fill_n(mask, Points, chance[0] < 0.5);
  }
};

}  // namespace dan::test
