// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "dan/analysis/member_forecast.hpp"
#include "dan/analysis/reaches.hpp"
#include "dan/core/batch.hpp"
#include "dan/core/error.hpp"
#include "dan/core/random.hpp"
#include "dan/problem/problem.hpp"

namespace dan {

/// The options of an EnSRF.
struct EnsrfConfig {
  double inflation = 1;  ///< factor of the analysis' anomalies, where anything is observed
  /// Rotate the anomalies randomly after the analysis, keeping the mean; members: a power of two.
  bool rotation = false;
  Localisation localisation{};
  ForecastConfig forecast{};
};

/// The serial ensemble square-root filter: one observation after the other, runs side by side.
///
/// For every slot j, with y the row of its observed anomalies, ȳ their mean and p = 1/R_jj:
///   d = N − 1 + p yᵀy,  x̄ ← x̄ + (p/d) X y (y_j − ȳ),  X ← X − α (p/d) X y yᵀ,
///   α = 1 / (1 + √((N−1)/d)),
/// for the state and for the observed ensemble of the slots that follow. Mean and covariance of the
/// analysis are those of an ETKF of the same forecast. There is no eigenproblem, so
/// that `Runs` independent runs are computed side by side, a lane each, also in float; a run that
/// diverges stays in its lane. A forecast replaces members that fail and adds the problem's model
/// noise (analysis/member_forecast.hpp).
/// With `rotation`, X ← X U, U = H D H / N, keyed by run and cycle: H is the Hadamard matrix of
/// order N, whose first column is ones, D random signs, the first +1; U Uᵀ = I and U 1 = 1. It
/// prevents outliers, members that carry much of the variance: on Lorenz 96 more members give a
/// larger error without it and a smaller one with it (docs/notebook.md).
/// With `localisation`, the covariances X y are multiplied by the taper of the distance between
/// the observation and what is updated, state or slot; what it does not reach is not computed.
/// The constructor throws ConfigError unless inflation > 0, N a power of two if it is to rotate,
/// the localisation valid and slots at places for it (whitened ones are not); `analyse` throws
/// NumericalError for an observation that is not valid. Cost per run and cycle: N model steps and
/// 4 N flops per observation and element of state and (half of) observations that it reaches;
/// rotation 2 N log₂ N flops per element; localised, where places come with the observations,
/// slots · (points + slots) distances. Memory: 2 N states, N slots; localised, an entry per
/// observation and what it reaches.
/// Source: Whitaker and Hamill, Mon. Weather Rev. 130 (2002) 1913–1924, equations 10–13; localised:
/// Houtekamer and Mitchell, ibid. 129 (2001) 123–137; rotations that keep the mean, against
/// outliers: Sakov and Oke, ibid. 136 (2008) 1042–1053. H D H / N is ours: not uniform as
/// `EnsembleSpace::find_rotation`, but N log N.
template <class Problem_, std::size_t Members, std::size_t Runs = simd_width<double>,
          class Real_ = double>
class Ensrf : public AnalysisTypes<Problem_, Real_, Runs> {
 public:
  using Problem = Problem_;
  using Types = AnalysisTypes<Problem, Real_, Runs>;
  using typename Types::Estimate, typename Types::FirstGuessBatch, typename Types::Observed;
  using Types::channels, Types::points, Types::size, Types::slots;
  using T = lanes_t<Real_, Runs>;
  static constexpr std::size_t members = Members;
  static constexpr std::string_view method = "Ensrf";
  static_assert(Members >= 2, "Ensrf: an ensemble needs at least 2 members");

  /// The ensembles, and work space; the anomalies of an analysis stay there until the next.
  struct Carried {
    Batch<Real_, Members * size, 1, Runs> ensemble;  ///< members × points × channels
    std::array<RandomKey, Runs> keys{};              ///< of the last forecast
    std::array<double, Runs> replaced{};             ///< share of the members, in the last forecast
    Aligned<T> observed = Aligned<T>(slots);
    /// Anomalies, a row of members for each element of state and slot, and means.
    Aligned<T> anomalies = Aligned<T>(rows * Members);
    Aligned<T> mean = Aligned<T>(rows);
    Aligned<T> heard = Aligned<T>(points);  ///< sum of the precisions of what reaches a point
  };

