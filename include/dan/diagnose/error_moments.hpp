// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <span>
#include <type_traits>

#include "dan/core/error.hpp"
#include "dan/experiment/record.hpp"

namespace dan {

/// How far from Gaussian the errors of the forecasts are, given to `run_twin` as a recorder.
///
/// Pools e = estimate − truth after the forecast over elements, runs and scored cycles, in units of
/// the state; for unlike channels take the one of interest (`channel`). With m_p the central
/// moments: skewness m_3 / m_2^{3/2}, excess kurtosis m_4 / m_2² − 3; both zero for a Gaussian. A
/// mixture of Gaussians of unlike variance has a positive excess too: compare with that of a regime
/// known to be linear. Memory: five numbers.
/// Source: Joanes and Gill, The Statistician 47 (1998) 183–189 (g_1 and g_2).
class ErrorMoments : public EmptyRecorder {
 public:
  ErrorMoments() = default;
  /// Of one channel of the state's `channels`. Throws ConfigError if there is no such channel, and
  /// in the experiment if the state has another number of them.
  ErrorMoments(std::size_t channel, std::size_t channels) : channel_(channel), channels_(channels) {
    if (channel >= channels)
      throw ConfigError(to_text("ErrorMoments: channel is ", channel, ", expected less than ",
                                channels, ", the channels of the state"));
  }

  void begin(const auto& group) const {
    const std::size_t own = std::decay_t<decltype(group.twin)>::Problem::channels;
    if (channels_ > 1 && channels_ != own)
      throw ConfigError(to_text("ErrorMoments: channels is ", channels_, ", expected ", own,
                                ", those of the state"));
  }
  void after_forecast(const auto& view) {
    if (!view.scored()) return;
    for (std::size_t l = 0; l < view.runs; ++l)
      if (view.going(l))
        for (std::size_t i = channel_; i < view.estimate.size; i += channels_)
          add(view.estimate.at(i, l) - view.twin.truth().at(i, l));
  }
  /// One error more.
  void add(double error) {
    double power = 1;
    for (double& sum : sums_) {
      sum += power;
      power *= error;
    }
  }
  template <class Archive>
  void transfer(Archive& archive) {
    archive.numbers("sums", std::span<double>(sums_), 1);
  }
  void merge(const ErrorMoments& next) {
    for (std::size_t p = 0; p < 5; ++p) sums_[p] += next.sums_[p];
  }

  /// How many errors; with none, what follows is not a number.
  [[nodiscard]] double count() const { return sums_[0]; }
  [[nodiscard]] double mean() const { return raw(1); }
  [[nodiscard]] double deviation() const { return std::sqrt(central2()); }
  [[nodiscard]] double skewness() const {
    const double m = mean();
    return (raw(3) - 3 * m * raw(2) + 2 * m * m * m) / std::pow(central2(), 1.5);
  }
  [[nodiscard]] double excess_kurtosis() const {
    const double m = mean(), square = central2();
    return (raw(4) - 4 * m * raw(3) + 6 * m * m * raw(2) - 3 * m * m * m * m) / (square * square) -
           3;
  }

 private:
  [[nodiscard]] double raw(std::size_t p) const { return sums_[p] / sums_[0]; }
  [[nodiscard]] double central2() const { return raw(2) - raw(1) * raw(1); }

  std::size_t channel_ = 0, channels_ = 1;
  double sums_[5]{};  ///< of the powers 0 to 4 of the errors
};

}  // namespace dan
