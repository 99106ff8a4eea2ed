// SPDX-License-Identifier: BSD-3-Clause
#include "dan/problem/scaling.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>

#include "dan/observe/all.hpp"
#include "dan/problem/problem.hpp"

using namespace dan;

namespace {
constexpr std::size_t size = 100;
/// Stays as it is.
struct Still {
  static constexpr std::size_t points = size, channels = 1;
  template <class T>
  void step(const T* x, T* y) const {
    if (x != y) std::copy_n(x, points, y);
  }
};
/// 3 ± 1 by turns, and `peak` at the first point.
struct Peak {
  double peak = 2;
  std::size_t spin_up = 0;
  void operator()(const RandomKey&, std::span<double> x) const {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = i % 2 == 0 ? 2 : 4;
    x[0] = peak;
  }
};
struct Scaled {
  std::array<double, 1> input_mean{}, input_deviation{};
};
}  // namespace

TEST_CASE("scale_inputs: mean and deviation, and room for the largest values") {
  Problem<Still, ObserveAll<size>, Peak> problem;
  Scaled network;
  scale_inputs(problem, network);
  CHECK(network.input_mean[0] == doctest::Approx(3).epsilon(1e-12));
  CHECK(network.input_deviation[0] == doctest::Approx(1).epsilon(1e-12));
  problem.start.peak = 13;  // the mean is 3.11, the standard deviation 1.41
  scale_inputs(problem, network);
  CHECK(network.input_mean[0] == doctest::Approx(3.11).epsilon(1e-12));
  CHECK(network.input_deviation[0] == doctest::Approx((13 - 3.11) / 4).epsilon(1e-12));
}

TEST_CASE("scale_inputs: a channel that never changes is refused") {
  struct Constant {
    std::size_t spin_up = 0;
    void operator()(const RandomKey&, std::span<double> x) const { std::ranges::fill(x, 0.27); }
  };
  Scaled network;
  CHECK_THROWS_WITH_AS(
      scale_inputs(Problem<Still, ObserveAll<size>, Constant>{}, network),
      doctest::Contains("scale_inputs: channel 0 of the truth is 0.27 at every point and time"),
      ConfigError);
}
