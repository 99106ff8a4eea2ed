// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#if __has_include(<xtensor/containers/xtensor.hpp>)
#include <xtensor/containers/xtensor.hpp>  // xtensor 0.26 and later
#else
#include <xtensor/xtensor.hpp>
#endif
#include <cstddef>
#include <limits>
#include <span>

#include "dan/core/batch.hpp"
#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"

/// \file
/// Arrays: `Tensor`, an aligned xtensor container, and how batches of states become some.
/// This header and, for xtensor-blas, core/linalg.hpp are the only ones that name xtensor.

namespace dan {

/// Owning, row-major, aligned array of `Rank` dimensions; every xtensor function takes it.
template <class T, std::size_t Rank>
using Tensor = xt::xtensor_container<xt::uvector<T, AlignedAllocator<T>>, Rank>;

using Vector = Tensor<double, 1>;  ///< a vector of double
using Matrix = Tensor<double, 2>;  ///< a row-major matrix of double

/// A tensor of the given shape, all elements zero. Throws ShapeError for more elements than any
/// memory has.
template <class T, class... Sizes>
[[nodiscard]] Tensor<T, sizeof...(Sizes)> zero_tensor(Sizes... sizes) {
  using Result = Tensor<T, sizeof...(Sizes)>;
  const typename Result::shape_type shape{static_cast<std::size_t>(sizes)...};
  std::size_t room = std::numeric_limits<std::ptrdiff_t>::max() / sizeof(T);
  for (const std::size_t size : shape) {
    if (size > room)
      throw ShapeError(to_text("zero_tensor: there are more elements than any memory has; a size ",
                               "of the shape is ", size));
    if (size > 0) room /= size;
  }
  return Result(shape, T(0));
}

/// The elements of a tensor, in row-major order.
template <class T, std::size_t Rank>
[[nodiscard]] std::span<T> span_of(Tensor<T, Rank>& tensor) {
  return {tensor.data(), tensor.size()};
}
template <class T, std::size_t Rank>
[[nodiscard]] std::span<const T> span_of(const Tensor<T, Rank>& tensor) {
  return {tensor.data(), tensor.size()};
}

/// A batch of states as array (points × channels × lanes), without the padding.
template <class Real, std::size_t Points, std::size_t Channels, std::size_t Lanes>
[[nodiscard]] Tensor<Real, 3> array_of(const Batch<Real, Points, Channels, Lanes>& batch) {
  auto out = zero_tensor<Real>(Points, Channels, Lanes);
  for (std::size_t i = 0; i < batch.size; ++i)
    for (std::size_t l = 0; l < Lanes; ++l) out.data()[i * Lanes + l] = batch.at(i, l);
  return out;
}

/// A batch from such an array; throws ShapeError unless the shape fits.
template <class Batch>
[[nodiscard]] Batch batch_of(const Tensor<typename Batch::Real, 3>& array) {
  const auto& s = array.shape();
  if (s[0] != Batch::points || s[1] != Batch::channels || s[2] != Batch::lanes)
    throw ShapeError(to_text("batch_of: array has shape (", s[0], ", ", s[1], ", ", s[2],
                             "), expected (", Batch::points, ", ", Batch::channels, ", ",
                             Batch::lanes, ") = (points, channels, lanes)"));
  Batch out;
  for (std::size_t i = 0; i < Batch::size; ++i)
    for (std::size_t l = 0; l < Batch::lanes; ++l)
      out.at(i, l) = array.data()[i * Batch::lanes + l];
  out.repeat_last_lane();
  return out;
}

}  // namespace dan
