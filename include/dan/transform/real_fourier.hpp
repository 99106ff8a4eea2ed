// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cmath>
#include <complex>
#include <cstddef>
#include <numbers>
#include <type_traits>

#include "dan/core/memory.hpp"
#include "dan/core/scalar.hpp"
#include "dan/core/simd.hpp"

namespace dan {

/// The Fourier transform of `Points` real numbers on a ring, with its adjoint.
///
///   X_k = Σ_j x_j exp(−2πi jk/n), k = 0 … n/2;   x_j = 1/n Σ_k X_k exp(2πi jk/n), k = 0 … n − 1,
/// with n = Points and X_{n−k} the conjugate of X_k.
/// x: Points elements of T, `stride` elements apart (a channel of a state, a row of a grid).
/// Spectra: `coefficients` elements of T, real and imaginary part of X_0, X_1, … X_{n/2} by turns;
/// the imaginary parts of X_0 and X_{n/2} are written as zero and have no effect. x and the
/// spectrum must not overlap. Points must be even; factors of 2, and then 3 and 5, are fast. Cost:
/// about 2.5 n log2 n flops. Memory: 2 n elements, 3 n backwards. Source: the autosorting algorithm
/// of Stockham, for n/2 complex numbers x_2j + i x_{2j+1}.
template <std::size_t Points>
struct RealFourier {
  static_assert(Points >= 2 && Points % 2 == 0, "RealFourier: the number of points must be even");
  static constexpr std::size_t points = Points, waves = Points / 2 + 1, coefficients = 2 * waves;

  /// spectrum = F x.
  template <class T>
  static void forward(const T* x, T* spectrum, std::size_t stride = 1) {
    Scratch<T> scratch(2 * Points, Unset{});
    transform<T>(view(x, stride), view(spectrum), scratch.data());
    split<T>(view(spectrum));
  }

  /// d_x += Fᵀ d_spectrum.
  template <class T>
  static void forward_adjoint(const T* d_spectrum, T* d_x, std::size_t stride = 1) {
    Scratch<T> weighted(coefficients, Unset{}), x(Points, Unset{});
    for (std::size_t k = 0; k < waves; ++k)
      for (std::size_t part = 0; part < 2; ++part)
        weighted[2 * k + part] =
            static_cast<real_t<T>>(Points / wave_weight(k)) * d_spectrum[2 * k + part];
    inverse(weighted.data(), x.data());
    for (std::size_t j = 0; j < Points; ++j) d_x[j * stride] += x[j];
  }

  /// x = F⁻¹ spectrum.
  template <class T>
  static void inverse(const T* spectrum, T* x, std::size_t stride = 1) {
    Scratch<T> scratch(3 * Points, Unset{});
    merge<T>(view(spectrum), view(scratch.data()));
    // The inverse is the forward transform of numbers with parts swapped, swapped back.
    transform<T>(view(scratch.data()).swapped(), view(x, stride).swapped(), &scratch[Points]);
  }

  /// d_spectrum += F⁻ᵀ d_x.
  template <class T>
  static void inverse_adjoint(const T* d_x, T* d_spectrum, std::size_t stride = 1) {
    Scratch<T> spectrum(coefficients, Unset{});
    forward(d_x, spectrum.data(), stride);
    for (std::size_t k = 0; k < waves; ++k)
      for (std::size_t part = 0; part < 2; ++part)
        d_spectrum[2 * k + part] +=
            static_cast<real_t<T>>(wave_weight(k) / Points) * spectrum[2 * k + part];
  }

 private:
  static constexpr std::size_t half = Points / 2;

  /// How often a wave is in the sum over all.
  static constexpr double wave_weight(std::size_t k) { return k == 0 || k == half ? 1 : 2; }

  /// exp(−2πi j/n) for j = 0 … n − 1.
  template <class Real>
  static const std::array<std::complex<Real>, Points>& roots() {
    static const auto table = [] {
      std::array<std::complex<Real>, Points> out;
      for (std::size_t j = 0; j < Points; ++j) {
        const double angle = -2 * std::numbers::pi * static_cast<double>(j) / Points;
        out[j] = {static_cast<Real>(std::cos(angle)), static_cast<Real>(std::sin(angle))};
      }
      return out;
    }();
    return table;
  }

