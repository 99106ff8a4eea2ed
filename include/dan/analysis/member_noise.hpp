// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "dan/core/memory.hpp"
#include "dan/core/random.hpp"
#include "dan/core/simd.hpp"
#include "dan/core/symmetric_eigen.hpp"
#include "dan/problem/problem.hpp"

namespace dan {

/// How a model's noise joins the members of a forecast, N of them, with the anomalies X and the
/// covariance P; their mean stays.
///
/// What a small ensemble does not span, N − 1 below the rank of Q, the square root loses; samples
/// give P + Q in the mean over draws, with their own noise in all directions. Completed by samples,
/// (I − Π) Q (I − Π)ᵀ joins in the mean over draws; only the covariances of inside and outside,
/// Π Q (I − Π)ᵀ, are lost. With N above the size of the state it is the square root: P + Q.
/// Π projects onto the span of X, orthogonally in the units of the problem's norm; directions with
/// less than 1e-12 of the variance of the widest count as outside. Cost: a draw of Q for each
/// member (not for the square root); 4 N² flops per state element, Q times N states, and two
/// eigenproblems of size N (not for samples).
/// Source: Raanes, Carrassi and Bertino, Mon. Weather Rev. 143 (2015) 3857–3873 (Add-Q, with the
/// mean removed as in Whitaker and Hamill, ibid. 140 (2012) 3078–3089; Sqrt-Core; Sqrt-Add-Z); the
/// scaling by units is ours.
enum class NoiseForm {
  completed,  ///< X ← X (I + (N−1) X⁺ Q X⁺ᵀ)^{1/2} + (I − Π) D: the next, completed by samples
  square_root,  ///< X ← X (I + (N−1) X⁺ Q X⁺ᵀ)^{1/2}: P + Π Q Πᵀ exactly, Π = X X⁺
  sampled,      ///< X ← X + D, columns of D from N(0, Q)
  ignored       ///< the filter takes its model for perfect, and inflation stands for the noise
};

/// Removes the mean over the members; padding becomes zero.
template <std::size_t Members, class T>
void centre_members(T& x) {
  for (std::size_t m = Members; m < lanes_of<T>; ++m) x[m] = 0;
  const double mean = sum_lanes(x) / Members;
  for (std::size_t m = 0; m < Members; ++m) x[m] -= mean;
}

/// D: a draw from N(0, Q) for each member, keyed by `key`, their mean removed, a lane per member.
template <class Problem, class Ensemble>
void draw_noise(const Problem& problem, const RandomKey& key, Scratch<typename Ensemble::T>& to) {
  const auto& noise = problem.model_noise;
  const std::size_t numbers = noise.numbers();
  Scratch<double> normal(Ensemble::lanes * numbers, Unset{});
  Scratch<typename Ensemble::T> white(numbers);
  fill_normal<double>(key.with(Purpose::forecast), normal);
  for (std::size_t m = 0; m < Ensemble::lanes; ++m)
    for (std::size_t k = 0; k < numbers; ++k) white[k][m] = normal[m * numbers + k];
  noise.root(white.data(), to.data());
  for (std::size_t i = 0; i < Ensemble::size; ++i) centre_members<Ensemble::lanes>(to[i]);
}

/// The noise of the forecast in the space of the members, and what is left outside of it.
///
/// With D the units of the problem's norm, G = Xᵀ D⁻² X = Vᵀ Λ V and X⁺ = G⁺ Xᵀ D⁻²: Π = X X⁺ is
/// the projection onto the span of X that is orthogonal in these units.
template <std::size_t Members>
class NoiseInSpan {
 public:
  using T = lanes_t<double, Members>;
  using Rows = Scratch<T>;

  /// G⁺ of the anomalies `x`, `size` rows.
  template <class Problem>
  NoiseInSpan(const Problem& problem, const Rows& x) : z_(x.size(), Unset{}) {
    Rows gram(Members);
    for (std::size_t i = 0; i < x.size(); ++i) {
      z_[i] = T(std::pow(problem.unit(i), -2)) * x[i];
      for (std::size_t m = 0; m < Members; ++m) gram[m] += T(x[i][m]) * z_[i];
    }
    symmetric_eigen<Members, lanes_of<T>>(gram[0].lanes(), values_.data(), v_[0].lanes());
    const double least = 1e-12 * values_[Members - 1];
    while (first_ < Members && !(values_[first_] > least)) ++first_;
  }

