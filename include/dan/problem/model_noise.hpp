// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dan/concepts.hpp"
#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/random.hpp"
#include "dan/core/scalar.hpp"

/// \file
/// What a model lacks, as a random forcing: x(k+1) = M(x(k)) + η(k), η ~ N(0, Q), independent from
/// cycle to cycle.
///
///     using Noisy = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>, GaussianStart,
///                           DiagonalModelNoise<40>>;
///     const Noisy problem{.model_noise = DiagonalModelNoise<40>(0.1)};  // Q = 0.1 I

namespace dan {

/// The covariance Q = L Lᵀ of a model's noise, by what it does, generic on the scalar.
///
/// `root(ξ, η)`: η = L ξ, with ξ `numbers()` independent N(0, 1) numbers, η `size` numbers;
/// `multiply(x, y)`: y = Q x. Outputs are overwritten and are not the inputs.
template <class N>
concept ModelNoise = requires(const N noise, const double* x, double* y, const detail::Side* s,
                              detail::Side* t) {
  { N::size } -> std::convertible_to<std::size_t>;
  { noise.numbers() } -> std::convertible_to<std::size_t>;
  noise.root(x, y);      // write: template <class T> void root(const T* white, T* noise) const
  noise.root(s, t);      // write: template <class T> void root(const T* white, T* noise) const
  noise.multiply(x, y);  // write: template <class T> void multiply(const T* x, T* y) const
  noise.multiply(s, t);  // write: template <class T> void multiply(const T* x, T* y) const
};

/// A perfect model, Q = 0.
struct NoModelNoise {};

namespace detail {
/// Noise, or none; where it is neither, a compiler says what is missing.
template <class N>
struct ModelNoiseOrNone {
  static constexpr bool is_one = ModelNoise<N>;
  static_assert(ModelNoise<N>,
                "Problem: a model's noise needs size, numbers(), root(white, noise) and "
                "multiply(x, y), see ModelNoise; NoModelNoise is none");
};
template <>
struct ModelNoiseOrNone<NoModelNoise> {
  static constexpr bool is_one = false;
};
}  // namespace detail

/// Independent noise of the elements of the state: Q = diag(variances).
template <std::size_t Size>
class DiagonalModelNoise {
 public:
  static constexpr std::size_t size = Size;

  /// The same variance for all; throws ConfigError unless it is finite and not negative.
  explicit DiagonalModelNoise(double variance) { set(std::array{variance}); }
  /// One for each element of the state, or each channel; throws ConfigError as above.
  template <std::size_t Count>
  explicit DiagonalModelNoise(const std::array<double, Count>& variances) {
    set(variances);
  }

  [[nodiscard]] double variance(std::size_t i) const { return std::pow(deviations_[i], 2); }
  [[nodiscard]] std::size_t numbers() const { return size; }
  template <class T>
  void root(const T* white, T* noise) const {
    for (std::size_t i = 0; i < size; ++i) noise[i] = constant<T>(deviations_[i]) * white[i];
  }
  template <class T>
  void multiply(const T* x, T* y) const {
    for (std::size_t i = 0; i < size; ++i) y[i] = constant<T>(variance(i)) * x[i];
  }

 private:
  template <std::size_t Count>
  void set(const std::array<double, Count>& variances) {
    static_assert(Count > 0 && Size % Count == 0,
                  "DiagonalModelNoise: give one variance, or one for each channel or element");
    for (std::size_t i = 0; i < size; ++i) {
      const double v = variances[i % Count];
      if (!(v >= 0 && std::isfinite(v)))
        throw ConfigError(to_text("DiagonalModelNoise: variance ", i % Count, " is ", v,
                                  ", expected a finite number, not negative"));
      deviations_[i] = std::sqrt(v);
    }
  }

  std::vector<double> deviations_ = std::vector<double>(Size);
};

/// Adds the noise of one cycle to the truths in the lanes of `x`: lane l ← lane l + η, keyed by
/// `key(l)`, which names seed, run and cycle.
template <class Noise, class States, class Key>
void add_noise_to_truth([[maybe_unused]] const Noise& noise, [[maybe_unused]] States& x,
                        [[maybe_unused]] const Key& key) {
  if constexpr (ModelNoise<Noise>) {
    Scratch<double> white(noise.numbers(), Unset{}), eta(States::size, Unset{});
    for (std::size_t l = 0; l < States::lanes; ++l) {
      fill_normal<double>(RandomKey(key(l)).with(Purpose::model_noise), white);
      noise.root(white.data(), eta.data());
      for (std::size_t i = 0; i < States::size; ++i) x.at(i, l) += eta[i];
    }
    x.repeat_last_lane();
  }
}

/// The cycle of step n of `count` in a truth's spin-up: these end with cycle 0 and begin before it,
/// modulo 2⁶⁴.
[[nodiscard]] constexpr std::uint64_t spin_up_cycle(std::size_t n, std::size_t count) {
  return std::uint64_t{n} + 1 - count;
}
/// The time at which a cycle of a truth begins, in cycles; negative in its spin-up.
[[nodiscard]] constexpr double start_of_cycle(std::uint64_t cycle) {
  return static_cast<double>(static_cast<std::int64_t>(cycle - 1));
}

}  // namespace dan