  /// A complex number of registers.
  template <class Register>
  struct Complex {
    Register re, im;
    Complex operator+(const Complex& o) const { return {re + o.re, im + o.im}; }
    Complex operator-(const Complex& o) const { return {re - o.re, im - o.im}; }
    [[nodiscard]] Complex times_i() const { return {-im, re}; }
    [[nodiscard]] Complex times(const Register& a) const { return {re * a, im * a}; }
    [[nodiscard]] Complex conjugate() const { return {re, -im}; }
    template <class Real>
    Complex operator*(const std::complex<Real>& w) const {
      const Register a(w.real()), b(w.imag());
      return {re * a - im * b, re * b + im * a};
    }
  };

  /// Where the parts of complex number c are: at real + c · step and imaginary + c · step.
  template <class Register>
  struct View {
    Register* data;
    std::size_t real, imaginary, step;
    [[nodiscard]] View swapped() const { return {data, imaginary, real, step}; }
    [[nodiscard]] auto get(std::size_t c, std::size_t r) const {
      return Complex<std::remove_const_t<Register>>{data[real + c * step + r],
                                                    data[imaginary + c * step + r]};
    }
    void set(std::size_t c, std::size_t r, const Complex<Register>& value) const {
      data[real + c * step + r] = value.re;
      data[imaginary + c * step + r] = value.im;
    }
  };
  template <class T>
  static View<register_t<T>> view(T* x, std::size_t stride = 1) {
    constexpr std::size_t n = registers_of<T>;
    return {reinterpret_cast<register_t<T>*>(x), 0, stride * n, 2 * stride * n};
  }
  template <class T>
  static View<const register_t<T>> view(const T* x, std::size_t stride = 1) {
    constexpr std::size_t n = registers_of<T>;
    return {reinterpret_cast<const register_t<T>*>(x), 0, stride * n, 2 * stride * n};
  }

  /// The radix of the next pass over transforms of `length` numbers.
  static constexpr std::size_t radix_of(std::size_t length) {
    if (length % 4 == 0) return 4;
    for (std::size_t r = 2; r * r <= length; ++r)
      if (length % r == 0) return r;
    return length;
  }
  static constexpr std::size_t passes_of(std::size_t length) {
    return length == 1 ? 0 : 1 + passes_of(length / radix_of(length));
  }

  /// The complex transform of n/2 numbers, unordered passes; scratch: 2 n elements.
  template <class T, class From>
  static void transform(const From& from, const View<register_t<T>>& to, T* scratch) {
    if constexpr (half == 1) {
      for (std::size_t r = 0; r < registers_of<T>; ++r) to.set(0, r, from.get(0, r));
    } else {
      pass<T, half, 1>(from, to, view(scratch), view(scratch + Points));
    }
  }
  /// `Apart` transforms of `Length` numbers that lie `Apart` from each other.
  template <class T, std::size_t Length, std::size_t Apart, class From>
  static void pass(const From& from, const View<register_t<T>>& to, const View<register_t<T>>& next,
                   const View<register_t<T>>& after) {
    constexpr std::size_t radix = radix_of(Length);
    if constexpr (radix == Length) {
      butterflies<T, Length, Apart, radix>(from, to);
    } else {
      butterflies<T, Length, Apart, radix>(from, next);
      pass<T, Length / radix, Apart * radix>(next, to, after, next);
    }
  }
  /// to(q + Apart (Radix p + t)) = w^{pt} Σ_u exp(−2πi ut/Radix) from(q + Apart (p + u m)),
  /// w = exp(−2πi/Length), m = Length/Radix.
  template <class T, std::size_t Length, std::size_t Apart, std::size_t Radix, class From>
  static void butterflies(const From& from, const View<register_t<T>>& to) {
    using C = Complex<register_t<T>>;
    constexpr std::size_t m = Length / Radix;
    const auto& w = roots<real_t<T>>();
    for (std::size_t p = 0; p < m; ++p)
      for (std::size_t q = 0; q < Apart; ++q)
        for (std::size_t r = 0; r < registers_of<T>; ++r) {
          std::array<C, Radix> x;
          for (std::size_t u = 0; u < Radix; ++u) x[u] = from.get(q + Apart * (p + u * m), r);
          x = butterfly(x, w);
          to.set(q + Apart * Radix * p, r, x[0]);
          for (std::size_t t = 1; t < Radix; ++t) {
            if (m > 1) x[t] = x[t] * w[(p * t * (Points / Length)) % Points];
            to.set(q + Apart * (Radix * p + t), r, x[t]);
          }
        }
  }
  template <class C, std::size_t Radix, class Roots>
  [[gnu::always_inline]] static std::array<C, Radix> butterfly(const std::array<C, Radix>& x,
                                                               const Roots& w) {
    if constexpr (Radix == 2) {
      return {x[0] + x[1], x[0] - x[1]};
    } else if constexpr (Radix == 4) {
      const C a = x[0] + x[2], b = x[0] - x[2], c = x[1] + x[3], d = (x[1] - x[3]).times_i();
      return {a + c, b - d, a - c, b + d};
    } else {
      std::array<C, Radix> y;
      for (std::size_t t = 0; t < Radix; ++t) {
        y[t] = x[0];
        for (std::size_t u = 1; u < Radix; ++u)
          y[t] = y[t] + x[u] * w[(u * t % Radix) * (Points / Radix)];
      }
      return y;
    }
  }

