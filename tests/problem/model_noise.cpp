// SPDX-License-Identifier: BSD-3-Clause
#include "dan/problem/model_noise.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "dan/core/linalg.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/problem/climate.hpp"
#include "dan/problem/dense_model_noise.hpp"
#include "dan/problem/truth.hpp"
#include "dan/train/fingerprint.hpp"
#include "support/battery.hpp"

using namespace dan;

namespace {
/// x ← 0.8 x
struct Decay {
  static constexpr std::size_t points = 6, channels = 1;
  template <class T>
  void step(const T* x, T* y) const {
    for (std::size_t i = 0; i < points; ++i) y[i] = T(0.8) * x[i];
  }
};
template <class Model, class Noise>
using Noisy = Problem<Model, ObserveAll<Model::points>, GaussianStart, Noise>;
using Lorenz = Noisy<Rk4<Lorenz96<40>>, DiagonalModelNoise<40>>;

static_assert(ModelNoise<DiagonalModelNoise<4>> && ModelNoise<DenseModelNoise<4>>);
static_assert(!ModelNoise<NoModelNoise> && !ModelNoise<double>);
static_assert(Problem<Decay, ObserveAll<6>>::perfect_model);
static_assert(!Lorenz::perfect_model);

/// L and Q of a noise, column by column, in packs and one by one.
template <class Noise>
void check_noise(const Noise& noise, const Matrix& q) {
  constexpr std::size_t size = Noise::size;
  const std::size_t numbers = noise.numbers();
  auto root = zero_tensor<double>(size, numbers);
  for (std::size_t k = 0; k < numbers; ++k) {
    std::vector<double> unit(numbers), column(size);
    unit[k] = 1;
    noise.root(unit.data(), column.data());
    for (std::size_t i = 0; i < size; ++i) root(i, k) = column[i];
  }
  const auto squared = matrix_product(root, transpose_of(root));
  using T = Pack<double, padded_lanes<double, size>>;
  std::vector<T> units(size, T(0)), columns(size, T(0));
  for (std::size_t i = 0; i < size; ++i) units[i][i] = 1;
  noise.multiply(units.data(), columns.data());
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t j = 0; j < size; ++j) {
      CHECK(std::abs(squared(i, j) - q(i, j)) < 1e-14);
      CHECK(std::abs(columns[i][j] - q(i, j)) < 1e-14);
    }
}
}  // namespace

TEST_CASE("model noise: root and product belong to Q, for one variance, channels and elements") {
  const auto diagonal = [](const std::array<double, 4>& d) {
    auto q = zero_tensor<double>(4, 4);
    for (std::size_t i = 0; i < 4; ++i) q(i, i) = d[i];
    return q;
  };
  check_noise(DiagonalModelNoise<4>(0.3), diagonal({0.3, 0.3, 0.3, 0.3}));
  check_noise(DiagonalModelNoise<4>(std::array{0.3, 0.0}), diagonal({0.3, 0, 0.3, 0}));
  check_noise(DiagonalModelNoise<4>(std::array{1.0, 2.0, 3.0, 4.0}), diagonal({1, 2, 3, 4}));
  auto q = diagonal({2, 2, 2, 2});
  for (std::size_t i = 0; i < 3; ++i) q(i, i + 1) = q(i + 1, i) = 0.9;
  check_noise(DenseModelNoise<4>(cholesky(q)), q);
  auto pattern = zero_tensor<double>(4, 1);  // one pattern of noise
  for (std::size_t i = 0; i < 4; ++i) pattern(i, 0) = static_cast<double>(i);
  check_noise(DenseModelNoise<4>(pattern), matrix_product(pattern, transpose_of(pattern)));
}

TEST_CASE("model noise: bad numbers and shapes are errors") {
  CHECK_THROWS_WITH_AS(DiagonalModelNoise<4>(-1),
                       "DiagonalModelNoise: variance 0 is -1, expected a finite number, not "
                       "negative",
                       ConfigError);
  CHECK_THROWS_WITH_AS(
      DiagonalModelNoise<4>(std::array{1.0, std::numeric_limits<double>::infinity()}),
      "DiagonalModelNoise: variance 1 is inf, expected a finite number, not negative", ConfigError);
  CHECK_THROWS_WITH_AS(DenseModelNoise<4>(zero_tensor<double>(3, 4)),
                       "DenseModelNoise: root has shape (3, 4), expected 4 rows, one per state "
                       "element, and at least one column",
                       ShapeError);
  auto root = zero_tensor<double>(4, 2);
  root(1, 1) = std::nan("");
  CHECK_THROWS_WITH_AS((DenseModelNoise<4>(root)),
                       "DenseModelNoise: root holds nan, expected finite numbers", ConfigError);
}

