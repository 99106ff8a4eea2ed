// SPDX-License-Identifier: BSD-3-Clause
#include "dan/train/optimiser.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "../support/map_battery.hpp"

using namespace dan;

TEST_CASE("optimiser: the first steps of Adam as published") {
  // Written out by hand from algorithm 1 of Kingma and Ba for g = 2, then g = −1.
  Threads workers(1);
  std::vector<double> x{1.0};
  Optimiser<double> adam(1, {.beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8});
  adam.update(std::span(x), std::vector{2.0}, 0.1, workers);
  CHECK(x[0] == doctest::Approx(0.9).epsilon(1e-8));
  const double m = (0.9 * 0.2 - 0.1) / (1 - 0.81), v = (0.99 * 0.04 + 0.01) / (1 - 0.9801);
  const double before = x[0];
  adam.update(std::span(x), std::vector{-1.0}, 0.1, workers);
  CHECK(x[0] == doctest::Approx(before - 0.1 * m / (std::sqrt(v) + 1e-8)).epsilon(1e-12));
}

TEST_CASE("optimiser: Muon steps along an orthogonal matrix, Adam takes the rest") {
  // For a gradient U diag(s) Vᵀ the first direction is U diag(t) Vᵀ with t between 0.6 and 1.3.
  Threads workers(2);
  constexpr std::size_t rows = 30, columns = 6, offset = 5;
  std::vector<double> x(offset + rows * columns + 3), before = x;
  const auto gradient = test::normal(x.size(), 1);
  Optimiser<double> muon(x.size(), {}, {{offset, rows, columns}}, {.rate = 1});
  muon.update(std::span(x), gradient, 1.0, workers);
  for (std::size_t i = 0; i < offset; ++i) CHECK(std::abs(x[i]) == doctest::Approx(1));
  double along = 0;
  for (std::size_t i = 0; i < columns; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      double dot = 0;
      for (std::size_t r = 0; r < rows; ++r)
        dot += x[offset + r * columns + i] * x[offset + r * columns + j];
      // Singular values t within 0.6 to 1.3: t² within 0.36 to 1.69, their mean on the diagonal.
      CHECK(std::abs(dot - (i == j ? 1.02 : 0)) < 0.67);
      if (i == j) along += dot;
    }
  }
  CHECK(along / columns == doctest::Approx(0.9).epsilon(0.3).scale(0));
  double descent = 0;
  for (std::size_t i = 0; i < rows * columns; ++i) descent -= x[offset + i] * gradient[offset + i];
  CHECK(descent > 0);
}

TEST_CASE("optimiser: Muon leaves a matrix alone that has no gradient any more") {
  Threads workers(1);
  constexpr std::size_t rows = 8, columns = 6;
  std::vector<float> x(rows * columns);
  std::vector<float> gradient(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) gradient[i] = i % 3 == 0 ? 1.0F : -0.5F;
  Optimiser<float> muon(x.size(), {}, {{0, rows, columns}}, {.rate = 1});
  muon.update(std::span(x), gradient, 0.01, workers);
  const auto once = x;
  for (int n = 0; n < 2500; ++n)
    muon.update(std::span(x), std::vector<float>(x.size()), 0.01, workers);
  CHECK(x == once);
  for (float& g : gradient) g *= 1e-38F;  // its norm has no inverse
  muon.update(std::span(x), gradient, 0.01, workers);
  CHECK(x == once);
}

TEST_CASE("optimiser: blocks, registers and threads change no number of Adam") {
  // Against Adam on one parameter at a time; more parameters than two blocks, no multiple of any.
  constexpr std::size_t size = 2 * detail::parameter_block + 5;
  const auto gradient = test::normal(size, 1);
  std::vector<double> alone = test::normal(size, 2), one = alone, four = alone;
  Threads single(1), team(4);
  Optimiser<double> a(size), b(size);
  for (int n = 0; n < 3; ++n) {
    a.update(std::span(one), gradient, 0.1, single, 0.5);
    b.update(std::span(four), gradient, 0.1, team, 0.5);
  }
  CHECK(one == four);
  bool right = true;
  for (std::size_t i = 0; i < size; i += i < size - 20 ? 97 : 1) {
    Optimiser<double> adam(1);
    for (int n = 0; n < 3; ++n)
      adam.update(std::span(&alone[i], 1), std::span(&gradient[i], 1), 0.1, single, 0.5);
    right = right && std::abs(alone[i] - one[i]) < 1e-14;
  }
  CHECK(right);
}

