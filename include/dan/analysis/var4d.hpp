// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "dan/analysis/climatology.hpp"
#include "dan/analysis/window.hpp"
#include "dan/core/error.hpp"
#include "dan/core/graded_rows.hpp"
#include "dan/core/linalg.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/tensor.hpp"
#include "dan/problem/problem.hpp"

namespace dan {

/// Which observations of its window a 4D-Var uses.
enum class WindowUse {
  newest,  ///< those that are new, so that each is used once
  all      ///< all of them; with shift < lag an observation is used more than once
};

/// What a 4D-Var may be told.
struct Var4dConfig {
  double scale = 0.1;     ///< x_B, the factor of the climatological covariance
  std::size_t lag = 1;    ///< length of the window in cycles; 0: 3D-Var
  std::size_t shift = 1;  ///< cycles by which the window moves from analysis to analysis
  WindowUse use = WindowUse::newest;
  std::size_t iterations = 10;  ///< at most
  double tolerance = 1e-3;      ///< stop when v changes by less (RMS over its elements)
};

/// 4D-Var with a static background covariance, incremental Gauss–Newton.
///
/// With x_b the background at the start of a window of L cycles (see Window), M_b the model from
/// there to batch b of the observations, B = x_B · climatological covariance, it minimises
///   J(v) = ½ vᵀv + ½ Σ_b ‖y_b − H(M_b(x_b + B^{1/2} v))‖²_{R⁻¹}
/// over the batches in use. One iteration, with Y_b = H M_b' B^{1/2} at the present v:
///   v ← v + (I + Σ_b Y_bᵀ R⁻¹ Y_b)⁻¹ (Σ_b Y_bᵀ R⁻¹ (y_b − H(M_b(x_b + B^{1/2} v))) − v).
/// The analysis at the start, moved to the start of the next window by the model, is the next
/// background; B stays. Lag 0 is 3D-Var; on a linear model lag 1 is 3D-Var with M B Mᵀ.
///
/// `estimate` tells of the newest time: after `forecast` the background there; after `analyse` the
/// last trajectory, moved by the last change of v with the tangent. `smoothed` is the analysis at
/// the start of the window. With shift > 1 an analysis takes place in every shift-th cycle only;
/// between, observations are stored and the estimate stays the forecast.
/// `Runs` independent runs are computed side by side, a lane each; each stops by its own
/// tolerance, and a run that diverges stays in its lane.
/// The step is found by Cholesky's factorisation of I + Σ Y_bᵀ R⁻¹ Y_b, with an error of about
/// 1e-16 of the largest eigenvalue; in a run where the ratios of the background's variance to R,
/// trace(Σ Y_bᵀ R⁻¹ Y_b), sum up to more than 1e8, from the singular vectors of R^{-1/2} Y instead,
/// which keep the digits of every observation (core/graded_rows.hpp).
///
/// The constructor throws ShapeError unless the climate fits the model, ConfigError for a number
/// out of its range and NumericalError if the covariance is not positive semidefinite; `analyse`
/// throws NumericalError for an observation that is not finite. Not to have converged within
/// `iterations` is no error: see Carried.
/// Cost per analysis and iteration, per run: L · size tangent steps, size² · slots flops per batch
/// and size³/3; memory: size · (size + slots · batches in use) numbers.
/// Source: Courtier, Thépaut and Hollingsworth, Q. J. R. Meteorol. Soc. 120 (1994) 1367–1387; the
/// linear last step and the window that uses only its newest observation as in DAPPER's Var4D.
template <class Problem_, std::size_t Runs = simd_width<double>>
class Var4d : public AnalysisTypes<Problem_, double, Runs> {
 public:
  using Problem = Problem_;
  static_assert(DifferentiableModel<typename Problem::Model>,
                "Var4d: the model must have step_tangent and step_adjoint; write them, put it "
                "into Differentiated<...>, or take Ienks");
  static_assert(DifferentiableOperator<typename Problem::Operator>,
                "Var4d: the observation operator must have observe_tangent, observe_adjoint and "
                "linear; write them, put it into Differentiated<...>, or take Ienks");
  using Types = AnalysisTypes<Problem, double, Runs>;
  using typename Types::Estimate, typename Types::FirstGuessBatch, typename Types::Observed;
  using Types::size, Types::slots;
  using States = typename Problem::template States<double, Runs>;
  using T = lanes_t<double, Runs>;
  static constexpr std::string_view method = "Var4d";
  using Numbers = Aligned<T>;

