// SPDX-License-Identifier: BSD-3-Clause
#include "dan/diagnose/alignment.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <vector>

#include "dan/analysis/ekf.hpp"
#include "dan/core/linalg.hpp"
#include "dan/diagnose/lyapunov.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/problem/problem.hpp"
#include "dan/problem/truth.hpp"

using namespace dan;

TEST_CASE("alignment: shares of energy by hand") {
  auto basis = zero_tensor<double>(3, 2);  // (0.6, 0.8, 0), (0, 0, 1)
  basis(0, 0) = 0.6, basis(1, 0) = 0.8, basis(2, 1) = 1;
  auto columns = zero_tensor<double>(3, 2);  // (1, 0, 2), (0, 2, 0): energy 9
  columns(0, 0) = 1, columns(2, 0) = 2, columns(1, 1) = 2;
  const auto share = alignment(basis, columns);
  REQUIRE(share.size() == 3);
  CHECK(share[0] == 0);
  CHECK(std::abs(share[1] - (0.36 + 2.56) / 9) < 1e-15);
  CHECK(std::abs(share[2] - (0.36 + 2.56 + 4) / 9) < 1e-15);
  CHECK(std::isnan(alignment(basis, zero_tensor<double>(3, 1))[1]));
}

TEST_CASE("alignment: of a covariance, and of its anomalies") {
  const auto basis = random_vectors(7, 7, 1);
  auto anomalies = zero_tensor<double>(7, 3);
  fill_normal<double>({.seed = 5}, span_of(anomalies));
  const auto of_columns = alignment(basis, anomalies);
  const auto of_covariance =
      alignment_of_covariance(basis, matrix_product(anomalies, transpose_of(anomalies)));
  for (std::size_t n = 0; n < 8; ++n) CHECK(std::abs(of_columns[n] - of_covariance[n]) < 1e-14);
  CHECK(std::abs(of_columns[7] - 1) < 1e-14);
}

TEST_CASE("alignment: the covariance of a Kalman filter lies in the unstable-neutral subspace") {
  // Gurumoorthy et al., SIAM J. Control Optim. 55 (2017) 741-759: without model error its other
  // parts die out. 14 exponents of Lorenz 96 are from zero; with the two next, hardly negative
  // ones nearly all is there. A covariance without structure would have 0.35 and 0.4.
  using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
  const Lorenz problem;
  TwinTruth<Lorenz, 1> twin(problem, {});
  ModelTrajectory trajectory(problem.model, std::span(twin.truth().data(), Lorenz::size));
  Matrix vectors = random_vectors(Lorenz::size, Lorenz::size, 1);
  const Ekf filter(problem, {.inflation = 1.01});
  auto carried = filter.start(twin.truth(), 0.3, twin.key(0));
  double first14 = 0, first20 = 0;
  for (std::size_t k = 0; k < 600; ++k) {
    twin.next();
    advance_vectors(trajectory, vectors);  // of the model along the analyses
    filter.forecast(carried);
    filter.analyse(carried, twin.observed(), twin.key(0));
    trajectory.move_to(std::span(carried.state.data(), Lorenz::size));
    if (k < 400) continue;
    auto p = zero_tensor<double>(Lorenz::size, Lorenz::size);
    for (std::size_t i = 0; i < Lorenz::size; ++i)
      for (std::size_t j = 0; j < Lorenz::size; ++j) p(i, j) = carried.covariance.at(i, j);
    const auto share = alignment_of_covariance(vectors, p);
    first14 += share[14] / 200;
    first20 += share[20] / 200;
  }
  MESSAGE("shares of the first 14 and 20: ", first14, ", ", first20);
  CHECK(first14 > 0.99);
  CHECK(first20 > 0.999);
}

TEST_CASE("alignment: bad input") {
  const auto basis = random_vectors(4, 2, 1);
  CHECK_THROWS_WITH_AS((void)alignment(basis, zero_tensor<double>(3, 1)),
                       "alignment: columns has shape (3), expected (4), one per row of the basis",
                       ShapeError);
  CHECK_THROWS_WITH_AS((void)alignment_of_covariance(basis, zero_tensor<double>(4, 3)),
                       "alignment_of_covariance: covariance has shape (3), expected (4), one per "
                       "row of the basis",
                       ShapeError);
}
