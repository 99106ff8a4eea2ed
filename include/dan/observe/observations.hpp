// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dan/concepts.hpp"
#include "dan/core/batch.hpp"
#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"
#include "dan/observe/noise.hpp"
#include "dan/observe/places.hpp"

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

/// Observations that bring the places of their cycle along: what a PlacedOperator sees.
template <std::floating_point Real, std::size_t Slots, std::size_t Lanes, class Places_>
struct PlacedObservations : Observations<Real, Slots, Lanes> {
  using Places = Places_;
  Places places{};
};

namespace detail {
template <class Operator, class Real, std::size_t Lanes>
struct ObservedOf {
  using type = Observations<Real, Operator::slots, Lanes>;
};
template <PlacedOperator Operator, class Real, std::size_t Lanes>
struct ObservedOf<Operator, Real, Lanes> {
  using type =
      PlacedObservations<Real, Operator::slots, Lanes, typename Operator::template Places<Lanes>>;
};
}  // namespace detail

/// The observations of one cycle of an operator, for `Lanes` independent runs.
template <class Operator, class Real, std::size_t Lanes = 1>
using observed_t = typename detail::ObservedOf<Operator, Real, Lanes>::type;

/// Copies observations and rounds them to another precision; places are copied.
template <class To, class From>
requires(To::slots == From::slots &&
         To::lanes == From::lanes) void convert_precision(const From& from, To& to) {
  convert_precision(from.values, to.values);
  convert_precision(from.precision, to.precision);
  if constexpr (requires { to.places; }) to.places = from.places;
}

/// Throws NumericalError, in the name of `function`, unless in every slot and lane the precision is
/// finite and not negative and, where it is positive, the value finite; ConfigError if such a slot
/// lacks a place.
/// Cost: a comparison or two per number; allocates only to throw.
template <class Observed>
void require_valid_observations(std::string_view function, const Observed& observed) {
  constexpr std::size_t slots = Observed::slots, lanes = Observed::lanes;
  for (std::size_t j = 0; j < slots; ++j)
    for (std::size_t l = 0; l < lanes; ++l) {
      const auto value = observed.values.at(j, l), precision = observed.precision.at(j, l);
      if (precision == 0) continue;
      const auto lane = [&] { return lanes > 1 ? to_text(" of lane ", l) : std::string(); };
      if constexpr (requires { observed.places.sees(l, j); })
        if (!observed.places.sees(l, j))
          throw ConfigError(to_text(function, ": observation ", j, lane(),
                                    " has no place, expected one for each that reports; give "
                                    "set_observations the places"));
      if constexpr (requires { observed.places.reports(l, j); })
        if (!observed.places.reports(l, j))
          throw ConfigError(
              to_text(function, ": observation ", j, lane(),
                      " reports, but was left out when the others were whitened; write "
                      "them all with set_observations and the operator"));
      if (precision > 0 && std::isfinite(precision) && std::isfinite(value)) continue;
      throw NumericalError(to_text(function, ": observation ", j, lane(), " is ", value,
                                   " with precision ", precision,
                                   ", expected finite numbers, the precision (1 / variance) not "
                                   "negative; give a missing observation the precision zero, or "
                                   "write observations with set_observations"));
    }
}

/// Whether any slot reports, in any lane.
template <class Observed>
[[nodiscard]] bool reports(const Observed& observed) {
  return std::ranges::any_of(observed.precision.numbers(), [](auto p) { return p != 0; });
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

namespace detail {
/// Throws unless `values` and the precisions 1 / variance(slot) can be written to lane `lane`.
template <class Real, std::size_t Slots, std::size_t Lanes, class Variance>
void require_writable(std::size_t lane, std::span<const double> values, const Variance& variance,
                      MissingValues missing) {
  require_size("set_observations", "values", values.size(), Slots,
               "slot of the observation operator");
  if (lane >= Lanes)
    throw ShapeError(to_text("set_observations: lane is ", lane, ", expected less than ", Lanes,
                             ", the lanes of `to`"));
  constexpr double largest = std::numeric_limits<Real>::max();
  for (std::size_t i = 0; i < Slots; ++i) {
    const bool there = !std::isnan(values[i]);
    if (there ? std::abs(values[i]) > largest : missing == MissingValues::refuse)
      throw NumericalError(
          to_text("set_observations: values[", i, "] is ", values[i],
                  ", expected a finite number, at most ", largest,
                  there ? "" : "; pass MissingValues::unobserved to treat NaN as not observed"));
    if (there && !(std::isfinite(variance(i)) && variance(i) > 0))
      throw NumericalError(to_text("set_observations: the variance of slot ", i, " is ",
                                   variance(i),
                                   ", expected a finite number greater than zero; give a missing "
                                   "observation the value NaN"));
    if (there && 1 / variance(i) > largest)
      throw NumericalError(to_text("set_observations: the precision of slot ", i, " is ",
                                   1 / variance(i), ", expected at most ", largest,
                                   "; use a larger variance, or double"));
  }
}

/// Writes what is writable.
template <std::floating_point Real, std::size_t Slots, std::size_t Lanes, class Variance>
void write_observations(Observations<Real, Slots, Lanes>& to, std::size_t lane,
                        std::span<const double> values, const Variance& variance) {
  for (std::size_t i = 0; i < Slots; ++i) {
    const bool there = !std::isnan(values[i]);
    to.values.at(i, lane) = there ? static_cast<Real>(values[i]) : Real(0);
    to.precision.at(i, lane) = there ? static_cast<Real>(1 / variance(i)) : Real(0);
  }
}
}  // namespace detail

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
  const auto variance = [&](std::size_t i) { return noise.variance(i); };
  detail::require_writable<Real, Slots, Lanes>(lane, values, variance, missing);
  detail::write_observations(to, lane, values, variance);
}

