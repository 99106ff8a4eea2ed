// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/scalar.hpp"
#include "dan/core/simd.hpp"
#include "dan/geometry/concepts.hpp"
#include "dan/transform/spherical_harmonics.hpp"

namespace dan {

/// Quasi-geostrophic flow on a sphere in `Levels` levels: the equation of the coefficients of
/// potential vorticity in spherical harmonics.
///
///   ∂q/∂t = −J(ψ, q + f̃) − Λ q + F − E,   ψ = C q,
///   J(a, b) = (∂a/∂λ ∂b/∂μ − ∂a/∂μ ∂b/∂λ)/R²,   E = ∇·(r ∇ψ) at the lowest level alone.
/// q: relative potential vorticity (1/s), ψ: stream function (m²/s), f̃: vorticity of the planet and
/// of its mountains, C and Λ: a matrix of levels per degree l, r: friction at the ground (1/s).
/// With one level q is the vorticity and C = −R²/(l(l + 1)). The Jacobian is computed on the grid
/// of `Harmonics`, without aliasing.
///
/// States: coefficients × levels elements of T, level 0 is the highest. What is linear and what
/// drives the flow are arrays that a setting fills: see barotropic_sphere.hpp and
/// marshall_molteni.hpp.
/// Cost: for each level four syntheses and an analysis. Memory: some states.
/// Source: Marshall and Molteni, J. Atmos. Sci. 50 (1993) 1792–1818, equations 1 to 3.
template <class Harmonics_, std::size_t Levels = 1>
struct QuasiGeostrophic {
  using Harmonics = Harmonics_;
  using Geometry = NoGeometry;
  static constexpr std::size_t truncation = Harmonics::truncation, levels = Levels;
  static constexpr std::size_t points = Harmonics::coefficients, channels = Levels;
  static_assert(3 * truncation + 1 <= Harmonics::columns &&
                    3 * truncation + 1 <= 2 * Harmonics::rows,
                "QuasiGeostrophic: products alias on this grid; it needs at least 3 T + 1 columns "
                "and half as many rows");

  double radius = 6.371e6;                      ///< R (m)
  std::string name = "quasi-geostrophic flow";  ///< for `describe`
  /// C and Λ: levels × levels for every degree 0 … T.
  std::vector<double> inversion = std::vector<double>((truncation + 1) * Levels * Levels);
  std::vector<double> damping = std::vector<double>((truncation + 1) * Levels * Levels);
  /// f̃ and F: coefficients × levels.
  std::vector<double> planet = std::vector<double>(points * Levels);
  std::vector<double> forcing = std::vector<double>(points * Levels);
  /// r and its derivatives on the grid, from `set_friction`; empty: none.
  std::vector<double> friction{};

  /// In words.
  [[nodiscard]] std::string describe() const {
    return to_text(name, ", T", truncation, ", ", Levels, " level", Levels == 1 ? "" : "s");
  }

  /// How fast the fastest waves decay (1/s), a bound: the largest row sum of |Λ|, and the largest
  /// friction at the ground.
  [[nodiscard]] double fastest_decay() const {
    double most = 0, rubbed = 0;
    for (std::size_t p = 0; p < std::min(friction.size(), Harmonics::points); ++p)
      rubbed = std::max(rubbed, friction[p]);
    for (std::size_t row = 0; row < (truncation + 1) * Levels; ++row) {
      double sum = 0;
      for (std::size_t k = 0; k < Levels; ++k) sum += std::abs(damping[row * Levels + k]);
      most = std::max(most, sum + (row % Levels + 1 == Levels ? rubbed : 0));
    }
    return most;
  }

  /// ψ = C q, both level after level.
  template <class T>
  void stream_function(const T* q, T* psi) const {
    by_degree(inversion, q, psi);
  }

  /// dqdt = f(q); the arrays must not overlap.
  template <class T>
  void tendency(const T* q, T* dqdt) const {
    Fields<T> of(*this, q);
    Scratch<T> flux(points * Levels, Unset{}), rows(2 * columns, Unset{});
    linear(of.q.data(), flux.data(), /*forced=*/true);
    for (std::size_t pair = 0; pair < Harmonics::pairs; ++pair)
      for (std::size_t k = 0; k < Levels; ++k) {
        const Slopes<T> s(*this, pair, k, of);
        const auto w = grid_weights<T>(pair);
        for (std::size_t j = 0; j < 2 * columns; ++j)
          rows[j] = w.jacobian * (s.psi_h[j] * s.q_l[j] - s.psi_l[j] * s.q_h[j]);
        if (ground(k)) {
          const Rubbing<T> rub(*this, pair, of.psi.data() + k * points);
          for (std::size_t j = 0; j < 2 * columns; ++j)
            rows[j] = rows[j] - w.mean * rub.of(j, s.psi_l[j], s.psi_h[j]);
        }
        Harmonics::add_transposed_rows(pair, rows.data(), flux.data() + k * points);
      }
    interleave(flux.data(), dqdt);
  }

