// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <vector>

/// \file
/// What a geometry is: where the points of a state are, and which ones are neighbours.
///
/// One geometry serves a whole problem: convolutions, the gain of a network, localisation,
/// interpolation, norms and plots. It is a type with static functions only:
///
///     template <std::size_t Points>
///     struct MyLine {
///       static constexpr std::size_t points = Points, dimensions = 1;
///       static constexpr bool fits(std::size_t width) { return width <= Points; }
///       static constexpr std::size_t taps(std::size_t width) { return width; }
///       static constexpr std::size_t tap(std::size_t p, std::size_t k, std::size_t width);
///       static constexpr std::size_t back(std::size_t p, std::size_t k, std::size_t width);
///       static std::array<double, 1> position(std::size_t p);
///       static double distance(std::size_t p, const std::array<double, 1>& position);
///       static double area(std::size_t p);
///     };
///
/// A stencil of odd `width` around point p has `taps(width)` taps (width to the power of the
/// dimensions), the k-th one is the point `tap(p, k, width)`. Neighbours see each other: the
/// `back(p, k, width)`-th tap of that point is p. Mostly that is the opposite tap, taps − 1 − k; a
/// tap that goes across a pole, or is mirrored at a wall, has another one. In two dimensions tap k
/// is in row k / width and column k % width of a square.

namespace dan {

/// A geometry, see the head of geometry/concepts.hpp.
///
/// `fits`: whether a stencil of this width meets no point twice by going around the domain.
/// `distance`: from point p to a position, in grid steps (on a sphere, of the equator); the
/// library's geometries also have `distance_between(a, b)`, of two positions, which covariance
/// localisation asks for, `corners_of(position)` (geometry/corner.hpp), which observations between
/// points ask for, and `at_random(uniform)`, for places that are drawn. `area`: the share of point
/// p, in units of the mean share, so that the areas' mean is one. One whose points are unlike may
/// have `marks(p)`, a std::array of numbers near one that tells them apart, for networks that are
/// told the place (`sees_place`). One that says `in_rings` has convolutions with fewer products in
/// trainings, see detail::in_rings.
template <class G>
concept GeometryLike = requires(std::size_t p, std::size_t k, std::size_t width) {
  { G::points } -> std::convertible_to<std::size_t>;
  { G::dimensions } -> std::convertible_to<std::size_t>;
  { G::fits(width) } -> std::same_as<bool>;
  { G::taps(width) } -> std::same_as<std::size_t>;
  { G::tap(p, k, width) } -> std::same_as<std::size_t>;
  { G::back(p, k, width) } -> std::same_as<std::size_t>;
  { G::position(p) } -> std::same_as<std::array<double, G::dimensions>>;
  { G::distance(p, G::position(p)) } -> std::same_as<double>;
  { G::area(p) } -> std::same_as<double>;
};

/// For models whose points have no order in space: no network, no localisation.
struct NoGeometry {};

/// The geometry of a model's state: what it calls `Geometry`, else none.
template <class Model>
struct GeometryOf {
  using type = NoGeometry;
};
namespace detail {
template <class Model>
concept NamesGeometry = requires {
  typename Model::Geometry;
};
}  // namespace detail
template <detail::NamesGeometry Model>
struct GeometryOf<Model> {
  using type = typename Model::Geometry;
  static_assert(GeometryLike<type>,
                "the Geometry that the model names lacks something: a geometry has points, "
                "dimensions, fits, taps, tap, back, position, distance and area, see the head of "
                "geometry/concepts.hpp");
};
template <detail::NamesGeometry Model>
requires std::same_as<typename Model::Geometry, NoGeometry>
struct GeometryOf<Model> {
  using type = NoGeometry;
};
template <class Model>
using geometry_of = typename GeometryOf<Model>::type;

namespace detail {
/// Whether every tap of this width is a permutation of the points, its reverse the opposite tap.
template <class Geometry>
inline constexpr bool taps_permute = requires {
  requires Geometry::periodic;
};

/// Whether a geometry says that its points are in rings: on a line one ring; in two dimensions rows
/// of `columns` points, in which taps go around, and beyond the first and the last row other rows
/// as a whole, turned perhaps, as across a pole.
template <class Geometry>
inline constexpr bool in_rings = requires {
  requires Geometry::in_rings;
};

/// The point whose k-th tap is q, if it is reached by the opposite tap of q; else `points`.
template <class Geometry>
constexpr std::size_t tap_source(std::size_t q, std::size_t k, std::size_t width) {
  const std::size_t opposite = Geometry::taps(width) - 1 - k;
  if constexpr (!taps_permute<Geometry>)
    if (Geometry::back(q, opposite, width) != k) return Geometry::points;
  return Geometry::tap(q, opposite, width);
}

/// A stencil of `Side` taps in every direction, `Spacing` points apart: its taps, where they come
/// from (`tap_source`, of neighbours only), and by which tap each sees this point, as functions of
/// p and k. On a line they are computed; in two dimensions, where that takes divisions, they are
/// found in tables, 4 · taps · points bytes each, which are made once and kept.
template <class Geometry, std::size_t Side, std::size_t Spacing = 1>
class Stencil {
  static_assert(Spacing == 1 || Geometry::dimensions <= 2,
                "Stencil: taps that are not neighbours are known on lines and in squares only");
  static constexpr bool flat = Geometry::dimensions == 2;

