// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>

#include "dan/concepts.hpp"
#include "dan/core/error.hpp"
#include "dan/core/linalg.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/tensor.hpp"
#include "dan/observe/places.hpp"

namespace dan {

/// Observes with correlated errors: the observations of another operator, made independent.
///
///   z = L⁻¹ H(x),  R = L Lᵀ:  y = H(x) + ε with ε ~ N(0, R) becomes z = L⁻¹ y with errors N(0, I).
/// With DiagonalNoise of variance one (the default of Problem) every method then works for a dense
/// R, and a TwinTruth makes the right observations; `whiten` converts given ones. Every
/// slot must report in every cycle, and a slot of z has no place in the state (no localisation).
/// Cost: slots² flops more than `inner`; memory: slots² numbers.
template <ObservationOperator Operator>
class Whitened {
 public:
  static_assert(!PlacedOperator<Operator>,
                "Whitened: one R cannot belong to places that change from cycle to cycle");
  static constexpr std::size_t points = Operator::points, channels = Operator::channels;
  static constexpr std::size_t slots = Operator::slots;
  static constexpr bool linear = Operator::linear;

  /// `covariance` is R, slots × slots. Throws ShapeError for another shape and NumericalError if R
  /// is not finite, or not symmetric and positive definite to 1e-12 of its diagonal.
  Whitened(const Operator& inner, const Matrix& covariance) : inner_(inner) {
    const auto rows = covariance.shape()[0], columns = covariance.shape()[1];
    if (rows != slots || columns != slots)
      throw ShapeError(text("Whitened: covariance has shape (", rows, ", ", columns,
                            "), expected (", slots, ", ", slots, "), one row per slot"));
    constexpr double tolerance = 1e-12;
    const auto fail = [](const auto&... what) {
      throw NumericalError(text("Whitened: covariance ", what...,
                                "; R must be symmetric and positive definite, leave out "
                                "observations that follow from others or add to its diagonal"));
    };
    for (std::size_t i = 0; i < slots; ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (std::abs(covariance(i, j) - covariance(j, i)) >
            tolerance * std::sqrt(std::abs(covariance(i, i) * covariance(j, j))))
          fail("is ", covariance(i, j), " at (", i, ", ", j, ") and ", covariance(j, i), " at (", j,
               ", ", i, ")");
    try {
      factor_ = cholesky(covariance);
    } catch (const NumericalError& e) {
      fail("has no Cholesky factor (", e.what(), ")");
    }
    for (std::size_t i = 0; i < slots; ++i)
      if (factor_(i, i) * factor_(i, i) <= tolerance * covariance(i, i))
        fail("is singular: row ", i, " follows from the rows above");
  }

  /// z = L⁻¹ H(x).
  template <class T>
  void observe(const T* x, T* z) const {
    inner_.observe(x, z);
    divide(z);
  }
  /// dz = L⁻¹ H'(x) dx.
  template <class T>
  void observe_tangent(const T* x, const T* dx, T* dz) const {
    inner_.observe_tangent(x, dx, dz);
    divide(dz);
  }
  /// d_x += H'(x)ᵀ L⁻ᵀ d_z.
  template <class T>
  void observe_adjoint(const T* x, const T* d_z, T* d_x) const {
    Scratch<T> d_y(slots, Unset{});
    std::copy_n(d_z, slots, d_y.data());
    for (std::size_t i = slots; i-- > 0;) {
      d_y[i] /= factor<T>(i, i);
      for (std::size_t j = 0; j < i; ++j) d_y[j] -= factor<T>(i, j) * d_y[i];
    }
    inner_.observe_adjoint(x, d_y.data(), d_x);
  }
  /// Every slot reports; throws ConfigError if one of `inner` does not.
  void available(const RandomKey& key, bool* mask) const {
    inner_.available(key, mask);
    for (std::size_t j = 0; j < slots; ++j)
      if (!mask[j])
        throw ConfigError(
            text("Whitened::available: slot ", j, " does not report in cycle ", key.cycle,
                 ", and what is left cannot be whitened with the R of "
                 "all; take an operator that is always whole, or independent errors"));
  }

  /// L⁻¹ values, in the place of `values`: one number per slot. Throws ShapeError for another
  /// number of them and NumericalError if one is missing (NaN) or infinite.
  void whiten(std::span<double> values) const {
    require_size("Whitened::whiten", "values", values.size(), slots, "slot of the operator");
    for (std::size_t j = 0; j < slots; ++j)
      if (!std::isfinite(values[j]))
        throw NumericalError(text("Whitened::whiten: values[", j, "] is ", values[j],
                                  ", expected a finite number; observations with missing values "
                                  "cannot be whitened"));
    divide(values.data());
  }

 private:
  template <class T>
  [[nodiscard]] T factor(std::size_t i, std::size_t j) const {
    return T(static_cast<real_t<T>>(factor_(i, j)));
  }
  /// y ← L⁻¹ y.
  template <class T>
  void divide(T* y) const {
    for (std::size_t i = 0; i < slots; ++i) {
      for (std::size_t j = 0; j < i; ++j) y[i] -= factor<T>(i, j) * y[j];
      y[i] /= factor<T>(i, i);
    }
  }

  Operator inner_;
  Matrix factor_;
};

}  // namespace dan