  explicit Ensrf(const Problem& problem, const EnsrfConfig& config = {})
      : problem_(problem),
        weights_(problem.weights()),
        reaches_("Ensrf", problem, config.localisation),
        inflation_(static_cast<Real_>(config.inflation)),
        rotation_(config.rotation),
        forecast_(config.forecast) {
    config.forecast.require_valid("Ensrf");
    require_positive("Ensrf", "inflation", config.inflation);
    if (CorrelatedOperator<typename Problem::Operator> && !config.localisation.global())
      throw ConfigError(
          "Ensrf: one whitened observation after the other cannot be localised, they have no "
          "place; take Letkf or Enkf, or no localisation");
    if (rotation_ && !std::has_single_bit(Members))
      throw ConfigError(to_text("Ensrf: rotation with ", Members,
                                " members, expected a power of two or no rotation"));
  }

  /// Members guess + N(0, deviation²) units of the norm, keyed by `key` and the lane; throws
  /// ConfigError unless deviation > 0.
  [[nodiscard]] Carried start(const FirstGuessBatch& guess, double deviation,
                              const RandomKey& key) const {
    require_positive("Ensrf::start", "deviation", deviation);
    Carried carried;
    std::vector<double> state(size);
    for (std::size_t l = 0; l < Runs; ++l) {
      for (std::size_t i = 0; i < size; ++i) state[i] = guess.at(i, l);
      start_lane(carried, l, std::span<const double, size>(state), deviation, key.of_lane(l));
    }
    carried.ensemble.repeat_last_lane();
    return carried;
  }

  /// The same for one lane, all others untouched.
  void start_lane(Carried& carried, std::size_t lane, std::span<const double, size> guess,
                  double deviation, const RandomKey& key) const {
    carried.keys[lane] = key;
    const auto error = problem_.errors(key.with(Purpose::ensemble), deviation, Members);
    for (std::size_t n = 0; n < error.size(); ++n)
      carried.ensemble.at(n, lane) = static_cast<Real_>(guess[n % size] + error[n]);
  }

  /// Every member one cycle on.
  void forecast(Carried& carried) const {
    T sum(Real_(0));
    const auto time = static_cast<double>(carried.keys[0].cycle);
    for (std::size_t m = 0; m < Members; ++m) {
      T* state = carried.ensemble.data() + m * size;
      at_time(problem_.model, time).step(state, state);
      for (std::size_t i = 0; i < size; ++i) sum += state[i];
    }
    const bool noise = !Problem::perfect_model && forecast_.noise != NoiseForm::ignored;
    for (std::size_t l = 0; l < Runs; ++l) {
      ++carried.keys[l].cycle;
      carried.replaced[l] = 0;
      if (noise || !std::isfinite(lane_of(sum, l))) finish_lane(carried, l);
    }
  }