  /// d_tendency = f'(q) dq.
  template <class T>
  void tendency_tangent(const T* q, const T* dq, T* d_tendency) const {
    Fields<T> of(*this, q), d_of(*this, dq, /*total=*/false);
    Scratch<T> flux(points * Levels, Unset{}), rows(2 * columns, Unset{});
    linear(d_of.q.data(), flux.data(), /*forced=*/false);
    for (std::size_t pair = 0; pair < Harmonics::pairs; ++pair)
      for (std::size_t k = 0; k < Levels; ++k) {
        const Slopes<T> s(*this, pair, k, of), d(*this, pair, k, d_of);
        const auto w = grid_weights<T>(pair);
        for (std::size_t j = 0; j < 2 * columns; ++j)
          rows[j] = w.jacobian * (d.psi_h[j] * s.q_l[j] + s.psi_h[j] * d.q_l[j] -
                                  d.psi_l[j] * s.q_h[j] - s.psi_l[j] * d.q_h[j]);
        if (ground(k)) {
          const Rubbing<T> rub(*this, pair, d_of.psi.data() + k * points);
          for (std::size_t j = 0; j < 2 * columns; ++j)
            rows[j] = rows[j] - w.mean * rub.of(j, d.psi_l[j], d.psi_h[j]);
        }
        Harmonics::add_transposed_rows(pair, rows.data(), flux.data() + k * points);
      }
    interleave(flux.data(), d_tendency);
  }

  /// d_q += f'(q)ᵀ d_tendency.
  template <class T>
  void tendency_adjoint(const T* q, const T* d_tendency, T* d_q) const {
    const std::size_t size = points * Levels;
    Fields<T> of(*this, q);
    Scratch<T> d_flux(size, Unset{}), d_psi(size, Unset{}), d_own(size, Unset{});
    Scratch<T> d_psi_l(size, Unset{}), d_q_l(size, Unset{});  // by ∂ψ/∂λ and ∂q/∂λ
    for (auto* array : {&d_psi, &d_own, &d_psi_l, &d_q_l})
      std::fill(array->begin(), array->end(), constant<T>(0));
    separate(d_tendency, d_flux.data());
    Scratch<T> g(2 * columns, Unset{}), rows(2 * columns, Unset{});
    for (std::size_t pair = 0; pair < Harmonics::pairs; ++pair)
      for (std::size_t k = 0; k < Levels; ++k) {
        const Slopes<T> s(*this, pair, k, of);
        const auto w = grid_weights<T>(pair);
        const std::size_t at = k * points;
        Harmonics::synthesise_rows(pair, d_flux.data() + at, g.data());
        const auto hand = [&]<auto What>(const T* other, real_t<T> factor, T* to) {
          for (std::size_t j = 0; j < 2 * columns; ++j)
            rows[j] = factor * w.jacobian * g[j] * other[j];
          Harmonics::template add_transposed_rows<What>(pair, rows.data(), to + at);
        };
        hand.template operator()<value>(s.psi_h.data(), 1, d_q_l.data());
        hand.template operator()<slope>(s.q_l.data(), 1, d_psi.data());
        hand.template operator()<value>(s.q_h.data(), -1, d_psi_l.data());
        hand.template operator()<slope>(s.psi_l.data(), -1, d_own.data());
        if (ground(k)) {
          for (std::size_t j = 0; j < 2 * columns; ++j) g[j] = -w.mean * g[j];
          Rubbing<T>::transposed(*this, pair, g.data(), d_psi_l.data() + at, d_psi.data() + at);
        }
      }
    // From the derivatives by λ to what they are of.
    Scratch<T> turned(points, Unset{});
    for (std::size_t k = 0; k < Levels; ++k)
      for (const auto& [from, to] : {std::pair{&d_psi_l, &d_psi}, std::pair{&d_q_l, &d_own}}) {
        Harmonics::zonal_derivative(from->data() + k * points, turned.data());
        for (std::size_t i = 0; i < points; ++i) {
          T& sum = (*to)[k * points + i];
          sum = sum - turned[i];
        }
      }
    Scratch<T> through(size, Unset{});
    by_degree<true>(inversion, d_psi.data(), through.data());
    for (std::size_t i = 0; i < size; ++i) d_own[i] = d_own[i] + through[i];
    by_degree<true>(damping, d_flux.data(), through.data());
    for (std::size_t k = 0; k < Levels; ++k)
      for (std::size_t i = 0; i < points; ++i)
        d_q[i * Levels + k] += d_own[k * points + i] - through[k * points + i];
  }

