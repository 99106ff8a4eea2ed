// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/notice.hpp"
#include "dan/geometry/concepts.hpp"

namespace dan {

/// How large a difference of two states is, as loss, scores, spread and what counts as lost see it:
///
///   ‖e‖² = 1/size Σ_{p,c} w_{p,c} e_{p,c}²,  w_{p,c} = area(p) / unit_c²,
/// with the areas of the geometry (mean one) and a unit for each channel, so that numbers of unlike
/// channels can be added. With one channel of unit one on a ring it is the mean square.
/// First guesses and the members of first ensembles differ from the truth by `deviation` units.
template <std::size_t Channels>
struct Norm {
  std::array<double, Channels> units = ones();

  /// w, points × channels numbers. Throws ConfigError for a unit that is not positive.
  template <class Geometry, std::size_t Points>
  [[nodiscard]] std::vector<double> weights() const {
    std::vector<double> w(Points * Channels);
    for (std::size_t c = 0; c < Channels; ++c)
      require_positive("Norm", to_text("units[", c, "]"), units[c]);
    for (std::size_t p = 0; p < Points; ++p)
      for (std::size_t c = 0; c < Channels; ++c) {
        double area = 1;
        if constexpr (GeometryLike<Geometry>) area = Geometry::area(p);
        w[p * Channels + c] = area / (units[c] * units[c]);
      }
    return w;
  }

 private:
  static constexpr std::array<double, Channels> ones() {
    std::array<double, Channels> one{};
    for (auto& value : one) value = 1;
    return one;
  }
};

/// The deviation of each channel of a Batch over points and lanes.
template <class States>
[[nodiscard]] std::array<double, States::channels> deviations_of(const States& states) {
  constexpr std::size_t channels = States::channels;
  constexpr double count = States::points * States::lanes;
  std::array<double, channels> mean{}, deviations{};
  const auto each = [&](const auto& use) {
    for (std::size_t i = 0; i < States::size; ++i)
      for (std::size_t l = 0; l < States::lanes; ++l) use(i % channels, states.at(i, l));
  };
  each([&](std::size_t c, double x) { mean[c] += x / count; });
  each([&](std::size_t c, double x) { deviations[c] += (x - mean[c]) * (x - mean[c]) / count; });
  for (double& deviation : deviations) deviation = std::sqrt(deviation);
  return deviations;
}

/// A `notice` where channels that vary by these `deviations` are a thousand times more unlike than
/// their units, one does not vary, or all vary by less than a hundredth of their units: first
/// guesses would be farther off than any state, and scores small whatever a method does.
template <std::size_t Channels>
[[gnu::cold]] void notice_of_units(const Norm<Channels>& norm,
                                   const std::array<double, Channels>& deviations) {
  std::size_t least = 0, most = 0;
  const auto share = [&](std::size_t c) { return deviations[c] / norm.units[c]; };
  for (std::size_t c = 1; c < Channels; ++c) {
    if (share(c) < share(least)) least = c;
    if (share(c) > share(most)) most = c;
  }
  if (deviations[least] == 0 && deviations[most] > 0)
    notice(to_text("channel ", least, " of the state does not vary, while channel ", most,
                   " varies by ", three_digits(deviations[most]),
                   ": leave it out of the state, or begin with truths in which it varies "
                   "(Problem::start)"));
  else if (share(most) > 1000 * share(least))
    notice(to_text("channel ", most, " of the state varies by ", three_digits(deviations[most]),
                   ", channel ", least, " by ", three_digits(deviations[least]),
                   ", and their units in the norm are ", norm.units[most], " and ",
                   norm.units[least],
                   "; give the problem units in which they are alike (Problem::norm), and "
                   "observations errors for each channel (Problem::noise)"));
  else if (share(most) > 0 && share(most) < 0.01)
    notice(to_text("the state varies by ", three_digits(deviations[most]),
                   ", and its unit in the norm is ", norm.units[most],
                   ": first guesses are wrong by so many units; give the problem units as large as "
                   "its states vary (Problem::norm), and observations errors in theirs "
                   "(Problem::noise)"));
}

}  // namespace dan
