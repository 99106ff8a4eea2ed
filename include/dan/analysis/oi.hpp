// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <concepts>
#include <cstddef>
#include <string_view>

#include "dan/analysis/var3d.hpp"
#include "dan/core/error.hpp"
#include "dan/core/tensor.hpp"
#include "dan/problem/background/dense.hpp"

namespace dan {

/// Optimal interpolation from the climatology, without a forecast.
///
///   x^a = x̄ + C Hᵀ (H C Hᵀ + R)⁻¹ (y − H(x̄)),
/// with x̄ and C the climatological mean and covariance, or any BackgroundCovariance. Nothing is
/// carried on: every cycle begins from x̄, which is also the estimate between `forecast` and
/// `analyse`. Throws as Var3d, in its own name. Cost per cycle: that of Var3d without the model
/// step. Source: DAPPER's OptInterp.
template <class Problem, std::size_t Runs = simd_width<double>,
          BackgroundCovariance Background = DenseBackground>
class Oi : public AnalysisTypes<Problem, double, Runs> {
 public:
  using Types = AnalysisTypes<Problem, double, Runs>;
  using typename Types::Estimate, typename Types::FirstGuessBatch, typename Types::Observed;
  using Carried = typename Var3d<Problem, Runs, Background>::Carried;
  static constexpr std::string_view method = "Oi";

  Oi(const Problem& problem,
     const Climate& climate) requires std::same_as<Background, DenseBackground>
      : update_(problem, climate, 1, "Oi"), mean_(climate.mean) {}

  /// `mean`: x̄, one number per state element.
  Oi(const Problem& problem, const Vector& mean, const Background& background)
      : update_(problem, background, "Oi"), mean_(mean) {
    require_size("Oi", "mean", mean.size(), Types::size, "state element");
  }

  /// The climatological mean; the first guess is ignored.
  [[nodiscard]] Carried start(const FirstGuessBatch&, double, const RandomKey&) const {
    Carried carried;
    forecast(carried);
    return carried;
  }
  void forecast(Carried& carried) const {
    for (std::size_t i = 0; i < Types::size; ++i) carried.state[i] = mean_[i];
  }
  void analyse(Carried& carried, const Observed& observed, const RandomKey& key) const {
    update_.analyse(carried, observed, key);
  }
  void estimate(const Carried& carried, Estimate& to) const { to = carried.state; }
  template <class Archive>
  void transfer(Carried& carried, Archive& archive) const {
    update_.transfer(carried, archive);
  }

 private:
  Var3d<Problem, Runs, Background> update_;
  Vector mean_;
};

}  // namespace dan
