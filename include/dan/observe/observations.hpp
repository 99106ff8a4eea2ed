// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "dan/concepts.hpp"
#include "dan/core/error.hpp"
#include "dan/core/simd.hpp"
#include "dan/core/tensor.hpp"
#include "dan/observe/noise.hpp"

namespace dan {

/// The observations of one cycle, for `Lanes` independent runs.
///
/// `values` y and `precision` 1/R_ii: slots × 1 × lanes each. A silent slot has precision zero
/// and value zero; every analysis then ignores it without a special case, also where H(x) or its
/// slope is not finite in that slot.
template <std::floating_point Real, std::size_t Slots, std::size_t Lanes = 1>
struct Observations {
  static constexpr std::size_t slots = Slots, lanes = Lanes;
  Batch<Real, Slots, 1, Lanes> values, precision;
};

/// Throws NumericalError, in the name of `function`, unless in every slot and lane the precision is
/// finite and not negative and, where it is positive, the value finite.
/// Cost: a comparison or two per number; allocates only to throw.
template <std::floating_point Real, std::size_t Slots, std::size_t Lanes>
void require_valid_observations(std::string_view function,
                                const Observations<Real, Slots, Lanes>& observed) {
  for (std::size_t j = 0; j < Slots; ++j)
    for (std::size_t l = 0; l < Lanes; ++l) {
      const Real value = observed.values.at(j, l), precision = observed.precision.at(j, l);
      if (precision == 0) continue;
      if (precision > 0 && std::isfinite(precision) && std::isfinite(value)) continue;
      const std::string lane = Lanes > 1 ? text(" of lane ", l) : "";
      throw NumericalError(text(function, ": observation ", j, lane, " is ", value,
                                " with precision ", precision,
                                ", expected finite numbers, the precision (1 / variance) not "
                                "negative; give a missing observation the precision zero, or "
                                "write observations with set_observations"));
    }
}

/// `value` in the lanes in which slot j reports, elsewhere zero, whatever it is there: H and its
/// slope need not be finite where nothing is observed (a root below zero, a point outside the
/// model's domain), and 0 · NaN is NaN.
template <class Observed, class T>
[[nodiscard]] T where_reporting(const Observed& observed, std::size_t j, const T& value) {
  return where_positive(observed.precision[j], value, T(real_t<T>(0)));
}

/// y_j − H(x)_j in the lanes in which slot j reports, elsewhere zero; `h`: H(x)_j.
template <class Observed, class T>
[[nodiscard]] T departure_of(const Observed& observed, std::size_t j, const T& h) {
  return where_reporting(observed, j, observed.values[j] - h);
}

/// What to do with a missing (NaN) observation.
enum class MissingValues { refuse, unobserved };

/// Writes the observations of one run into lane `lane` of `to`.
///
/// `values`: one number per slot. NaN means missing: an error, or with
/// `MissingValues::unobserved` a silent slot. Throws ShapeError for a wrong number of values or a
/// lane that is not there, and NumericalError for a value that is missing (and refused), and for a
/// value or a precision that is infinite in `Real`; `to` is then unchanged.
template <std::floating_point Real, std::size_t Slots, std::size_t Lanes>
void set_observations(Observations<Real, Slots, Lanes>& to, std::size_t lane,
                      std::span<const double> values, const DiagonalNoise<Slots>& noise,
                      MissingValues missing = MissingValues::refuse) {
  require_size("set_observations", "values", values.size(), Slots,
               "slot of the observation operator");
  if (lane >= Lanes)
    throw ShapeError(text("set_observations: lane is ", lane, ", expected less than ", Lanes,
                          ", the lanes of `to`"));
  constexpr double largest = std::numeric_limits<Real>::max();
  for (std::size_t i = 0; i < Slots; ++i) {
    const bool there = !std::isnan(values[i]);
    if (there ? std::abs(values[i]) > largest : missing == MissingValues::refuse)
      throw NumericalError(text("set_observations: values[", i, "] is ", values[i],
                                ", expected a finite number, at most ", largest,
                                "; pass MissingValues::unobserved to treat NaN as not observed"));
    if (there && noise.precision(i) > largest)
      throw NumericalError(text("set_observations: the precision of slot ", i, " is ",
                                noise.precision(i), ", expected at most ", largest,
                                "; use a larger variance, or double"));
  }
  for (std::size_t i = 0; i < Slots; ++i) {
    const bool there = !std::isnan(values[i]);
    to.values.at(i, lane) = there ? static_cast<Real>(values[i]) : Real(0);
    to.precision.at(i, lane) = there ? static_cast<Real>(noise.precision(i)) : Real(0);
  }
}

/// The observation information in state space, ζ = Hᵀ R⁻¹ (y − H(x)) (the "uplift").
///
/// x and zeta: points · channels elements of T; zeta is overwritten. Unobserved elements get zero,
/// also where H(x) is not finite there, if the operator's adjoint adds nothing for d_y = 0.
/// A departure of more than `most` standard deviations of its observation's error counts as one of
/// `most`.
/// Source: Bocquet et al., Chaos 34 (2024) 091104, second argument of the learned increment.
template <ObservationOperator Operator, class T, class Observed>
void uplift(const Operator& op, const Observed& observed, const T* x, T* zeta,
            double most = std::numeric_limits<double>::infinity()) {
  static_assert(Operator::slots == Observed::slots,
                "uplift: the observations must have one slot per slot of the observation operator");
  using std::sqrt;
  std::array<T, Operator::slots> departure;
  op.observe(x, departure.data());
  for (std::size_t j = 0; j < Operator::slots; ++j) {
    const T bound = T(static_cast<real_t<T>>(most)) / sqrt(observed.precision[j]);
    T& d = departure[j];
    d = departure_of(observed, j, d);
    d = observed.precision[j] * minimum(bound, maximum(T(-bound), d));
  }
  for (std::size_t i = 0; i < Operator::points * Operator::channels; ++i) zeta[i] = T(real_t<T>(0));
  op.observe_adjoint(x, departure.data(), zeta);
}

}  // namespace dan