  struct Carried {
    States state;                ///< at the newest time
    States start;                ///< at the start of the window
    Window<Observed> window;     ///< the observations since
    std::size_t iterations = 0;  ///< of the last `analyse`, of the run that took most
    bool converged = true;  ///< whether all runs reached the tolerance then, with finite numbers
  };

  Var4d(const Problem& problem, const Climate& climate, const Var4dConfig& config = {})
      : problem_(problem), config_(config) {
    climate.require_size_of("Var4d", size);
    require_positive("Var4d", "scale", config.scale);
    Window<Observed>::require_valid("Var4d", config.lag, config.shift);
    require_at_least("Var4d", "iterations", config.iterations, 1);
    require_positive("Var4d", "tolerance", config.tolerance);
    const auto [values, vectors] = symmetric_eigen(climate.covariance);
    if (!(values[0] >= -1e-10 * std::abs(values[size - 1])))
      throw NumericalError(text("Var4d: climate.covariance has the eigenvalue ", values[0],
                                ", expected none below zero; take the covariance of states, as "
                                "climatology_of does"));
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t j = 0; j < size; ++j)
        for (std::size_t k = 0; k < size; ++k)
          root_(i, j) +=
              std::sqrt(config.scale * std::max(values[k], 0.0)) * vectors(i, k) * vectors(j, k);
  }

  /// The first guess.
  [[nodiscard]] Carried start(const FirstGuessBatch& guess, double, const RandomKey&) const {
    return {guess, guess, {config_.lag, config_.shift}};
  }

  /// Moves the window's start if it is due, and the background from there to the newest time.
  void forecast(Carried& carried) const {
    const std::size_t moved = carried.window.advance();
    for (std::size_t n = 0; n < moved; ++n)
      problem_.model.step(carried.start.data(), carried.start.data());
    carried.state = carried.start;
    for (std::size_t n = 0; n < carried.window.length(); ++n)
      problem_.model.step(carried.state.data(), carried.state.data());
  }

