// SPDX-License-Identifier: BSD-3-Clause
#include "dan/autodiff/dual.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>

#include "support/functions.hpp"

using namespace dan;

TEST_CASE("dual: the slope of every function is its derivative") {
  test::for_each_function([](const char* name, const auto& f, double x) {
    CAPTURE(name);
    CAPTURE(x);
    const Dual<double> y = f(Dual<double>(x, 1.0));
    const double h = 1e-5, difference = (f(x + h) - f(x - h)) / (2 * h);
    CHECK(y.value == doctest::Approx(f(x)).epsilon(1e-15));
    CHECK(std::abs(y.slope - difference) < 1e-8 * (1 + std::abs(difference)));
    CHECK(f(Dual<double>(x, -3.0)).slope == doctest::Approx(-3 * y.slope).epsilon(1e-14));
  });
}

TEST_CASE("dual: between their jumps the slopes of floor and ceil are zero, that of fmod is not") {
  const Dual<double> a(7.3, 1.0), b(2.0, 0.5);
  CHECK(floor(a).value == 7);
  CHECK(ceil(a).value == 8);
  CHECK(floor(a).slope == 0);
  CHECK(ceil(a).slope == 0);
  CHECK(fmod(a, b).value == std::fmod(7.3, 2.0));  // a − 3 b
  CHECK(fmod(a, b).slope == doctest::Approx(-0.5).epsilon(1e-14));
  CHECK(fmod(-a, b).slope == doctest::Approx(0.5).epsilon(1e-14));
  CHECK(fmod(a, 2).slope == 1);
  CHECK(fmod(7, b).slope == doctest::Approx(-1.5).epsilon(1e-14));
  const Dual<Dual<double>> twice({7.3, 1.0}, {1.0, 0.0});
  CHECK(fmod(twice * twice, 2).slope.slope == doctest::Approx(2).epsilon(1e-14));
}

TEST_CASE("dual: dual numbers of dual numbers have second derivatives") {
  test::for_each_function([](const char* name, const auto& f, double x) {
    CAPTURE(name);
    CAPTURE(x);
    using D = Dual<double>;
    const Dual<D> y = f(Dual<D>(D(x, 1.0), D(1.0, 0.0)));
    const auto slope = [&](double at) { return f(D(at, 1.0)).slope; };
    const double h = 1e-5, difference = (slope(x + h) - slope(x - h)) / (2 * h);
    CHECK(y.value.slope == y.slope.value);
    CHECK(std::abs(y.slope.slope - difference) < 1e-7 * (1 + std::abs(difference)));
  });
  const Dual<Dual<double>> x({2.0, 1.0}, {1.0, 0.0});
  CHECK((x * x * x).slope.slope == 12);
  CHECK((1 / x).slope.slope == 0.25);
}

TEST_CASE_TEMPLATE("dual: a pack has a direction in every lane", Real, float, double) {
  using T = Pack<Real, 2 * simd_width<Real>>;
  const double tolerance = 64 * static_cast<double>(std::numeric_limits<Real>::epsilon());
  test::for_each_function([&](const char* name, const auto& f, double x) {
    CAPTURE(name);
    T value, slope;
    for (std::size_t l = 0; l < lanes_of<T>; ++l) {
      value[l] = static_cast<Real>(x + 0.01 * static_cast<double>(l));
      slope[l] = static_cast<Real>(1 + l);
    }
    const Dual<T> y = f(Dual<T>(value, slope));
    double error = 0;
    for (std::size_t l = 0; l < lanes_of<T>; ++l) {
      const auto one =
          f(Dual<double>(static_cast<double>(value[l]), static_cast<double>(slope[l])));
      const auto far = [](double a, Real b) {
        return std::abs(a - static_cast<double>(b)) / (1 + std::abs(a));
      };
      error = std::max({error, far(one.value, y.value[l]), far(one.slope, y.slope[l])});
    }
    CHECK(error < tolerance);
  });
}

TEST_CASE("dual: is a scalar") {
  using T = Dual<Pack<float, simd_width<float>>>;
  static_assert(std::is_same_v<real_t<T>, float> && lanes_of<T> == simd_width<float>);
  static_assert(ScalarClass<T> && CarriesDerivative<T> && CarriesDerivative<Dual<T>>);
  static_assert(!std::is_convertible_v<T, double>);
  const auto half = constant<Dual<double>>(0.5);
  CHECK(half.value == 0.5);
  CHECK(half.slope == 0);
}

TEST_CASE("dual: the power of exponent zero has no slope, also at zero") {
  const Dual<double> zero(0.0, 1.0);
  CHECK(pow(zero, 0.0).value == 1);
  CHECK(pow(zero, 0.0).slope == 0);
  CHECK(pow(zero, Dual<double>(0.0)).slope == 0);
  CHECK(pow(zero, 1.0).slope == 1);
  CHECK(pow(zero, 2.0).slope == 0);
}
