// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <type_traits>

#include "dan/autodiff/dual.hpp"
#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/tensor.hpp"
#include "dan/diagnose/gain.hpp"
#include "dan/diagnose/increment.hpp"
#include "dan/experiment/record.hpp"

namespace dan {

/// How the covariance of a learned analysis depends on the state, exactly: ∂P/∂x_k, a second
/// derivative of the increment:
///   out_ij = ∂²a_i / ∂ζ_j ∂x_k,
/// by dual numbers within dual numbers; the memory is kept fixed, and of several members all move.
///
/// size × size, in units of the state. `in`: see LearnedIncrement::input; `element`: k, an element
/// of the state. Throws ShapeError for an input of another size and ConfigError for an element that
/// is not there. Cost: four times `size` passes of the network, side by side in lanes.
template <class Increment>
[[nodiscard]] Matrix covariance_sensitivity(const Increment& increment,
                                            std::span<const typename Increment::Real> in,
                                            std::size_t element,
                                            ExpandedAt about = ExpandedAt::zero) {
  using Real = typename Increment::Real;
  using T = lanes_t<Real, simd_width<Real>>;
  constexpr std::size_t size = Increment::size, width = lanes_of<T>;
  if (element >= size)
    throw ConfigError(to_text("covariance_sensitivity: element is ", element,
                              ", expected less than ", size, ", the elements of the state"));
  auto at = detail::spread_input<Dual<Dual<T>>>(increment, in, about);
  for (std::size_t m = 0; m < Increment::members; ++m)
    at[m * size + element].slope.value = T(Real(1));
  const auto z = Increment::innovation(at.data());
  Scratch<Dual<Dual<T>>> out(size, Unset{});
  auto p = zero_tensor<double>(size, size);
  for (std::size_t first = 0; first < size; first += width) {
    const std::size_t count = std::min(width, size - first);
    for (std::size_t l = 0; l < count; ++l) lane_of(z[first + l].value.slope, l) = Real(1);
    increment(at.data(), out.data());
    for (std::size_t l = 0; l < count; ++l) {
      z[first + l].value.slope = T(Real(0));
      for (std::size_t i = 0; i < size; ++i)
        p(i, first + l) =
            static_cast<double>(lane_of(out[i].slope.slope, l)) * increment.deviations()[first + l];
    }
  }
  return p;
}

/// The mean sensitivity around a point, with k the point:
///   S_ij = ⟨∂²a_{tap(k, i)} / ∂ζ_{tap(k, j)} ∂x_k⟩, over times, runs and points k,
/// at ζ = 0; i and j are taps of the widest stencil that fits, the point itself in the middle. On
/// a ring of 40 points tap i is 19 − i points before k.
///
///     SensitivityRecorder sensitivity(20, 4);
///     run_twin(problem, method, config, sensitivity);
///     const Matrix s = sensitivity.mean();
///     const double local = share_within<Ring<40>>(s, 6);
///
/// Where the geometry looks the same from every point, the mean over points is the talk's tensor C,
/// and a few points per time serve as well as all: in each `every`-th scored cycle `count` points
/// that move on. Of states with several channels: the derivative with respect to channel 0, rows
/// and columns tap · channels + channel. Throws ConfigError unless 1 ≤ count ≤ points and every
/// ≥ 1. Cost: `covariance_sensitivity` each. Source: equation 12 of the talk.
class SensitivityRecorder : public EmptyRecorder {
 public:
  SensitivityRecorder(std::size_t every, std::size_t count) : every_(every), points_(count) {
    require_at_least("SensitivityRecorder", "every", every, 1);
    require_at_least("SensitivityRecorder", "count", count, 1);
  }

