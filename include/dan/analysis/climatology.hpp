// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <string_view>

#include "dan/problem/climate.hpp"
#include "dan/problem/problem.hpp"

namespace dan {

/// The analysis that always returns the climatological mean: what any other has to beat.
///
/// Carries nothing; ignores first guess and observations. Cost: none.
template <class Problem_, std::size_t Runs = simd_width<double>>
class Climatology : public AnalysisTypes<Problem_, double, Runs> {
 public:
  using Types = AnalysisTypes<Problem_, double, Runs>;
  using typename Types::Estimate, typename Types::FirstGuessBatch, typename Types::Observed;

  static constexpr std::string_view method = "Climatology";
  static constexpr bool follows_truth = false;  ///< so that no run is said to have lost it

  struct Carried {};

  /// Throws ShapeError unless the climate is of states of the problem's model.
  explicit Climatology(const Climate& climate) : mean_(climate.mean) {
    climate.require_size_of("Climatology", Types::size);
  }

  [[nodiscard]] Carried start(const FirstGuessBatch&, double, const RandomKey&) const { return {}; }
  void forecast(Carried&) const {}
  void analyse(Carried&, const Observed&, const RandomKey&) const {}
  void estimate(const Carried&, Estimate& to) const {
    for (std::size_t i = 0; i < Types::size; ++i) to[i] = mean_[i];
  }
  template <class Archive>
  void transfer(Carried&, Archive&) const {}

 private:
  Vector mean_;
};

}  // namespace dan
