// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <string>

#include "dan/core/memory.hpp"
#include "dan/core/scalar.hpp"
#include "dan/core/simd.hpp"

namespace dan {

/// The stream function of a field of vorticity on the sphere, a linear map with adjoint:
///
///   ψ = ∇⁻² ζ:  ψ_lm = −a² ζ_lm / (l (l + 1)), with the mean of ψ zero,
/// of what of ζ is within the truncation. Fields of one channel on the grid; ζ in 1/s, ψ in m²/s.
/// Cost: an analysis and a synthesis.
template <class Harmonics>
struct StreamFunction {
  static constexpr std::size_t points = Harmonics::points, channels = 1;
  double radius = 6.371e6;  ///< a, m

  /// In words.
  [[nodiscard]] std::string describe() const { return "the stream function"; }

  /// ψ_lm/ζ_lm, m²; 0 for l = 0.
  [[nodiscard]] double factor(std::size_t l) const {
    const auto degree = static_cast<double>(l);
    return l == 0 ? 0 : -radius * radius / (degree * (degree + 1));
  }

  /// ψ = ∇⁻² ζ.
  template <class T>
  void apply(const T* vorticity, T* psi) const {
    Scratch<T> waves(Harmonics::coefficients, Unset{});
    Harmonics::analyse(vorticity, waves.data());
    invert(waves.data());
    Harmonics::synthesise(waves.data(), psi);
  }
  /// d_ζ += (∇⁻²)ᵀ d_ψ.
  template <class T>
  void apply_adjoint(const T* d_psi, T* d_vorticity) const {
    Scratch<T> waves(Harmonics::coefficients);
    Harmonics::synthesise_adjoint(d_psi, waves.data());
    invert(waves.data());
    Harmonics::analyse_adjoint(waves.data(), d_vorticity);
  }

 private:
  template <class T>
  void invert(T* waves) const {
    Harmonics::for_each([&](std::size_t i, std::size_t l, std::size_t) {
      waves[i] *= T(static_cast<real_t<T>>(factor(l)));
    });
  }
};

}  // namespace dan
