// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "dan/analysis/inflation.hpp"
#include "dan/analysis/member_forecast.hpp"
#include "dan/core/batch.hpp"
#include "dan/core/error.hpp"
#include "dan/core/graded_rows.hpp"
#include "dan/core/random.hpp"
#include "dan/core/symmetric_eigen.hpp"
#include "dan/problem/problem.hpp"

/// \file
/// What the ensemble filters share.
///
/// Notation: N members x_i, mean x̄, anomalies X = (x_i − x̄); in observation space ȳ = mean of
/// H(x_i), Y = (H(x_i) − ȳ), departure δ = y − ȳ. Everything happens in the space of the members:
///   S = Yᵀ R⁻¹ Y,  b = Yᵀ R⁻¹ δ,  w = (S + ζ I)⁻¹ b,  T = √(N−1) (S + ζ I)^{-1/2},
///   E^a = x̄ 1ᵀ + X w 1ᵀ + X^a U,  X^a = X T, inflated,
/// with ζ = N − 1 for the ETKF and a found ζ for the EnKF-N; U = I or a random rotation.

namespace dan {

/// The analysis in the space of the members: S, b, their eigenvectors, w and T.
///
/// The eigenvectors are those of S where the ratio
///   q = Σ_j (variance of the ensemble in slot j) / R_jj = trace S / (N − 1)
/// is at most `largest_ratio`. Round-off in S then changes w and T by about 1e-16 q of their size,
/// at most 1e-12, in the directions that the observations hardly see (times (N − 1) / ζ of an
/// EnKF-N far from the truth). Beyond, they are the singular vectors of R^{-1/2} Y, which keep the
/// digits of every observation whatever the precision of the others (core/graded_rows.hpp): w and T
/// are right as if Y and δ had been read with errors of 1e-16 of their sizes, slot by slot.
///
/// Rows are packs of N lanes, padding lanes zero. Memory: 5 N² numbers, and N per observation,
/// allocated when first needed. Cost: N² per observation, about 11 N³ flops for eigenvectors and T;
/// beyond `largest_ratio` in all about eight times the time (20 and 40 members, 40 observations).
template <std::size_t Members>
class EnsembleSpace {
 public:
  static_assert(Members >= 2,
                "EnsembleSpace: an ensemble needs at least 2 members; take more, or a method for a "
                "single state: Var3d, Var4d, Ekf");
  using T = lanes_t<double, Members>;
  static constexpr double largest_ratio = 1e4;

  /// No observations: S = 0, b = 0.
  void clear() {
    std::ranges::fill(gram_, T(0));
    b_ = T(0);
    observations_.clear();
    noise_.clear();
  }

  /// Adds one observation: S += p y yᵀ, b += p δ y, with y a row of Y and p = 1/R_jj.
  void add(const T& y, double precision, double departure) {
    for (std::size_t i = 0; i < Members; ++i) add_scaled(precision * y[i], y, gram_[i]);
    add_scaled(precision * departure, y, b_);
    observations_.push_back({y, precision, departure});
  }
  /// Adds the row of R^{-1/2} D of an observation, in the order of the observations; D: errors of
  /// the members' own observations, for `noise`.
  void add_noise(const T& noise) { noise_.push_back(noise); }

  /// Whether nothing was added since `clear`.
  [[nodiscard]] bool empty() const { return observations_.empty(); }

  /// Finds eigenvalues λ, eigenvectors v and β = v·b of S.
  /// Throws NumericalError, in the name of `function`, unless q is finite.
  void decompose(std::string_view function) {
    double trace = 0;
    for (std::size_t i = 0; i < Members; ++i) trace += gram_[i][i];
    if (!std::isfinite(trace))
      throw NumericalError(
          to_text(function, ": the ratios of the observed ensemble's variance to R sum up to ",
                  trace / (Members - 1),
                  ", expected a finite number; an observation variance is too small "
                  "for the spread of the ensemble, or the ensemble has diverged"));
    graded_ = trace > largest_ratio * (Members - 1);
    if (graded_) return decompose_rows();
    matrix_ = gram_;
    symmetric_eigen<Members, lanes_of<T>>(matrix_[0].lanes(), values_.data(), vectors_[0].lanes());
    for (std::size_t k = 0; k < Members; ++k) {
      values_[k] = std::max(values_[k], 0.0);  // S is positive semidefinite: below is round-off
      projections_[k] = sum_lanes(vectors_[k] * b_);
    }
  }

