// SPDX-License-Identifier: BSD-3-Clause
// The programs of docs/extend.md in one: a model, an observation operator, a geometry, a layer, an
// analysis, a recorder and a loss of one's own.
#include <array>
#include <cmath>
#include <cstdio>
#include <vector>

#include "dan/dan.hpp"

using namespace dan;

// [model]
/// A chain of oscillators: dx/dt = v, dv/dt = −sin x + k (left + right − 2 x) − r v + drive.
struct Pendulums {
  using Geometry = Ring<16>;
  static constexpr std::size_t points = 16, channels = 2;  // x, v at each point
  double coupling = 1, friction = 0.05, drive = 1.1;

  template <class T>
  void tendency(const T* x, T* dxdt) const {
    using std::sin;
    for (std::size_t p = 0; p < points; ++p) {
      const T& here = x[2 * p];
      const T &left = x[2 * ((p + 15) % 16)], &right = x[2 * ((p + 1) % 16)];
      dxdt[2 * p] = x[2 * p + 1];
      dxdt[2 * p + 1] =
          coupling * (left + right - 2.0 * here) - sin(here) - friction * x[2 * p + 1] + drive;
    }
  }
};
// [end]

// [operator]
/// Sees the height of every second pendulum's bob, 1 − cos x.
struct Heights {
  static constexpr std::size_t points = 16, channels = 2, slots = 8;

  template <class T>
  void observe(const T* x, T* y) const {
    using std::cos;
    for (std::size_t j = 0; j < slots; ++j) y[j] = 1.0 - cos(x[4 * j]);
  }
  void available(const RandomKey&, bool* mask) const { std::fill_n(mask, slots, true); }
  /// Where slot j is, for localisation: the element of the state that it sees.
  [[nodiscard]] std::size_t element(std::size_t j) const { return 4 * j; }
};
// [end]

// [geometry]
/// A band of latitudes: periodic from west to east, walls in the north and the south.
template <std::size_t Rows, std::size_t Columns>
struct Band {
  using Down = Interval<Rows>;
  using Along = Ring<Columns>;
  static constexpr std::size_t points = Rows * Columns, dimensions = 2;

  static constexpr bool fits(std::size_t width) { return Down::fits(width) && Along::fits(width); }
  static constexpr std::size_t taps(std::size_t width) { return width * width; }
  static constexpr std::size_t tap(std::size_t p, std::size_t k, std::size_t width) {
    return Down::tap(p / Columns, k / width, width) * Columns +
           Along::tap(p % Columns, k % width, width);
  }
  static constexpr std::size_t back(std::size_t p, std::size_t k, std::size_t width) {
    return Down::back(p / Columns, k / width, width) * width +
           Along::back(p % Columns, k % width, width);
  }
  static std::array<double, 2> position(std::size_t p) {
    return {static_cast<double>(p / Columns), static_cast<double>(p % Columns)};
  }
  static double distance(std::size_t p, const std::array<double, 2>& to) {
    return std::hypot(Down::distance(p / Columns, {to[0]}), Along::distance(p % Columns, {to[1]}));
  }
  static double area(std::size_t) { return 1; }
};
static_assert(GeometryLike<Band<4, 8>>);
// [end]

// [layer]
/// out[p, c] = a_c · in[p, c] + b_c, with parameters a and b.
template <std::size_t Points, std::size_t Channels>
struct Scale {
  static constexpr std::size_t inputs = Points * Channels, outputs = inputs;
  static constexpr std::size_t parameters = 2 * Channels;
  template <class T>
  struct Cache {};

  template <class Real, class T>
  void forward(const Real* params, const T* in, T* out, Cache<T>&) const {
    for (std::size_t i = 0; i < inputs; ++i)
      out[i] = T(params[i % Channels]) * in[i] + T(params[Channels + i % Channels]);
  }
  template <class Real, class T>
  void backward(const Real* params, const T* in, const Cache<T>&, const T* d_out, T* d_in,
                Real* d_params) const {
    for (std::size_t i = 0; i < inputs; ++i) {
      d_in[i] += T(params[i % Channels]) * d_out[i];
      d_params[i % Channels] += sum_lanes(in[i] * d_out[i]);
      d_params[Channels + i % Channels] += sum_lanes(d_out[i]);
    }
  }
  template <class Real, class T>
  void tangent(const Real* params, const Real* d_params, const T* in, const T* d_in, T* out,
               T* d_out) const {
    Cache<T> cache;
    forward(params, in, out, cache);
    for (std::size_t i = 0; i < inputs; ++i)
      d_out[i] = T(params[i % Channels]) * d_in[i] + T(d_params[i % Channels]) * in[i] +
                 T(d_params[Channels + i % Channels]);
  }
};
static_assert(DifferentiableMap<Scale<16, 2>>);
// [end]

// [analysis]
/// Nudging: x^a = x^f + α Hᵀ (y − H(x^f)), for eight runs side by side.
template <class Problem>
class Nudging : public AnalysisTypes<Problem, double, 8> {
 public:
  using Types = AnalysisTypes<Problem, double, 8>;
  using typename Types::Estimate, typename Types::FirstGuessBatch, typename Types::Observed;
  struct Carried {
    Estimate state;
  };

  Nudging(const Problem& problem, double strength) : problem_(problem), strength_(strength) {}

