// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "dan/concepts.hpp"
#include "dan/core/error.hpp"
#include "dan/core/linalg.hpp"
#include "dan/core/tensor.hpp"
#include "dan/observe/observations.hpp"
#include "dan/observe/places.hpp"
#include "dan/observe/whitening.hpp"

namespace dan {

/// Observes with correlated errors: the observations of another operator, made independent.
///
///   z = L⁻¹ H(x),  R = L Lᵀ:  y = H(x) + ε with ε ~ N(0, R) becomes z = L⁻¹ y with errors N(0, I).
/// With DiagonalNoise of variance one (the default of Problem) every method then works for a dense
/// R, and a TwinTruth makes the right observations; `set_observations` below converts given ones.
/// Where slots are silent, R and L are those of the slots that report (rows and columns of the
/// others dropped), and L comes with the observations of the cycle, as places do. A number of z has
/// no place in the state; the methods that localise and know a dense R (Letkf, Enkf) take the
/// places of `inner` and R itself.
/// Cost: slots² flops more than `inner`, and slots³/3 for a cycle with silent slots. Memory: 2
/// slots² numbers, slots² for such a cycle.
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
  Whitened(const Operator& inner, const Matrix& covariance)
      : inner_(inner), covariance_(covariance) {
    const auto rows = covariance.shape()[0], columns = covariance.shape()[1];
    if (rows != slots || columns != slots)
      throw ShapeError(to_text("Whitened: covariance has shape (", rows, ", ", columns,
                               "), expected (", slots, ", ", slots, "), one row per slot"));
    constexpr double tolerance = 1e-12;
    const auto fail = [](const auto&... what) {
      throw NumericalError(to_text("Whitened: covariance ", what...,
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

  /// The operator whose observations these are, and R.
  [[nodiscard]] const Operator& inner() const { return inner_; }
  [[nodiscard]] const Matrix& covariance() const { return covariance_; }

  /// What comes with the observations of a cycle.
  template <std::size_t Lanes>
  using Places = Whitening<slots, Lanes>;
  /// For the slots of a cycle, which must outlive what is returned.
  template <std::size_t Lanes>
  [[nodiscard]] WhitenedAt<Operator, Lanes> at(const Whitening<slots, Lanes>& whitening) const {
    return {inner_, factor_, whitening};
  }
  /// For the slots that report in a run and cycle of a twin experiment.
  [[nodiscard]] Whitening<slots> draw(const RandomKey& key) const {
    std::array<bool, slots> mask{};
    inner_.available(key, mask.data());
    return whitening(mask);
  }
  /// Which of them report; they are those of `inner`.
  void available(const RandomKey& key, bool* mask) const { inner_.available(key, mask); }

  /// For the slots that report: the Cholesky factor of their rows and columns of R.
  [[nodiscard]] Whitening<slots> whitening(std::span<const bool, slots> mask) const {
    if (std::ranges::all_of(mask, std::identity{})) return {};
    Matrix l = zero_tensor<double>(slots, slots);
    for (std::size_t i = 0; i < slots; ++i)
      for (std::size_t j = 0; mask[i] && j <= i; ++j) {
        if (!mask[j]) continue;
        double sum = covariance_(i, j);
        for (std::size_t k = 0; k < j; ++k) sum -= l(i, k) * l(j, k);
        l(i, j) = i == j ? std::sqrt(sum) : sum / l(j, j);
      }
    return Whitening<slots>(std::move(l));
  }

  /// Those of all slots.
  template <class T>
  void observe(const T* x, T* z) const {
    at(everything).observe(x, z);
  }
  template <class T>
  void observe_tangent(const T* x, const T* dx, T* dz) const {
    at(everything).observe_tangent(x, dx, dz);
  }
  template <class T>
  void observe_adjoint(const T* x, const T* d_z, T* d_x) const {
    at(everything).observe_adjoint(x, d_z, d_x);
  }

 private:
  inline static const Whitening<slots> everything{};

  Operator inner_;
  Matrix covariance_, factor_;
};

/// Writes the observations y of one run, with the errors of the operator's R, into lane `lane` of
/// `to`, whitened.
///
/// `values`: one number per slot, in the units of the operator's `inner()`. NaN means missing: an
/// error, or with `MissingValues::unobserved` a silent slot. Throws as the function of this name
/// for independent errors (ShapeError, NumericalError); `to` is then unchanged. Cost: slots²
/// flops, slots³/3 where some are missing.
template <std::floating_point Real, std::size_t Slots, std::size_t Lanes, class Operator>
requires(Operator::slots == Slots) void set_observations(
    PlacedObservations<Real, Slots, Lanes, Whitening<Slots, Lanes>>& to, std::size_t lane,
    std::span<const double> values, const Whitened<Operator>& operation,
    MissingValues missing = MissingValues::refuse) {
  const auto one = [](std::size_t) { return 1.0; };
  detail::require_writable<double, Slots, Lanes>(lane, values, one, missing);
  std::array<bool, Slots> mask;
  for (std::size_t i = 0; i < Slots; ++i) mask[i] = !std::isnan(values[i]);
  const auto whitening = operation.whitening(mask);
  std::vector<double> z(values.begin(), values.end());
  operation.at(whitening).divide(z.data());
  for (std::size_t i = 0; i < Slots; ++i)
    if (!mask[i]) z[i] = values[i];
  detail::require_writable<Real, Slots, Lanes>(lane, z, one, missing);
  to.places.set_lane(lane, whitening);
  detail::write_observations(to, lane, std::span<const double>(z), one);
}

}  // namespace dan