  void after_analysis(const auto& view) {
    using Method = std::decay_t<decltype(view.method)>;
    static_assert(LearnedMethod<Method>,
                  "SensitivityRecorder: the method must be a Learned analysis");
    using Grid = typename Method::Network::Grid;
    static_assert(detail::taps_permute<Grid>,
                  "SensitivityRecorder: the geometry must look alike from every point, as Ring and "
                  "Torus; on others take covariance_sensitivity point by point");
    if (points_ > Grid::points)
      throw ConfigError(to_text("SensitivityRecorder: count is ", points_, ", expected at most ",
                                Grid::points, ", the points of the state"));
    if (!view.scored() || (view.twin.cycle() - view.burn_in - 1) % every_ != 0) return;
    const LearnedIncrement increment(view.method);
    const std::size_t time = (view.twin.cycle() - view.burn_in - 1) / every_;
    for (std::size_t l = 0; l < view.runs; ++l) {
      if (!view.going(l)) continue;
      const auto in = increment.input(view.carried, l);
      for (std::size_t n = 0; n < points_; ++n)
        add<decltype(increment)>(
            increment, in, (view.first + l + time + n * Grid::points / points_) % Grid::points);
    }
  }
  template <class Archive>
  void transfer(Archive& archive) {
    archive.count("terms", terms_), transfer_matrix(sum_, archive);
  }
  void merge(const SensitivityRecorder& next) {
    if (sum_.size() == 0)
      sum_ = next.sum_;
    else
      for (std::size_t n = 0; n < next.sum_.size(); ++n) sum_.data()[n] += next.sum_.data()[n];
    terms_ += next.terms_;
  }

  /// Adds the sensitivity around one point of one input.
  template <class Increment>
  void add(const Increment& increment, std::span<const typename Increment::Real> in,
           std::size_t point) {
    using Grid = typename Increment::Network::Grid;
    constexpr std::size_t channels = Increment::Network::channels;
    constexpr std::size_t width = widest<Grid>(), side = Grid::taps(width) * channels;
    if (sum_.size() == 0) sum_ = zero_tensor<double>(side, side);
    const auto element = [&](std::size_t n) {
      return Grid::tap(point, n / channels, width) * channels + n % channels;
    };
    const Matrix p = covariance_sensitivity(increment, in, point * channels);
    for (std::size_t i = 0; i < side; ++i)
      for (std::size_t j = 0; j < side; ++j) sum_(i, j) += p(element(i), element(j));
    ++terms_;
  }

  /// S. Throws ConfigError without a recorded cycle.
  [[nodiscard]] Matrix mean() const {
    if (terms_ == 0)
      throw ConfigError(
          "SensitivityRecorder::mean: nothing was recorded, expected a scored cycle "
          "of a run that goes on");
    Matrix out = sum_;
    for (std::size_t n = 0; n < out.size(); ++n) out.data()[n] /= static_cast<double>(terms_);
    return out;
  }
  [[nodiscard]] std::size_t terms() const { return terms_; }

  /// The widest stencil that fits the geometry.
  template <class Grid>
  static constexpr std::size_t widest() {
    std::size_t width = 1;
    while (Grid::fits(width + 2)) width += 2;
    return width;
  }

 private:
  std::size_t every_, points_, terms_ = 0;
  Matrix sum_{zero_tensor<double>(0, 0)};
};

/// The share of ΣS_ij² whose i and j are both within `radius` grid steps of the point, of a
/// SensitivityRecorder's mean on this geometry, seen from point 0.
template <GeometryLike Grid>
requires detail::taps_permute<Grid>
[[nodiscard]] double share_within(const Matrix& s, double radius, std::size_t channels = 1) {
  constexpr std::size_t width = SensitivityRecorder::widest<Grid>();
  require_size("share_within", "rows of S", s.shape()[0], Grid::taps(width) * channels,
               "tap and channel");
  const auto near = [&](std::size_t n) {
    return Grid::distance(Grid::tap(0, n / channels, width), Grid::position(0)) <= radius;
  };
  double within = 0, all = 0;
  for (std::size_t i = 0; i < s.shape()[0]; ++i)
    for (std::size_t j = 0; j < s.shape()[1]; ++j) {
      all += s(i, j) * s(i, j);
      if (near(i) && near(j)) within += s(i, j) * s(i, j);
    }
  return within / all;
}

}  // namespace dan
