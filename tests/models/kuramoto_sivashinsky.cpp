// SPDX-License-Identifier: BSD-3-Clause
#include "dan/models/kuramoto_sivashinsky.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <numeric>
#include <vector>

#include "dan/autodiff/dual.hpp"
#include "dan/integrate/etdrk4.hpp"
#include "dan/integrate/repeated.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/io/npy.hpp"
#include "support/battery.hpp"
#include "support/reference.hpp"

using namespace dan;
using test::dot, test::largest_difference, test::Numbers;

namespace {
template <std::size_t Points>
using Model = Etdrk4<KuramotoSivashinsky<Points>>;

/// A state on the attractor, from the start of run 5.
template <std::size_t Points>
Numbers state(const Model<Points>& model, std::size_t steps = 300) {
  Numbers x(Points);
  KuramotoSivashinskyStart{}({.seed = 1, .run = 5}, x);
  for (std::size_t n = 0; n < steps; ++n) model.step(x.data(), x.data());
  return x;
}

template <class M>
Numbers forecast(const M& model, const Numbers& x, std::size_t steps = 1) {
  Numbers y = x;
  for (std::size_t n = 0; n < steps; ++n) model.step(y.data(), y.data());
  return y;
}

double mean_of(const Numbers& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}
/// (−1)^j: the shortest wave.
Numbers zigzag(std::size_t points) {
  Numbers x(points);
  for (std::size_t j = 0; j < points; ++j) x[j] = j % 2 == 0 ? 1 : -1;
  return x;
}
Numbers row_of(const Matrix& m, std::size_t row) { return {&m(row, 0), &m(row, 0) + m.shape()[1]}; }

/// The equation once more, by the derivatives of the trigonometric interpolation at 16 points, the
/// sums as they are; for any integrator.
struct Plain {
  static constexpr std::size_t points = 16, channels = 1;
  double length = 44;
  template <class T>
  void tendency(const T* u, T* f) const {
    for (std::size_t i = 0; i < points; ++i) {
      f[i] = constant<T>(0);
      for (std::size_t j = 0; j < points; ++j)
        for (std::size_t k = 1; k < points / 2; ++k) {
          const double kappa = 2 * std::numbers::pi * static_cast<double>(k) / length;
          const double angle = 2 * std::numbers::pi * static_cast<double>(k) *
                               (static_cast<double>(i) - static_cast<double>(j)) /
                               static_cast<double>(points);
          const double square = kappa * kappa;
          f[i] += 2.0 / points *
                  ((square - square * square) * std::cos(angle) * u[j] +
                   0.5 * kappa * std::sin(angle) * u[j] * u[j]);
        }
    }
  }
};
}  // namespace

TEST_CASE("kuramoto_sivashinsky: fulfils the contracts") {
  static_assert(SpectralEquation<KuramotoSivashinsky<128>>);
  static_assert(DifferentiableModel<Model<128>>);
  static_assert(!DifferentialEquation<KuramotoSivashinsky<128>>);
}

TEST_CASE_TEMPLATE("kuramoto_sivashinsky: battery at several sizes", M, Model<8>, Model<30>,
                   Model<64>, Model<128>) {
  const double length = 0.7 * static_cast<double>(M::points);
  const M model({.length = length}, 0.25);
  test::check_model(model, state(model));
  test::check_model(Repeated<M>{.model = model, .count = 2}, state(model));
  test::check_model(M({.length = length, .keeps_shortest_wave = true}, 0.5), state(model));
}

TEST_CASE("kuramoto_sivashinsky: adjoint and tangent through 50 steps") {
  const Repeated<Model<128>> model{.count = 50};
  (void)test::check_derivatives(test::StepOf<Repeated<Model<128>>>{model}, state(Model<128>()));
}

TEST_CASE("kuramoto_sivashinsky: the step of dual numbers is the tangent") {
  const Model<30> model({.length = 22}, 0.25);
  const Numbers x = state(model), dx = test::normal_numbers(30, 8);
  Numbers dy(30);
  model.step_tangent(x.data(), dx.data(), dy.data());
  std::vector<Dual<double>> dual(30);
  for (std::size_t j = 0; j < 30; ++j) dual[j] = {x[j], dx[j]};
  model.step(dual.data(), dual.data());
  for (std::size_t j = 0; j < 30; ++j) CHECK(std::abs(dual[j].slope - dy[j]) < 1e-13);
}

TEST_CASE("kuramoto_sivashinsky: steps, tangent and adjoint of an independent implementation") {
  const auto folder = test::reference("ks_dapper");
  if (!folder) return;
  const Matrix x = load_npy<2>(*folder / "x.npy"), tangent = load_npy<2>(*folder / "tangent.npy");
  const Model<128> model({.keeps_shortest_wave = true}, 0.5);
  const Numbers start = row_of(x, 0);
  CHECK(largest_difference(forecast(model, start, 1), row_of(x, 1)) < 1e-12);
  CHECK(largest_difference(forecast(model, start, 10), row_of(x, 2)) < 1e-12);
  CHECK(largest_difference(forecast(model, start, 100), row_of(x, 3)) < 1e-9);
  CHECK(largest_difference(forecast(Model<128>(), start, 1), row_of(x, 1)) < 1e-12);

  const Numbers at = row_of(x, 3), dx = row_of(tangent, 0), dy = row_of(tangent, 1);
  Numbers found(128), gradient(128, 0.0);
  model.step_tangent(at.data(), dx.data(), found.data());
  CHECK(largest_difference(found, dy) < 1e-12);
  model.step_adjoint(at.data(), dx.data(), gradient.data());
  CHECK(largest_difference(gradient, row_of(tangent, 2)) < 1e-12);
}

