// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include "dan/core/error.hpp"
#include "dan/core/linalg.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/tensor.hpp"
#include "dan/problem/background/concepts.hpp"
#include "dan/problem/climate.hpp"

namespace dan {

/// A background covariance that is a multiple of the climatological one, as a matrix.
///
///   B = x_B · C,  C = V diag(λ) Vᵀ,  L = V diag(√(x_B λ)) Vᵀ (symmetric).
/// The constructor throws ShapeError unless C is square, ConfigError unless scale > 0 and
/// NumericalError if C has an eigenvalue below zero (by more than 1e-10 of the largest; round-off
/// counts as zero). Cost: an eigenproblem of size³ once, 2 size² per root; memory: 2 size² numbers,
/// which copies share.
class DenseBackground {
 public:
  /// `scale` is x_B; `name` that of the method in errors, a literal.
  explicit DenseBackground(const Climate& climate, double scale = 1,
                           std::string_view name = "DenseBackground") {
    climate.require_size_of(name, climate.mean.size());
    require_positive(name, "scale", scale);
    SymmetricEigen eigen = symmetric_eigen(climate.covariance);
    const std::size_t size = climate.mean.size();
    if (!(eigen.values[0] >= -1e-10 * std::abs(eigen.values[size - 1])))
      throw NumericalError(to_text(name, ": climate.covariance has the eigenvalue ",
                                   eigen.values[0],
                                   ", expected none below zero; take the covariance of states, as "
                                   "climatology_of does"));
    for (double& value : span_of(eigen.values)) value = std::sqrt(scale * std::max(value, 0.0));
    Matrix matrix = climate.covariance;
    for (double& b : span_of(matrix)) b *= scale;
    parts_ = std::make_shared<const Parts>(Parts{std::move(matrix), std::move(eigen)});
  }

  [[nodiscard]] std::size_t size() const { return parts_->matrix.shape()[0]; }
  [[nodiscard]] std::size_t controls() const { return size(); }
  [[nodiscard]] const Matrix& matrix() const { return parts_->matrix; }

  template <class T>
  void root(const T* v, T* x) const {
    std::fill_n(x, size(), T(0.0));
    root_adjoint(v, x);
  }
  /// L is symmetric.
  template <class T>
  void root_adjoint(const T* d_x, T* d_v) const {
    const auto& [deviations, vectors] = parts_->eigen;
    Scratch<T> along(size());  // the eigenvectors
    for (std::size_t i = 0; i < size(); ++i)
      for (std::size_t k = 0; k < size(); ++k) along[k] += T(vectors(i, k)) * d_x[i];
    for (std::size_t i = 0; i < size(); ++i)
      for (std::size_t k = 0; k < size(); ++k)
        d_v[i] += T(deviations[k] * vectors(i, k)) * along[k];
  }

 private:
  struct Parts {
    Matrix matrix;         ///< B
    SymmetricEigen eigen;  ///< of B, the values as roots
  };
  std::shared_ptr<const Parts> parts_;
};

namespace detail {
/// The dense background of a method that was given a climate of states of `Size` numbers.
template <std::size_t Size>
[[nodiscard]] DenseBackground background_of(std::string_view name, const Climate& climate,
                                            double scale) {
  climate.require_size_of(name, Size);
  return DenseBackground(climate, scale, name);
}
}  // namespace detail

}  // namespace dan
