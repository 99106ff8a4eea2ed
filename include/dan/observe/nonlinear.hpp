// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>

#include "dan/concepts.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"
#include "dan/observe/places.hpp"

namespace dan {

/// Observes a nonlinear function of what another operator observes: y_j = f(h_j), h = H(x).
///
/// `Function` has `value(h)` and `slope(h)` = f'(h), templates on the scalar; the structs below
/// are some. Slots, and which of them report, are those of `inner`.
template <ObservationOperator Operator, class Function>
struct Nonlinear {
  static constexpr std::size_t points = Operator::points, channels = Operator::channels;
  static constexpr std::size_t slots = Operator::slots;
  static constexpr bool linear = false;

  Operator inner{};
  Function function{};

  /// y = f(H(x)).
  template <class T>
  void observe(const T* x, T* y) const {
    inner.observe(x, y);
    for (std::size_t j = 0; j < slots; ++j) y[j] = function.value(y[j]);
  }
  /// dy = f'(H(x)) H'(x) dx.
  template <class T>
  void observe_tangent(const T* x, const T* dx, T* dy) const {
    Scratch<T> h(slots, Unset{});
    inner.observe(x, h.data());
    inner.observe_tangent(x, dx, dy);
    for (std::size_t j = 0; j < slots; ++j) dy[j] *= function.slope(h[j]);
  }
  /// d_x += H'(x)ᵀ (f'(H(x)) d_y); nothing where d_y = 0, whatever the slope.
  template <class T>
  void observe_adjoint(const T* x, const T* d_y, T* d_x) const {
    Scratch<T> d_h(slots, Unset{});
    inner.observe(x, d_h.data());
    using std::abs;
    for (std::size_t j = 0; j < slots; ++j)
      d_h[j] = where_positive(T(abs(d_y[j])), T(function.slope(d_h[j]) * d_y[j]), d_y[j]);
    inner.observe_adjoint(x, d_h.data(), d_x);
  }
  /// The slots that report are those of `inner`.
  void available(const RandomKey& key, bool* mask) const { inner.available(key, mask); }

  /// Where `inner` looks, if that is somewhere.
  [[nodiscard]] std::size_t element(std::size_t slot) const requires requires {
    inner.element(slot);
  }
  { return inner.element(slot); }
  [[nodiscard]] auto place(std::size_t slot) const requires requires { inner.place(slot); }
  { return inner.place(slot); }

  /// The places of `inner`, if those come with the observations.
  template <std::size_t Lanes>
  using Places = typename detail::PlacesOf<Operator, Lanes>::type;
  template <class Given>
  [[nodiscard]] auto at(const Given& places) const requires PlacedOperator<Operator> {
    return Nonlinear<decltype(inner.at(places)), Function>{inner.at(places), function};
  }
  [[nodiscard]] auto draw(const RandomKey& key) const requires PlacedOperator<Operator> {
    return inner.draw(key);
  }
};

/// f(h) = h².
struct Square {
  template <class T>
  T value(const T& h) const {
    return h * h;
  }
  template <class T>
  T slope(const T& h) const {
    return h + h;
  }
};

/// f(h) = h³.
struct Cube {
  template <class T>
  T value(const T& h) const {
    return h * h * h;
  }
  template <class T>
  T slope(const T& h) const {
    return T(real_t<T>(3)) * h * h;
  }
};

/// f(h) = |h|; its slope at zero is −1.
struct AbsoluteValue {
  template <class T>
  T value(const T& h) const {
    using std::abs;
    return abs(h);
  }
  template <class T>
  T slope(const T& h) const {
    return where_positive(h, T(real_t<T>(1)), T(real_t<T>(-1)));
  }
};

/// f(h) = arctan h.
struct Arctan {
  template <class T>
  T value(const T& h) const {
    if constexpr (requires(T out) { lane_of(out, 0) = std::atan(lane_of(h, 0)); }) {
      T out;  // every lane as if it were alone
      for (std::size_t l = 0; l < lanes_of<T>; ++l) lane_of(out, l) = std::atan(lane_of(h, l));
      return out;
    } else {
      using std::atan;
      return atan(h);
    }
  }
  template <class T>
  T slope(const T& h) const {
    const T one(real_t<T>(1));
    return one / (one + h * h);
  }
};

}  // namespace dan