  [[nodiscard]] Carried start(const FirstGuessBatch& guess, double, const RandomKey&) const {
    return {guess};
  }
  void forecast(Carried& carried) const {
    problem_.model.step(carried.state.data(), carried.state.data());
  }
  void analyse(Carried& carried, const Observed& observed, const RandomKey&) const {
    using T = lanes_t<double, 8>;
    auto& x = carried.state;
    Scratch<T> departure(Types::slots);
    problem_.observe.observe(x.data(), departure.data());
    for (std::size_t j = 0; j < Types::slots; ++j)
      departure[j] = strength_ * departure_of(observed, j, departure[j]);
    const auto at = x;
    problem_.observe.observe_adjoint(at.data(), departure.data(), x.data());
  }
  void estimate(const Carried& carried, Estimate& to) const { to = carried.state; }

 private:
  Problem problem_;
  double strength_;
};
// [end]

// [recorder]
/// The mean and the variance of the innovations y − H(x^f), all slots together.
struct Innovations : EmptyRecorder {
  double sum = 0, squares = 0, count = 0;

  void after_forecast(const auto& view) {
    if (!view.scored()) return;
    for (std::size_t l = 0; l < view.runs; ++l) {
      if (!view.going(l)) continue;
      std::vector<double> x, y(view.observed.slots);
      for (std::size_t i = 0; i < view.estimate.size; ++i) x.push_back(view.estimate.at(i, l));
      Heights{}.observe(x.data(), y.data());
      for (std::size_t j = 0; j < y.size(); ++j) {
        const double d = view.observed.values.at(j, l) - y[j];
        sum += d, squares += d * d, ++count;
      }
    }
  }
  void merge(const Innovations& next) {
    sum += next.sum, squares += next.squares, count += next.count;
  }
};
// [end]

// [loss]
/// The mean distance Σ_i w_i |x̄ᵃ_i − xᵗ_i|, which large errors pull less than their squares do.
struct Distance {
  template <std::size_t Members, class T>
  double add(const T* states, const T* truth, std::span<const double> norm, double weight,
             double /*limit*/, T* d_states) const {
    using std::abs;
    using Real = real_t<T>;
    Scratch<T> error(norm.size(), Unset{});
    squared_error<Members>(states, truth, norm, error.data());
    T sum(Real(0));
    for (std::size_t i = 0; i < norm.size(); ++i) {
      const T w(static_cast<Real>(weight * norm[i]));
      sum += w * abs(error[i]);
      const T slope = where_positive(error[i], w, T(-w)) * T(Real(1) / Members);
      for (std::size_t m = 0; m < Members; ++m) d_states[m * norm.size() + i] += slope;
    }
    return static_cast<double>(sum_lanes(sum));
  }
};
template <class Problem, class Network>
using ByDistance = Trainer<Problem, Network, 16, Distance>;
// [end]
/// Whether its gradient is that of its value, which is linear between its edges.
bool has_its_gradient() {
  const std::vector<double> truth{0, 1, 2}, norm{1, 2, 0.5}, along{0.3, -0.2, 0.4};
  std::vector<double> x{1, 0.5, 2.5, 2, 0, 3}, d(6), unused(6);  // of two members
  const auto value = [&](std::vector<double>& gradient) {
    return Distance{}.add<2>(x.data(), truth.data(), std::span<const double>(norm), 0.25, 1.0,
                             gradient.data());
  };
  const double before = value(d);
  double slope = 0;
  for (std::size_t i = 0; i < 6; ++i) slope += d[i] * along[i % 3], x[i] += 0.1 * along[i % 3];
  return std::abs(value(unused) - before - 0.1 * slope) < 1e-14;
}

int main() {
  // [battery]
  const std::vector<double> typical(32, 0.5);
  const auto model = check_model(Rk4<Pendulums>{}, typical);
  const auto observed = check_operator(Differentiated<Heights>{}, typical);
  if (!model.passes() || !observed.passes()) {
    std::printf("%s%s", model.words().c_str(), observed.words().c_str());
    return 1;
  }
  // [end]
  if (!has_its_gradient()) {
    std::printf("the gradient of Distance is not that of its value\n");
    return 1;
  }

  // [use]
  using Chain16 = Problem<Rk4<Pendulums>, Differentiated<Heights>>;
  const Chain16 problem{.model = {.time_step = 0.1, .steps = 2},
                        .noise = DiagonalNoise<8>(0.01),
                        .start = {.mean = 0, .deviation = 1}};
  const TwinConfig config{.runs = 8, .cycles = 300, .burn_in = 100, .first_guess_deviation = 0.3};
  const auto show = [](const char* name, const TwinScores& scores) {
    std::printf("%-8s %.3f [%.3f, %.3f]\n", name, scores.analysis_rmse, scores.interval.low,
                scores.interval.high);
    for (const auto& runs : {scores.failures, scores.lost})
      for (const TwinFailure& which : runs)
        std::printf("  run %zu, cycle %zu: %s\n", which.run, which.cycle, which.reason.c_str());
  };
  Innovations innovations;
  show("nudging", run_twin(problem, Nudging<Chain16>(problem, 0.1), config, innovations));
  std::printf("  innovations %.3f\n", std::sqrt(innovations.squares / innovations.count));

  const Climate climate = climatology_of(problem);  // 3D-Var's B is x_B times its covariance
  const auto var3d = [&](auto x) { return Var3d<Chain16>(problem, climate, x[0]); };
  const Tuning tuned =
      tune_analysis(problem, {{"x_B", {0.001, 0.003, 0.01, 0.03, 0.1, 0.3}}}, var3d);
  show("3D-Var", run_twin(problem, var3d(tuned.best.values), config));
  show("EnKF-N", run_twin(problem, EnkfN<Chain16, 20>(problem), config));
  // [end]
}
