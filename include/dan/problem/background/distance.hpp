// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <memory>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/simd.hpp"
#include "dan/core/tensor.hpp"
#include "dan/geometry/concepts.hpp"
#include "dan/geometry/corner.hpp"
#include "dan/problem/background/concepts.hpp"

namespace dan {

/// A background covariance whose correlations depend on the distance of two points, for states too
/// large for size² numbers, on any geometry.
///
///   L_{(p,c),(q,c)} = √x_B σ_{p,c} g_pq,  g_pq = √area_q exp(−d_pq²/ℓ²) / n_p where d_pq ≤ 2.5 ℓ,
/// with n_p such that Σ_q g_pq² = 1: a weighted mean of independent numbers around each point. So
/// B = L Lᵀ is positive semidefinite on every geometry, its variances are x_B σ² to round-off, and
/// its correlations close to exp(−d²/(2 ℓ²)). Channels are uncorrelated among each other; one that
/// is a component of a vector counts as a scalar across a pole.
///
/// The constructor throws ShapeError unless there is a deviation for each element of a state and
/// ConfigError unless scale and length are positive and no deviation is negative. Cost: points²
/// distances once, neighbours · size flops per root; memory: a point and a weight for each pair of
/// neighbours, which copies share. In one dimension a point has about 5 ℓ + 1 neighbours, in two
/// 20 ℓ². root_adjoint leaves out what is zero in all lanes: an observation costs its neighbours.
template <GeometryLike Geometry, std::size_t Channels>
class DistanceBackground {
 public:
  /// `deviations`: σ, points · channels numbers; `length`: ℓ in grid steps; `scale`: x_B.
  DistanceBackground(const Vector& deviations, double length, double scale = 1) {
    constexpr std::string_view name = "DistanceBackground";
    require_size(name, "deviations", deviations.size(), size(), "state element");
    require_positive(name, "length", length);
    require_positive(name, "scale", scale);
    Parts parts;
    for (const double deviation : span_of(deviations)) {
      if (!(deviation >= 0 && std::isfinite(deviation)))
        throw ConfigError(
            text(name, ": a deviation is ", deviation, ", expected finite numbers, none negative"));
      parts.deviations.push_back(std::sqrt(scale) * deviation);
    }
    for (std::size_t p = 0; p < Geometry::points; ++p) {
      const std::size_t first = parts.neighbours.size();
      double squares = 0;
      for (std::size_t q = 0; q < Geometry::points; ++q) {
        const double z = Geometry::distance(p, Geometry::position(q)) / length;
        if (z > 2.5) continue;
        const double weight = std::sqrt(Geometry::area(q)) * std::exp(-z * z);
        parts.neighbours.push_back({q, weight});
        squares += weight * weight;
      }
      for (std::size_t n = first; n < parts.neighbours.size(); ++n)
        parts.neighbours[n].weight /= std::sqrt(squares);
      parts.ends.push_back(parts.neighbours.size());
    }
    parts_ = std::make_shared<const Parts>(std::move(parts));
  }

  [[nodiscard]] static constexpr std::size_t size() { return Geometry::points * Channels; }
  [[nodiscard]] static constexpr std::size_t controls() { return size(); }

  template <class T>
  void root(const T* v, T* x) const {
    for_points([&](std::size_t p, std::size_t first, std::size_t end) {
      for (std::size_t c = 0; c < Channels; ++c) {
        T sum(0.0);
        for (std::size_t n = first; n < end; ++n)
          sum += T(parts_->neighbours[n].weight) * v[parts_->neighbours[n].point * Channels + c];
        x[p * Channels + c] = T(parts_->deviations[p * Channels + c]) * sum;
      }
    });
  }
  template <class T>
  void root_adjoint(const T* d_x, T* d_v) const {
    using std::abs;
    for_points([&](std::size_t p, std::size_t first, std::size_t end) {
      for (std::size_t c = 0; c < Channels; ++c) {
        const T d = T(parts_->deviations[p * Channels + c]) * d_x[p * Channels + c];
        if (sum_lanes(T(abs(d))) == 0) continue;
        for (std::size_t n = first; n < end; ++n)
          d_v[parts_->neighbours[n].point * Channels + c] += T(parts_->neighbours[n].weight) * d;
      }
    });
  }

 private:
  struct Parts {
    std::vector<double> deviations;  ///< √x_B σ
    std::vector<Corner> neighbours;  ///< q and g_pq, point after point
    std::vector<std::size_t> ends;   ///< of the neighbours of each point
  };

  /// use(p, first neighbour, end of its neighbours) for every point.
  template <class Use>
  void for_points(const Use& use) const {
    std::size_t first = 0;
    for (std::size_t p = 0; p < Geometry::points; ++p) {
      use(p, first, parts_->ends[p]);
      first = parts_->ends[p];
    }
  }

  std::shared_ptr<const Parts> parts_;
};

}  // namespace dan
