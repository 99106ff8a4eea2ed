// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <numbers>
#include <utility>

#include "dan/core/memory.hpp"
#include "dan/core/scalar.hpp"
#include "dan/core/simd.hpp"
#include "dan/transform/legendre.hpp"
#include "dan/transform/real_fourier.hpp"

namespace dan {

/// Expansion of fields on a Gaussian grid of the sphere in real spherical harmonics up to degree
/// T = `Truncation` (triangular), with adjoints.
///
///   f(λ, μ) = Σ_lm P̄_lm(μ) √2^[m>0] (c_lm cos mλ + s_lm sin mλ),   m ≤ l ≤ T, μ the sine of
///   latitude.
/// The harmonics are orthonormal under the mean over the sphere, so that the mean square of a field
/// is the sum of the squares of its coefficients, and analysis is the adjoint of synthesis times
/// the weights of the grid. Analysis after synthesis is the identity; synthesis after analysis
/// projects a field on the truncation.
///
/// Coefficients: (T + 1)² elements of T, order m after order m, of each order first the c_lm,
/// l = m … T, then the s_lm (not for m = 0). Fields: points of `Grid`, rows from north to south.
/// Everything is done two rows at a time, one as far from the equator as the other, so that what
/// happens on the grid needs no field in memory: `two_rows` are (north, south), 2 · columns
/// elements. Cost of a synthesis or analysis: rows · (T + 1)(T + 2) multiplications and additions
/// and a Fourier transform of each row. Source: Eliasen, Machenhauer and Rasmussen (1970); Orszag,
/// J. Atmos. Sci. 27 (1970) 890–895.
template <std::size_t Truncation, class Grid_>
struct SphericalHarmonics {
  using Grid = Grid_;
  static constexpr std::size_t rows = Grid::rows, columns = Grid::columns, pairs = rows / 2;
  static_assert(Grid::quadrature,
                "SphericalHarmonics: write LatLon<rows, columns, "
                "Latitudes::gaussian>, whose weights integrate products exactly");
  static_assert(rows % 2 == 0, "SphericalHarmonics: the number of rows must be even");
  static_assert(2 * Truncation < columns && Truncation < rows,
                "SphericalHarmonics: the grid cannot hold this truncation; more rows or columns");
  static constexpr std::size_t truncation = Truncation, points = rows * columns;
  static constexpr std::size_t coefficients = (Truncation + 1) * (Truncation + 1);

  /// Where c_lm is (or s_lm).
  static constexpr std::size_t index(std::size_t l, std::size_t m, bool sine = false) {
    const std::size_t degrees = Truncation + 1 - m;
    // Σ_{k<m} 2 (T + 1 − k) − (T + 1)
    const std::size_t before = m == 0 ? 0 : m * (2 * Truncation + 3 - m) - (Truncation + 1);
    return before + (sine ? degrees : 0) + l - m;
  }
  /// use(index, l, m) for every coefficient.
  template <class Use>
  static void for_each(const Use& use) {
    for (std::size_t m = 0; m <= Truncation; ++m)
      for (const bool sine : {false, true})
        for (std::size_t l = m; l <= Truncation && (m > 0 || !sine); ++l)
          use(index(l, m, sine), l, m);
  }

  /// Which functions of latitude: P̄_lm or (1 − μ²) dP̄_lm/dμ.
  enum class Of { value, slope };

  /// rows of the field with the coefficients c; with Of::slope of cos φ ∂f/∂φ, φ the latitude.
  template <Of What = Of::value, class T>
  static void synthesise_rows(std::size_t pair, const T* c, T* two_rows) {
    Scratch<T> waves(2 * Fourier::coefficients, Unset{});
    std::fill(waves.begin(), waves.end(), constant<T>(0));
    T *north = waves.data(), *south = north + Fourier::coefficients;
    const auto* table = table_of<What, real_t<T>>() + pair * per_row;
    for (std::size_t m = 0; m <= Truncation; ++m) {
      const std::size_t degrees = Truncation + 1 - m;
      const auto part = [&](const T* from, std::size_t to, real_t<T> scale) {
        T even = constant<T>(0), odd = constant<T>(0);  // in l − m
        std::size_t n = 0;
        for (; n + 1 < degrees; n += 2) {
          even = even + table[n] * from[n];
          odd = odd + table[n + 1] * from[n + 1];
        }
        if (n < degrees) even = even + table[n] * from[n];
        if constexpr (What == Of::slope) std::swap(even, odd);
        north[to] = scale * (even + odd);
        south[to] = scale * (even - odd);
      };
      constexpr auto n = static_cast<double>(columns);
      part(c, 2 * m, static_cast<real_t<T>>(m == 0 ? n : n / std::numbers::sqrt2));
      if (m > 0) part(c + degrees, 2 * m + 1, static_cast<real_t<T>>(-n / std::numbers::sqrt2));
      c += m == 0 ? degrees : 2 * degrees;
      table += degrees;
    }
    Fourier::inverse(north, two_rows);
    Fourier::inverse(south, two_rows + columns);
  }

