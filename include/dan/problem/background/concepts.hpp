// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <concepts>
#include <cstddef>
#include <string_view>

#include "dan/concepts.hpp"
#include "dan/core/error.hpp"
#include "dan/core/tensor.hpp"

/// \file
/// What a background covariance is: the error of a forecast as 3D-Var and 4D-Var see it.
///
/// A method needs its root only, B = L Lᵀ, L of size × controls numbers: with x = x_b + L v the
/// background term is ½ vᵀv, and no inverse is asked for. A background of your own:
///
///     struct Uncorrelated {
///       double deviation = 0.3;
///       static std::size_t size() { return 40; }      // numbers of a state
///       static std::size_t controls() { return 40; }  // numbers of v
///       template <class T>
///       void root(const T* v, T* x) const {  // x = L v
///         for (std::size_t i = 0; i < 40; ++i) x[i] = deviation * v[i];
///       }
///       template <class T>
///       void root_adjoint(const T* d_x, T* d_v) const {  // d_v += Lᵀ d_x
///         for (std::size_t i = 0; i < 40; ++i) d_v[i] += deviation * d_x[i];
///       }
///     };
///     const Var4d method(problem, Uncorrelated{}, {.lag = 2});

namespace dan {

/// A covariance B = L Lᵀ by its root, for numbers side by side (see the head of this file). root
/// overwrites x, root_adjoint adds to d_v; v and x are different arrays.
template <class B>
concept BackgroundCovariance = requires(const B background, const double* x, double* y,
                                        const detail::Side* s, detail::Side* t) {
  { background.size() } -> std::convertible_to<std::size_t>;
  { background.controls() } -> std::convertible_to<std::size_t>;
  background.root(x, y);          // write: template <class T> void root(const T* v, T* x) const
  background.root(s, t);          // write: template <class T> void root(const T* v, T* x) const
  background.root_adjoint(x, y);  // write: template <class T> void root_adjoint(const T*, T*) const
  background.root_adjoint(s, t);  // write: template <class T> void root_adjoint(const T*, T*) const
};

/// One that also has all its size² numbers, as many controls as numbers, and a method that works
/// with matrices.
template <class B>
concept DenseCovariance = BackgroundCovariance<B> && requires(const B background) {
  { background.matrix() } -> std::convertible_to<const Matrix&>;
};

namespace detail {
template <BackgroundCovariance Background>
void require_background(std::string_view function, const Background& background, std::size_t size) {
  if (background.size() != size)
    throw ShapeError(to_text(function, ": background is one of ", background.size(),
                             " numbers, expected ", size, ", those of a state"));
}
}  // namespace detail

}  // namespace dan