  /// Finds eigenvalues and eigenvectors of S + ζ I − κ w wᵀ, S decomposed and w = (S + ζ I)⁻¹ b.
  /// Throws NumericalError, in the name of `function`, unless this matrix is positive definite.
  void decompose_radial(std::string_view function, double zeta, double kappa) {
    double least = 0;
    if (graded_) {
      least = subtract_radial(zeta, kappa);
    } else {
      matrix_ = gram_;
      for (std::size_t i = 0; i < Members; ++i) {
        matrix_[i][i] += zeta;
        add_scaled(-kappa * w_[i], w_, matrix_[i]);
      }
      symmetric_eigen<Members, lanes_of<T>>(matrix_[0].lanes(), values_.data(),
                                            vectors_[0].lanes());
      least = values_[0];
    }
    if (!(least > 0))
      throw NumericalError(
          to_text(function, ": the Hessian with its radial term has the eigenvalue ", least,
                  ", expected all above zero; the observations are too far from the "
                  "ensemble, leave out radial_hessian or use more inflation"));
  }

  /// λ, ascending; of S none below zero.
  [[nodiscard]] std::span<const double, Members> values() const { return values_; }
  /// β.
  [[nodiscard]] std::span<const double, Members> projections() const { return projections_; }
  /// v_k; N lanes, padding zero.
  [[nodiscard]] const T& vector(std::size_t k) const { return vectors_[k]; }
  /// w; N lanes, padding zero.
  [[nodiscard]] const T& weights() const { return w_; }
  /// x T.
  [[nodiscard]] T transformed(const T& x) const { return product(x, root_); }
  /// x U.
  [[nodiscard]] T rotated(const T& x) const { return product(x, rotation_); }

  /// w = (S + ζ I)⁻¹ b.
  void find_weights(double zeta) {
    w_ = T(0);
    for (std::size_t k = 0; k < Members; ++k)
      add_scaled(projections_[k] / (values_[k] + zeta), vectors_[k], w_);
  }

  /// T = √(N − 1) (A + ζ I)^{-1/2}, the symmetric root, of the decomposed A.
  void find_root(double zeta) {
    std::ranges::fill(root_, T(0));
    for (std::size_t k = 0; k < Members; ++k) {
      const double scale = std::sqrt(Members - 1.0) / std::sqrt(values_[k] + zeta);
      for (std::size_t i = 0; i < Members; ++i)
        add_scaled(scale * vectors_[k][i], vectors_[k], root_[i]);
    }
  }

  /// Both, of the decomposed S.
  void solve(double zeta) {
    find_weights(zeta);
    find_root(zeta);
  }

  /// Prepares `noise` for the ζ of `find_root`.
  void find_noise(double zeta) {
    std::ranges::fill(matrix_, T(0));
    if (graded_) {  // (S + ζ I)⁻¹ Yᵀ R⁻¹ D
      for (std::size_t k = Members - rank_; k < Members; ++k) {
        T along(0);
        std::copy_n(rows_.row(Members - 1 - k) + Members + 1, Members, along.lanes());
        const double scale = std::sqrt(values_[k]) / (values_[k] + zeta);
        for (std::size_t i = 0; i < Members; ++i)
          add_scaled(scale * vectors_[k][i], along, matrix_[i]);
      }
    } else {  // Yᵀ R⁻¹ D / (N − 1)
      for (std::size_t j = 0; j < noise_.size(); ++j) {
        const auto& [y, precision, departure] = observations_[j];
        const double root = std::sqrt(precision) / (Members - 1);
        for (std::size_t i = 0; i < Members; ++i) add_scaled(root * y[i], noise_[j], matrix_[i]);
      }
    }
  }
  /// x (S + ζ I)⁻¹ Yᵀ R⁻¹ D; `twice`: x T², T with the factor √(N − 1).
  [[nodiscard]] T noise(const T& x, const T& twice) const {
    return product(graded_ ? x : twice, matrix_);
  }

