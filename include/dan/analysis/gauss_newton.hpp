// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "dan/analysis/window_trajectory.hpp"
#include "dan/core/conjugate_gradients.hpp"
#include "dan/core/graded_rows.hpp"
#include "dan/core/lane_cholesky.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/tensor.hpp"
#include "dan/problem/background/concepts.hpp"

/// \file
/// Two ways to a Gauss–Newton step of 4D-Var: with matrices, and without.
///
/// With Y_b = H' M_b' L along the present trajectory and d_b its departures, both find
///   step = (I + Σ_b Y_bᵀ R⁻¹ Y_b)⁻¹ (Σ_b Y_bᵀ R⁻¹ d_b − v)
/// and add M' L step, its change at the newest time, to `newest`.

namespace dan {

/// By factorising I + Σ Y_bᵀ R⁻¹ Y_b.
///
/// The error is about 1e-16 of the largest eigenvalue; in a run where the ratios of the
/// background's variance to R, trace(Σ Y_bᵀ R⁻¹ Y_b), sum up to more than 1e8, the singular vectors
/// of R^{-1/2} Y are used instead, which keep the digits of every observation
/// (core/graded_rows.hpp). Cost, per run: L · size tangent steps, size² · slots flops per batch and
/// size³/3; memory: size · (size + slots · batches in use) numbers.
template <class Problem, std::size_t Runs>
class FactorisedStep {
 public:
  static constexpr std::size_t size = Problem::size, slots = Problem::slots;
  using Trajectory = WindowTrajectory<Problem, Runs>;
  using T = typename Trajectory::T;
  using Numbers = Aligned<T>;

  template <DenseCovariance Background>
  explicit FactorisedStep(const Background& background) {
    std::vector<double> unit(size), column(size);
    for (std::size_t k = 0; k < size; ++k) {
      unit[k] = 1;
      background.root(unit.data(), column.data());
      for (std::size_t i = 0; i < size; ++i) root_(i, k) = column[i];
      unit[k] = 0;
    }
  }

  [[nodiscard]] static constexpr std::size_t controls() { return size; }
  /// x += L v.
  void add_root(const T* v, T* x) const {
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t k = 0; k < size; ++k) x[i] += T(root_(i, k)) * v[k];
  }
  /// d_v += Lᵀ d_x.
  void root_adjoint(const T* d_x, T* d_v) const {
    for (std::size_t k = 0; k < size; ++k)
      for (std::size_t i = 0; i < size; ++i) d_v[k] += T(root_(i, k)) * d_x[i];
  }

  void find(const Trajectory& x, const Numbers& v, const T& active, Numbers& step,
            T* newest) const {
    const std::size_t rows = x.batches() * slots;
    Numbers observed(size * rows), moved(size * size), hessian(size * size);  // columns of Y, M'L
    for (std::size_t k = 0; k < size; ++k) {
      for (std::size_t i = 0; i < size; ++i) moved[k * size + i] = T(root_(i, k));
      x.tangent(&moved[k * size], &observed[k * rows]);
    }
    const Numbers departures = x.departures();
    const T ratio = normal_equations(x, observed, departures, v, hessian, step);
    factorise_lanes(size, hessian.data());
    divide_by_factor(size, hessian.data(), step.data());
    divide_by_transposed_factor(size, hessian.data(), step.data());
    for (std::size_t l = 0; l < lanes_of<T>; ++l)
      if (lane_of(active, l) > 0 && lane_of(ratio, l) > largest_ratio &&
          std::isfinite(lane_of(ratio, l)))
        solve_rows(x, observed, departures, v, l, step);
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t k = 0; k < size; ++k) newest[i] += moved[k * size + i] * step[k];
  }

 private:
  static constexpr double largest_ratio = 1e8;

  /// hessian = I + Σ Y_bᵀ R⁻¹ Y_b (lower triangle), step = Σ Y_bᵀ R⁻¹ d_b − v; returns the trace of
  /// the sum.
  static T normal_equations(const Trajectory& x, const Numbers& observed, const Numbers& departures,
                            const Numbers& v, Numbers& hessian, Numbers& step) {
    const std::size_t rows = x.batches() * slots;
    std::ranges::fill(hessian, T(0.0));
    for (std::size_t i = 0; i < size; ++i) hessian[i * size + i] = T(1.0), step[i] = -v[i];
    Scratch<T> weighted(slots, Unset{});
    for (std::size_t b = 0; b < x.batches(); ++b) {
      const T* const y = &observed[b * slots];
      for (std::size_t i = 0; i < size; ++i) {
        for (std::size_t j = 0; j < slots; ++j) {
          weighted[j] = x.batch(b).precision[j] * y[i * rows + j];
          step[i] += weighted[j] * departures[b * slots + j];
        }
        for (std::size_t k = 0; k <= i; ++k) {
          T sum(0.0);
          for (std::size_t j = 0; j < slots; ++j) sum += weighted[j] * y[k * rows + j];
          hessian[i * size + k] += sum;
        }
      }
    }
    T trace(-static_cast<double>(size));
    for (std::size_t i = 0; i < size; ++i) trace += hessian[i * size + i];
    return trace;
  }

  /// The step of lane `lane`: v + step minimises ½ ‖u‖² + ½ Σ_b ‖d_b + Y_b v − Y_b u‖²_{R⁻¹}.
  static void solve_rows(const Trajectory& x, const Numbers& observed, const Numbers& departures,
                         const Numbers& v, std::size_t lane, Numbers& step) {
    const std::size_t count = x.batches() * slots;
    GradedRows rows;
    rows.resize(count, size, 1);
    for (std::size_t r = 0; r < count; ++r) {
      const double root = std::sqrt(x.batch(r / slots).precision.at(r % slots, lane));
      double* const row = rows.row(r);
      row[size] = root * lane_of(departures[r], lane);
      for (std::size_t i = 0; i < size; ++i) {
        row[i] = root * lane_of(observed[i * count + r], lane);
        row[size] += row[i] * lane_of(v[i], lane);
      }
    }
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

  Matrix root_ = zero_tensor<double>(size, size);  ///< L
};

