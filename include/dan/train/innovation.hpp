// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"
#include "dan/observe/observations.hpp"

namespace dan {

/// The mean of δ²/R over the slots that report, δ from the forecast of the mean state, lane by
/// lane; 0 for a lane that sees nothing. `cycle`: a LearnedCycle; `state`: what it starts from;
/// `to`: a number per lane, overwritten. Cost: one model step per member.
template <class Cycle, class T>
void innovations(const Cycle& cycle, const T* state, std::span<double> to) {
  using Real = real_t<T>;
  constexpr std::size_t slots = Cycle::Problem::slots;
  Scratch<T> x(Cycle::carried, Unset{}), mean(Cycle::size, Unset{}), h(slots, Unset{});
  cycle.forecast(state, x.data());
  cycle.mean_of_members(x.data(), mean.data());
  placed(cycle.problem.observe, cycle.observed).observe(mean.data(), h.data());
  T squares(Real(0)), count(Real(0));
  for (std::size_t j = 0; j < slots; ++j) {
    const T p = cycle.observed.precision[j];
    const T d = departure_of(cycle.observed, j, h[j]);
    squares += p * d * d;
    count += where_positive(p, T(Real(1)), T(Real(0)));
  }
  for (std::size_t l = 0; l < to.size(); ++l) {
    const auto n = static_cast<double>(lane_of(count, l));
    to[l] = n > 0 ? static_cast<double>(lane_of(squares, l)) / n : 0;
  }
}

/// What innovations a training usually sees, for the record of its weights: the mean, over about 20
/// updates, of the median over the runs, of which upset ones are few; at least 1.
/// `known`: those above zero count, reordered; `usual`: updated.
inline void follow_innovations(std::vector<double>& known, double& usual) {
  std::erase_if(known, [](double x) { return !(x > 0); });
  if (known.empty()) return;
  const auto middle = known.begin() + static_cast<std::ptrdiff_t>(known.size() / 2);
  std::ranges::nth_element(known, middle);
  usual = std::max(1.0, usual + 0.05 * (*middle - usual));
}

}  // namespace dan