  /// U, uniform among the orthogonal matrices that keep the mean (U 1 = 1).
  ///
  /// U = Qᵀ P: the rows of Q are 1/√N and an orthonormalised Gaussian sample, P is the Householder
  /// reflection with first row 1/√N.
  /// Source: Sakov and Oke, Mon. Weather Rev. 136 (2008) 1042–1053, section 3.
  void find_rotation(const RandomKey& key) {
    std::vector<double> normal(Members * Members);
    fill_normal<double>(key.with(Purpose::analysis), normal);
    Rows& q = matrix_;
    const double first = 1 / std::sqrt(static_cast<double>(Members));
    for (std::size_t k = 0; k < Members; ++k) {
      q[k] = T(0);
      for (std::size_t j = 0; j < Members; ++j) q[k][j] = k == 0 ? first : normal[k * Members + j];
      for (int twice = 0; twice < 2 && k > 0; ++twice) {
        for (std::size_t i = 0; i < k; ++i) add_scaled(-sum_lanes(q[i] * q[k]), q[i], q[k]);
        q[k] *= T(1 / std::sqrt(sum_lanes(q[k] * q[k])));
      }
    }
    T v(0);
    for (std::size_t j = 0; j < Members; ++j) v[j] = (j == 0 ? 1.0 : 0.0) - first;
    const double beta = 2 / sum_lanes(v * v);
    for (std::size_t i = 0; i < Members; ++i) {
      T& row = rotation_[i];
      row = T(0);
      for (std::size_t k = 0; k < Members; ++k) row[k] = q[k][i];
      add_scaled(-beta * sum_lanes(row * v), v, row);
    }
  }

  /// y += a x, as a plain loop of fixed length.
  static void add_scaled(double a, const T& x, T& y) {
    const double* from = x.lanes();
    double* to = y.lanes();
    for (std::size_t j = 0; j < lanes_of<T>; ++j) to[j] += a * from[j];
  }

  using Rows = Aligned<T>;
  /// x A, with A square.
  [[nodiscard]] static T product(const T& x, const Rows& a) {
    T out(0);
    for (std::size_t m = 0; m < Members; ++m) add_scaled(x[m], a[m], out);
    return out;
  }

 private:
  struct Observation {
    T y;
    double precision, departure;
  };

  /// λ, v and β from the singular vectors of R^{-1/2} Y, its rows centred once more.
  void decompose_rows() {
    rows_.resize(observations_.size(), Members, noise_.empty() ? 1 : 1 + Members);
    for (std::size_t j = 0; j < observations_.size(); ++j) {
      const auto& [y, precision, departure] = observations_[j];
      const double root = std::sqrt(precision), mean = sum_lanes(y) / Members;
      double* const row = rows_.row(j);
      for (std::size_t m = 0; m < Members; ++m) row[m] = root * (y[m] - mean);
      row[Members] = root * departure;
      if (!noise_.empty()) std::copy_n(noise_[j].lanes(), Members, row + Members + 1);
    }
    read_rows();
    for (std::size_t k = 0; k < Members; ++k)
      projections_[k] =
          k < Members - rank_ ? 0 : std::sqrt(values_[k]) * rows_.row(Members - 1 - k)[Members];
  }