TEST_CASE("optimiser: gradients are summed in order, for any number of threads") {
  constexpr std::size_t size = 2 * detail::parameter_block + 5;
  std::vector<std::vector<float>> slots;
  for (std::size_t g = 0; g < 3; ++g) {
    const auto numbers = test::normal(size, g);
    slots.emplace_back(numbers.begin(), numbers.end());
  }
  std::vector<float> expected(size);
  double square = 0;
  for (std::size_t i = 0; i < size; ++i) {
    expected[i] = slots[0][i] + slots[1][i] + slots[2][i];
    square += std::pow(static_cast<double>(expected[i]), 2);
  }
  double norms[2];
  for (const std::size_t threads : {1U, 4U}) {
    Threads workers(threads);
    auto copy = slots;
    norms[threads / 4] = sum_gradients<float>({copy[0], copy[1], copy[2]}, workers);
    CHECK(copy[0] == expected);
    CHECK(copy[1] == slots[1]);
  }
  CHECK(norms[0] == norms[1]);
  CHECK(norms[0] == doctest::Approx(std::sqrt(square)).epsilon(1e-6));
  Threads workers(1);
  CHECK_THROWS_AS(sum_gradients<float>({slots[0], std::span(slots[1]).first(3)}, workers),
                  ShapeError);
}

TEST_CASE("optimiser: orthogonalising is the published iteration, for any shape") {
  const auto naive = [](std::vector<double> x, std::size_t rows, std::size_t columns) {
    double square = 0;
    for (const double value : x) square += value * value;
    for (auto& value : x) value /= std::sqrt(square);
    const auto multiply = [&](const std::vector<double>& a, const std::vector<double>& b) {
      const std::size_t m = a.size() / columns;
      std::vector<double> out(a.size());
      for (std::size_t i = 0; i < m; ++i)
        for (std::size_t j = 0; j < columns; ++j)
          for (std::size_t k = 0; k < columns; ++k)
            out[i * columns + j] += a[i * columns + k] * b[k * columns + j];
      return out;
    };
    for (int n = 0; n < 5; ++n) {
      std::vector<double> gram(columns * columns);
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t i = 0; i < columns; ++i)
          for (std::size_t j = 0; j < columns; ++j)
            gram[i * columns + j] += x[r * columns + i] * x[r * columns + j];
      auto poly = multiply(gram, gram);
      for (std::size_t i = 0; i < columns * columns; ++i)
        poly[i] = 2.0315 * poly[i] - 4.7750 * gram[i] + (i % (columns + 1) == 0 ? 3.4445 : 0);
      x = multiply(x, poly);
    }
    return x;
  };
  for (const auto& shape :
       {std::pair<std::size_t, std::size_t>{1, 1}, {7, 3}, {3, 7}, {45, 9}, {40, 40}, {85, 17}}) {
    const auto rows = shape.first, columns = shape.second;  // CAPTURE takes no bindings
    auto x = test::normal(rows * columns, 1);
    const auto expected = naive(x, rows, columns);
    std::vector<float> single(x.begin(), x.end());
    orthogonalise(std::span(x), rows, columns);
    orthogonalise(std::span(single), rows, columns);
    double error = 0, error_single = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      error = std::max(error, std::abs(x[i] - expected[i]));
      error_single = std::max(error_single, std::abs(static_cast<double>(single[i]) - expected[i]));
    }
    CAPTURE(columns);
    CHECK(error < 1e-12);
    CHECK(error_single < 1e-5);
  }
}
