// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>

namespace dan {

/// A geometry on which some channels are components of vectors, winds for example:
///     using Geometry = VectorChannels<LatLon<32, 64>, 1, 2>;  // of (h, u, v)
///
/// What points east before a pole points west behind it, so interpolation across a pole takes such
/// a channel with the other sign. Convolutions take all channels as they are: their later features
/// have no such sign, and the first ones know by their weights at best.
template <class Base, std::size_t... Channels>
struct VectorChannels : Base {
  static constexpr bool is_vector(std::size_t channel) { return ((channel == Channels) || ...); }
};

/// Whether a channel is a component of a vector.
template <class Geometry>
[[nodiscard]] constexpr bool is_vector_channel([[maybe_unused]] std::size_t channel) {
  if constexpr (requires { Geometry::is_vector(channel); })
    return Geometry::is_vector(channel);
  else
    return false;
}

}  // namespace dan
