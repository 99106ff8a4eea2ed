// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <span>

#include "dan/analysis/ensrf.hpp"
#include "dan/analysis/localisation.hpp"
#include "dan/core/random.hpp"

/// \file
/// A teacher says from which filter a training learns:
///     template <class Real, std::size_t Lanes, class Problem>
///     auto filter(const Problem& problem) const;
/// a TeachingFilter, an analysis of `Lanes` runs side by side. `Trainer` is told its type, and its
/// numbers where they are not those by default:
///     Trainer<Problem, Network, 16, EnsrfTeacher<64>> trainer(problem, network, config,
///                                                             EnsrfTeacher<64>{.inflation
///                                                             = 1.02});

namespace dan {

/// An analysis of several runs in which one run can start anew, and which can be saved.
/// For a gain head of one level it may have `covariances<Geometry, Width>(carried, to)`, as
/// `Ensrf`: P^a on a stencil. A run in which it cannot go on has an estimate that is not finite, or
/// far off; it is not believed then, and starts anew.
template <class Filter>
concept TeachingFilter = requires(const Filter filter, typename Filter::Carried& carried,
                                  const typename Filter::FirstGuessBatch& guess,
                                  const typename Filter::Observed& observed,
                                  typename Filter::Estimate& estimate,
                                  std::span<const double, Filter::size> state) {
  carried = filter.start(guess, 1.0, RandomKey{});
  filter.start_lane(carried, std::size_t(0), state, 1.0, RandomKey{});
  filter.forecast(carried);
  filter.analyse(carried, observed, RandomKey{});
  filter.estimate(carried, estimate);
};

/// All updates learn from the truth.
struct NoTeacher {};

/// An EnSRF of so many members, rotated; with a radius few members are enough.
template <std::size_t Members>
struct EnsrfTeacher {
  double inflation = 1.01;
  Localisation localisation{};

  template <class Real, std::size_t Lanes, class Problem>
  [[nodiscard]] auto filter(const Problem& problem) const {
    return Ensrf<Problem, Members, Lanes, Real>(
        problem, {.inflation = inflation, .rotation = true, .localisation = localisation});
  }
};

}  // namespace dan
