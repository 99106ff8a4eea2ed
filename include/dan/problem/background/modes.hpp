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
#include "dan/core/tensor.hpp"
#include "dan/problem/background/concepts.hpp"
#include "dan/problem/climate.hpp"

namespace dan {

/// A background covariance of low rank: the leading modes of a climate, or of a sample.
///
///   L = √x_B (√λ_1 e_1, …, √λ_m e_m),  C = Σ_k λ_k e_k e_kᵀ, λ descending,
/// with C the climatological covariance or that of a sample, Z Zᵀ / (samples − 1), Z of mean zero:
/// states (climate_sample_of) or differences of forecasts. All covariances of the sample's leading
/// modes are in it, those between unlike variables too; an analysis corrects nothing outside their
/// span.
///
/// The constructor throws ShapeError for a sample of fewer than two states or a climate that is not
/// square, ConfigError unless scale > 0 and 1 ≤ modes ≤ samples (of a climate, state elements),
/// NumericalError for numbers that are not finite. Cost: size³, or samples² · size + samples³,
/// once; modes · size flops per root; memory: modes · size numbers, which copies share. Source of
/// the form with Zᵀ Z: Sirovich, Q. Appl. Math. 45 (1987) 561–571.
class ModesBackground {
 public:
  /// All modes of a climate are the same B as DenseBackground's, for methods without matrices.
  ModesBackground(const Climate& climate, std::size_t modes, double scale = 1) {
    const std::size_t size = climate.mean.size();
    climate.require_size_of("ModesBackground", size);
    require_valid(modes, size, "state elements", scale);
    const auto [values, vectors] = symmetric_eigen(climate.covariance);
    auto root = zero_tensor<double>(size, modes);
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t k = 0; k < modes; ++k)
        root(i, k) =
            std::sqrt(scale * std::max(values[size - 1 - k], 0.0)) * vectors(i, size - 1 - k);
    root_ = std::make_shared<const Matrix>(std::move(root));
  }

  /// `sample`: Z, size × samples; `scale`: x_B.
  ModesBackground(const Matrix& sample, std::size_t modes, double scale = 1) {
    const std::size_t size = sample.shape()[0], samples = sample.shape()[1];
    if (size == 0 || samples < 2)
      throw ShapeError(to_text("ModesBackground: sample has shape (", size, ", ", samples,
                               "), expected state elements × samples, at least two of them"));
    require_valid(modes, samples, "samples", scale);
    // Zᵀ Z = U diag(μ) Uᵀ; column k of Z U has the length √μ_k.
    const Matrix vectors = symmetric_eigen(matrix_product(transpose_of(sample), sample)).vectors;
    auto leading = zero_tensor<double>(samples, modes);
    const double factor = std::sqrt(scale / static_cast<double>(samples - 1));
    for (std::size_t n = 0; n < samples; ++n)
      for (std::size_t k = 0; k < modes; ++k) leading(n, k) = factor * vectors(n, samples - 1 - k);
    root_ = std::make_shared<const Matrix>(matrix_product(sample, leading));
  }

  [[nodiscard]] std::size_t size() const { return root_->shape()[0]; }
  [[nodiscard]] std::size_t controls() const { return root_->shape()[1]; }

  template <class T>
  void root(const T* v, T* x) const {
    const std::size_t modes = controls();
    const double* row = root_->data();
    for (std::size_t i = 0; i < size(); ++i, row += modes) {
      x[i] = T(0.0);
      for (std::size_t k = 0; k < modes; ++k) x[i] += T(row[k]) * v[k];
    }
  }
  template <class T>
  void root_adjoint(const T* d_x, T* d_v) const {
    const std::size_t modes = controls();
    const double* row = root_->data();
    for (std::size_t i = 0; i < size(); ++i, row += modes)
      for (std::size_t k = 0; k < modes; ++k) d_v[k] += T(row[k]) * d_x[i];
  }

 private:
  static void require_valid(std::size_t modes, std::size_t most, std::string_view of,
                            double scale) {
    if (modes < 1 || modes > most)
      throw ConfigError(to_text("ModesBackground: modes is ", modes, ", expected 1 to ", most,
                                ", the number of ", of));
    require_positive("ModesBackground", "scale", scale);
  }

  std::shared_ptr<const Matrix> root_;  ///< L
};

}  // namespace dan
