// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dan/autodiff/checks.hpp"
#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/random.hpp"
#include "dan/core/simd.hpp"

/// \file
/// What the checks of `battery.hpp` are made of: perturbations as large as a state's own variation,
/// and one function for each thing that can be wrong.

namespace dan {

/// What a battery found wrong, in sentences.
struct BatteryReport {
  std::vector<std::string> wrong;
  bool written = false;  ///< outputs are, with numbers; if not, nothing else was checked
  TaylorFit taylor;      ///< of the tangent
  double largest_lane_difference = 0;  ///< of a state in a lane and alone, relative; 0: same bits

  [[nodiscard]] bool passes() const { return wrong.empty(); }
  /// One sentence more; by copy, since g++ 12 has false warnings about moved strings.
  void say(const std::string& sentence) { wrong.push_back(sentence); }
  /// All sentences, a line each; empty where nothing is wrong.
  [[nodiscard]] std::string words() const {
    std::string out;
    for (const std::string& sentence : wrong) out += sentence + "\n";
    return out;
  }
};

namespace detail {
/// `count` numbers from N(0, 1), others for every `run`.
[[nodiscard]] inline std::vector<double> battery_numbers(std::size_t count, std::uint64_t run) {
  std::vector<double> out(count);
  fill_normal<double>({.seed = 4711, .purpose = Purpose::user, .run = run}, out);
  return out;
}

/// How large a perturbation of each element of x may be: the deviation of its channel over the
/// points; where that does not vary, its size, and one where it is zero. So the battery sees a
/// temperature of 288 K as it does one of 0.3 in other units.
[[nodiscard]] inline std::vector<double> battery_units(std::span<const double> x,
                                                       std::size_t channels) {
  const std::size_t points = x.size() / channels;
  std::vector<double> units(x.size());
  for (std::size_t c = 0; c < channels; ++c) {
    double mean = 0, variance = 0;
    for (std::size_t p = 0; p < points; ++p) mean += x[p * channels + c];
    mean /= static_cast<double>(points);
    for (std::size_t p = 0; p < points; ++p) variance += std::pow(x[p * channels + c] - mean, 2);
    const double deviation = std::sqrt(variance / static_cast<double>(points));
    const double size = std::hypot(mean, deviation);
    const double unit = deviation > 1e-3 * size ? deviation : size;
    for (std::size_t p = 0; p < points; ++p) units[p * channels + c] = unit > 0 ? unit : 1;
  }
  return units;
}
/// N(0, 1) numbers times `units`.
[[nodiscard]] inline std::vector<double> battery_numbers(std::span<const double> units,
                                                         std::uint64_t run) {
  auto out = battery_numbers(units.size(), run);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] *= units[i];
  return out;
}
[[nodiscard]] inline std::vector<double> inverse(std::vector<double> units) {
  for (double& unit : units) unit = 1 / unit;
  return units;
}

/// A map at a state, and how large inputs and outputs are.
template <class Map>
struct Battery {
  using Numbers = std::vector<double>;
  const Map& map;
  std::span<const double> x;
  Numbers in_units = battery_units(x, Map::channels), out_units = find_out_units();

  [[nodiscard]] Numbers value(std::span<const double> at, double before = 0) const {
    Numbers y(map.outputs, before);
    map.value(at.data(), y.data());
    return y;
  }
  [[nodiscard]] Numbers tangent(std::span<const double> dx, double before = 0) const {
    Numbers dy(map.outputs, before);
    map.tangent(x.data(), dx.data(), dy.data());
    return dy;
  }
  /// Adds to `d_x`.
  [[nodiscard]] Numbers adjoint(std::span<const double> d_y, Numbers d_x) const {
    map.adjoint(x.data(), d_y.data(), d_x.data());
    return d_x;
  }
  /// x + 0.1 unit N(0, 1).
  [[nodiscard]] Numbers beside() const {
    Numbers moved = battery_numbers(in_units, 5);
    for (std::size_t i = 0; i < moved.size(); ++i) moved[i] = x[i] + 0.1 * moved[i];
    return moved;
  }

