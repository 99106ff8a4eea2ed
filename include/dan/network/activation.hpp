// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>

#include "dan/core/simd.hpp"

namespace dan {

/// The pointwise nonlinearities: `apply(z, derivative)` returns φ(z) and sets φ'(z).

/// φ(z) = z / (1 + e^{−z}), also called swish. Source: Elfwing, Uchibe and Doya (2018).
struct Silu {
  template <class T>
  static T apply(const T& z, T& derivative) {
    using std::exp;
    const T one(real_t<T>(1));
    const T gate = one / (one + exp(-z));
    const T value = z * gate;
    derivative = gate + value * (one - gate);
    return value;
  }
};

/// φ(z) = tanh z.
struct Tanh {
  template <class T>
  static T apply(const T& z, T& derivative) {
    using std::tanh;
    const T value = tanh(z);
    derivative = T(real_t<T>(1)) - value * value;
    return value;
  }
};

/// φ(z) = max(z, 0).
struct Relu {
  template <class T>
  static T apply(const T& z, T& derivative) {
    const T zero(real_t<T>(0));
    derivative = where_positive(z, T(real_t<T>(1)), zero);
    return where_positive(z, z, zero);
  }
};

/// φ(z) = z: makes a network linear.
struct Identity {
  template <class T>
  static T apply(const T& z, T& derivative) {
    derivative = T(real_t<T>(1));
    return z;
  }
};

}  // namespace dan
