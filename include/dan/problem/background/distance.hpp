// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"
#include "dan/core/tensor.hpp"
#include "dan/geometry/concepts.hpp"
#include "dan/geometry/corner.hpp"
#include "dan/problem/background/concepts.hpp"

namespace dan {

/// A background covariance whose correlations depend on the distance of two points, for states too
/// large for size² numbers, on any geometry.
///
///   L_{(p,c),(q,c)} = √x_B σ_{p,c} / n_p · k_pq · √area_q,  k_pq = exp(−d_pq²/ℓ²) if d_pq ≤ 2.5 ℓ,
/// with n_p² = Σ_q k_pq² area_q: a weighted mean of independent numbers around each point. So
/// B = L Lᵀ is positive semidefinite on every geometry, its variances are x_B σ² to round-off, and
/// its correlations close to exp(−d²/(2 ℓ²)). Channels are uncorrelated among each other; one that
/// is a component of a vector counts as a scalar across a pole.
///
/// The constructor throws ShapeError unless there is a deviation for each element of a state and
/// ConfigError unless scale and length are positive and no deviation is negative. Cost: points²
/// distances once, neighbours · size flops per root; memory: a point and a weight for each pair of
/// neighbours, which copies share. In one dimension a point has about 5 ℓ + 1 neighbours, in two
/// 20 ℓ². What is zero in all lanes is left out: one observation costs its neighbours' neighbours.
template <GeometryLike Geometry, std::size_t Channels>
class DistanceBackground {
 public:
  /// `deviations`: σ, points · channels numbers; `length`: ℓ in grid steps; `scale`: x_B.
  DistanceBackground(const Vector& deviations, double length, double scale = 1) {
    constexpr std::string_view name = "DistanceBackground";
    require_size(name, "deviations", deviations.size(), size(), "state element");
    require_positive(name, "length", length);
    require_positive(name, "scale", scale);
    for (std::size_t i = 0; i < size(); ++i)
      if (!(deviations[i] >= 0 && std::isfinite(deviations[i])))
        throw ConfigError(to_text(name, ": deviations[", i, "] is ", deviations[i],
                                  ", expected a finite number, not negative"));
    Parts parts;
    for (std::size_t p = 0; p < Geometry::points; ++p) {
      double squares = 0;
      for (std::size_t q = 0; q < Geometry::points; ++q) {
        // From the lower to the higher point, so that k is symmetric to the last bit.
        const double z =
            Geometry::distance(std::min(p, q), Geometry::position(std::max(p, q))) / length;
        if (z > 2.5) continue;
        parts.neighbours.push_back({q, std::exp(-z * z)});
        squares += Geometry::area(q) * std::exp(-2 * z * z);
      }
      parts.ends.push_back(parts.neighbours.size());
      for (std::size_t c = 0; c < Channels; ++c) {
        parts.before.push_back(std::sqrt(Geometry::area(p)));
        parts.after.push_back(std::sqrt(scale / squares) * deviations[p * Channels + c]);
      }
    }
    parts_ = std::make_shared<const Parts>(std::move(parts));
  }

  [[nodiscard]] static constexpr std::size_t size() { return Geometry::points * Channels; }
  [[nodiscard]] static constexpr std::size_t controls() { return size(); }

  template <class T>
  void root(const T* v, T* x) const {
    std::fill_n(x, size(), T(0.0));
    add_smoothed(v, parts_->before, x);
    for (std::size_t i = 0; i < size(); ++i) x[i] *= T(parts_->after[i]);
  }
  template <class T>
  void root_adjoint(const T* d_x, T* d_v) const {
    Scratch<T> smooth(size());
    add_smoothed(d_x, parts_->after, smooth.data());
    for (std::size_t i = 0; i < size(); ++i) d_v[i] += T(parts_->before[i]) * smooth[i];
  }

 private:
  /// L = diag(after) K diag(before), K symmetric.
  struct Parts {
    std::vector<double> before, after;  ///< √area; √x_B σ / n
    std::vector<Corner> neighbours;     ///< q and k_pq, point after point
    std::vector<std::size_t> ends;      ///< of the neighbours of each point
  };

  /// y += K diag(factors) x.
  template <class T>
  void add_smoothed(const T* x, const std::vector<double>& factors, T* y) const {
    using std::abs;
    std::size_t first = 0;
    for (std::size_t p = 0; p < Geometry::points; first = parts_->ends[p++])
      for (std::size_t c = 0; c < Channels; ++c) {
        const T value = T(factors[p * Channels + c]) * x[p * Channels + c];
        if (sum_lanes(T(abs(value))) == 0) continue;
        for (std::size_t n = first; n < parts_->ends[p]; ++n) {
          const auto& [q, weight, across] = parts_->neighbours[n];
          y[q * Channels + c] += T(weight) * value;
        }
      }
  }

  std::shared_ptr<const Parts> parts_;
};

}  // namespace dan