TEST_CASE("model noise: a truth is the model's step plus the noise of seed, run and cycle") {
  const Lorenz problem{.start = {.spin_up = 30}, .model_noise = DiagonalModelNoise<40>(0.25)};
  TwinTruth<Lorenz, 5> twin(problem, {.seed = 8, .first_run = 3});
  for (std::size_t cycle = 1; cycle <= 20; ++cycle) {
    const auto before = twin.truth();
    twin.next();
    for (std::size_t l = 0; l < 5; ++l) {
      std::array<double, 40> x, normal;
      for (std::size_t i = 0; i < 40; ++i) x[i] = before.at(i, l);
      problem.model.step(x.data(), x.data());
      fill_normal<double>({8, Purpose::model_noise, 3 + l, cycle}, normal);
      double error = 0;
      for (std::size_t i = 0; i < 40; ++i)
        error = std::max(error, std::abs(x[i] + 0.5 * normal[i] - twin.truth().at(i, l)));
      CHECK(error < 1e-12);
    }
  }
}

TEST_CASE("model noise: a run has the same bits for any number of lanes, and after a restore") {
  const Lorenz problem{.start = {.spin_up = 30}, .model_noise = DiagonalModelNoise<40>(0.25)};
  TwinTruth<Lorenz, 16> all(problem, {.seed = 5});
  TwinTruth<Lorenz, 3> some(problem, {.seed = 5, .first_run = 7});
  TwinTruth<Lorenz, 3> other(problem, {.seed = 6});
  for (int cycle = 0; cycle < 10; ++cycle) all.next(), some.next();
  other.restore(some.cycle(), some.save());
  bool same = true;
  for (int cycle = 0; cycle < 10; ++cycle) {
    all.next(), some.next();
    for (std::size_t l = 0; l < 3; ++l)
      for (std::size_t i = 0; i < 40; ++i)
        same = same && all.truth().at(i, 7 + l) == some.truth().at(i, l);
  }
  CHECK(same);
  TwinTruth<Lorenz, 3> again(problem, {.seed = 5, .first_run = 7});
  again.restore(10, other.save());
  for (int cycle = 0; cycle < 10; ++cycle) again.next();
  CHECK(test::all_same_bits(again.save(), some.save()));
}

TEST_CASE("model noise: truths begin in the climate of model and noise, and the climate has it") {
  using Process = Noisy<Decay, DenseModelNoise<6>>;
  auto root = zero_tensor<double>(6, 6);
  for (std::size_t i = 0; i < 6; ++i) root(i, i) = 0.6, root(i, i / 2) += 0.3;
  const Process problem{.model_noise = DenseModelNoise<6>(root)};
  const auto q = matrix_product(root, transpose_of(root));
  const auto climate = climatology_of(problem);  // P = 0.64 P + Q
  // 32,000 samples, worth (1 − 0.8²) / (1 + 0.8²) of as many independent ones
  const double band = 5 * std::sqrt(2.0 / (32000 * 0.22));
  for (std::size_t i = 0; i < 6; ++i)
    for (std::size_t j = 0; j < 6; ++j)
      CHECK(std::abs(climate.covariance(i, j) - q(i, j) / 0.36) <
            band * std::sqrt(q(i, i) * q(j, j)) / 0.36);
  const TwinTruth<Process, 500> twin(problem, {});
  double square = 0;
  for (std::size_t l = 0; l < 500; ++l) square += std::pow(twin.truth().at(5, l), 2) / 500;
  CHECK(std::abs(square - q(5, 5) / 0.36) < 5 * std::sqrt(2.0 / 500) * q(5, 5) / 0.36);
}

TEST_CASE("model noise: a problem without it is the same but for it; the fingerprint knows it") {
  const Lorenz problem{.noise = DiagonalNoise<40>(2), .model_noise = DiagonalModelNoise<40>(0.25)};
  const auto perfect = without_model_noise(problem);
  static_assert(decltype(perfect)::perfect_model);
  CHECK(perfect.noise.variance(3) == 2);
  auto other = problem;
  other.model_noise = DiagonalModelNoise<40>(0.26);
  const auto with = fingerprint(problem), without = fingerprint(perfect);
  CHECK(without.size() == 8);
  CHECK(std::vector(with.begin(), with.begin() + 8) == without);
  CHECK(with != fingerprint(other));
  auto started = perfect;
  started.start.deviation = 1;
  CHECK(fingerprint(started) != without);
  started = perfect;
  started.start.spin_up = 401;
  CHECK(fingerprint(started) != without);
}

namespace {
/// In units where N(0, 1) is no state, with a forcing that is nothing at time 0.
struct Warm {
  static constexpr std::size_t points = 4, channels = 1;
  using Geometry = Ring<4>;
  double rate = 1, season = 0;
  template <class T>
  void step(const T* x, T* y, double time) const {
    using std::log, std::sin;
    for (std::size_t i = 0; i < 4; ++i)
      y[i] = x[i] + T(real_t<T>(season * sin(0.06 * time))) -
             T(real_t<T>(rate)) * log(x[i] / T(real_t<T>(270)));
  }
};
}  // namespace

TEST_CASE("fingerprint: of a model that knows no N(0, 1), at several times") {
  const auto of = [](Warm model) {
    return fingerprint(
        Problem<Warm, ObserveAll<4>>{.model = model, .start = {.mean = 270, .spin_up = 3}});
  };
  const auto found = of({});
  for (const double number : found) CHECK(std::isfinite(number));
  CHECK(of({.rate = 1.1})[0] != found[0]);
  CHECK(of({.season = 1})[0] != found[0]);
}