  void analyse(Carried& carried, const Observed& observed, const RandomKey&) const {
    require_valid_observations("Var4d::analyse", observed);
    carried.window.newest() = observed;
    carried.iterations = 0;
    carried.converged = true;
    if (!carried.window.due()) return;
    Numbers v(size, T(0.0)), step(size), hessian(size * size);
    T active(1.0);  // zero in the lanes that have converged
    const double enough = config_.tolerance * config_.tolerance * static_cast<double>(size);
    do {
      const Numbers x = trajectory(carried, v.data());
      const auto columns = tangents(carried, x);
      const T ratio = normal_equations(carried, x, columns, v, hessian, step);
      solve_in_place(hessian, step);
      for (std::size_t l = 0; l < lanes_of<T>; ++l)
        if (lane_of(active, l) > 0 && lane_of(ratio, l) > largest_ratio &&
            std::isfinite(lane_of(ratio, l)))
          solve_rows(carried, x, columns, v, l, step);
      T change(0.0);
      for (std::size_t i = 0; i < size; ++i) {
        T moved = x[x.size() - size + i];
        for (std::size_t k = 0; k < size; ++k) moved += columns.newest[k * size + i] * step[k];
        carried.state[i] = where_positive(active, moved, carried.state[i]);
        step[i] = where_positive(active, step[i], T(0.0));
        v[i] += step[i];
        change += step[i] * step[i];
      }
      active = where_positive(change - T(enough), active, T(0.0));
      carried.converged = !(sum_lanes(active) > 0);  // NaN is not active, see below
    } while (++carried.iterations < config_.iterations && !carried.converged);
    const Numbers x = start_of(carried, v.data());
    std::ranges::copy(x, carried.start.data());
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t l = 0; l < Runs; ++l)
        carried.converged = carried.converged && std::isfinite(carried.state.at(i, l)) &&
                            std::isfinite(carried.start.at(i, l));
  }

  void estimate(const Carried& carried, Estimate& to) const { to = carried.state; }

  /// What of it outlives a process, see save_carried.
  template <class Archive>
  void transfer(Carried& carried, Archive& archive) const {
    archive.batch("state", carried.state);
    archive.batch("start", carried.start);
    carried.window.transfer(archive);
  }

  /// The analysis at the window's start given all observations up to the newest that were
  /// analysed; returns how many cycles before the newest time it is valid (`lag`, once the window
  /// is full).
  std::size_t smoothed(const Carried& carried, Estimate& to) const {
    to = carried.start;
    return carried.window.length();
  }

  /// J(v) of every run with `carried.start` as background; v: state elements.
  [[nodiscard]] T cost(const Carried& carried, const T* v) const {
    const Numbers x = trajectory(carried, v);
    Scratch<T> d(slots, Unset{});
    T sum(0.0);
    for (std::size_t i = 0; i < size; ++i) sum += v[i] * v[i];
    for_batches(carried, [&](const Observed& observed, std::size_t n) {
      placed(problem_.observe, observed).observe(&x[n * size], d.data());
      for (std::size_t j = 0; j < slots; ++j) {
        d[j] = departure_of(observed, j, d[j]);
        sum += observed.precision[j] * d[j] * d[j];
      }
    });
    return T(0.5) * sum;
  }

  /// gradient = ∂J/∂v by one sweep of the adjoint model; v and gradient: state elements.
  void gradient(const Carried& carried, const T* v, T* gradient) const {
    const Numbers x = trajectory(carried, v);
    Scratch<T> d(slots, Unset{});
    Numbers d_x(size, T(0.0)), d_before(size);
    std::size_t at = carried.window.length();  // d_x is the gradient by the state at this time
    const auto back_to = [&](std::size_t n) {
      for (; at > n; --at) {
        std::ranges::fill(d_before, T(0.0));
        problem_.model.step_adjoint(&x[(at - 1) * size], d_x.data(), d_before.data());
        d_x.swap(d_before);
      }
    };
    for_batches(carried, [&](const Observed& observed, std::size_t n) {
      back_to(n);
      placed(problem_.observe, observed).observe(&x[n * size], d.data());
      for (std::size_t j = 0; j < slots; ++j)
        d[j] = -observed.precision[j] * departure_of(observed, j, d[j]);
      placed(problem_.observe, observed).observe_adjoint(&x[n * size], d.data(), d_x.data());
    });
    back_to(0);
    std::copy_n(v, size, gradient);
    add_root(d_x.data(), gradient);
  }

 private:
  static constexpr double largest_ratio = 1e8;

  /// H M_b' B^{1/2}: per batch in use the columns of slots elements; M' B^{1/2} to the newest time.
  struct Columns {
    std::vector<Numbers> observed;  ///< per batch in use, newest first: size × slots; silent: zero
    Numbers newest;                 ///< size × size
  };

  /// Calls use(observations, n) for the batches in use, the newest first; n: cycles after the
  /// start.
  template <class Use>
  void for_batches(const Carried& carried, const Use& use) const {
    const auto& window = carried.window;
    for (std::size_t b = window.batches(); b-- > 0;)
      if (config_.use == WindowUse::all || window.uses_before(b) == 0)
        use(window.batch(b), std::min(b + 1, window.length()));
  }

  /// y += B^{1/2} x.
  void add_root(const T* x, T* y) const {
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t k = 0; k < size; ++k) y[i] += T(root_(i, k)) * x[k];
  }

  /// x_b + B^{1/2} v.
  [[nodiscard]] Numbers start_of(const Carried& carried, const T* v) const {
    Numbers x(carried.start.data(), carried.start.data() + size);
    add_root(v, x.data());
    return x;
  }

  /// The states from there to the newest time, one after the other.
  [[nodiscard]] Numbers trajectory(const Carried& carried, const T* v) const {
    Numbers x = start_of(carried, v);
    x.resize((carried.window.length() + 1) * size);
    for (std::size_t n = 0; n < carried.window.length(); ++n)
      problem_.model.step(&x[n * size], &x[(n + 1) * size]);
    return x;
  }

  [[nodiscard]] Columns tangents(const Carried& carried, const Numbers& x) const {
    Columns columns;
    columns.newest.resize(size * size);
    std::vector<std::pair<const Observed*, std::size_t>> batches;  // and their times
    for_batches(carried, [&](const Observed& observed, std::size_t n) {
      columns.observed.emplace_back(size * slots);
      batches.emplace_back(&observed, n);
    });
    for (std::size_t k = 0; k < size; ++k) {
      T* dx = &columns.newest[k * size];
      for (std::size_t i = 0; i < size; ++i) dx[i] = T(root_(i, k));
      std::size_t left = batches.size();
      for (std::size_t n = 0; n <= carried.window.length(); ++n) {
        if (n > 0) problem_.model.step_tangent(&x[(n - 1) * size], dx, dx);
        if (left > 0 && batches[left - 1].second == n) {
          const Observed& observed = *batches[--left].first;
          placed(problem_.observe, observed)
              .observe_tangent(&x[n * size], dx, &columns.observed[left][k * slots]);
        }
      }
    }
    std::size_t used = 0;
    for_batches(carried, [&](const Observed& observed, std::size_t) {
      Numbers& y = columns.observed[used++];
      for (std::size_t i = 0; i < size * slots; ++i)
        y[i] = where_reporting(observed, i % slots, y[i]);
    });
    return columns;
  }

  /// hessian = I + Σ Y_bᵀ R⁻¹ Y_b (lower triangle), step = Σ Y_bᵀ R⁻¹ d_b − v; returns the trace of
  /// the sum.
  T normal_equations(const Carried& carried, const Numbers& x, const Columns& columns,
                     const Numbers& v, Numbers& hessian, Numbers& step) const {
    std::ranges::fill(hessian, T(0.0));
    for (std::size_t i = 0; i < size; ++i) hessian[i * size + i] = T(1.0), step[i] = -v[i];
    Scratch<T> d(slots, Unset{});
    std::size_t used = 0;
    for_batches(carried, [&](const Observed& observed, std::size_t n) {
      const Numbers& y = columns.observed[used++];
      placed(problem_.observe, observed).observe(&x[n * size], d.data());
      for (std::size_t j = 0; j < slots; ++j) d[j] = departure_of(observed, j, d[j]);
      for (std::size_t i = 0; i < size; ++i) {
        Scratch<T> weighted(slots, Unset{});
        for (std::size_t j = 0; j < slots; ++j) {
          weighted[j] = observed.precision[j] * y[i * slots + j];
          step[i] += weighted[j] * d[j];
        }
        for (std::size_t k = 0; k <= i; ++k) {
          T sum(0.0);
          for (std::size_t j = 0; j < slots; ++j) sum += weighted[j] * y[k * slots + j];
          hessian[i * size + k] += sum;
        }
      }
    });
    T trace(-static_cast<double>(size));
    for (std::size_t i = 0; i < size; ++i) trace += hessian[i * size + i];
    return trace;
  }

  /// The step of lane `lane`: v + step minimises ½ ‖u‖² + ½ Σ_b ‖d_b + Y_b v − Y_b u‖²_{R⁻¹}.
  void solve_rows(const Carried& carried, const Numbers& x, const Columns& columns,
                  const Numbers& v, std::size_t lane, Numbers& step) const {
    GradedRows rows;
    rows.resize(columns.observed.size() * slots, size, 1);
    Scratch<T> h(slots, Unset{});
    std::size_t used = 0;
    for_batches(carried, [&](const Observed& observed, std::size_t n) {
      const Numbers& y = columns.observed[used];
      placed(problem_.observe, observed).observe(&x[n * size], h.data());
      for (std::size_t j = 0; j < slots; ++j) {
        const double root = std::sqrt(observed.precision.at(j, lane));
        const T departure = departure_of(observed, j, h[j]);
        double* const row = rows.row(used * slots + j);
        row[size] = root * lane_of(departure, lane);
        for (std::size_t i = 0; i < size; ++i) {
          row[i] = root * lane_of(y[i * slots + j], lane);
          row[size] += row[i] * lane_of(v[i], lane);
        }
      }
      ++used;
    });
    const std::size_t rank = rows.reduce();
    for (std::size_t i = 0; i < size; ++i) lane_of(step[i], lane) = -lane_of(v[i], lane);
    for (std::size_t k = 0; k < rank; ++k) {
      const double* const row = rows.row(k);
      double square = 0;
      for (std::size_t i = 0; i < size; ++i) square += row[i] * row[i];
      for (std::size_t i = 0; i < size; ++i)
        lane_of(step[i], lane) += row[size] / (1 + square) * row[i];
    }
  }

  /// x ← A⁻¹ x by Cholesky's factorisation in all lanes at once; a: lower triangle, destroyed.
  static void solve_in_place(Numbers& a, Numbers& x) {
    using std::sqrt;
    for (std::size_t i = 0; i < size; ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        T sum = a[i * size + j];
        for (std::size_t k = 0; k < j; ++k) sum -= a[i * size + k] * a[j * size + k];
        a[i * size + j] = i == j ? sqrt(sum) : sum / a[j * size + j];
      }
      for (std::size_t k = 0; k < i; ++k) x[i] -= a[i * size + k] * x[k];
      x[i] /= a[i * size + i];
    }
    for (std::size_t i = size; i-- > 0;) {
      for (std::size_t k = i + 1; k < size; ++k) x[i] -= a[k * size + i] * x[k];
      x[i] /= a[i * size + i];
    }
  }

  Problem problem_;
  Var4dConfig config_;
  Matrix root_ = zeros<double>(size, size);  ///< B^{1/2}, symmetric
};

}  // namespace dan