  /// From the transform Z of x_2j + i x_{2j+1} to that of x, in place:
  ///   X_k = A − i w^k B, X_{n/2−k} = conj(A + i w^k B), w = exp(−2πi/n),
  ///   A = (Z_k + conj Z_{n/2−k})/2, B = (Z_k − conj Z_{n/2−k})/2, and Z_{n/2} = Z_0.
  template <class T>
  static void split(const View<register_t<T>>& z) {
    const auto& w = roots<real_t<T>>();
    const register_t<T> by_two(real_t<T>(0.5)), zero(real_t<T>(0));
    for (std::size_t r = 0; r < registers_of<T>; ++r) {
      const auto [re, im] = z.get(0, r);
      z.set(0, r, {re + im, zero});
      z.set(half, r, {re - im, zero});
    }
    for (std::size_t k = 1; k <= half / 2; ++k)
      for (std::size_t r = 0; r < registers_of<T>; ++r) {
        const auto here = z.get(k, r), there = z.get(half - k, r).conjugate();
        const auto a = (here + there).times(by_two);
        const auto b = ((here - there) * w[k]).times(by_two).times_i();
        z.set(k, r, a - b);
        z.set(half - k, r, (a + b).conjugate());
      }
  }
  /// From the spectrum X of x to n/2 times the inverse transform of x_2j + i x_{2j+1}, over n:
  ///   Z_k = (A + i w^{−k} B)/n, Z_{n/2−k} = conj(A − i w^{−k} B)/n,
  ///   A = X_k + conj X_{n/2−k}, B = X_k − conj X_{n/2−k}.
  template <class T>
  static void merge(const View<const register_t<T>>& x, const View<register_t<T>>& z) {
    const auto& w = roots<real_t<T>>();
    const register_t<T> scale(static_cast<real_t<T>>(1.0 / Points));
    for (std::size_t r = 0; r < registers_of<T>; ++r) {
      const auto first = x.get(0, r).re, last = x.get(half, r).re;
      z.set(0, r, {(first + last) * scale, (first - last) * scale});
    }
    for (std::size_t k = 1; k <= half / 2; ++k)
      for (std::size_t r = 0; r < registers_of<T>; ++r) {
        const auto here = x.get(k, r), there = x.get(half - k, r).conjugate();
        const auto a = here + there;
        const auto b = ((here - there) * std::conj(w[k])).times_i();
        z.set(k, r, (a + b).times(scale));
        z.set(half - k, r, (a - b).conjugate().times(scale));
      }
  }
};

}  // namespace dan