 private:
  /// Of states: theirs. Else each output's size or change, whichever is larger.
  [[nodiscard]] Numbers find_out_units() const {
    if constexpr (Map::of_states) return in_units;
    Numbers units = value(x), other = value(beside());
    for (std::size_t i = 0; i < units.size(); ++i) {
      units[i] = std::max(std::abs(units[i]), 10 * std::abs(other[i] - units[i]));
      if (!(units[i] > 0 && std::isfinite(units[i]))) units[i] = 1;
    }
    return units;
  }
};

/// Whether a function overwrites all of its output, with numbers. `call(before)` is its output
/// where `before` stood in all elements.
template <class Call>
[[nodiscard]] bool battery_output(const Call& call, const std::string& name, const char* where,
                                  BatteryReport& report) {
  const std::vector<double> one = call(1.0), two = call(2.0), again = call(1.0);
  for (std::size_t i = 0; i < one.size(); ++i) {
    if (std::bit_cast<std::uint64_t>(one[i]) != std::bit_cast<std::uint64_t>(again[i])) {
      report.say(to_text(name, " gives another number in element ", i,
                         " when it is called again; it must not keep anything from call to call"));
      return false;
    }
    if (two[i] - one[i] == 1) {
      report.say(to_text(name, " leaves what stood in element ", i,
                         " of its output; it must write all ", one.size(), ", with = and not +="));
      return false;
    }
    if (!std::isfinite(one[i])) {
      report.say(to_text(name, " gives ", one[i], " in element ", i, " of its output ", where,
                         ", expected numbers"));
      return false;
    }
  }
  return true;
}
template <class Map>
[[nodiscard]] bool battery_outputs(const Battery<Map>& at, BatteryReport& report) {
  const auto moved = at.beside();
  const bool written =
      battery_output([&](double before) { return at.value(at.x, before); }, Map::name, "at x",
                     report) &&
      battery_output([&](double before) { return at.value(moved, before); }, Map::name,
                     "a tenth of the deviation of each channel from x", report);
  if constexpr (Map::differentiable)
    return written &&
           battery_output(
               [&](double before) { return at.tangent(battery_numbers(at.in_units, 1), before); },
               to_text(Map::name, "_tangent"), "at x", report);
  return written;
}

/// Tangent against f (Taylor), adjoint against tangent (dot product), accumulation of the adjoint.
template <class Map>
void battery_derivatives(const Battery<Map>& at, BatteryReport& report) {
  using Numbers = std::vector<double>;
  const Numbers in_weights = inverse(at.in_units), out_weights = inverse(at.out_units);
  const auto tangent = [&](std::span<const double> dx) { return at.tangent(dx); };
  const auto adjoint = [&](std::span<const double> d_y) {
    return at.adjoint(d_y, Numbers(at.map.inputs));
  };
  for (std::uint64_t run = 0; run < 3; ++run) {
    const double error = dot_product_error(tangent, adjoint, battery_numbers(at.in_units, 10 + run),
                                           battery_numbers(out_weights, 20 + run));
    if (std::isnan(error)) {  // 0/0, since the tangent's outputs are numbers
      report.say(to_text(Map::name,
                         "_tangent is zero at x, so that nothing is checked; give a "
                         "typical state"));
      return;
    }
    if (!(error <= 1e-13)) {
      report.say(to_text(Map::name, "_adjoint is not the transpose of ", Map::name,
                         "_tangent: the dot products differ by ", error,
                         " of their size, expected at most 1e-13"));
      break;
    }
  }

  const auto in_out_units = [&](Numbers y) {
    for (std::size_t i = 0; i < y.size(); ++i) y[i] *= out_weights[i];
    return y;
  };
  report.taylor =
      taylor_slope([&](std::span<const double> x) { return in_out_units(at.value(x)); },
                   [&](std::span<const double> dx) { return in_out_units(at.tangent(dx)); }, at.x,
                   battery_numbers(at.in_units, 1));
  if (!report.taylor.passes())
    report.say(to_text(Map::name, "_tangent is not the derivative of ", Map::name,
                       ": the remainder falls with slope ", report.taylor.slope, " over ",
                       report.taylor.points,
                       " steps, expected 2; is there a kink or a jump near x?"));

  const Numbers v = battery_numbers(out_weights, 2), before = battery_numbers(in_weights, 3);
  const Numbers gradient = adjoint(v), after = at.adjoint(v, before);
  double error = 0, size = 1;
  for (std::size_t i = 0; i < at.map.inputs; ++i) {
    error = std::max(error, std::abs(after[i] - (before[i] + gradient[i])) * at.in_units[i]);
    size = std::max(size, std::abs(gradient[i]) * at.in_units[i]);
  }
  if (!(error <= 1e-14 * size))
    report.say(to_text(Map::name, "_adjoint must add to the d_x it is given; it is ", error / size,
                       " of its size away from that: write d_x[i] += ..."));
}

/// A state in a lane of a pack against that state alone, for `call(x, in, out)` whose `in` and
/// `out`, which holds something before, are of the size of these units; float is apart.
template <class Map, class Call>
void battery_lanes(const Battery<Map>& at, const Call& call, const char* suffix,
                   const std::vector<double>& in_units, const std::vector<double>& out_units,
                   BatteryReport& report) {
  constexpr std::size_t lanes = 2 * simd_width<double>;
  using T = Pack<double, lanes>;
  const std::size_t n = at.x.size(), wide = in_units.size(), far = out_units.size();
  const auto noise = battery_numbers((n + wide + far) * lanes, 4);
  Aligned<T> xs(n), in(wide), out(far);
  std::vector<double> start(far * lanes);
  for (std::size_t l = 0; l < lanes; ++l) {
    const auto number = [&](std::size_t i) { return noise[i * lanes + l]; };
    for (std::size_t i = 0; i < n; ++i) xs[i][l] = at.x[i] + 0.1 * at.in_units[i] * number(i);
    for (std::size_t i = 0; i < wide; ++i) in[i][l] = in_units[i] * number(n + i);
    for (std::size_t i = 0; i < far; ++i)
      start[i * lanes + l] = out[i][l] = out_units[i] * number(n + wide + i);
  }
  call(xs.data(), in.data(), out.data());
  double largest = 0;
  for (std::size_t l = 0; l < lanes; ++l) {
    std::vector<double> here(n), from(wide), alone(far);
    for (std::size_t i = 0; i < n; ++i) here[i] = xs[i][l];
    for (std::size_t i = 0; i < wide; ++i) from[i] = in[i][l];
    for (std::size_t i = 0; i < far; ++i) alone[i] = start[i * lanes + l];
    call(here.data(), from.data(), alone.data());
    double size = 1e-300;
    for (std::size_t i = 0; i < far; ++i) size = std::max(size, std::abs(alone[i]) / out_units[i]);
    for (std::size_t i = 0; i < far; ++i)
      if (std::bit_cast<std::uint64_t>(alone[i]) != std::bit_cast<std::uint64_t>(out[i][l])) {
        const double difference = std::abs(alone[i] - out[i][l]) / (out_units[i] * size);
        largest = std::isnan(difference) ? HUGE_VAL : std::max({largest, difference, 1e-300});
      }
  }
  report.largest_lane_difference = std::max(report.largest_lane_difference, largest);
  if (largest > 1e-12)
    report.say(to_text(Map::name, suffix, ": a state in a lane of a pack differs from that ",
                       "state alone by ", largest,
                       " of its size, expected round-off; is every lane on its own?"));
}

/// Lanes and float of all three functions.
template <class Map>
void battery_scalars(const Battery<Map>& at, BatteryReport& report) {
  const Map& map = at.map;
  const std::size_t n = map.inputs, m = map.outputs;
  battery_lanes(
      at, [&](const auto* x, const auto*, auto* y) { map.value(x, y); }, "", {}, at.out_units,
      report);
  if constexpr (Map::differentiable) {
    battery_lanes(
        at, [&](const auto* x, const auto* dx, auto* dy) { map.tangent(x, dx, dy); }, "_tangent",
        at.in_units, at.out_units, report);
    battery_lanes(
        at, [&](const auto* x, const auto* d_y, auto* d_x) { map.adjoint(x, d_y, d_x); },
        "_adjoint", inverse(at.out_units), inverse(at.in_units), report);
  }
  using Single = lanes_t<float, simd_width<float>>;  // what training computes with
  Aligned<Single> in(n), single(m);
  std::vector<double> rounded(n);
  for (std::size_t i = 0; i < n; ++i) {
    in[i] = constant<Single>(at.x[i]);
    rounded[i] = static_cast<double>(lane_of(in[i], 0));
  }
  map.value(in.data(), single.data());
  const auto exact = at.value(rounded);
  double error = 0, size = 0;
  for (std::size_t i = 0; i < m; ++i) {
    const double difference = exact[i] - static_cast<double>(lane_of(single[i], 0));
    error = std::max(error, std::abs(difference) / at.out_units[i]);
    size = std::max(size, std::abs(exact[i]) / at.out_units[i]);
  }
  if (!(error <= 1e-5 * size))
    report.say(to_text(Map::name, ": float differs from double by ", error / size,
                       " of its size, expected at most 1e-5"));
}
}  // namespace detail

}  // namespace dan
