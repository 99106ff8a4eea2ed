// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "dan/analysis/localisation.hpp"
#include "dan/core/error.hpp"
#include "dan/core/simd.hpp"
#include "dan/geometry/concepts.hpp"
#include "dan/observe/places.hpp"

/// \file
/// What each observation reaches: the lists of a filter that localises covariances.

namespace dan {

/// What one observation reaches: points and slots, with their tapers ρ > 0. `Weight`: a number, or
/// a pack where every lane has places of its own.
template <class Weight>
struct Reach {
  struct Near {
    std::size_t index;
    Weight taper;
  };
  std::vector<Near> points, slots;
};

/// What each of the observations at these positions reaches, with a weight above `least`, of the
/// slots only those that follow.
///
/// `positions`: one list for each lane of `Weight` that counts (the other lanes are as the last).
/// Throws ConfigError for a taper that is not finite. Cost: points + slots distances per position;
/// memory: one entry per pair kept.
template <class Geometry, class Weight>
[[nodiscard]] std::vector<Reach<Weight>> reaches(
    const Localisation& localisation,
    const std::vector<std::vector<std::array<double, Geometry::dimensions>>>& positions,
    double least = 1e-3) {
  std::vector<Reach<Weight>> out(positions[0].size());
  /// Keeps the pair if it is near in any lane.
  const auto add = [&](auto& to, std::size_t index, const auto& distance) {
    typename Reach<Weight>::Near near{index, Weight(real_t<Weight>(0))};
    bool any = false;
    for (std::size_t l = 0; l < lanes_of<Weight>; ++l) {
      const double taper = localisation.weight(distance(std::min(l, positions.size() - 1)), least);
      lane_of(near.taper, l) = static_cast<real_t<Weight>>(taper);
      any = any || taper > 0;
    }
    if (any) to.push_back(near);
  };
  for (std::size_t j = 0; j < out.size(); ++j) {
    for (std::size_t p = 0; p < Geometry::points; ++p)
      add(out[j].points, p, [&](std::size_t l) { return Geometry::distance(p, positions[l][j]); });
    for (std::size_t k = j + 1; k < out.size(); ++k)
      add(out[j].slots, k, [&](std::size_t l) {
        return Geometry::distance_between(positions[l][k], positions[l][j]);
      });
  }
  return out;
}

namespace detail {
/// The geometry of an operator's places, else that of the model.
template <class Problem, class Operator>
struct PlaceGeometry {
  using type = typename Problem::Geometry;
};
template <class Problem, class Operator>
requires requires { typename Operator::Geometry; }
struct PlaceGeometry<Problem, Operator> {
  using type = typename Operator::Geometry;
};
/// A position, also where there is no geometry.
template <class Geometry>
struct PositionOf {
  using type = std::array<double, 1>;
};
template <GeometryLike Geometry>
struct PositionOf<Geometry> {
  using type = std::array<double, Geometry::dimensions>;
};
}  // namespace detail

/// The reaches of a problem's observations, for a filter of `Runs` runs whose lanes are those of
/// T: known once, or found anew in every cycle where places come with the observations.
template <class Problem, class T, std::size_t Runs>
class SlotReaches {
 public:
  using Operator =
      std::remove_cvref_t<decltype(unwhitened(std::declval<typename Problem::Operator>()))>;
  using Geometry = typename detail::PlaceGeometry<Problem, Operator>::type;
  static constexpr bool moving = PlacedOperator<Operator>;
  using Weight = std::conditional_t<moving, T, real_t<T>>;
  using List = std::vector<Reach<Weight>>;

  /// `least`: weights up to this are taken for zero. Throws ConfigError, in the name of `function`,
  /// for a localisation that is not valid, or where slots have no place or positions no distance.
  SlotReaches(std::string_view function, const Problem& problem, const Localisation& localisation,
              double least = 1e-3)
      : localisation_(localisation), least_(least) {
    localisation.require_valid(function);
    if (localisation.global()) return;
    if constexpr (!possible)
      throw ConfigError(to_text(
          function, ": radius is ", localisation.radius,
          ", but there is no distance between observations; the model must name its Geometry, the "
          "geometry have distance_between(a, b), and the operator place(slot) or "
          "element(slot) (see Located)"));
    else if constexpr (!moving)
      fixed_ = reaches<Geometry, Weight>(localisation, {positions_of(unwhitened(problem.observe))},
                                         least);
    else  // a taper that is no number shows up here, not in the first cycle
      (void)reaches<Geometry, real_t<T>>(localisation, {positions_of(problem.observe)}, least);
  }

  /// Whether everything reaches everything.
  [[nodiscard]] bool global() const { return localisation_.global(); }

  /// Those of this cycle; none if everything reaches everything.
  template <class Observed>
  [[nodiscard]] decltype(auto) of([[maybe_unused]] const Problem& problem,
                                  [[maybe_unused]] const Observed& observed) const {
    if constexpr (possible && moving) {
      if (global()) return List{};
      std::vector<std::vector<Position>> positions;
      for (std::size_t l = 0; l < Runs; ++l) {
        const auto places = observed.places.of_lane(l);
        positions.push_back(positions_of(problem.observe.at(places)));
      }
      return reaches<Geometry, Weight>(localisation_, positions, least_);
    } else {
      return (fixed_);
    }
  }

 private:
  /// Whether the places of a lane can be had.
  static constexpr bool known = [] {
    if constexpr (moving) return requires(const typename Operator::template Places<Runs>& places) {
        places.of_lane(std::size_t(0));
      };
    else
      return true;
  }();
  /// Whether there are distances.
  static constexpr bool possible = [] {
    if constexpr (GeometryLike<Geometry> && LocatedOperator<Operator>)
      return known && Geometry::points == Operator::points && requires {
        Geometry::distance_between(Geometry::position(0), Geometry::position(0));
      };
    else
      return false;
  }();
  using Position = typename detail::PositionOf<Geometry>::type;

  template <class Given>
  static std::vector<Position> positions_of(const Given& operation) {
    std::vector<Position> out;
    for (std::size_t j = 0; j < Operator::slots; ++j)
      out.push_back(place_of<Geometry>(operation, j).position);
    return out;
  }

  Localisation localisation_;
  double least_;
  List fixed_;
};

}  // namespace dan
