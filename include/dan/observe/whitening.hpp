// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "dan/autodiff/dual.hpp"
#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/random.hpp"
#include "dan/core/simd.hpp"
#include "dan/core/tensor.hpp"

/// \file
/// Correlated errors made independent, where not every slot reports.

namespace dan {

/// How the observations of one cycle are whitened, for each of `Lanes` runs: by the factor of all,
/// or, where some slots are silent, by one of their own.
///
/// A factor L is lower triangular, L Lᵀ the covariance of the errors of the slots that report; rows
/// and columns of silent slots are zero. It travels with the observations as places do
/// (PlacedOperator). Memory: nothing where all report, else slots² numbers; copies share them.
template <std::size_t Slots, std::size_t Lanes = 1>
class Whitening {
 public:
  static constexpr std::size_t slots = Slots, lanes = Lanes;

  /// All slots report.
  Whitening() = default;
  /// In all lanes by this factor, slots × slots.
  explicit Whitening(Matrix factor) {
    factors_.fill(std::make_shared<const Matrix>(std::move(factor)));
  }

  /// Null where all slots report.
  [[nodiscard]] const Matrix* factor(std::size_t lane) const { return factors_[lane].get(); }
  [[nodiscard]] bool reports(std::size_t lane, std::size_t slot) const {
    return !factors_[lane] || (*factors_[lane])(slot, slot) != 0;
  }
  /// Whether all slots report in all lanes.
  [[nodiscard]] bool whole() const {
    return std::ranges::none_of(factors_, [](const auto& factor) { return bool(factor); });
  }

  /// The whitening of one run becomes that of lane `lane`.
  void set_lane(std::size_t lane, const Whitening<Slots, 1>& from) {
    factors_[lane] = from.factors_[0];
  }
  /// That of lane `lane`.
  [[nodiscard]] Whitening<Slots, 1> of_lane(std::size_t lane) const {
    Whitening<Slots, 1> out;
    out.factors_[0] = factors_[lane];
    return out;
  }

  /// To and from a file, see save_carried.
  template <class Archive>
  void transfer(const std::string& name, Archive& archive) {
    for (std::size_t l = 0; l < Lanes; ++l) {
      auto& factor = factors_[l];
      std::size_t partial = factor ? 1 : 0;
      archive.count(to_text(name, ".partial.", l), partial, 1);
      if (partial == 0) {
        factor = nullptr;
        continue;
      }
      Matrix numbers = factor ? *factor : zero_tensor<double>(Slots, Slots);
      archive.numbers(to_text(name, ".", l), span_of(numbers), 1);
      if (Archive::reads) factor = std::make_shared<const Matrix>(std::move(numbers));
    }
  }

 private:
  template <std::size_t, std::size_t>
  friend class Whitening;
  std::array<std::shared_ptr<const Matrix>, Lanes> factors_;
};

/// An operator and the factors that whiten what it sees in one cycle: z = L⁻¹ H(x), silent slots 0.
///
/// Refers to the operator, its factor of all slots and the whitening, which must outlive it. A
/// whitening of one lane is that of all lanes of T (an ensemble); one of several runs needs T to
/// have a lane for each of them. Cost: slots² flops more than `inner`.
template <class Operator, std::size_t Lanes>
class WhitenedAt {
 public:
  static constexpr std::size_t points = Operator::points, channels = Operator::channels;
  static constexpr std::size_t slots = Operator::slots;
  static constexpr bool linear = Operator::linear;

  WhitenedAt(const Operator& inner, const Matrix& all, const Whitening<slots, Lanes>& whitening)
      : inner_(&inner), all_(&all), whitening_(&whitening) {}

  /// z = L⁻¹ H(x).
  template <class T>
  void observe(const T* x, T* z) const {
    inner_->observe(x, z);
    divide(z);
  }
  /// dz = L⁻¹ H'(x) dx.
  template <class T>
  void observe_tangent(const T* x, const T* dx, T* dz) const {
    inner_->observe_tangent(x, dx, dz);
    divide(dz);
  }
  /// d_x += H'(x)ᵀ L⁻ᵀ d_z.
  template <class T>
  void observe_adjoint(const T* x, const T* d_z, T* d_x) const {
    Scratch<T> d_y(slots, Unset{});
    std::copy_n(d_z, slots, d_y.data());
    for_lanes(d_y.data(), [](const Matrix& l, const auto& at) {
      for (std::size_t i = slots; i-- > 0;) {
        if (silent(l, i, at(i))) continue;
        at(i) /= number(l(i, i), at(i));
        for (std::size_t j = 0; j < i; ++j) at(j) -= number(l(i, j), at(i)) * at(i);
      }
    });
    inner_->observe_adjoint(x, d_y.data(), d_x);
  }
  /// Every slot reports, or is zero.
  void available(const RandomKey&, bool* mask) const { std::fill_n(mask, slots, true); }

  /// y ← L⁻¹ y; silent slots become zero.
  template <class T>
  void divide(T* y) const {
    for_lanes(y, [](const Matrix& l, const auto& at) {
      for (std::size_t i = 0; i < slots; ++i) {
        if (silent(l, i, at(i))) continue;
        for (std::size_t j = 0; j < i; ++j) at(i) -= number(l(i, j), at(i)) * at(j);
        at(i) /= number(l(i, i), at(i));
      }
    });
  }
  /// z ← L z: what was whitened, in its own units again; silent slots become zero.
  template <class T>
  void restore(T* z) const {
    for_lanes(z, [](const Matrix& l, const auto& at) {
      for (std::size_t i = slots; i-- > 0;) {
        if (silent(l, i, at(i))) continue;
        at(i) *= number(l(i, i), at(i));
        for (std::size_t j = 0; j < i; ++j) at(i) += number(l(i, j), at(i)) * at(j);
      }
    });
  }

 private:
  /// Whether slot i is silent; then its number becomes zero, whatever it was.
  template <class U>
  static bool silent(const Matrix& l, std::size_t i, U& number_i) {
    if (l(i, i) != 0) return false;
    number_i = U(real_t<U>(0));
    return true;
  }
  /// As a scalar of the type of `like`.
  template <class U>
  static U number(double value, const U&) {
    return U(static_cast<real_t<U>>(value));
  }

  /// use(factor, at) for all lanes at once if they have the same factor, else one after the other;
  /// at(i): number i.
  template <class T, class Use>
  void for_lanes(T* y, const Use& use) const {
    const auto factor = [&](std::size_t l) -> const Matrix& {
      const Matrix* own = whitening_->factor(std::min(l, Lanes - 1));
      return own == nullptr ? *all_ : *own;
    };
    if constexpr (Lanes > 1) {
      if constexpr (DualNumber<T>) {
        if (!whitening_->whole())
          return apply_apart(y, slots, y, slots, [&](const auto* in, auto* out) {
            std::copy_n(in, slots, out);
            for_lanes(out, use);
          });
      } else if (!whitening_->whole()) {
        static_assert(lanes_of<T> == padded_lanes<real_t<T>, Lanes>,
                      "WhitenedAt: the whitening is that of several runs; states must have a lane "
                      "for each of them");
        for (std::size_t l = 0; l < lanes_of<T>; ++l)
          use(factor(l), [&](std::size_t i) -> real_t<T>& { return lane_of(y[i], l); });
        return;
      }
    }
    use(factor(0), [&](std::size_t i) -> T& { return y[i]; });
  }

  const Operator* inner_;
  const Matrix* all_;
  const Whitening<slots, Lanes>* whitening_;
};

}  // namespace dan
