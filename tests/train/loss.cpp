// SPDX-License-Identifier: BSD-3-Clause
#include "dan/train/loss.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>
#include <span>
#include <vector>

#include "../support/map_battery.hpp"
#include "dan/geometry/concepts.hpp"
#include "dan/geometry/ring.hpp"

using namespace dan;

namespace {
/// What gain_trust asks a network.
struct Network {
  static constexpr std::size_t size = 4, members = 2, channels = 1;
  struct Head {
    static constexpr std::size_t window = 3;
    using Taps = detail::Stencil<Ring<4>, 3>;
  };
};
}  // namespace

TEST_CASE("loss: half the mean square, logarithmic for a lost lane, with the right gradient") {
  const auto x = test::normal(12, 1), truth = test::normal(4, 2), u = test::normal(12, 3);
  const std::vector<double> norm{1, 0.5, 2, 1};
  for (const double limit : {100.0, 0.1}) {  // an RMSE that is not reached, and one that is
    const auto loss = [&](std::span<const double> at, std::vector<double>& d) {
      return SupervisedLoss{}.add<3>(at.data(), truth.data(), norm, 0.25, limit, d.data());
    };
    const auto f = [&](std::span<const double> at) {
      std::vector<double> d(12);
      const double squares = 8 * loss(at, d), most = 4 * limit * limit;
      return std::vector<double>{
          (squares <= most ? squares : most * (1 + std::log(squares / most))) / 8};
    };
    const auto tangent = [&](std::span<const double> v) {
      std::vector<double> d(12);
      loss(x, d);
      return std::vector<double>{std::inner_product(d.begin(), d.end(), v.begin(), 0.0)};
    };
    const auto fit = taylor_slope(f, tangent, x, u, 0.1);
    CHECK_MESSAGE(fit.passes(), "slope ", fit.slope);
    double expected = 0;
    for (std::size_t i = 0; i < 4; ++i)
      expected += norm[i] * std::pow((x[i] + x[4 + i] + x[8 + i]) / 3 - truth[i], 2) / 8;
    std::vector<double> d(12);
    CHECK(loss(x, d) == doctest::Approx(expected).epsilon(1e-12).scale(0));
  }
}

TEST_CASE("loss: a gain's target counts less where the analysis is farther off than expected") {
  const auto covariance = [] {
    auto c = test::normal(12, 4);
    for (std::size_t i = 0; i < 4; ++i) c[3 * i + 1] = 0.5;  // the diagonal
    return c;
  }();
  const std::vector<double> norm(4, 1.0), s{1, 2, 1, 1}, teacher{0, 0, 0, 0};
  const auto trust = [&](double error) {  // in element 1, of the mean of the members
    const std::vector<double> x{0, error + 1, 0, 0, 0, error - 1, 0, 0};
    return gain_trust<Network>(x.data(), teacher.data(), norm, covariance.data(), s);
  };
  CHECK(trust(2) == 1);  // (2 / 2)² is less than 4 · 0.5
  CHECK(trust(4) == doctest::Approx(2.0 / 4).epsilon(1e-14).scale(0));
  CHECK(trust(8) == doctest::Approx(2.0 / 16).epsilon(1e-14).scale(0));
}
