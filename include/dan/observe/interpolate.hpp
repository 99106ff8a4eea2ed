// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "dan/autodiff/dual.hpp"
#include "dan/core/error.hpp"
#include "dan/core/random.hpp"
#include "dan/core/simd.hpp"
#include "dan/observe/places.hpp"

namespace dan {

/// Observes between grid points, at the places of one cycle: y_j = Σ_k w_jk x[element_jk].
///
/// Refers to `places`, which must outlive it. Places of one lane are those of all lanes of T (an
/// ensemble); places of several runs need T to have a lane for each of them. What has no weight is
/// not looked at. States: points · channels elements of T; observations: slots elements of T. Cost:
/// two flops per corner and slot.
template <class Places>
class ObservePlaces {
 public:
  using Geometry = typename Places::Geometry;
  static constexpr std::size_t points = Geometry::points, channels = Places::channels;
  static constexpr std::size_t slots = Places::slots, lanes = Places::lanes;
  static constexpr bool linear = true;

  explicit ObservePlaces(const Places& places) : places_(&places) {}

  /// y = H x.
  template <class T>
  void observe(const T* x, T* y) const {
    if constexpr (DualNumber<T> && lanes > 1)
      return apply_apart(x, points * channels, y, slots,
                         [&](const auto* in, auto* out) { observe(in, out); });
    for (std::size_t j = 0; j < slots; ++j) {
      y[j] = T(real_t<T>(0));
      if constexpr (lanes == 1)
        for_corners<T>(0, j, [&](std::size_t i, real_t<T> w) { y[j] += T(w) * x[i]; });
      else if constexpr (!DualNumber<T>)
        for_lanes<T>(j, [&](std::size_t l, std::size_t i, real_t<T> w) {
          lane_of(y[j], l) += w * lane_of(x[i], l);
        });
    }
  }
  /// dy = H dx.
  template <class T>
  void observe_tangent(const T*, const T* dx, T* dy) const {
    observe(dx, dy);
  }
  /// d_x += Hᵀ d_y.
  template <class T>
  void observe_adjoint(const T*, const T* d_y, T* d_x) const {
    if constexpr (DualNumber<T> && lanes > 1)
      return apply_apart(d_y, slots, d_x, points * channels,
                         [&](const auto* in, auto* out) { observe_adjoint(in, in, out); });
    for (std::size_t j = 0; j < slots; ++j) {
      if constexpr (lanes == 1)
        for_corners<T>(0, j, [&](std::size_t i, real_t<T> w) { d_x[i] += T(w) * d_y[j]; });
      else if constexpr (!DualNumber<T>)
        for_lanes<T>(j, [&](std::size_t l, std::size_t i, real_t<T> w) {
          lane_of(d_x[i], l) += w * lane_of(d_y[j], l);
        });
    }
  }
  /// Every slot reports.
  void available(const RandomKey&, bool* mask) const { std::fill_n(mask, slots, true); }
  /// Where slot `slot` is; the same for all lanes.
  [[nodiscard]] auto place(std::size_t slot) const requires(lanes == 1) {
    return places_->sight(0, slot).place;
  }

 private:
  /// use(element, weight) for the corners of a slot.
  template <class T, class Use>
  void for_corners(std::size_t lane, std::size_t slot, const Use& use) const {
    const auto& [place, corners] = places_->sight(lane, slot);
    for (const auto& [point, weight, across] : corners)
      if (weight != 0) use(point * channels + place.channel, static_cast<real_t<T>>(weight));
  }
  /// use(lane, element, weight); padding is as the last run.
  template <class T, class Use>
  void for_lanes(std::size_t slot, const Use& use) const {
    static_assert(lanes_of<T> == padded_lanes<real_t<T>, lanes>,
                  "ObservePlaces: the places are those of several runs; states must have a lane "
                  "for each of them");
    for (std::size_t l = 0; l < lanes_of<T>; ++l)
      for_corners<T>(std::min(l, lanes - 1), slot,
                     [&](std::size_t i, real_t<T> w) { use(l, i, w); });
  }

  const Places* places_;
};

/// Observes between grid points of a geometry, at places that come with the observations.
///
///   y_j = Σ_k w_jk x[element_jk],  w from `Geometry::corners_of(position)`, linear in x.
/// At most `Slots` observations a cycle, each with its own position and channel; `set_observations`
/// takes them, so nothing of the operator changes from cycle to cycle. Twin experiments, and what
/// must be known before there are observations, take the places given here.
/// Example: ObserveAt<Ring<40>, 20>.
template <class Geometry_, std::size_t Slots, std::size_t Channels = 1>
class ObserveAt {
 public:
  using Geometry = Geometry_;
  template <std::size_t Lanes>
  using Places = SlotPlaces<Geometry, Slots, Channels, Lanes>;
  using PlaceType = typename Places<1>::PlaceType;
  static constexpr std::size_t points = Geometry::points, channels = Channels, slots = Slots;
  static constexpr bool linear = true;