  void analyse(Carried& carried, const Observed& observed, const RandomKey& key) const {
    require_valid_observations("Ensrf::analyse", observed);
    T* x = carried.anomalies.data();
    T* mean = carried.mean.data();
    for (std::size_t m = 0; m < Members; ++m) {
      const T* state = carried.ensemble.data() + m * size;
      for (std::size_t i = 0; i < size; ++i) x[i * Members + m] = state[i];
      placed(problem_.observe, observed).observe(state, carried.observed.data());
      for (std::size_t j = 0; j < slots; ++j)
        x[(size + j) * Members + m] = where_reporting(observed, j, carried.observed[j]);
    }
    for (std::size_t i = 0; i < rows; ++i) centre(x + i * Members, mean[i]);
    const T free(Real_(Members - 1)), one(Real_(1));
    const auto& all = reaches_.of(problem_, observed);
    std::ranges::fill(carried.heard, T(Real_(0)));
    std::array<T, Members> y;
    for (std::size_t j = 0; j < slots; ++j) {
      for (std::size_t m = 0; m < Members; ++m) y[m] = x[(size + j) * Members + m];
      using std::sqrt;
      const T precision = observed.precision[j];
      const T total = free + precision * inner(y.data(), y.data());
      const T gain = precision / total, reduced = gain / (one + sqrt(free / total));
      const T departure = departure_of(observed, j, mean[size + j]);
      const auto covariance = [&](std::size_t row) { return inner(x + row * Members, y.data()); };
      const auto update = [&](std::size_t row, const T& with) {
        T* const to = x + row * Members;
        mean[row] += with * gain * departure;
        const T factor = with * reduced;
        for (std::size_t m = 0; m < Members; ++m) to[m] -= factor * y[m];
      };
      if (reaches_.global()) {
        for (std::size_t i = 0; i < size; ++i) update(i, covariance(i));
        for (std::size_t k = size + j + 1; k < rows; ++k) update(k, covariance(k));
        for (T& sum : carried.heard) sum += precision;
        continue;
      }
      for (const auto& [p, taper] : all[j].points) {
        for (std::size_t i = channels * p; i < channels * (p + 1); ++i)
          update(i, T(taper) * covariance(i));
        carried.heard[p] += T(taper) * precision;
      }
      for (const auto& [k, taper] : all[j].slots) update(size + k, T(taper) * covariance(size + k));
    }
    if constexpr (std::has_single_bit(Members))
      if (rotation_) rotate(x, key.with(Purpose::analysis));
    for (T& sum : carried.heard) sum = where_positive(sum, T(inflation_), one);
    for (std::size_t m = 0; m < Members; ++m)
      for (std::size_t i = 0; i < size; ++i)
        carried.ensemble[m * size + i] = mean[i] + carried.heard[i / channels] * x[i * Members + m];
  }

  /// x̄.
  void estimate(const Carried& carried, Estimate& to) const {
    for (std::size_t i = 0; i < size; ++i) {
      const T mean = mean_of(carried, i);
      for (std::size_t l = 0; l < Runs; ++l) to.at(i, l) = static_cast<double>(lane_of(mean, l));
    }
    to.repeat_last_lane();
  }

  /// P^a_{i,k} = Σ_m x'_{m,i} x'_{m,k} / (N − 1) of the last `analyse`, before inflation and not
  /// tapered, for each element i of the state and the elements k of its stencil of this width.
  /// `to`: points × channels × taps × channels, overwritten. Cost: 2 N flops per number.
  template <class Geometry, std::size_t Width>
  void covariances(const Carried& carried, T* to) const {
    const T* x = carried.anomalies.data();
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t j = 0; j < Geometry::taps(Width); ++j)
        for (std::size_t c = 0; c < channels; ++c)
          *to++ = T(Real_(1) / (Members - 1)) *
                  inner(x + i * Members,
                        x + (Geometry::tap(i / channels, j, Width) * channels + c) * Members);
  }

  /// Number i of member m of run l.
  [[nodiscard]] static auto& element(Carried& carried, std::size_t m, std::size_t i,
                                     std::size_t l) {
    return carried.ensemble.at(m * size + i, l);
  }

  /// What of it outlives a process, see save_carried.
  template <class Archive>
  void transfer(Carried& carried, Archive& archive) const {
    archive.batch("ensemble", carried.ensemble);
    transfer_keys(carried.keys, archive);
  }

  /// The share of the members that were replaced in the last forecast, a number for each run.
  void replaced(const Carried& carried, std::span<double> to) const {
    std::ranges::copy(carried.replaced, to.begin());
  }

  /// Member m of lane `run`.
  void member(const Carried& carried, std::size_t run, std::size_t m, std::span<double> to) const {
    for (std::size_t i = 0; i < size; ++i)
      to[i] = static_cast<double>(carried.ensemble.at(m * size + i, run));
  }

