// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "dan/concepts.hpp"
#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/random.hpp"
#include "dan/core/scalar.hpp"

namespace dan {

/// The fields of the model itself; see `OnGrid`.
struct OwnFields {
  [[nodiscard]] static constexpr double factor(std::size_t) { return 1; }
};

/// A model of spectral coefficients as a model of the fields on their grid: y = S F M(F⁻¹ A x),
/// with A and S the analysis and synthesis of `Harmonics`, and F a factor for each degree.
///
///     OnGrid<Harmonics, Rk4<QuasiGeostrophic<Harmonics>>> vorticity{
///         {one_level<Harmonics>(), 3600, 12}};
///     OnGrid<Harmonics, Rk4<QuasiGeostrophic<Harmonics>>, StreamFunction<Harmonics>> psi{…};
///
/// What analyses see is on the grid, where observations are made, networks convolve and filters are
/// localised. A grid has more points than there are coefficients: what an increment has beyond the
/// truncation is lost in the next step, whatever method made it. Step, tangent and adjoint are
/// those of the model between transforms.
/// `Shown`: what the state is, if not the field that the model forecasts: its `factor(l)` for
/// degree l, as `StreamFunction` has; what has factor 0 is lost. Best make what is observed the
/// state: what an observation tells is then near its place. States: points × channels of the grid.
/// Cost: that of the model, a transform there and one back.
template <class Harmonics, DynamicalModel Model, class Shown = OwnFields>
struct OnGrid {
  using Geometry = typename Harmonics::Grid;
  static_assert(Model::points == Harmonics::coefficients,
                "OnGrid: the model's points must be the coefficients of these harmonics");
  static_assert(!Timed<Model>, "OnGrid: its model must not be told the time");
  static_assert(
      requires(const Shown shown) { shown.factor(std::size_t(0)) + 1.0; },
      "OnGrid: the third argument must have the factor of degree l, double factor("
      "std::size_t l) const; StreamFunction<Harmonics> has it");
  static_assert(Model::channels == 1 || std::is_same_v<Shown, OwnFields>,
                "OnGrid: only a model of one channel is shown as another field");
  static constexpr std::size_t points = Harmonics::points, channels = Model::channels;
  static constexpr std::size_t size = points * channels;

  Model model{};
  [[no_unique_address]] Shown shown{};

  /// What a truth asks for: that of the model, and that what is shown is that of the model's
  /// sphere.
  void require_valid() const {
    if constexpr (requires { model.require_valid(); }) model.require_valid();
    if constexpr (requires { shown.radius == model.ode.radius; })
      if (shown.radius != model.ode.radius)
        throw ConfigError(to_text("OnGrid: shown.radius is ", shown.radius, ", expected ",
                                  model.ode.radius, ", that of the model"));
  }

  /// Length of one cycle in time units of the equation, if the model knows its own.
  [[nodiscard]] double cycle_length() const requires requires(const Model& m) { m.cycle_length(); }
  { return model.cycle_length(); }

  /// In words, if the model has some.
  [[nodiscard]] std::string describe() const requires requires(const Model& m) { m.describe(); }
  {
    if constexpr (requires { shown.describe(); })
      return to_text(model.describe(), ", shown as ", shown.describe());
    else
      return model.describe();
  }

