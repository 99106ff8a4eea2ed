// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "dan/concepts.hpp"
#include "dan/core/error.hpp"
#include "dan/geometry/corner.hpp"
#include "dan/geometry/vector_channels.hpp"

/// \file
/// Where observations are: places that belong to the observations of one cycle, and the places of
/// operators that always see the same.

namespace dan {

/// Where something is observed: a position of a geometry, and the channel that is seen there.
template <std::size_t Dimensions>
struct Place {
  std::array<double, Dimensions> position{};
  std::size_t channel = 0;

  bool operator==(const Place&) const = default;
};

/// The places of `Slots` observations, for each of `Lanes` runs, and the grid points around them.
///
/// In the beginning no slot sees anything. Memory: a place and `Geometry::corners` weights for each
/// slot and lane.
template <class Geometry_, std::size_t Slots, std::size_t Channels, std::size_t Lanes = 1>
class SlotPlaces {
 public:
  using Geometry = Geometry_;
  using PlaceType = Place<Geometry::dimensions>;
  static constexpr std::size_t slots = Slots, channels = Channels, lanes = Lanes;

  /// What one slot sees: Σ_k weight_k · x[point_k · Channels + channel].
  struct Sight {
    PlaceType place{};
    std::array<Corner, Geometry::corners> corners{};
  };

  /// The sight at a place; throws ConfigError if it is outside the domain.
  [[nodiscard]] static Sight sight_at(const PlaceType& place) {
    if (place.channel >= Channels)
      throw ConfigError(to_text("SlotPlaces: channel is ", place.channel, ", expected less than ",
                                Channels, ", the channels of the state"));
    Sight sight{place, Geometry::corners_of(place.position)};
    for (Corner& corner : sight.corners)
      if (corner.across && is_vector_channel<Geometry>(place.channel)) corner.weight *= -1;
    return sight;
  }

  [[nodiscard]] const Sight& sight(std::size_t lane, std::size_t slot) const {
    return sights_[lane * Slots + slot];
  }
  /// Whether a slot has a place.
  [[nodiscard]] bool sees(std::size_t lane, std::size_t slot) const {
    return std::ranges::any_of(sight(lane, slot).corners,
                               [](const Corner& corner) { return corner.weight != 0; });
  }
  void set(std::size_t lane, std::size_t slot, const Sight& sight) {
    sights_[lane * Slots + slot] = sight;
  }
  /// The places of one run become those of lane `lane`.
  void set_lane(std::size_t lane, const SlotPlaces<Geometry, Slots, Channels, 1>& from) {
    for (std::size_t j = 0; j < Slots; ++j) {
      const auto& [place, corners] = from.sight(0, j);
      set(lane, j, {place, corners});
    }
  }

  /// Those of lane `lane`.
  [[nodiscard]] SlotPlaces<Geometry, Slots, Channels, 1> of_lane(std::size_t lane) const {
    SlotPlaces<Geometry, Slots, Channels, 1> out;
    for (std::size_t j = 0; j < Slots; ++j) {
      const auto& [place, corners] = sight(lane, j);
      out.set(0, j, {place, corners});
    }
    return out;
  }

  /// To and from a file, see save_carried: whether a slot has a place, its position and channel.
  template <class Archive>
  void transfer(const std::string& name, Archive& archive) {
    constexpr std::size_t dimensions = Geometry::dimensions, each = dimensions + 2;
    std::vector<double> numbers;
    for (std::size_t l = 0; l < Lanes; ++l)
      for (std::size_t j = 0; j < Slots; ++j) {
        const PlaceType& place = sight(l, j).place;
        numbers.push_back(sees(l, j) ? 1 : 0);
        numbers.insert(numbers.end(), place.position.begin(), place.position.end());
        numbers.push_back(static_cast<double>(place.channel));
      }
    archive.numbers(name, std::span(numbers), 1);
    for (std::size_t n = 0; Archive::reads && n < sights_.size(); ++n) {
      const double* const from = &numbers[n * each];
      const double channel = from[each - 1];
      archive.require(
          name,
          channel >= 0 && channel < static_cast<double>(Channels) && channel == std::floor(channel),
          "channel ", channel, ", expected a whole number from 0 to ", Channels - 1, ",");
      PlaceType place{.channel = static_cast<std::size_t>(channel)};
      std::copy_n(from + 1, dimensions, place.position.data());
      sights_[n] = from[0] == 1 ? sight_at(place) : Sight{};
    }
  }