 public:
  static constexpr std::size_t taps = Geometry::taps(Side), width = (Side - 1) * Spacing + 1;

  [[nodiscard]] static auto tap() {
    return found([](std::size_t p, std::size_t k) { return Geometry::tap(p, of_all(k), width); });
  }
  [[nodiscard]] static auto back() {
    return found([](std::size_t p, std::size_t k) {
      const std::size_t seen = Geometry::back(p, of_all(k), width);
      if constexpr (Spacing == 1) return seen;
      return flat ? seen / width / Spacing * Side + seen % width / Spacing : seen / Spacing;
    });
  }
  /// use(k) for every tap k of p that is p itself: the one in the middle, and those that a wall
  /// mirrors there.
  template <class Use>
  static void for_each_own(std::size_t p, const Use& use) {
    if constexpr (taps_permute<Geometry>) return use(taps / 2);
    const auto point = tap();
    for (std::size_t k = 0; k < taps; ++k)
      if (point(p, k) == p) use(k);
  }
  [[nodiscard]] static auto source() requires(Spacing == 1) {
    return found([](std::size_t p, std::size_t k) { return tap_source<Geometry>(p, k, width); });
  }

 private:
  /// Tap k among all of the stencil without gaps.
  static constexpr std::size_t of_all(std::size_t k) {
    if constexpr (Spacing == 1) return k;
    return flat ? (k / Side * width + k % Side) * Spacing : k * Spacing;
  }
  template <class Find>
  static auto found(const Find& find) {
    if constexpr (Geometry::dimensions == 1) {
      return find;
    } else {
      static const std::vector<std::uint32_t> table = [&] {
        std::vector<std::uint32_t> all;
        for (std::size_t k = 0; k < taps; ++k)
          for (std::size_t p = 0; p < Geometry::points; ++p)
            all.push_back(static_cast<std::uint32_t>(find(p, k)));
        return all;
      }();
      return [from = table.data()](std::size_t p, std::size_t k) -> std::size_t {
        return from[k * Geometry::points + p];
      };
    }
  }
};

/// In how many parts tap k of p has what p has of that point: the number of its taps that meet it,
/// more than one where a wall mirrors them. Points × taps numbers; none where no tap is mirrored.
template <class Geometry>
std::vector<std::uint32_t> tap_parts(std::size_t width) {
  std::vector<std::uint32_t> parts;
  if constexpr (!taps_permute<Geometry>) {
    const std::size_t taps = Geometry::taps(width);
    std::vector<std::uint32_t> met(Geometry::points);
    for (std::size_t p = 0; p < Geometry::points; ++p) {
      for (std::size_t k = 0; k < taps; ++k) ++met[Geometry::tap(p, k, width)];
      for (std::size_t k = 0; k < taps; ++k) parts.push_back(met[Geometry::tap(p, k, width)]);
      for (std::size_t k = 0; k < taps; ++k) met[Geometry::tap(p, k, width)] = 0;
    }
  }
  return parts;
}

/// use(p, k) for every tap that goes across a pole or is mirrored at a wall.
template <class Geometry, class Use>
constexpr void for_each_crossing(std::size_t width, const Use& use) {
  if constexpr (!taps_permute<Geometry>)
    for (std::size_t p = 0; p < Geometry::points; ++p)
      for (std::size_t k = 0; k < Geometry::taps(width); ++k)
        if (Geometry::back(p, k, width) != Geometry::taps(width) - 1 - k) use(p, k);
}
}  // namespace detail

}  // namespace dan
