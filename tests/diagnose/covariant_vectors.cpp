// SPDX-License-Identifier: BSD-3-Clause
#include "dan/diagnose/covariant_vectors.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "dan/core/linalg.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz63.hpp"
#include "dan/models/lorenz96.hpp"
#include "support/matrix_model.hpp"

using namespace dan;
using test::MatrixModel;

namespace {
double dot(const Matrix& a, std::size_t i, const Matrix& b, std::size_t j) {
  double sum = 0;
  for (std::size_t n = 0; n < a.shape()[0]; ++n) sum += a(n, i) * b(n, j);
  return sum;
}

/// The sine of the angle between column k of both; a change of direction is an angle too.
double angle(const Matrix& a, const Matrix& b, std::size_t k) {
  const double length_a = std::sqrt(dot(a, k, a, k)), length_b = std::sqrt(dot(b, k, b, k));
  double squares = 0;
  for (std::size_t n = 0; n < a.shape()[0]; ++n)
    squares += std::pow(a(n, k) / length_a - b(n, k) / length_b, 2);
  return std::sqrt(squares);
}
}  // namespace

TEST_CASE("covariant_vectors: of a triangular map they are its eigenvectors") {
  // Eigenvalues 2, 1 and 1/2 with the eigenvectors (1, 0, 0), (-3, 1, 0) and (14/3, -4, 1).
  const MatrixModel<3> model{{{{2, 3, 5}, {0, 1, 2}, {0, 0, 0.5}}}};
  ModelTrajectory trajectory(model, std::vector<double>(3));
  for (const std::size_t every : {1U, 2U}) {
    const auto v =
        covariant_vectors(trajectory, {.spin_up = 100, .cycles = 10, .after = 100, .every = every});
    auto exact = zero_tensor<double>(3, 3);
    exact(0, 0) = 1;
    exact(0, 1) = -3, exact(1, 1) = 1;
    exact(0, 2) = 14.0 / 3, exact(1, 2) = -4, exact(2, 2) = 1;
    REQUIRE(v.covariant.size() == 10 / every + 1);
    REQUIRE(v.backward.size() == 10 / every + 1);
    REQUIRE(v.states.size() == 10 / every + 1);
    for (std::size_t t = 0; t < v.covariant.size(); ++t)
      for (std::size_t k = 0; k < 3; ++k) {
        CHECK(std::abs(dot(v.covariant[t], k, v.covariant[t], k) - 1) < 1e-14);
        CHECK(std::abs(std::abs(dot(v.covariant[t], k, exact, k)) /
                           std::sqrt(dot(exact, k, exact, k)) -
                       1) < 1e-14);
      }
    const std::array exponents{std::log(2), 0.0, -std::log(2)};
    for (std::size_t k = 0; k < 3; ++k) CHECK(std::abs(v.exponents[k] - exponents[k]) < 1e-13);
  }
}

TEST_CASE("covariant_vectors: Lorenz 96, covariant over 10 units of time") {
  const Rk4<Lorenz96<40>> model;
  ModelTrajectory trajectory(model);
  const auto v =
      covariant_vectors(trajectory, {.spin_up = 600, .cycles = 200, .after = 600, .every = 2});
  REQUIRE(v.covariant.size() == 101);
  for (std::size_t t = 0; t < 100; ++t) {  // all of them, from each time to the next
    ModelTrajectory step(model, v.states[t]);
    Matrix carried = v.covariant[t];
    for (int n = 0; n < 2; ++n) step.advance(carried);
    CHECK(std::ranges::equal(step.state(), v.states[t + 1]));
    for (std::size_t k = 0; k < 40; ++k) CHECK(angle(carried, v.covariant[t + 1], k) < 1e-6);
  }
  // Those that grow or stay, all the way; an error of others grows by exp(10 (1.69 - lambda_k)).
  ModelTrajectory all(model, v.states[0]);
  Matrix carried = v.covariant[0];
  for (int n = 0; n < 200; ++n) all.advance(carried);
  for (std::size_t k = 0; k < 14; ++k) {
    CHECK(angle(carried, v.covariant[100], k) < 1e-6);
    const double growth = std::log(std::sqrt(dot(carried, k, carried, k))) / 10;
    CHECK(std::abs(growth - v.exponents[k]) < 1e-6);
  }
  // The same spans as the backward ones: each covariant vector lies in that of the first.
  for (std::size_t k = 0; k < 40; ++k)
    for (std::size_t j = k + 1; j < 40; ++j)
      CHECK(std::abs(dot(v.covariant[50], k, v.backward[50], j)) < 1e-13);
}

TEST_CASE("covariant_vectors: the neutral one of Lorenz 63 is the tendency") {
  const Lorenz63 ode;
  ModelTrajectory trajectory(Rk4<Lorenz63>{.time_step = 0.01});
  const auto v =
      covariant_vectors(trajectory, {.spin_up = 5000, .cycles = 200, .after = 5000, .every = 5});
  for (std::size_t t = 0; t < v.states.size(); ++t) {
    auto f = zero_tensor<double>(3, 2);  // in the column of the neutral vector
    std::array<double, 3> tendency{};
    ode.tendency(v.states[t].data(), tendency.data());
    for (std::size_t i = 0; i < 3; ++i) f(i, 1) = tendency[i];
    // The trajectory is that of a Runge-Kutta step, whose own neutral direction differs by its
    // error, some 1e-6.
    const double cosine = dot(f, 1, v.covariant[t], 1) / std::sqrt(dot(f, 1, f, 1));
    CHECK(std::abs(std::abs(cosine) - 1) < 1e-5);
  }
}

TEST_CASE("covariant_vectors: some of them, without spin-up") {
  ModelTrajectory trajectory(Rk4<Lorenz96<40>>{});
  const auto v =
      covariant_vectors(trajectory, {.vectors = 3, .spin_up = 0, .cycles = 4, .after = 0});
  REQUIRE(v.covariant.size() == 5);
  CHECK(v.covariant[0].shape()[1] == 3);
  CHECK(v.exponents.size() == 3);
}

TEST_CASE("covariant_vectors: bad input") {
  ModelTrajectory singular(MatrixModel<3>{{{{2, 0, 0}, {0, 1, 0}, {0, 0, 0}}}},
                           std::vector<double>(3));
  CHECK_THROWS_WITH_AS((void)covariant_vectors(singular),
                       "covariant_vectors: vector 2 does not grow by a number above zero; the "
                       "tangent has no inverse there, ask for at most 2 vectors",
                       NumericalError);
  CHECK_THROWS_WITH_AS((void)covariant_vectors(singular, {.vectors = 4}),
                       "covariant_vectors: vectors is 4, expected at most 3, one per number of the "
                       "state (0: all)",
                       ConfigError);
  CHECK_THROWS_WITH_AS((void)covariant_vectors(singular, {.cycles = 0}),
                       "covariant_vectors: cycles is 0, expected at least 1", ConfigError);
  ModelTrajectory growing(MatrixModel<1>{{{{2}}}}, std::vector{1.0});
  CHECK_THROWS_WITH_AS(
      (void)covariant_vectors(growing),
      "covariant_vectors: ended in cycle 1024: advance_vectors: the state holds a number that is "
      "not finite, expected a bounded trajectory; take a shorter time step, or a stable cycle",
      NumericalError);
}
