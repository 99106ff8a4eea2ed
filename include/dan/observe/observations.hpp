// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <span>

#include "dan/concepts.hpp"
#include "dan/core/error.hpp"
#include "dan/core/tensor.hpp"
#include "dan/observe/noise.hpp"

namespace dan {

/// The observations of one cycle, for `Lanes` independent runs.
///
/// `values` y and `precision` 1/R_ii: slots × 1 × lanes each. A silent slot has precision zero
/// and value zero; every analysis then ignores it without a special case.
template <std::floating_point Real, std::size_t Slots, std::size_t Lanes = 1>
struct Observations {
  static constexpr std::size_t slots = Slots, lanes = Lanes;
  Batch<Real, Slots, 1, Lanes> values, precision;
};

/// What to do with a missing (NaN) observation.
enum class MissingValues { refuse, unobserved };

/// Writes the observations of one run into lane `lane` of `to`.
///
/// `values`: one number per slot. NaN means missing: an error, or with
/// `MissingValues::unobserved` a silent slot. Throws ShapeError for a wrong number of values and
/// NumericalError for one that is missing (and refused) or infinite; `to` is then unchanged.
template <std::floating_point Real, std::size_t Slots, std::size_t Lanes>
void set_observations(Observations<Real, Slots, Lanes>& to, std::size_t lane,
                      std::span<const double> values, const DiagonalNoise<Slots>& noise,
                      MissingValues missing = MissingValues::refuse) {
  require_size("set_observations", "values", values.size(), Slots, "slot of the network");
  for (std::size_t i = 0; i < Slots; ++i) {
    if (std::isinf(values[i]) || (std::isnan(values[i]) && missing == MissingValues::refuse))
      throw NumericalError(text("set_observations: values[", i, "] is ", values[i],
                                ", expected a finite number; pass MissingValues::unobserved to "
                                "treat NaN as not observed"));
  }
  for (std::size_t i = 0; i < Slots; ++i) {
    const bool there = !std::isnan(values[i]);
    to.values.at(i, lane) = there ? static_cast<Real>(values[i]) : Real(0);
    to.precision.at(i, lane) = there ? static_cast<Real>(noise.precision(i)) : Real(0);
  }
}

/// The observation information in state space, ζ = Hᵀ R⁻¹ (y − H(x)) (the "uplift").
///
/// x and zeta: points · channels elements of T; zeta is overwritten. Unobserved elements get zero.
/// Source: Bocquet et al., Chaos 34 (2024) 091104, second argument of the learned increment.
template <ObservationNetwork Network, class T, class Observed>
void uplift(const Network& network, const Observed& observed, const T* x, T* zeta) {
  static_assert(Network::slots == Observed::slots,
                "uplift: the observations must have one slot per slot of the network");
  std::array<T, Network::slots> departure;
  network.observe(x, departure.data());
  for (std::size_t j = 0; j < Network::slots; ++j)
    departure[j] = observed.precision[j] * (observed.values[j] - departure[j]);
  for (std::size_t i = 0; i < Network::points * Network::channels; ++i) zeta[i] = T(real_t<T>(0));
  network.observe_adjoint(x, departure.data(), zeta);
}

}  // namespace dan