  /// Eigenvalues and eigenvectors of AᵀA, with A the matrix in `rows_`.
  void read_rows() {
    rank_ = rows_.reduce();
    std::ranges::fill(vectors_, T(0));
    values_.fill(0);
    for (std::size_t k = Members; k-- > 0;) {
      T& v = vectors_[k];
      if (Members - 1 - k < rank_) {
        std::copy_n(rows_.row(Members - 1 - k), Members, v.lanes());
        values_[k] = sum_lanes(v * v);
      } else {  // of the eigenvalue zero: the unit vector that is farthest from the others
        T seen(0);
        for (std::size_t l = k + 1; l < Members; ++l) seen += vectors_[l] * vectors_[l];
        v[static_cast<std::size_t>(std::min_element(seen.lanes(), seen.lanes() + Members) -
                                   seen.lanes())] = 1;
        for (int twice = 0; twice < 2; ++twice)
          for (std::size_t l = k + 1; l < Members; ++l)
            add_scaled(-sum_lanes(vectors_[l] * v), vectors_[l], v);
      }
      v *= T(1 / std::sqrt(sum_lanes(v * v)));
    }
  }

  /// Eigenvectors of S + ζ I − κ w wᵀ = AᵀA with, for the eigenvectors v_k of S and c_k = v_k·w,
  ///   a_k = s_k v_k − (1 − √(1 − κ n²)) c_k / (n² s_k) w,  s_k = √(λ_k + ζ),  n² = Σ_k c_k² /
  ///   s_k².
  /// Returns the smallest eigenvalue, or what shows that it is not above zero.
  double subtract_radial(double zeta, double kappa) {
    std::array<double, Members> share;  // c_k / s_k
    double squares = 0;
    for (std::size_t k = 0; k < Members; ++k) {
      share[k] = projections_[k] / std::pow(values_[k] + zeta, 1.5);
      squares += share[k] * share[k];
    }
    const double left = 1 - kappa * squares;
    if (!(left > 0)) return left;
    // (1 − √(1 − κ n²)) / n², without its loss of digits
    const double factor = kappa / (1 + std::sqrt(left));
    rows_.resize(Members, Members, 0);
    for (std::size_t k = 0; k < Members; ++k)
      for (std::size_t m = 0; m < Members; ++m)
        rows_.row(k)[m] = std::sqrt(values_[k] + zeta) * vectors_[k][m] - factor * share[k] * w_[m];
    read_rows();
    return values_[0];
  }

  Rows gram_ = Rows(Members, T(0)), matrix_ = gram_, vectors_ = gram_, root_ = gram_,
       rotation_ = gram_;
  T b_{0.0}, w_{0.0};
  std::array<double, Members> values_{}, projections_{};
  Aligned<Observation> observations_;
  Rows noise_;
  GradedRows rows_;
  std::size_t rank_ = 0;  ///< rows of the result in `rows_`
  bool graded_ = false;   ///< whether the last decomposition was that of `rows_`
};

/// Start, forecast, mean, spread, and the first and last part of an analysis; between them a filter
/// decomposes S and finds w and T.
///
/// Carries an ensemble of one run: points × channels × members. H may be nonlinear: Y and ȳ come
/// from the observed members. Cost per cycle: N model steps, N² flops per observation and state
/// element, and the filter's eigenproblem of size N. A forecast replaces members that fail and adds
/// the problem's model noise (analysis/member_forecast.hpp).
template <class Problem_, std::size_t Members>
class EnsembleFilter : public AnalysisTypes<Problem_, double, 1> {
 public:
  using Problem = Problem_;
  using Types = AnalysisTypes<Problem, double, 1>;
  using typename Types::Estimate, typename Types::FirstGuessBatch, typename Types::Observed;
  using Types::channels, Types::points, Types::size, Types::slots;
  static constexpr std::size_t members = Members;
  using Ensemble = Batch<double, points, channels, Members>;
  using Space = EnsembleSpace<Members>;
  using T = typename Space::T;