  /// Sets r from its values on the grid, points of `Harmonics::Grid`. Throws ShapeError for another
  /// number of them, ConfigError for one that is negative or not finite.
  void set_friction(const std::vector<double>& r) {
    require_size("QuasiGeostrophic::set_friction", "r", r.size(), Harmonics::points,
                 "point of the grid");
    for (std::size_t p = 0; p < r.size(); ++p)
      if (!(r[p] >= 0 && std::isfinite(r[p])))
        throw ConfigError(to_text("QuasiGeostrophic::set_friction: r[", p, "] is ", r[p],
                                  ", expected a finite number, not negative"));
    std::vector<double> waves(points), along(points), by(Harmonics::points);
    friction = r;
    Harmonics::analyse(r.data(), waves.data());
    Harmonics::zonal_derivative(waves.data(), along.data());
    Harmonics::synthesise(along.data(), by.data());
    friction.insert(friction.end(), by.begin(), by.end());
    Harmonics::template synthesise<slope>(waves.data(), by.data());
    friction.insert(friction.end(), by.begin(), by.end());
  }

 private:
  static constexpr std::size_t columns = Harmonics::columns;
  static constexpr auto value = Harmonics::Of::value, slope = Harmonics::Of::slope;
  [[nodiscard]] bool ground(std::size_t level) const {
    return level + 1 == Levels && !friction.empty();
  }

  /// Weights of a point of two rows: in the mean over the sphere, and the same times 1/(R cos φ)².
  template <class T>
  struct GridWeights {
    real_t<T> mean, jacobian;
  };
  template <class T>
  [[nodiscard]] GridWeights<T> grid_weights(std::size_t pair) const {
    const double w = Harmonics::weight(pair);
    return {static_cast<real_t<T>>(w), static_cast<real_t<T>>(w * metric(pair))};
  }
  /// 1/(R cos φ)².
  [[nodiscard]] double metric(std::size_t pair) const {
    const double mu = Harmonics::mu(pair);
    return 1 / (radius * radius * (1 - mu) * (1 + mu));
  }

