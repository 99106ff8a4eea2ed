// SPDX-License-Identifier: BSD-3-Clause
#include "dan/network/band_convolution.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <type_traits>

#include "support/bands.hpp"
#include "support/thread_ranks.hpp"

using namespace dan;
using test::ThreadRanks;

namespace {
/// Bands of all these rows against the whole torus, and against each other.
template <class Whole, std::size_t Kernel, std::size_t... Rows>
void check() {
  const auto whole = test::convolution_of_whole<Whole, Kernel>();
  const auto one = test::convolution_in_bands<Whole, Whole::rows, Kernel>(OneProcess());
  CHECK(one.forward == whole.forward);
  CHECK(one.backward == whole.backward);
  REQUIRE(one.weights.size() == whole.weights.size());
  // Two orders of sums of points × lanes numbers of size one, in single precision.
  for (std::size_t n = 0; n < one.weights.size(); ++n)
    CHECK(std::abs(one.weights[n] - whole.weights[n]) < 1e-4 * (10 + std::abs(whole.weights[n])));
  const auto cut = [&]<std::size_t R>(std::integral_constant<std::size_t, R>) {
    ThreadRanks::run(Whole::rows / R, [&](const ThreadRanks& ranks) {
      CHECK(test::convolution_in_bands<Whole, R, Kernel>(ranks) == one);
    });
  };
  (cut(std::integral_constant<std::size_t, Rows>()), ...);
}
}  // namespace

TEST_CASE("band convolution: the bits of the whole torus, forward and back, for any cut") {
  check<Torus<12, 7>, 3, 6, 3, 1>();
  check<Torus<8, 70>, 5, 4, 2>();  // rows longer than a stretch of the weights
}
