// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <string>

#include "dan/concepts.hpp"
#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/scalar.hpp"
#include "dan/observe/places.hpp"

namespace dan {

/// A linear map from states to states of the same shape: y = L x, and d_x += Lᵀ d_y; templates on
/// the scalar, x and y do not overlap.
template <class L>
concept LinearStateMap = HasState<L> &&
    requires(const L map, const detail::Side* x, detail::Side* y) {
  map.apply(x, y);
  map.apply_adjoint(x, y);
};

/// Observes what a linear map makes of the state, such as the stream function where the state is
/// vorticity: y = H(L x).
///
///     Transformed<StreamFunction<Harmonics>, ObserveSubset<points, 512>> observe{{}, subset};
///
/// Slots, places and which of them report are those of `inner`; where L is not local, a place is
/// only where the result is seen, and methods that localise take it for more, and so does a
/// network's local gain: there make L x the state instead, as `OnGrid` can. Where L makes nothing
/// of a constant, networks that see the precision see none (they are shown Hᵀ R⁻¹ H 1), and a
/// learned analysis takes its way back with a variance of the forecast's error twice that of the
/// climate. Cost: that of map and `inner`; of a nonlinear one, tangent and adjoint map once more.
template <LinearStateMap Map, ObservationOperator Operator>
struct Transformed {
  static_assert(!PlacedOperator<Operator>,
                "Transformed: the inner operator must see the same places in every cycle");
  static constexpr std::size_t points = Operator::points, channels = Operator::channels;
  static_assert(Map::points == points && Map::channels == channels,
                "Transformed: the inner operator must observe states of the map's shape");
  static constexpr std::size_t slots = Operator::slots;
  static constexpr bool linear = Operator::linear;

  Map map{};
  Operator inner{};

  /// In words, if `inner` has some.
  [[nodiscard]] std::string describe() const requires requires(const Operator& n) { n.describe(); }
  { return to_text("of a linear map of the state: ", inner.describe()); }

  /// y = H(L x).
  template <class T>
  void observe(const T* x, T* y) const {
    const auto at = mapped(x);
    inner.observe(at.data(), y);
  }
  /// dy = H'(L x) L dx.
  template <class T>
  void observe_tangent(const T* x, const T* dx, T* dy) const {
    const auto d = mapped(dx);
    if constexpr (linear)
      inner.observe_tangent(d.data(), d.data(), dy);
    else
      inner.observe_tangent(mapped(x).data(), d.data(), dy);
  }
  /// d_x += Lᵀ H'(L x)ᵀ d_y.
  template <class T>
  void observe_adjoint(const T* x, const T* d_y, T* d_x) const {
    Scratch<T> d(points * channels);
    if constexpr (linear)
      inner.observe_adjoint(x, d_y, d.data());
    else
      inner.observe_adjoint(mapped(x).data(), d_y, d.data());
    map.apply_adjoint(d.data(), d_x);
  }
  /// The slots that report are those of `inner`.
  void available(const RandomKey& key, bool* mask) const { inner.available(key, mask); }

  /// Where `inner` looks, if that is somewhere.
  [[nodiscard]] std::size_t element(std::size_t slot) const requires requires {
    inner.element(slot);
  }
  { return inner.element(slot); }
  [[nodiscard]] auto place(std::size_t slot) const requires requires { inner.place(slot); }
  { return inner.place(slot); }

 private:
  template <class T>
  [[nodiscard]] Scratch<T> mapped(const T* x) const {
    Scratch<T> y(points * channels, Unset{});
    map.apply(x, y.data());
    return y;
  }
};

}  // namespace dan