TEST_CASE("kuramoto_sivashinsky: agrees with the sums as they are, and is of order four") {
  const double length = 44;
  Numbers x(16);
  KuramotoSivashinskyStart{.deviation = 0.3}({.seed = 3}, x);
  const double level = dot(x, zigzag(16)) / 16;
  for (std::size_t j = 0; j < 16; ++j) x[j] -= level * zigzag(16)[j];
  const Rk4<Plain> plain{.ode = {.length = length}, .time_step = 0.005, .steps = 400};
  const Numbers truth = forecast(plain, x);
  const auto error = [&](double h, std::size_t steps) {
    return largest_difference(forecast(Model<16>({.length = length}, h), x, steps), truth);
  };
  CHECK(error(0.01, 200) < 1e-9);
  const double coarse = error(0.2, 10), fine = error(0.1, 20), finest = error(0.05, 40);
  CHECK(std::abs(std::log2(coarse / fine) - 4) < 0.3);
  CHECK(std::abs(std::log2(fine / finest) - 4) < 0.3);
}

TEST_CASE("kuramoto_sivashinsky: the mean is conserved, the shortest wave kept or removed") {
  const Numbers wave = zigzag(128);
  Numbers x = state(Model<128>());
  for (std::size_t j = 0; j < 128; ++j) x[j] += 0.7 + 0.5 * wave[j];
  const Numbers kept = forecast(Model<128>({.keeps_shortest_wave = true}, 0.5), x, 20);
  const Numbers removed = forecast(Model<128>(), x, 20);
  CHECK(std::abs(mean_of(kept) - 0.7) < 1e-13);
  CHECK(std::abs(mean_of(removed) - 0.7) < 1e-13);
  CHECK(std::abs(dot(kept, wave) / 128 - 0.5) < 1e-13);
  CHECK(std::abs(dot(removed, wave) / 128) < 1e-14);
}

TEST_CASE("kuramoto_sivashinsky: a field shifted along the ring stays shifted") {
  const Model<128> model;
  Numbers x = state(model), y = forecast(model, x, 4);
  std::rotate(x.begin(), x.begin() + 37, x.end());
  std::rotate(y.begin(), y.begin() + 37, y.end());
  CHECK(largest_difference(forecast(model, x, 4), y) < 1e-13);
}

TEST_CASE("kuramoto_sivashinsky: truths begin with mean zero, differ and are not odd") {
  Numbers x(128), other(128);
  KuramotoSivashinskyStart{}({.seed = 1, .run = 1}, x);
  KuramotoSivashinskyStart{}({.seed = 1, .run = 2}, other);
  CHECK(std::abs(mean_of(x)) < 1e-15);
  CHECK(largest_difference(x, other) > 0.1);
  KuramotoSivashinskyStart{.deviation = 0}({.seed = 1}, other);
  CHECK(std::abs(other[127] - 1) < 1e-15);
  CHECK(std::abs(other[0] -
                 std::cos(std::numbers::pi / 64) * (1 + std::sin(std::numbers::pi / 64))) < 1e-15);
  // The symmetry is lost on the attractor: u(ξ) = −u(π − ξ) before.
  const Numbers late = state(Model<128>(), 600);
  double odd = 0;
  for (std::size_t j = 0; j < 63; ++j) odd = std::max(odd, std::abs(late[j] + late[62 - j]));
  CHECK(odd > 1);
}

TEST_CASE("kuramoto_sivashinsky: what cannot be is refused") {
  CHECK_THROWS_WITH_AS(Model<128>({.length = -22}, 0.5),
                       "KuramotoSivashinsky: length is -22, expected a finite number greater than "
                       "zero",
                       ConfigError);
  // The fastest wave grows by 1/4 per unit of time.
  CHECK_THROWS_WITH_AS(Model<128>({}, 3),
                       doctest::Contains("Etdrk4: time_step is 3, expected at most 2.4"),
                       ConfigError);
  Numbers x = test::normal_numbers(128, 1);
  const Model<128> longest({}, 2.4);
  for (int n = 0; n < 200; ++n) longest.step(x.data(), x.data());
  for (const double u : x) CHECK(std::abs(u) < 10);
  CHECK(KuramotoSivashinsky<64>{.keeps_shortest_wave = true}.describe() ==
        "Kuramoto–Sivashinsky at 64 points, length 100.5309649, with the shortest wave");
  const KuramotoSivashinsky<64> equation{.length = 22};
  CHECK(equation.describe() == "Kuramoto–Sivashinsky at 64 points, length 22");
  CHECK(Model<64>(equation, 0.25).describe() ==
        "Kuramoto–Sivashinsky at 64 points, length 22, ETDRK4, 0.25");
  CHECK(Model<64>(equation, 0.25).cycle_length() == 0.25);
}
