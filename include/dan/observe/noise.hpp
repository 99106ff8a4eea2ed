// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/random.hpp"

namespace dan {

/// Independent Gaussian observation errors: ε ~ N(0, R), R = diag(variances).
template <std::size_t Slots>
class DiagonalNoise {
 public:
  static constexpr std::size_t slots = Slots;

  /// The same variance for every slot; throws ConfigError unless it and its inverse are positive
  /// and finite.
  explicit DiagonalNoise(double variance = 1) : variances_(Slots, variance) {
    require_valid(variance);
  }
  /// One variance per slot; throws ConfigError for one that is not positive and finite.
  explicit DiagonalNoise(const std::array<double, Slots>& variances)
      : variances_(variances.begin(), variances.end()) {
    for (std::size_t j = 0; j < Slots; ++j)
      if (const double v = variances[j]; !(v > 0 && std::isfinite(v) && std::isfinite(1 / v)))
        require_valid(v, to_text("variances[", j, "]"));
  }

  [[nodiscard]] double variance(std::size_t slot) const { return variances_[slot]; }
  [[nodiscard]] double precision(std::size_t slot) const { return 1 / variances_[slot]; }

  /// Fills `errors` with the observation errors of one run and cycle.
  void sample(const RandomKey& key, std::span<double, Slots> errors) const {
    fill_normal<double>(key.with(Purpose::observation), errors);
    for (std::size_t i = 0; i < Slots; ++i) errors[i] *= std::sqrt(variances_[i]);
  }

 private:
  static void require_valid(double variance, const std::string& name = "variance") {
    require_positive("DiagonalNoise", name, variance);
    require_positive("DiagonalNoise", "1 / " + name, 1 / variance);
  }

  std::vector<double> variances_;  ///< one per slot; a large state has no place on the stack
};

}  // namespace dan