  /// Level after level: q, ψ, and the coefficients of the derivatives by λ of ψ and of q + f̃.
  template <class T>
  struct Fields {
    Scratch<T> q{points * Levels, Unset{}}, psi{points * Levels, Unset{}};
    Scratch<T> whole{points * Levels, Unset{}};  ///< q + f̃
    Scratch<T> psi_l{points * Levels, Unset{}}, q_l{points * Levels, Unset{}};
    Fields(const QuasiGeostrophic& of, const T* state, bool total = true) {
      separate(state, q.data());
      of.stream_function(q.data(), psi.data());
      for (std::size_t k = 0; k < Levels; ++k)
        for (std::size_t i = 0; i < points; ++i)
          whole[k * points + i] = total ? q[k * points + i] + constant<T>(of.planet[i * Levels + k])
                                        : q[k * points + i];
      for (std::size_t k = 0; k < Levels; ++k) {
        Harmonics::zonal_derivative(psi.data() + k * points, psi_l.data() + k * points);
        Harmonics::zonal_derivative(whole.data() + k * points, q_l.data() + k * points);
      }
    }
  };
  /// Two rows of a level's ∂ψ/∂λ, cos φ ∂ψ/∂φ and the same of q + f̃.
  template <class T>
  struct Slopes {
    Scratch<T> psi_l{2 * columns, Unset{}}, psi_h{2 * columns, Unset{}};
    Scratch<T> q_l{2 * columns, Unset{}}, q_h{2 * columns, Unset{}};
    Slopes(const QuasiGeostrophic&, std::size_t pair, std::size_t level, const Fields<T>& of) {
      const std::size_t at = level * points;
      Harmonics::synthesise_rows(pair, of.psi_l.data() + at, psi_l.data());
      Harmonics::template synthesise_rows<slope>(pair, of.psi.data() + at, psi_h.data());
      Harmonics::synthesise_rows(pair, of.q_l.data() + at, q_l.data());
      Harmonics::template synthesise_rows<slope>(pair, of.whole.data() + at, q_h.data());
    }
  };
  /// ∇·(r ∇ψ) = r ∇²ψ + (∂r/∂λ ∂ψ/∂λ + cos²φ ∂r/∂φ ∂ψ/∂φ)/(R cos φ)² in two rows.
  template <class T>
  struct Rubbing {
    const QuasiGeostrophic& of_;
    std::size_t pair;
    Scratch<T> vorticity{2 * columns, Unset{}};
    Rubbing(const QuasiGeostrophic& of, std::size_t at_pair, const T* psi)
        : of_(of), pair(at_pair) {
      Scratch<T> waves(points, Unset{});
      laplacian(of, psi, waves.data());
      Harmonics::synthesise_rows(pair, waves.data(), vorticity.data());
    }
    [[nodiscard]] T of(std::size_t j, const T& psi_l, const T& psi_h) const {
      const auto [r, r_l, r_h] = of_.friction_at<T>(pair, j);
      return r * vorticity[j] + r_l * psi_l + r_h * psi_h;
    }
    /// From g, the gradient by E in two rows.
    static void transposed(const QuasiGeostrophic& of, std::size_t pair, const T* g, T* d_psi_l,
                           T* d_psi) {
      Scratch<T> rows(2 * columns, Unset{}), d_vorticity(points, Unset{}), back(points, Unset{});
      std::fill(d_vorticity.begin(), d_vorticity.end(), constant<T>(0));
      const auto weighted = [&](std::size_t which) {
        for (std::size_t j = 0; j < 2 * columns; ++j)
          rows[j] = of.friction_at<T>(pair, j)[which] * g[j];
        return rows.data();
      };
      Harmonics::add_transposed_rows(pair, weighted(0), d_vorticity.data());
      laplacian(of, d_vorticity.data(), back.data());
      for (std::size_t i = 0; i < points; ++i) d_psi[i] = d_psi[i] + back[i];
      Harmonics::add_transposed_rows(pair, weighted(1), d_psi_l);
      Harmonics::template add_transposed_rows<slope>(pair, weighted(2), d_psi);
    }
    static void laplacian(const QuasiGeostrophic& of, const T* from, T* to) {
      Harmonics::for_each([&](std::size_t i, std::size_t l, std::size_t) {
        const auto degree = static_cast<double>(l);
        to[i] = static_cast<real_t<T>>(-degree * (degree + 1) / (of.radius * of.radius)) * from[i];
      });
    }
  };
  /// r and its derivatives times the metric, at place j of two rows.
  template <class T>
  [[nodiscard]] std::array<real_t<T>, 3> friction_at(std::size_t pair, std::size_t j) const {
    const std::size_t row = j < columns ? pair : Harmonics::rows - 1 - pair;
    const double* r = friction.data() + row * columns + j % columns;
    const double scale = metric(pair);
    return {static_cast<real_t<T>>(r[0]), static_cast<real_t<T>>(scale * r[Harmonics::points]),
            static_cast<real_t<T>>(scale * r[2 * Harmonics::points])};
  }

  /// −Λ q, and F.
  template <class T>
  void linear(const T* q, T* out, bool forced) const {
    by_degree(damping, q, out);
    for (std::size_t k = 0; k < Levels; ++k)
      for (std::size_t i = 0; i < points; ++i) {
        T& sum = out[k * points + i];
        sum = forced ? constant<T>(forcing[i * Levels + k]) - sum : -sum;
      }
  }
  /// out = matrix of the degree · in, both level after level.
  template <bool Transposed = false, class T>
  static void by_degree(const std::vector<double>& matrix, const T* in, T* out) {
    Harmonics::for_each([&](std::size_t i, std::size_t l, std::size_t) {
      for (std::size_t k = 0; k < Levels; ++k) {
        T sum = constant<T>(0);
        for (std::size_t n = 0; n < Levels; ++n) {
          const std::size_t at = Transposed ? n * Levels + k : k * Levels + n;
          sum = sum + static_cast<real_t<T>>(matrix[l * Levels * Levels + at]) * in[n * points + i];
        }
        out[k * points + i] = sum;
      }
    });
  }
  /// From coefficients × levels to level after level, and back.
  template <class T>
  static void separate(const T* state, T* out) {
    for (std::size_t k = 0; k < Levels; ++k)
      for (std::size_t i = 0; i < points; ++i) out[k * points + i] = state[i * Levels + k];
  }
  template <class T>
  static void interleave(const T* in, T* state) {
    for (std::size_t k = 0; k < Levels; ++k)
      for (std::size_t i = 0; i < points; ++i) state[i * Levels + k] = in[k * points + i];
  }
};

}  // namespace dan
