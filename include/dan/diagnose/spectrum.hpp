// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <vector>

#include "dan/core/batch.hpp"
#include "dan/core/error.hpp"
#include "dan/core/linalg.hpp"
#include "dan/core/tensor.hpp"
#include "dan/diagnose/gain.hpp"
#include "dan/diagnose/increment.hpp"
#include "dan/experiment/record.hpp"

/// \file
/// The covariances that methods believe in, and their eigenvalues mode by mode:
///
///     CovarianceRecorder learned(20), filter(20);              // every 20th cycle
///     run_twin(problem, method, config, learned);
///     run_twin(problem, EnkfN<MyProblem, 40>(problem), config, filter);  // same truths, same y
///     const auto dan = mean_spectrum(learned.covariances);
///     const auto enkf = mean_spectrum(filter.covariances);
///     const auto inflation = effective_inflation(learned.covariances, filter.covariances);

namespace dan {

/// Covariances of the same kind, run × time × (size × size).
using CovarianceSeries = std::vector<std::vector<Matrix>>;

/// ½ (A + Aᵀ).
[[nodiscard]] inline Matrix symmetric_part(const Matrix& a) {
  detail::require_square("symmetric_part", a);
  Matrix out = a;
  for (std::size_t i = 0; i < a.shape()[0]; ++i)
    for (std::size_t j = 0; j < a.shape()[1]; ++j) out(i, j) = 0.5 * (a(i, j) + a(j, i));
  return out;
}

/// ‖A − Aᵀ‖ / ‖A + Aᵀ‖ (Frobenius norms): 0 for a symmetric matrix, 1 for an antisymmetric one.
[[nodiscard]] inline double asymmetry(const Matrix& a) {
  detail::require_square("asymmetry", a);
  double less = 0, more = 0;
  for (std::size_t i = 0; i < a.shape()[0]; ++i)
    for (std::size_t j = 0; j < a.shape()[1]; ++j)
      less += std::pow(a(i, j) - a(j, i), 2), more += std::pow(a(i, j) + a(j, i), 2);
  return std::sqrt(less / more);
}

/// X Xᵀ/(N − 1) of an ensemble, X its anomalies: size × size. Cost: N · size².
template <class Ensemble>
[[nodiscard]] Matrix ensemble_covariance(const Ensemble& ensemble) {
  constexpr std::size_t size = Ensemble::size, members = Ensemble::lanes;
  static_assert(members >= 2, "ensemble_covariance: needs at least 2 members");
  auto x = zero_tensor<double>(size, members);
  for (std::size_t i = 0; i < size; ++i) {
    double mean = 0;
    for (std::size_t m = 0; m < members; ++m) mean += ensemble.at(i, m) / members;
    for (std::size_t m = 0; m < members; ++m)
      x(i, m) = (ensemble.at(i, m) - mean) / std::sqrt(members - 1.0);
  }
  return matrix_product(x, transpose_of(x));
}

/// Keeps the covariance of the analysis' error that a method believes in, in every `every`-th
/// scored cycle: of an ensemble filter that of its analysed ensemble, of a learned analysis
/// `learned_covariance` at the cycle's forecast and memory.
///
/// Two methods in the same experiment have theirs of the same truths, observations and times.
/// Throws ConfigError for `every` = 0. Memory: size² numbers each.
struct CovarianceRecorder : EmptyRecorder {
  std::size_t every;
  ExpandedAt about;
  CovarianceSeries covariances{};

  explicit CovarianceRecorder(std::size_t every_cycle, ExpandedAt where = ExpandedAt::zero)
      : every(every_cycle), about(where) {
    require_at_least("CovarianceRecorder", "every", every, 1);
  }

