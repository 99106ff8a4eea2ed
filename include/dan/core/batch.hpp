// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>

#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"

namespace dan {

/// Many states side by side: `Lanes` states of `Points × Channels` numbers.
///
/// Layout: points × channels × lanes, row-major, lanes contiguous and padded to a whole number of
/// SIMD registers. A lane is an ensemble member (filters) or an independent run (training). A
/// padding lane repeats a valid lane (see `repeat_last_lane`) and enters no statistic.
/// Memory: Points · Channels · padded Lanes numbers on the heap.
template <std::floating_point Real_, std::size_t Points, std::size_t Channels, std::size_t Lanes>
class Batch {
 public:
  using Real = Real_;
  using T = lanes_t<Real, Lanes>;  ///< the generic scalar that kernels compute with
  static constexpr std::size_t points = Points, channels = Channels, lanes = Lanes;
  static constexpr std::size_t padded = lanes_of<T>;
  static constexpr std::size_t size = Points * Channels;  ///< numbers per state

  /// All zero.
  Batch() : storage_(size * padded) {}
  Batch(const Batch&) = default;
  Batch(Batch&&) noexcept = default;
  Batch& operator=(const Batch& from) {
    if (this == &from) return *this;
    storage_.resize(from.storage_.size());  // all have one size, but those that were moved away
    std::ranges::copy(from.storage_, storage_.begin());
    return *this;
  }
  Batch& operator=(Batch&&) noexcept = default;
  ~Batch() = default;

  /// The state as `size` generic scalars: element p · Channels + c.
  [[nodiscard]] T* data() { return reinterpret_cast<T*>(storage_.data()); }
  [[nodiscard]] const T* data() const { return reinterpret_cast<const T*>(storage_.data()); }
  [[nodiscard]] T& operator[](std::size_t i) { return data()[i]; }
  [[nodiscard]] const T& operator[](std::size_t i) const { return data()[i]; }

  /// All numbers, padding included.
  [[nodiscard]] std::span<Real> numbers() { return {storage_.data(), size * padded}; }
  [[nodiscard]] std::span<const Real> numbers() const { return {storage_.data(), size * padded}; }

  /// Element `i` = p · Channels + c of lane `lane`.
  [[nodiscard]] Real& at(std::size_t i, std::size_t lane) {
    return storage_.data()[i * padded + lane];
  }
  [[nodiscard]] Real at(std::size_t i, std::size_t lane) const {
    return storage_.data()[i * padded + lane];
  }

  void fill(Real value) { std::ranges::fill(numbers(), value); }

  /// Copies the last valid lane into the padding.
  void repeat_last_lane() {
    if constexpr (padded != Lanes)
      for (std::size_t i = 0; i < size; ++i)
        for (std::size_t l = Lanes; l < padded; ++l) at(i, l) = at(i, Lanes - 1);
  }

  /// Copies state `from` (size numbers) into lane `lane`.
  template <class Other>
  void set_lane(std::size_t lane, const Other* from) {
    for (std::size_t i = 0; i < size; ++i) at(i, lane) = static_cast<Real>(from[i]);
  }

 private:
  Aligned<Real> storage_;
};

/// Copies and rounds a batch to another precision.
template <class To, class From>
void convert_precision(const From& from, To& to) {
  static_assert(To::size == From::size && To::lanes == From::lanes,
                "convert: both batches must have the same points, channels and lanes");
  for (std::size_t i = 0; i < To::size; ++i)
    for (std::size_t l = 0; l < To::padded; ++l)
      to.at(i, l) =
          static_cast<typename To::Real>(from.at(i, l < From::padded ? l : From::lanes - 1));
}

}  // namespace dan