  /// The ensemble's standard deviation in the problem's norm, a number for each run.
  void spread(const Carried& carried, std::span<double> to) const {
    T variance(Real_(0));
    for (std::size_t i = 0; i < size; ++i) {
      const T mean = mean_of(carried, i);
      for (std::size_t m = 0; m < Members; ++m) {
        const T anomaly = carried.ensemble[m * size + i] - mean;
        variance += T(static_cast<Real_>(weights_[i])) * anomaly * anomaly;
      }
    }
    for (std::size_t l = 0; l < Runs; ++l)
      to[l] = std::sqrt(static_cast<double>(lane_of(variance, l)) / (Members - 1) / size);
  }

 private:
  static constexpr std::size_t rows = size + slots;

  /// Failed members and model noise of one run; one with too many failed members stays as it is.
  void finish_lane(Carried& carried, std::size_t lane) const {
    Batch<double, Problem::points, channels, Members> one;
    FailedMembers<Members> failed;
    for (std::size_t m = 0; m < Members; ++m)
      for (std::size_t i = 0; i < size; ++i)
        one.at(i, m) = static_cast<double>(carried.ensemble.at(m * size + i, lane));
    one.repeat_last_lane();
    if (!finish_forecast(problem_, forecast_, carried.keys[lane], failed, one)) return;
    carried.replaced[lane] = static_cast<double>(failed.count()) / Members;
    for (std::size_t m = 0; m < Members; ++m)
      for (std::size_t i = 0; i < size; ++i)
        carried.ensemble.at(m * size + i, lane) = static_cast<Real_>(one.at(i, m));
    if (lane + 1 == Runs) carried.ensemble.repeat_last_lane();
  }

  /// Σ_m a_m b_m
  static T inner(const T* a, const T* b) {
    T sum(Real_(0));
    for (std::size_t m = 0; m < Members; ++m) sum += a[m] * b[m];
    return sum;
  }

  /// Turns a row of members into their anomalies; their mean goes to `mean`.
  static void centre(T* row, T& mean) {
    mean = row[0];
    for (std::size_t m = 1; m < Members; ++m) mean += row[m];
    mean *= T(Real_(1) / Members);
    for (std::size_t m = 0; m < Members; ++m) row[m] -= mean;
  }

  /// X ← X H D H / N, keyed by `key` and the lane.
  static void rotate(T* x, const RandomKey& key) {
    std::array<T, Members> signs;
    signs.fill(T(Real_(1) / Members));
    std::array<double, Members> uniform;
    for (std::size_t l = 0; l < lanes_of<T>; ++l) {  // padding as the last run
      const std::size_t run = std::min(l, Runs - 1);
      fill_uniform<double>(key.of_lane(run), uniform);
      for (std::size_t m = 1; m < Members; ++m)
        if (uniform[m] < 0.5) lane_of(signs[m], l) = -lane_of(signs[m], l);
    }
    for (std::size_t i = 0; i < size; ++i) {
      T* const row = x + i * Members;
      multiply_by_hadamard(row);
      for (std::size_t m = 0; m < Members; ++m) row[m] *= signs[m];
      multiply_by_hadamard(row);
    }
  }

  /// A row times the Hadamard matrix of Sylvester's construction, which is symmetric.
  static void multiply_by_hadamard(T* row) {
    for (std::size_t half = 1; half < Members; half *= 2)
      for (std::size_t first = 0; first < Members; first += 2 * half)
        for (std::size_t m = first; m < first + half; ++m) {
          const T a = row[m], b = row[m + half];
          row[m] = a + b, row[m + half] = a - b;
        }
  }

  static T mean_of(const Carried& carried, std::size_t i) {
    T mean = carried.ensemble[i];
    for (std::size_t m = 1; m < Members; ++m) mean += carried.ensemble[m * size + i];
    return T(Real_(1) / Members) * mean;
  }

  Problem problem_;
  std::vector<double> weights_;  ///< of the norm
  SlotReaches<Problem, T, Runs> reaches_;
  Real_ inflation_;
  bool rotation_;
  ForecastConfig forecast_;
};

}  // namespace dan
