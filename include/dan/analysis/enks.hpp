// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

#include "dan/analysis/ensemble.hpp"

namespace dan {

/// The ensemble Kalman smoother: an ETKF or EnKF-N whose analysis also transforms the ensembles of
/// the last `lag` cycles, as `Enks{EnkfN<Problem, 20>(problem), 5}`.
///
/// With X_n and x̄_n the ensemble of cycle n as the analyses up to cycle k − 1 left it, and w, T, U
/// of the analysis of cycle k:
///   E_n ← x̄_n 1ᵀ + X_n w 1ᵀ + X_n^a U,  X_n^a = X_n T, inflated,  n = k − lag … k − 1:
/// the analysis of one long state of all these times, inflation included. Estimate, spread and the
/// ensemble of the newest time are the filter's, bit for bit; `smoothed` gives the oldest time.
/// On a linear model it is the IEnKS (SDA, shift 1) with the same lag.
/// Throws as the filter. Cost per cycle: the filter's and 2 · lag · size · N² flops; memory:
/// lag · size · N numbers.
/// Source: Evensen and van Leeuwen, Mon. Weather Rev. 128 (2000) 1852–1867; with the transform of
/// the filter as in Bocquet and Sakov, Nonlin. Processes Geophys. 20 (2013) 803–818, section 2.
template <class Filter>
class Enks : public Filter {
 public:
  static_assert(
      requires { Filter::square_root; },
      "Enks: the filter must be an Etkf or an EnkfN, whose analysis is one transform for "
      "all elements of the state; take one of these, or Ienks");
  using Filter::members, Filter::size;
  using typename Filter::Ensemble, typename Filter::Estimate, typename Filter::FirstGuessBatch,
      typename Filter::Observed, typename Filter::T;

  static constexpr std::string_view method = "Enks";

  struct Carried : Filter::Carried {
    std::vector<Ensemble> past{};  ///< of the last cycles, the oldest first
  };

  /// `lag` in cycles; 0: the filter. Throws ConfigError for model noise as a square root.
  explicit Enks(const Filter& filter, std::size_t lag = 1) : Filter(filter), lag_(lag) {
    const NoiseForm noise = this->forecast_.noise;
    if (!Filter::Problem::perfect_model && noise != NoiseForm::sampled &&
        noise != NoiseForm::ignored)
      throw ConfigError(
          "Enks: forecast.noise is a square root, which mixes the members, so that they no longer "
          "belong to their past; take NoiseForm::sampled");
  }

  /// See EnsembleFilter::start.
  [[nodiscard]] Carried start(const FirstGuessBatch& guess, double deviation,
                              const RandomKey& key) const {
    return {Filter::start(guess, deviation, key)};
  }

  /// Every member one cycle on; the ensemble joins the past, and the oldest leaves it.
  void forecast(Carried& carried) const {
    auto& past = carried.past;
    if (past.size() < lag_)
      past.push_back(carried.ensemble);
    else if (lag_ > 0) {
      std::rotate(past.begin(), past.begin() + 1, past.end());
      past.back() = carried.ensemble;
    }
    Filter::forecast(carried);
    for (Ensemble& before : past) carried.failed.replace(before);
  }

  void analyse(Carried& carried, const Observed& observed, const RandomKey& key) const {
    Filter::analyse(carried, observed, key);
    for (Ensemble& past : carried.past) {
      for (std::size_t i = 0; i < size; ++i) {
        T x;
        const double mean = Filter::centre(past[i], x);
        x *= T(carried.space.empty() ? 1 : Filter::inflation_.before);
        past[i] = Filter::analysed(carried.space, mean, x, carried.space.transformed(x));
      }
      past.repeat_last_lane();
    }
  }

  /// The mean at the oldest time given all observations up to the newest; returns how many cycles
  /// ago that was (`lag`, once so many have passed).
  std::size_t smoothed(const Carried& carried, Estimate& to) const {
    const Ensemble& oldest = carried.past.empty() ? carried.ensemble : carried.past.front();
    T x;
    for (std::size_t i = 0; i < size; ++i) to[i] = Filter::centre(oldest[i], x);
    return carried.past.size();
  }

  /// What of it outlives a process, see save_carried.
  template <class Archive>
  void transfer(Carried& carried, Archive& archive) const {
    archive.same("filter", Filter::method);
    archive.same("lag", lag_);
    Filter::transfer(carried, archive);
    std::size_t length = carried.past.size();
    archive.count("past", length, lag_);
    carried.past.resize(length);
    for (std::size_t n = 0; n < length; ++n) archive.batch(to_text("past.", n), carried.past[n]);
  }

 private:
  std::size_t lag_;
};

}  // namespace dan