  /// c += Sᵀ two_rows, the adjoint of `synthesise_rows`.
  template <Of What = Of::value, class T>
  static void add_transposed_rows(std::size_t pair, const T* two_rows, T* c) {
    Scratch<T> waves(2 * Fourier::coefficients, Unset{});
    T *north = waves.data(), *south = north + Fourier::coefficients;
    Fourier::forward(two_rows, north);
    Fourier::forward(two_rows + columns, south);
    const auto* table = table_of<What, real_t<T>>() + pair * per_row;
    for (std::size_t m = 0; m <= Truncation; ++m) {
      const std::size_t degrees = Truncation + 1 - m;
      const auto part = [&](std::size_t from, T* to, real_t<T> scale) {
        T even = scale * (north[from] + south[from]), odd = scale * (north[from] - south[from]);
        if constexpr (What == Of::slope) std::swap(even, odd);
        std::size_t n = 0;
        for (; n + 1 < degrees; n += 2) {
          to[n] = to[n] + table[n] * even;
          to[n + 1] = to[n + 1] + table[n + 1] * odd;
        }
        if (n < degrees) to[n] = to[n] + table[n] * even;
      };
      part(2 * m, c, static_cast<real_t<T>>(m == 0 ? 1 : std::numbers::sqrt2));
      if (m > 0) part(2 * m + 1, c + degrees, static_cast<real_t<T>>(-std::numbers::sqrt2));
      c += m == 0 ? degrees : 2 * degrees;
      table += degrees;
    }
  }

  /// The weight of a point of these rows in the mean over the sphere.
  static double weight(std::size_t pair) { return Grid::area(pair * columns) / points; }
  /// The sine of the latitude of the northern row.
  static double mu(std::size_t pair) { return Grid::sine(pair); }

  /// f = S c; c: coefficients, f: points.
  template <Of What = Of::value, class T>
  static void synthesise(const T* c, T* f) {
    Scratch<T> both(2 * columns, Unset{});
    for (std::size_t pair = 0; pair < pairs; ++pair) {
      synthesise_rows<What>(pair, c, both.data());
      std::copy_n(both.data(), columns, f + pair * columns);
      std::copy_n(both.data() + columns, columns, f + (rows - 1 - pair) * columns);
    }
  }
  /// d_c += Sᵀ d_f.
  template <Of What = Of::value, class T>
  static void synthesise_adjoint(const T* d_f, T* d_c) {
    transposed<What>(d_f, d_c, [](std::size_t) { return 1.0; });
  }
  /// c = A f = Sᵀ W f, W the weights of the points.
  template <class T>
  static void analyse(const T* f, T* c) {
    std::fill_n(c, coefficients, constant<T>(0));
    transposed<Of::value>(f, c, weight);
  }
  /// d_f += Aᵀ d_c = W S d_c.
  template <class T>
  static void analyse_adjoint(const T* d_c, T* d_f) {
    Scratch<T> both(2 * columns, Unset{});
    for (std::size_t pair = 0; pair < pairs; ++pair) {
      synthesise_rows(pair, d_c, both.data());
      const auto w = static_cast<real_t<T>>(weight(pair));
      T *north = d_f + pair * columns, *south = d_f + (rows - 1 - pair) * columns;
      for (std::size_t j = 0; j < columns; ++j) {
        north[j] = north[j] + w * both[j];
        south[j] = south[j] + w * both[columns + j];
      }
    }
  }

  /// The coefficients of ∂f/∂λ; its adjoint is its negative. `out` must not overlap `c`.
  template <class T>
  static void zonal_derivative(const T* c, T* out) {
    for (std::size_t m = 0; m <= Truncation; ++m) {
      const auto order = static_cast<real_t<T>>(m);
      for (std::size_t l = m; l <= Truncation; ++l) {
        if (m == 0) {
          out[index(l, 0)] = constant<T>(0);
        } else {
          out[index(l, m)] = order * c[index(l, m, true)];
          out[index(l, m, true)] = -order * c[index(l, m)];
        }
      }
    }
  }

 private:
  using Fourier = RealFourier<columns>;
  static constexpr std::size_t per_row = (Truncation + 1) * (Truncation + 2) / 2;

  template <Of What, class T, class Weight>
  static void transposed(const T* f, T* c, const Weight& weight_of) {
    Scratch<T> both(2 * columns, Unset{});
    for (std::size_t pair = 0; pair < pairs; ++pair) {
      const auto w = static_cast<real_t<T>>(weight_of(pair));
      const T *north = f + pair * columns, *south = f + (rows - 1 - pair) * columns;
      for (std::size_t j = 0; j < columns; ++j) {
        both[j] = w * north[j];
        both[columns + j] = w * south[j];
      }
      add_transposed_rows<What>(pair, both.data(), c);
    }
  }

  /// Of the northern row of every pair: order m after order m, degrees m … T.
  template <Of What, class Real>
  static const Real* table_of() {
    static const Aligned<Real> table = [] {
      Aligned<Real> out;
      out.reserve(pairs * per_row);
      for (std::size_t pair = 0; pair < pairs; ++pair) {
        const LegendreFunctions functions(Truncation, mu(pair));
        for (std::size_t m = 0; m <= Truncation; ++m)
          for (std::size_t l = m; l <= Truncation; ++l)
            out.push_back(static_cast<Real>(What == Of::value ? functions.value(l, m)
                                                              : functions.slope(l, m)));
      }
      return out;
    }();
    return table.data();
  }
};

}  // namespace dan