/// The same with errors of their own: `variances`, one number per slot, of this cycle only. Throws
/// NumericalError as well for a variance that is not a finite number above zero, unless its value
/// is missing.
template <std::floating_point Real, std::size_t Slots, std::size_t Lanes>
void set_observations(Observations<Real, Slots, Lanes>& to, std::size_t lane,
                      std::span<const double> values, std::span<const double> variances,
                      MissingValues missing = MissingValues::refuse) {
  require_size("set_observations", "variances", variances.size(), Slots,
               "slot of the observation operator");
  const auto variance = [&](std::size_t i) { return variances[i]; };
  detail::require_writable<Real, Slots, Lanes>(lane, values, variance, missing);
  detail::write_observations(to, lane, values, variance);
}

/// The same at places of their own: `places`, one per slot, of this cycle only. Throws ConfigError
/// as well for a place outside the domain, unless its value is missing.
template <std::floating_point Real, std::size_t Slots, std::size_t Lanes, class Places>
void set_observations(PlacedObservations<Real, Slots, Lanes, Places>& to, std::size_t lane,
                      std::span<const double> values, std::span<const double> variances,
                      std::span<const typename Places::PlaceType> places,
                      MissingValues missing = MissingValues::refuse) {
  require_size("set_observations", "places", places.size(), Slots,
               "slot of the observation operator");
  require_size("set_observations", "variances", variances.size(), Slots,
               "slot of the observation operator");
  const auto variance = [&](std::size_t i) { return variances[i]; };
  detail::require_writable<Real, Slots, Lanes>(lane, values, variance, missing);
  std::vector<typename Places::Sight> sights(Slots);
  for (std::size_t i = 0; i < Slots; ++i) try {
      if (!std::isnan(values[i])) sights[i] = Places::sight_at(places[i]);
    } catch (const ConfigError& e) {
      throw ConfigError(
          to_text("set_observations: places[", i, "] is not in the domain: ", e.what()));
    }
  for (std::size_t i = 0; i < Slots; ++i) to.places.set(lane, i, sights[i]);
  detail::write_observations(to, lane, values, variance);
}

/// Not for observations that bring something along, which would keep that of another cycle: give
/// their places, or for whitened ones the operator.
template <std::floating_point Real, std::size_t Slots, std::size_t Lanes, class Places>
void set_observations(PlacedObservations<Real, Slots, Lanes, Places>&, std::size_t,
                      std::span<const double>, const DiagonalNoise<Slots>&,
                      MissingValues = MissingValues::refuse) = delete;
template <std::floating_point Real, std::size_t Slots, std::size_t Lanes, class Places>
void set_observations(PlacedObservations<Real, Slots, Lanes, Places>&, std::size_t,
                      std::span<const double>, std::span<const double>,
                      MissingValues = MissingValues::refuse) = delete;

/// w = R⁻¹ (y − H(x)) of an operator as it is in this cycle, zero where no slot reports; a
/// departure of more than `most` standard deviations of its observation's error counts as one of
/// `most`.
template <ObservationOperator Operator, class T, class Observed>
void weigh_departures(const Operator& here, const Observed& observed, const T* x, double most,
                      T* w) {
  using std::sqrt;
  here.observe(x, w);
  for (std::size_t j = 0; j < Operator::slots; ++j) {
    const T bound = T(static_cast<real_t<T>>(most)) / sqrt(observed.precision[j]);
    const T d = departure_of(observed, j, w[j]);
    w[j] = observed.precision[j] * minimum(bound, maximum(T(-bound), d));
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
  Scratch<T> departure(Operator::slots, Unset{});
  const auto& here = placed(op, observed);
  weigh_departures(here, observed, x, most, departure.data());
  for (std::size_t i = 0; i < Operator::points * Operator::channels; ++i) zeta[i] = T(real_t<T>(0));
  here.observe_adjoint(x, departure.data(), zeta);
}

}  // namespace dan