  /// y = S F M(F⁻¹ A x); y may be x.
  template <class T>
  void step(const T* x, T* y) const {
    Scratch<T> waves(Model::points * channels, Unset{});
    analyse(x, waves.data());
    model.step(waves.data(), waves.data());
    synthesise(waves.data(), y);
  }
  /// dy = S F M'(F⁻¹ A x) F⁻¹ A dx; dy may be dx.
  template <class T>
  void step_tangent(const T* x, const T* dx, T* dy) const requires DifferentiableModel<Model> {
    Scratch<T> at(Model::points * channels, Unset{}), waves(Model::points * channels, Unset{});
    analyse(x, at.data());
    analyse(dx, waves.data());
    model.step_tangent(at.data(), waves.data(), waves.data());
    synthesise(waves.data(), dy);
  }
  /// d_x += (F⁻¹ A)ᵀ M'(F⁻¹ A x)ᵀ (S F)ᵀ d_y.
  template <class T>
  void step_adjoint(const T* x, const T* d_y, T* d_x) const requires DifferentiableModel<Model> {
    constexpr std::size_t count = Model::points * channels;
    Scratch<T> at(count, Unset{}), d_after(count, Unset{}), d_before(count, Unset{});
    Scratch<T> field(points, Unset{}), waves(Model::points, Unset{});
    analyse(x, at.data());
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t p = 0; p < points; ++p) field[p] = d_y[p * channels + c];
      std::fill(waves.begin(), waves.end(), constant<T>(0));
      Harmonics::synthesise_adjoint(field.data(), waves.data());
      show(waves.data());
      for (std::size_t i = 0; i < Model::points; ++i) d_after[i * channels + c] = waves[i];
    }
    std::fill(d_before.begin(), d_before.end(), constant<T>(0));
    model.step_adjoint(at.data(), d_after.data(), d_before.data());
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t i = 0; i < Model::points; ++i) waves[i] = d_before[i * channels + c];
      std::fill(field.begin(), field.end(), constant<T>(0));
      forecast_field(waves.data());
      Harmonics::analyse_adjoint(waves.data(), field.data());
      for (std::size_t p = 0; p < points; ++p) {
        T& sum = d_x[p * channels + c];
        sum = sum + field[p];
      }
    }
  }

  /// The coefficients × channels of a state, and the state that has them.
  template <class T>
  void analyse(const T* x, T* coefficients) const {
    Scratch<T> field(points, Unset{}), waves(Model::points, Unset{});
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t p = 0; p < points; ++p) field[p] = x[p * channels + c];
      Harmonics::analyse(field.data(), waves.data());
      forecast_field(waves.data());
      for (std::size_t i = 0; i < Model::points; ++i) coefficients[i * channels + c] = waves[i];
    }
  }
  template <class T>
  void synthesise(const T* coefficients, T* x) const {
    Scratch<T> field(points, Unset{}), waves(Model::points, Unset{});
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t i = 0; i < Model::points; ++i) waves[i] = coefficients[i * channels + c];
      show(waves.data());
      Harmonics::synthesise(waves.data(), field.data());
      for (std::size_t p = 0; p < points; ++p) x[p * channels + c] = field[p];
    }
  }

 private:
  /// F and F⁻¹ of coefficients.
  template <class T>
  void show(T* waves) const {
    multiply(waves, [](double factor) { return factor; });
  }
  template <class T>
  void forecast_field(T* waves) const {
    multiply(waves, [](double factor) { return factor == 0 ? 0 : 1 / factor; });
  }
  template <class T>
  void multiply(T* waves, const auto& by) const {
    if constexpr (!std::is_same_v<Shown, OwnFields>)
      Harmonics::for_each([&](std::size_t i, std::size_t l, std::size_t) {
        waves[i] *= T(static_cast<real_t<T>>(by(shown.factor(l))));
      });
  }
};

/// How a truth on the sphere begins: independent normal coefficients of all degrees from one on, of
/// this deviation; the flow then needs months to forget it.
template <class Harmonics, std::size_t Channels = 1>
struct SphereStart {
  double deviation = 1e-6;  ///< of each coefficient of the state; this one is for vorticity, 1/s
  std::size_t spin_up = 120;

  void operator()(const RandomKey& key, std::span<double> x) const {
    std::vector<double> noise(Harmonics::coefficients * Channels), waves(Harmonics::coefficients),
        field(Harmonics::points);
    fill_normal<double>(key, noise);
    for (std::size_t c = 0; c < Channels; ++c) {
      for (std::size_t i = 1; i < waves.size(); ++i) waves[i] = deviation * noise[i * Channels + c];
      Harmonics::synthesise(waves.data(), field.data());
      for (std::size_t p = 0; p < field.size(); ++p) x[p * Channels + c] = field[p];
    }
  }
};

}  // namespace dan