  void begin(const auto& group) { covariances.resize(group.runs); }
  void after_analysis(const auto& view) {
    using Method = std::decay_t<decltype(view.method)>;
    static_assert(HasMembers<Method> || LearnedMethod<Method>,
                  "CovarianceRecorder: the method must be an ensemble filter that shows its "
                  "members (HasMembers) or a Learned analysis");
    if (!view.scored() || (view.twin.cycle() - view.burn_in - 1) % every != 0) return;
    for (std::size_t l = 0; l < view.runs; ++l) {
      if (!view.going(l)) continue;
      if constexpr (HasMembers<Method>) {
        Batch<double, Method::points, Method::channels, Method::members> ensemble;
        std::vector<double> one(ensemble.size);
        for (std::size_t m = 0; m < Method::members; ++m) {
          view.method.member(view.carried, l, m, one);
          for (std::size_t i = 0; i < one.size(); ++i) ensemble.at(i, m) = one[i];
        }
        covariances[l].push_back(ensemble_covariance(ensemble));
      } else {
        const LearnedIncrement increment(view.method);
        const auto in = increment.input(view.carried, l);
        covariances[l].push_back(learned_covariance<decltype(increment)>(increment, in, about));
      }
    }
  }
  template <class Archive>
  void transfer(Archive& archive) {
    transfer_list(covariances, archive, [&](auto& run) {
      transfer_list(run, archive, [&](Matrix& p) { transfer_matrix(p, archive); });
    });
  }
  void merge(const CovarianceRecorder& next) {
    covariances.insert(covariances.end(), next.covariances.begin(), next.covariances.end());
  }
};

/// The eigenvalues of ½ (P + Pᵀ), the largest first, mode by mode the mean over runs and times.
/// Throws ConfigError without a covariance. Cost: an eigenproblem each.
[[nodiscard]] inline std::vector<double> mean_spectrum(const CovarianceSeries& covariances) {
  std::vector<double> mean;
  double count = 0;
  for (const auto& run : covariances)
    for (const Matrix& p : run) {
      const auto values = symmetric_eigen(symmetric_part(p)).values;
      mean.resize(values.size());
      for (std::size_t k = 0; k < mean.size(); ++k) mean[k] += values(mean.size() - 1 - k);
      ++count;
    }
  if (count == 0)
    throw ConfigError(
        "mean_spectrum: there is no covariance, expected at least one; record scored "
        "cycles of a run that goes on");
  for (double& value : mean) value /= count;
  return mean;
}

/// What `learned` makes of each mode of `filter`: with v_k and λ_k the eigenvectors and values of
/// the filter's covariances, the largest first,
///   r_k = Σ v_kᵀ P v_k / Σ λ_k, sums over runs and times,
/// each P on the modes of its own time. 1 is agreement, above 1 an inflation of the variance.
///
/// Not a number where the filter has no variance (from mode N − 1 of N members on). Throws
/// ShapeError unless both hold as many covariances of each run: a run that failed in one
/// experiment belongs into neither. Cost: an eigenproblem each. Source: ours; the talk compares the
/// spectra alone.
[[nodiscard]] inline std::vector<double> effective_inflation(const CovarianceSeries& learned,
                                                             const CovarianceSeries& filter) {
  require_size("effective_inflation", "learned", learned.size(), filter.size(),
               "run of the filter");
  std::vector<double> variance, expected;
  for (std::size_t r = 0; r < filter.size(); ++r) {
    require_size("effective_inflation", to_text("run ", r, " of learned"), learned[r].size(),
                 filter[r].size(), "covariance of the filter");
    for (std::size_t n = 0; n < filter[r].size(); ++n) {
      const auto [values, vectors] = symmetric_eigen(symmetric_part(filter[r][n]));
      const std::size_t size = values.size();
      const Matrix on_modes = matrix_product(learned[r][n], vectors);
      variance.resize(size), expected.resize(size);
      for (std::size_t k = 0; k < size; ++k) {
        expected[k] += values(size - 1 - k);
        for (std::size_t i = 0; i < size; ++i)
          variance[k] += vectors(i, size - 1 - k) * on_modes(i, size - 1 - k);
      }
    }
  }
  for (std::size_t k = 0; k < variance.size(); ++k)
    variance[k] = expected[k] > 1e-10 * expected[0] ? variance[k] / expected[k]
                                                    : std::numeric_limits<double>::quiet_NaN();
  return variance;
}

}  // namespace dan
