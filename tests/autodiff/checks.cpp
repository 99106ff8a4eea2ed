// SPDX-License-Identifier: BSD-3-Clause
#include "dan/autodiff/checks.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <span>
#include <vector>

using namespace dan;

namespace {
using Numbers = std::vector<double>;
using View = std::span<const double>;

const Numbers x{0.3, -0.7}, u{1.0, -0.4}, v{0.6, 1.3};

/// f(x) = (sin(x0) x1, x0² + 3 x1) and its derivatives at x, the first element `error` off.
Numbers f(View at) { return {std::sin(at[0]) * at[1], at[0] * at[0] + 3 * at[1]}; }
Numbers tangent(View d, double error = 0) {
  return {(std::cos(x[0]) * x[1] + error) * d[0] + std::sin(x[0]) * d[1],
          2 * x[0] * d[0] + 3 * d[1]};
}
Numbers adjoint(View d) {
  return {std::cos(x[0]) * x[1] * d[0] + 2 * x[0] * d[1], std::sin(x[0]) * d[0] + 3 * d[1]};
}
}  // namespace

TEST_CASE("checks: a right tangent and adjoint pass") {
  CHECK(dot_product_error([](View d) { return tangent(d); }, adjoint, u, v) < 1e-15);
  const TaylorFit fit = taylor_slope(
      f, [](View d) { return tangent(d); }, x, u);
  CHECK(fit.passes());
  CHECK(std::abs(fit.slope - 2) < 0.02);
  CHECK(fit.points >= 8);
  CHECK(!fit.at_round_off);
}

TEST_CASE("checks: wrong ones do not, however small the error") {
  for (const double error : {1.0, 1e-2, 1e-4}) {
    const auto wrong = [&](View d) { return tangent(d, error); };
    CHECK(dot_product_error(wrong, adjoint, u, v) > 0.1 * error);
    CHECK(!taylor_slope(f, wrong, x, u).passes());
  }
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto broken = [&](View d) { return tangent(d, nan); };
  CHECK(!(dot_product_error(broken, adjoint, u, v) < 1));
  CHECK(!taylor_slope(f, broken, x, u).passes());
}

TEST_CASE("checks: a linear map has a remainder at round-off, a wrong tangent of it has not") {
  const auto linear = [](View d) { return Numbers{d[0] - 1e3 * d[1], d[1]}; };
  CHECK(taylor_slope(linear, linear, x, u).at_round_off);
  CHECK(taylor_slope(linear, linear, x, u).passes());
  const auto wrong = [&](View d) { return Numbers{d[0] - 1e3 * d[1], 1.001 * d[1]}; };
  CHECK(!taylor_slope(linear, wrong, x, u).passes());
  const auto zero = [](View) { return Numbers{0, 0}; };
  CHECK(taylor_slope(zero, zero, x, u).passes());
  CHECK(std::isnan(dot_product_error(zero, zero, u, v)));  // nothing was checked
}
