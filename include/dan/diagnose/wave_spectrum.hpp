// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>
#include <span>
#include <type_traits>

#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/experiment/record.hpp"
#include "dan/transform/real_fourier.hpp"
#include "dan/transform/spherical_harmonics.hpp"

namespace dan {

/// The mean square of a field on a ring by wave number k = 0 … n/2: Σ_k p_k = 1/n Σ_j x_j².
template <std::size_t Points>
struct RingPower {
  static constexpr std::size_t points = Points;  ///< even
  static constexpr std::size_t scales = Points / 2 + 1;
  /// p, of `Points` numbers x, is added to `to`.
  static void add(const double* x, double* to) {
    using Fourier = RealFourier<Points>;
    std::array<double, Fourier::coefficients> waves;
    Fourier::forward(x, waves.data());
    constexpr double square = static_cast<double>(Points) * Points;
    for (std::size_t k = 0; k < scales; ++k) {
      const double both = k == 0 || 2 * k == Points ? 1 : 2;  // k and n − k
      to[k] += both / square * (waves[2 * k] * waves[2 * k] + waves[2 * k + 1] * waves[2 * k + 1]);
    }
  }
};

/// The mean square over the sphere of a field by degree l = 0 … T: p_l = Σ_m c_lm² + s_lm². What is
/// beyond the truncation T is left out. Of vorticity, p_l a²/(2 l (l + 1)) is the kinetic energy.
template <class Harmonics>
struct SpherePower {
  static constexpr std::size_t points = Harmonics::points;
  static constexpr std::size_t scales = Harmonics::truncation + 1;
  /// p, of the field x on the grid, is added to `to`.
  static void add(const double* x, double* to) {
    Scratch<double> waves(Harmonics::coefficients, Unset{});
    Harmonics::analyse(x, waves.data());
    Harmonics::for_each(
        [&](std::size_t i, std::size_t l, std::size_t) { to[l] += waves[i] * waves[i]; });
  }
};

/// The truth and the errors of forecasts and analyses by scale, given to `run_twin` as a recorder:
/// means over runs and scored cycles, of one channel. `Power` says what a scale is.
///
///     WaveSpectrum<RingPower<128>> spectrum;
///     run_twin(problem, method, config, spectrum);  // then spectrum.analysis()[k]
///
/// `begin` throws ConfigError for a channel that the state does not have. Cost: three transforms
/// per run and cycle. Memory: three numbers per scale.
template <class Power>
class WaveSpectrum : public EmptyRecorder {
 public:
  static constexpr std::size_t scales = Power::scales;
  using Spectrum = std::array<double, scales>;

  /// Of channel `channel`.
  explicit WaveSpectrum(std::size_t channel = 0) : channel_(channel) {}

  template <class Problem, class Method>
  void begin(const TwinGroup<Problem, Method>&) const {
    static_assert(Power::points == Problem::points,
                  "WaveSpectrum: the fields of Power must have the points of the state");
    if (channel_ >= Problem::channels)
      throw ConfigError(to_text("WaveSpectrum: channel is ", channel_, ", expected less than ",
                                Problem::channels, ", the channels of the state"));
  }
  void after_forecast(const auto& view) {
    each(view, [&](const double*, const double* error) { forecast_.add(error); });
  }
  void after_analysis(const auto& view) {
    each(view, [&](const double* x, const double* error) { truth_.add(x), analysis_.add(error); });
  }
  template <class Archive>
  void transfer(Archive& archive) {
    archive.part("truth", truth_), archive.part("forecast", forecast_);
    archive.part("analysis", analysis_);
  }
  void merge(const WaveSpectrum& next) {
    truth_.merge(next.truth_), forecast_.merge(next.forecast_), analysis_.merge(next.analysis_);
  }

  /// Mean squares by scale; not a number where nothing was scored.
  [[nodiscard]] Spectrum truth() const { return truth_.mean(); }
  [[nodiscard]] Spectrum forecast() const { return forecast_.mean(); }
  [[nodiscard]] Spectrum analysis() const { return analysis_.mean(); }

 private:
  struct Mean {
    Spectrum sum{};
    double count = 0;

    void add(const double* field) {
      Power::add(field, sum.data());
      ++count;
    }
    template <class Archive>
    void transfer(Archive& archive) {
      archive.numbers("sum", std::span<double>(sum), 1), archive.number("count", count);
    }
    void merge(const Mean& next) {
      for (std::size_t k = 0; k < scales; ++k) sum[k] += next.sum[k];
      count += next.count;
    }
    [[nodiscard]] Spectrum mean() const {
      Spectrum out = sum;
      for (double& p : out) p /= count;
      return out;
    }
  };

  /// use(truth, error) for the channel in every run that goes on.
  void each(const auto& view, const auto& use) const {
    using Estimate = std::remove_cvref_t<decltype(view.estimate)>;
    if (!view.scored()) return;
    Scratch<double> x(Estimate::points, Unset{}), e(Estimate::points, Unset{});
    for (std::size_t l = 0; l < view.runs; ++l) {
      if (!view.going(l)) continue;
      for (std::size_t p = 0; p < Estimate::points; ++p) {
        const std::size_t i = p * Estimate::channels + channel_;
        x[p] = view.twin.truth().at(i, l);
        e[p] = view.estimate.at(i, l) - x[p];
      }
      use(x.data(), e.data());
    }
  }

  std::size_t channel_;
  Mean truth_, forecast_, analysis_;
};

}  // namespace dan