  /// At every (points · Channels / Slots)-th element of the state, from the first one.
  ObserveAt() {
    for (std::size_t j = 0; j < Slots; ++j) {
      const std::size_t element = j * (points * Channels) / Slots;
      set(j, {Geometry::position(element / Channels), element % Channels});
    }
  }
  /// At these places; throws ConfigError if one is outside the domain.
  explicit ObserveAt(const std::array<PlaceType, Slots>& places) {
    for (std::size_t j = 0; j < Slots; ++j) set(j, places[j]);
  }

  /// In words.
  [[nodiscard]] std::string describe() const {
    return to_text("at most ", Slots, " observations between ", points, " points");
  }

  /// At the places of a cycle, which must outlive what is returned.
  template <std::size_t Lanes>
  [[nodiscard]] ObservePlaces<Places<Lanes>> at(
      const SlotPlaces<Geometry, Slots, Channels, Lanes>& places) const {
    return ObservePlaces<Places<Lanes>>(places);
  }
  /// The places of a twin experiment: in every cycle those of the constructor.
  [[nodiscard]] Places<1> draw(const RandomKey&) const { return places_; }
  /// Every slot reports in every cycle.
  void available(const RandomKey&, bool* mask) const { std::fill_n(mask, Slots, true); }

  /// At the places of the constructor.
  template <class T>
  void observe(const T* x, T* y) const {
    at(places_).observe(x, y);
  }
  template <class T>
  void observe_tangent(const T* x, const T* dx, T* dy) const {
    at(places_).observe_tangent(x, dx, dy);
  }
  template <class T>
  void observe_adjoint(const T* x, const T* d_y, T* d_x) const {
    at(places_).observe_adjoint(x, d_y, d_x);
  }
  [[nodiscard]] PlaceType place(std::size_t slot) const { return places_.sight(0, slot).place; }

 protected:
  void set(std::size_t slot, const PlaceType& place) {
    places_.set(0, slot, Places<1>::sight_at(place));
  }

 private:
  Places<1> places_;
};

/// Observes at new random places in every run and cycle.
///
/// The first n slots report, n uniform in [least, most], and slot j sees channel j mod Channels, so
/// that a DiagonalNoise with variances[j mod Channels] gives each channel errors of its own.
/// Positions are uniform in the domain; they and n are drawn from (seed, available, run, cycle).
/// Places of given observations are those of the observations, as for ObserveAt.
template <class Geometry_, std::size_t Slots, std::size_t Channels = 1>
class ObserveRandomPlaces : public ObserveAt<Geometry_, Slots, Channels> {
 public:
  using Base = ObserveAt<Geometry_, Slots, Channels>;
  using Geometry = Geometry_;
  template <std::size_t Lanes>
  using Places = typename Base::template Places<Lanes>;

  /// Between `least` and `most` observations a cycle; throws ConfigError unless least ≤ most ≤
  /// Slots.
  explicit ObserveRandomPlaces(std::size_t least = 0, std::size_t most = Slots)
      : least_(least), most_(most) {
    if (least > most || most > Slots)
      throw ConfigError(to_text("ObserveRandomPlaces: least is ", least, " and most is ", most,
                                ", expected least <= most <= ", Slots));
    for (std::size_t j = 0; j < Slots; ++j)  // its own places: spread over the grid points
      this->set(j, {Geometry::position(j * Base::points / Slots), j % Channels});
  }

  /// In words.
  [[nodiscard]] std::string describe() const {
    return to_text(least_, " to ", most_, " observations between ", Geometry::points,
                   " points, at other places in each cycle");
  }

  /// The first slots report.
  void available(const RandomKey& key, bool* mask) const {
    std::array<double, 1> uniform;
    fill_uniform<double>(key.with(Purpose::available), uniform);
    const auto span = static_cast<double>(most_ - least_ + 1);
    const auto count = least_ + static_cast<std::size_t>(uniform[0] * span);
    for (std::size_t j = 0; j < Slots; ++j) mask[j] = j < count;
  }
  /// The places of one run and cycle, those of silent slots too.
  [[nodiscard]] Places<1> draw(const RandomKey& key) const {
    // After the number of `available`; one of each slot is not used, so that draws stay the same.
    constexpr std::size_t each = Geometry::dimensions + 1;
    std::vector<double> uniform(1 + Slots * each);
    fill_uniform<double>(key.with(Purpose::available), uniform);
    Places<1> places;
    for (std::size_t j = 0; j < Slots; ++j) {
      const double* const u = &uniform[1 + j * each];
      std::array<double, Geometry::dimensions> where;
      std::copy_n(u, Geometry::dimensions, where.data());
      places.set(0, j, Places<1>::sight_at({Geometry::at_random(where), j % Channels}));
    }
    return places;
  }

 private:
  std::size_t least_, most_;
};

}  // namespace dan