  /// An ensemble, the key of its last forecast, and work space that holds nothing from cycle to
  /// cycle.
  struct Carried {
    Ensemble ensemble;
    RandomKey key{};                  ///< that of `start`, cycles counted
    FailedMembers<Members> failed{};  ///< in the last forecast
    Space space{};
    Aligned<T> anomalies = Aligned<T>(size);
    Aligned<T> observed = Aligned<T>(slots);
    std::vector<double> mean = std::vector<double>(size);
  };

  /// `name`: of the filter, for messages. Throws ConfigError for a number out of range.
  explicit EnsembleFilter(const Problem& problem, const Inflation& inflation = {},
                          bool rotation = false, const ForecastConfig& forecast = {},
                          std::string_view name = "EnsembleFilter")
      : name_(name),
        problem_(problem),
        weights_(problem.weights()),
        inflation_(inflation),
        rotation_(rotation),
        forecast_(forecast) {
    inflation.require_valid(name);
    forecast.require_valid(name);
  }

  /// Members guess + N(0, deviation²) units of the norm, keyed by `key`; throws ConfigError unless
  /// deviation > 0.
  [[nodiscard]] Carried start(const FirstGuessBatch& guess, double deviation,
                              const RandomKey& key) const {
    require_positive(to_text(name_, "::start"), "deviation", deviation);
    Carried carried;
    carried.key = key;
    const auto error = problem_.errors(key.with(Purpose::ensemble), deviation, Members);
    for (std::size_t m = 0; m < Members; ++m)
      for (std::size_t i = 0; i < size; ++i)
        carried.ensemble.at(i, m) = guess.at(i, 0) + error[m * size + i];
    carried.ensemble.repeat_last_lane();
    return carried;
  }

  /// Every member one cycle on; throws NumericalError if too many failed.
  void forecast(Carried& carried) const {
    at_time(problem_.model, static_cast<double>(carried.key.cycle++))
        .step(carried.ensemble.data(), carried.ensemble.data());
    if (!finish_forecast(problem_, forecast_, carried.key, carried.failed, carried.ensemble))
      throw NumericalError(to_text(name_, "::forecast: the forecast ensemble is not finite in ",
                                   carried.failed.count(), " of ", Members,
                                   " members, the filter has diverged; use more members or more "
                                   "inflation, or a smaller time step"));
  }

  /// x̄.
  void estimate(const Carried& carried, Estimate& to) const {
    for (std::size_t i = 0; i < size; ++i)
      to.at(i, 0) = sum_lanes(carried.ensemble[i] * valid()) / Members;
  }

  /// Number i of member m.
  [[nodiscard]] static auto& element(Carried& carried, std::size_t m, std::size_t i, std::size_t) {
    return carried.ensemble.at(i, m);
  }

  /// What of it outlives a process, see save_carried.
  template <class Archive>
  void transfer(Carried& carried, Archive& archive) const {
    archive.batch("ensemble", carried.ensemble);
    transfer_keys({&carried.key, 1}, archive);
  }

  /// The share of the members that were replaced in the last forecast.
  void replaced(const Carried& carried, std::span<double> to) const {
    to[0] = static_cast<double>(carried.failed.count()) / Members;
  }

  /// Member m of lane 0, the only run.
  void member(const Carried& carried, std::size_t, std::size_t m, std::span<double> to) const {
    for (std::size_t i = 0; i < size; ++i) to[i] = carried.ensemble.at(i, m);
  }

  /// The ensemble's standard deviation in the problem's norm, √(mean of w Σ X² / (N − 1)).
  void spread(const Carried& carried, std::span<double> to) const {
    double variance = 0;
    for (std::size_t i = 0; i < size; ++i) {
      T x;
      centre(carried.ensemble[i], x);
      variance += weights_[i] * (sum_lanes(x * x) / (Members - 1));
    }
    to[0] = std::sqrt(variance / static_cast<double>(size));
  }

