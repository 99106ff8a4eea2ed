// SPDX-License-Identifier: BSD-3-Clause
// Lyapunov exponents of Lorenz 96 against known numbers, and the stability of what is shipped.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "dan/dan.hpp"

using namespace dan;

TEST_CASE("the exponents of Lorenz 96 are those of the literature") {
  const auto s = lyapunov_spectrum(Rk4<Lorenz96<40>>{}, {.cycles = 400'000, .every = 4});
  MESSAGE("largest ", s.exponents[0].mean, " in [", s.exponents[0].low, ", ", s.exponents[0].high,
          "], dimension ", s.dimension.mean, ", sum ", s.sum.mean);
  CHECK(std::abs(s.exponents[0].mean - 1.68) < 0.02);
  CHECK(s.exponents[12].low > 0);  // 13 are positive, the next one is zero
  CHECK(std::abs(s.exponents[13].mean) < 0.01);
  CHECK(s.exponents[14].high < 0);
  CHECK(std::abs(s.dimension.mean - 27.1) < 0.3);
  CHECK(std::abs(s.sum.mean + 40) < 0.02);
  CHECK(std::abs(s.sum.mean + 40.009) < 0.001);
}

namespace {
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;

template <class Network>
void check_stable(const std::string& name) {
  const Lorenz problem;
  CycleTrajectory filter(
      LearnedTangent(problem, load_weights<Network>(std::string(DAN_WEIGHTS) + "/" + name)),
      problem, {.seed = 3});
  const auto s = lyapunov_spectrum(filter, {.exponents = 4, .spin_up = 100, .cycles = 600});
  MESSAGE(name, ": largest exponent ", s.exponents[0].mean, " in [", s.exponents[0].low, ", ",
          s.exponents[0].high, "]");
  CHECK(s.failure.empty());
  CHECK(s.exponents[0].high < 0);
}
}  // namespace

TEST_CASE("the cycles of the shipped networks and of 3D-Var are stable") {
  check_stable<pretrained::Plain>("plain.safetensors");
  check_stable<pretrained::Recurrent>("recurrent.safetensors");
  const Lorenz problem;
  CycleTrajectory filter(Var3dTangent(problem, climatology_of(problem)), problem, {.seed = 3});
  const auto s = lyapunov_spectrum(filter, {.exponents = 4, .cycles = 4000});
  CHECK(s.failure.empty());
  CHECK(s.exponents[0].high < 0);
}