  /// (I + (N−1) X⁺ Q X⁺ᵀ)^{1/2} − I
  template <class Noise>
  [[nodiscard]] Rows root(const Noise& noise) const {
    Rows qz(z_.size(), Unset{}), c(Members), u(Members), root(Members);
    noise.multiply(z_.data(), qz.data());
    const Rows h = matrix_product(qz);
    for (std::size_t k = first_; k < Members; ++k) {  // (N−1) Λ⁺ V H Vᵀ Λ⁺ = Uᵀ diag(c) U
      const T row = combined(v_[k], h);
      for (std::size_t l = first_; l <= k; ++l)
        c[k][l] = c[l][k] = (Members - 1) * sum_lanes(row * v_[l]) / (values_[k] * values_[l]);
    }
    std::array<double, Members> values;
    symmetric_eigen<Members, lanes_of<T>>(c[0].lanes(), values.data(), u[0].lanes());
    for (std::size_t k = 0; k < Members; ++k) {
      const double value = std::max(values[k], 0.0);
      const T t = combined(u[k], v_);
      for (std::size_t m = 0; m < Members; ++m)
        root[m] += T(value / (std::sqrt(1 + value) + 1) * t[m]) * t;
    }
    return root;
  }

  /// X⁺ D
  [[nodiscard]] Rows inside(const Rows& d) const {
    const Rows zd = matrix_product(d);
    Rows out(Members);
    for (std::size_t k = first_; k < Members; ++k) {
      const T row = T(1 / values_[k]) * combined(v_[k], zd);
      for (std::size_t m = 0; m < Members; ++m) out[m] += T(v_[k][m]) * row;
    }
    return out;
  }

  /// x A, with A square.
  [[nodiscard]] static T combined(const T& x, const Rows& a) {
    T out(0);
    for (std::size_t m = 0; m < Members; ++m) out += T(x[m]) * a[m];
    return out;
  }

 private:
  /// (D⁻² X)ᵀ A
  [[nodiscard]] Rows matrix_product(const Rows& a) const {
    Rows out(Members);
    for (std::size_t i = 0; i < a.size(); ++i)
      for (std::size_t m = 0; m < Members; ++m) out[m] += T(z_[i][m]) * a[i];
    return out;
  }

  Rows z_;  ///< D⁻² X
  Rows v_ = Rows(Members);
  std::array<double, Members> values_{};
  std::size_t first_ = 0;  ///< of the directions that count
};

/// Adds the noise of the problem's model to the members, in the given form; `key`: of the forecast.
template <class Problem, class Ensemble>
void add_noise_to_members(const Problem& problem, NoiseForm form, const RandomKey& key,
                          Ensemble& ensemble) {
  if (form == NoiseForm::ignored) return;
  constexpr std::size_t size = Ensemble::size, members = Ensemble::lanes;
  using Space = NoiseInSpan<members>;
  typename Space::Rows d(size);
  if (form != NoiseForm::square_root) draw_noise<Problem, Ensemble>(problem, key, d);
  if (form != NoiseForm::sampled) {
    typename Space::Rows x(size, Unset{});
    for (std::size_t i = 0; i < size; ++i) centre_members<members>(x[i] = ensemble[i]);
    const Space space(problem, x);
    auto change = space.root(problem.model_noise);
    if (form == NoiseForm::completed) {
      const auto inside = space.inside(d);
      for (std::size_t m = 0; m < members; ++m) change[m] -= inside[m];
    }
    for (std::size_t i = 0; i < size; ++i) d[i] += Space::combined(x[i], change);
  }
  for (std::size_t i = 0; i < size; ++i) {
    centre_members<members>(d[i]);
    ensemble[i] += d[i];
  }
  ensemble.repeat_last_lane();
}

}  // namespace dan
