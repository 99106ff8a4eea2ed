// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>

#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/scalar.hpp"
#include "dan/core/tensor.hpp"
#include "dan/problem/model_noise.hpp"

namespace dan {

/// Correlated noise of any covariance, by a root: Q = L Lᵀ.
///
/// L: state elements × any number of columns; of a given regular Q it is `cholesky(Q)`, of few
/// patterns of noise these patterns. Memory: that of L. Cost: size · columns flops for a state,
/// twice as many for Q x.
template <std::size_t Size>
class DenseModelNoise {
 public:
  static constexpr std::size_t size = Size;

  /// Throws ShapeError unless L has a row for each state element, and a column, and ConfigError
  /// unless it is finite.
  explicit DenseModelNoise(const Matrix& root) : root_(root) {
    if (root.shape()[0] != size || root.shape()[1] == 0)
      throw ShapeError(to_text("DenseModelNoise: root has shape (", root.shape()[0], ", ",
                               root.shape()[1], "), expected ", size,
                               " rows, one per state element, and at least one column"));
    for (const double x : span_of(root_))
      if (!std::isfinite(x))
        throw ConfigError(to_text("DenseModelNoise: root holds ", x, ", expected finite numbers"));
  }

  [[nodiscard]] std::size_t numbers() const { return root_.shape()[1]; }
  template <class T>
  void root(const T* white, T* noise) const {
    for (std::size_t i = 0; i < size; ++i) {
      noise[i] = constant<T>(0);
      for (std::size_t k = 0; k < numbers(); ++k) noise[i] += constant<T>(root_(i, k)) * white[k];
    }
  }
  template <class T>
  void multiply(const T* x, T* y) const {
    Scratch<T> along(numbers());  // Lᵀ x
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t k = 0; k < numbers(); ++k) along[k] += constant<T>(root_(i, k)) * x[i];
    root(along.data(), y);
  }

 private:
  Matrix root_;
};

}  // namespace dan