/// By conjugate gradients: no matrix of a state's size is made.
///
/// The controls precondition: the matrix is I + something positive semidefinite of a rank of at
/// most the observations in use. Ends at `iterations`, or where the residual is `tolerance` of the
/// first; ratios of the background's variance to R of more than 1e8 need many iterations. Cost per
/// iteration and run: L steps of the tangent and of the adjoint, and a root with its adjoint;
/// memory: the trajectory and some ten vectors.
template <class Problem, std::size_t Runs, BackgroundCovariance Background>
class IteratedStep {
 public:
  static constexpr std::size_t size = Problem::size, slots = Problem::slots;
  using Trajectory = WindowTrajectory<Problem, Runs>;
  using T = typename Trajectory::T;
  using Numbers = Aligned<T>;

  IteratedStep(Background background, std::size_t iterations, double tolerance)
      : background_(std::move(background)), iterations_(iterations), tolerance_(tolerance) {}

  [[nodiscard]] std::size_t controls() const { return background_.controls(); }
  /// x += L v.
  void add_root(const T* v, T* x) const {
    Scratch<T> moved(size, Unset{});
    background_.root(v, moved.data());
    for (std::size_t i = 0; i < size; ++i) x[i] += moved[i];
  }
  /// d_v += Lᵀ d_x.
  void root_adjoint(const T* d_x, T* d_v) const { background_.root_adjoint(d_x, d_v); }

  void find(const Trajectory& x, const Numbers& v, const T&, Numbers& step, T* newest) const {
    Numbers y = x.departures(), right(v.size()), d_x(size);
    for (std::size_t k = 0; k < v.size(); ++k) right[k] = -v[k];
    x.weigh(y.data());
    x.adjoint(y.data(), d_x.data());
    background_.root_adjoint(d_x.data(), right.data());
    const auto hessian_times = [&](const T* p, T* out) {
      background_.root(p, d_x.data());
      x.tangent(d_x.data(), y.data());
      x.weigh(y.data());
      x.adjoint(y.data(), d_x.data());
      std::copy_n(p, v.size(), out);
      background_.root_adjoint(d_x.data(), out);
    };
    conjugate_gradients(v.size(), hessian_times, right.data(), step.data(), iterations_,
                        tolerance_);
    background_.root(step.data(), d_x.data());
    x.tangent(d_x.data(), y.data());
    for (std::size_t i = 0; i < size; ++i) newest[i] += d_x[i];
  }

 private:
  Background background_;
  std::size_t iterations_;
  double tolerance_;
};

}  // namespace dan