 private:
  std::vector<Sight> sights_ = std::vector<Sight>(Slots * Lanes);
};

/// An operator that is bound to places which come with the observations of each cycle.
///
/// `Places<Lanes>` is a value; `at(places)` is the operator at these places, an
/// ObservationOperator that refers to them; `draw(key)` are the places of a run and cycle of a twin
/// experiment, which `Places<Lanes>::set_lane(lane, places)` makes those of a lane. Its own
/// `observe` is that at typical places, for what must be known before there are observations.
template <class N>
concept PlacedOperator = ObservationOperator<N> &&
    requires(const N operation, const typename N::template Places<1>& places,
             typename N::template Places<2>& many, const RandomKey& key) {
  { operation.at(places) } -> ObservationOperator;
  { operation.draw(key) } -> std::same_as<typename N::template Places<1>>;
  many.set_lane(std::size_t(1), places);
};

namespace detail {
/// `type`: the places of `Lanes` runs, if the operator has some.
template <class Operator, std::size_t Lanes>
struct PlacesOf {};
template <PlacedOperator Operator, std::size_t Lanes>
struct PlacesOf<Operator, Lanes> {
  using type = typename Operator::template Places<Lanes>;
};
}  // namespace detail

/// The operator of a cycle: at the places of these observations, or itself if it has none.
template <class Operator, class Observed>
[[nodiscard]] decltype(auto) placed(const Operator& operation, const Observed& observed) {
  if constexpr (PlacedOperator<Operator>)
    return operation.at(observed.places);
  else
    return (operation);
}

/// Each slot of the operator sees one element of the state, or something at one place.
///
/// An operator of yours has a member `element(slot)`, p · channels + c, or `place(slot)`, a Place.
template <class Operator>
concept LocatedOperator = requires(const Operator& operation, std::size_t slot) {
  { operation.element(slot) } -> std::convertible_to<std::size_t>;
}
|| requires(const Operator& operation, std::size_t slot) {
  operation.place(slot).position;
  operation.place(slot).channel;
};

/// An operator that whitens what another one sees: it knows that one, `inner()`, and the
/// `covariance()` of its errors, see Whitened. It always sees the same, but not in each cycle all.
template <class Operator>
concept CorrelatedOperator = requires(const Operator& operation) {
  operation.inner();
  operation.covariance();
};

/// An operator whose places are others in each cycle.
template <class Operator>
concept MovingOperator = PlacedOperator<Operator> && !CorrelatedOperator<Operator>;

/// What says where slots are: of whitened observations the operator that is whitened.
template <class Operator>
[[nodiscard]] decltype(auto) unwhitened(const Operator& operation) {
  if constexpr (CorrelatedOperator<Operator>)
    return operation.inner();
  else
    return (operation);
}

/// Gives places to the slots of an operator that does not say where they are or sees more than one
/// place, for localisation: `Located<MyMean, 1>{{}, {{{{3.5}}, {{7.5}}}}}`.
template <ObservationOperator Operator, std::size_t Dimensions>
struct Located : Operator {
  static_assert(!PlacedOperator<Operator>,
                "Located: the places of this operator come with the observations");
  std::array<Place<Dimensions>, Operator::slots> places{};

  [[nodiscard]] Place<Dimensions> place(std::size_t slot) const { return places[slot]; }
};

/// Where a slot of the operator is; throws ConfigError for an element that the state does not have,
/// and for a place that a geometry of the library knows to be outside of its domain.
template <class Geometry, LocatedOperator Operator>
[[nodiscard]] Place<Geometry::dimensions> place_of(const Operator& operation, std::size_t slot) {
  if constexpr (requires { operation.place(slot); }) {
    const auto place = operation.place(slot);
    if constexpr (requires { Geometry::corners_of(place.position); }) try {
        (void)Geometry::corners_of(place.position);
      } catch (const ConfigError& e) {
        throw ConfigError(
            to_text("place_of: place(", slot, ") of the operator is outside: ", e.what()));
      }
    return place;
  } else {
    const std::size_t element = operation.element(slot);
    if (element >= Operator::points * Operator::channels)
      throw ConfigError(to_text("place_of: element(", slot, ") of the operator is ", element,
                                ", expected less than ", Operator::points * Operator::channels,
                                ", the elements of the state: point · channels + channel"));
    return {Geometry::position(element / Operator::channels), element % Operator::channels};
  }
}

}  // namespace dan