 protected:
  /// First part of an analysis: x̄, X (inflated, if anything is observed), H(x_i), S and b.
  /// Throws NumericalError, in the name of `function`, if an observation is not valid, or a member
  /// or what is observed of it not finite.
  void observe(std::string_view function, Carried& carried, const Observed& observed) const {
    observe_members(function, carried, observed);
    carried.space.clear();
    for (std::size_t j = 0; j < slots; ++j) {
      if (observed.precision[j] == 0) continue;
      T y;
      const double mean = centre(carried.observed[j], y);
      carried.space.add(y, observed.precision[j], observed.values[j] - mean);
    }
  }
  /// The same without S and b, for filters that have some of their own.
  void observe_members(std::string_view function, Carried& carried,
                       const Observed& observed) const {
    require_valid_observations(function, observed);
    const double before = reports(observed) ? inflation_.before : 1;
    double sum = 0;
    for (std::size_t i = 0; i < size; ++i) {
      carried.mean[i] = centre(carried.ensemble[i], carried.anomalies[i]);
      sum += carried.mean[i];
      if (before == 1) continue;
      carried.anomalies[i] *= T(before);
      carried.ensemble[i] = T(carried.mean[i]) + carried.anomalies[i];
    }
    carried.ensemble.repeat_last_lane();
    if (!std::isfinite(sum))
      throw NumericalError(to_text(function,
                                   ": the forecast ensemble is not finite, the filter has "
                                   "diverged; use more members or more inflation"));
    placed(problem_.observe, observed).observe(carried.ensemble.data(), carried.observed.data());
    for (std::size_t j = 0; j < slots; ++j)
      if (observed.precision[j] != 0)
        require_finite_slot(function, j, sum_lanes(carried.observed[j] * valid()) / Members);
  }

  /// Throws NumericalError, in the name of `function`, unless the mean over the members of what
  /// slot j sees is finite.
  static void require_finite_slot(std::string_view function, std::size_t j, double mean) {
    if (!std::isfinite(mean))
      throw NumericalError(to_text(function, ": slot ", j, " of the observed ensemble is ", mean,
                                   ", expected a finite number; H must be finite for "
                                   "every member"));
  }

  /// Last part for X^a = X T: E^a from x̄, X and the found w and T; U is found here.
  void update(Carried& carried, const RandomKey& key) const {
    Space& space = carried.space;
    find_rotation(space, key);
    for (std::size_t i = 0; i < size; ++i) {
      const T& x = carried.anomalies[i];
      carried.ensemble[i] = analysed(space, carried.mean[i], x, space.transformed(x));
    }
    carried.ensemble.repeat_last_lane();
  }

  /// U, if the anomalies are to be rotated.
  void find_rotation(Space& space, const RandomKey& key) const {
    if (rotation_) space.find_rotation(key);
  }

  /// One row of E^a = x̄ 1ᵀ + X w 1ᵀ + X^a U; x and `posterior`: that row of X and of X^a, which is
  /// inflated here, before U mixes the members, if anything was observed.
  [[nodiscard]] T analysed(const Space& space, double mean, const T& x, const T& posterior) const {
    const T inflated = space.empty() ? posterior : inflation_.applied(x, posterior);
    return T(mean + sum_lanes(x * space.weights())) +
           (rotation_ ? space.rotated(inflated) : inflated);
  }

  /// One in the lanes of members, zero in the padding.
  [[nodiscard]] static T valid() {
    T out(0);
    for (std::size_t m = 0; m < Members; ++m) out[m] = 1;
    return out;
  }

  /// Mean and anomalies (padding zero) of one number of the members.
  static double centre(const T& values, T& anomalies) {
    const T mask = valid();
    const double mean = sum_lanes(values * mask) / Members;
    anomalies = (values - T(mean)) * mask;
    return mean;
  }

  std::string_view name_;
  Problem problem_;
  std::vector<double> weights_;  ///< of the norm
  Inflation inflation_;
  bool rotation_;  ///< rotate the anomalies randomly after the analysis
  ForecastConfig forecast_;
};

}  // namespace dan
