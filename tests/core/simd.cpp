// SPDX-License-Identifier: BSD-3-Clause
#include "dan/core/simd.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <vector>

namespace {
using namespace dan;

template <class Real>
using Twice = Pack<Real, 2 * simd_width<Real>>;

/// A pack of small numbers of both signs.
template <class Real>
Twice<Real> numbers(Real shift) {
  Twice<Real> out;
  for (std::size_t l = 0; l < lanes_of<Twice<Real>>; ++l)
    out[l] = Real(0.37) * static_cast<Real>(l) - Real(1.5) + shift;
  return out;
}

/// Checks result[l] == expected(l) within `tolerance`, relative where the number is large.
template <class T, class F>
void check_lanes(const T& result, const F& expected, double tolerance = 0) {
  double error = 0;
  for (std::size_t l = 0; l < lanes_of<T>; ++l) {
    const auto should = static_cast<double>(expected(l));
    error = std::max(
        error, std::abs(static_cast<double>(result[l]) - should) / std::max(1.0, std::abs(should)));
  }
  CHECK(error <= tolerance);
}
}  // namespace

TEST_CASE_TEMPLATE("simd: arithmetic is that of each lane", Real, float, double) {
  const auto a = numbers<Real>(0), b = numbers<Real>(Real(0.2));
  check_lanes(a + b, [&](std::size_t l) { return a[l] + b[l]; });
  check_lanes(a - b, [&](std::size_t l) { return a[l] - b[l]; });
  check_lanes(a * b, [&](std::size_t l) { return a[l] * b[l]; });
  check_lanes(a / b, [&](std::size_t l) { return a[l] / b[l]; });
  check_lanes(-a, [&](std::size_t l) { return -a[l]; });
  check_lanes(Real(2) * a + Real(1), [&](std::size_t l) { return Real(2) * a[l] + Real(1); });
  auto c = a;
  c += b;
  c *= b;
  c -= a;
  c /= b;
  check_lanes(
      c, [&](std::size_t l) { return ((a[l] + b[l]) * b[l] - a[l]) / b[l]; },
      8 * static_cast<double>(std::numeric_limits<Real>::epsilon()));
  check_lanes(Twice<Real>(Real(3)), [](std::size_t) { return Real(3); });
}

TEST_CASE_TEMPLATE("simd: functions are those of the standard library", Real, float, double) {
  const double tolerance = 8 * static_cast<double>(std::numeric_limits<Real>::epsilon());
  const auto a = numbers<Real>(0);
  check_lanes(
      exp(a), [&](std::size_t l) { return std::exp(a[l]); }, tolerance);
  check_lanes(
      tanh(a), [&](std::size_t l) { return std::tanh(a[l]); }, tolerance);
  check_lanes(
      sin(a), [&](std::size_t l) { return std::sin(a[l]); }, tolerance);
  check_lanes(
      cos(a), [&](std::size_t l) { return std::cos(a[l]); }, tolerance);
  check_lanes(
      sqrt(a * a), [&](std::size_t l) { return std::sqrt(a[l] * a[l]); }, tolerance);
  check_lanes(abs(a), [&](std::size_t l) { return std::abs(a[l]); });
}

TEST_CASE_TEMPLATE("simd: more functions of the standard library, by their unqualified names", Real,
                   float, double) {
  const double tolerance = 16 * static_cast<double>(std::numeric_limits<Real>::epsilon());
  const auto a = numbers<Real>(0), unit = a / Real(20), positive = a * a + Real(0.1);
  const auto each = [&](const auto& f, const auto& x, double times = 1) {
    check_lanes(
        f(x), [&](std::size_t l) { return f(x[l]); }, times * tolerance);
  };
  using std::fabs, std::pow, std::atan2, std::min, std::max;
  using std::floor, std::ceil, std::fmod, std::hypot, std::cbrt, std::log2, std::log10;
  using std::log1p, std::expm1, std::tan, std::asin, std::acos, std::atan, std::sinh, std::cosh,
      std::log, std::erf;
  each([](const auto& x) { return tan(x); }, unit);
  each([](const auto& x) { return asin(x); }, unit);
  each([](const auto& x) { return acos(x); }, unit);
  each([](const auto& x) { return atan(x); }, a);
  each([](const auto& x) { return sinh(x); }, a);
  each([](const auto& x) { return cosh(x); }, a);
  each([](const auto& x) { return log(x); }, positive);
  each([](const auto& x) { return log2(x); }, positive);
  each([](const auto& x) { return log10(x); }, positive);
  each([](const auto& x) { return log1p(x); }, positive);
  each([](const auto& x) { return expm1(x); }, unit);
  each([](const auto& x) { return cbrt(x); }, a);
  each([](const auto& x) { return hypot(x, Real(2)) + hypot(Real(0.1), x) + hypot(x, x); }, a);
  each([](const auto& x) { return floor(x) - ceil(x / Real(3)); }, a);
  each([](const auto& x) { return fmod(x, Real(0.7)) + fmod(Real(9.1), x) + fmod(x, x * x + 1); },
       a);
  // That of xsimd 8.1 is off by 34 epsilons of double between 1 and 4, where wide packs have lanes.
  each([](const auto& x) { return erf(x); }, a, 4);
  each([](const auto& x) { return fabs(x); }, a);
  each([](const auto& x) { return pow(x, Real(1.5)); }, positive);
  each([](const auto& x) { return pow(Real(1.5), x); }, a);
  // x^x is worth |x log x| roundings: as small a number however many lanes there are.
  each([](const auto& x) { return pow(x, x); }, min(positive, Real(4)));
  each([](const auto& x) { return atan2(x, Real(-0.3)); }, a);
  each([](const auto& x) { return atan2(Real(0.7), x); }, a);
  for (int n = -3; n <= 5; ++n)
    each([n](const auto& x) { return static_cast<std::decay_t<decltype(x)>>(pow(x, n)); }, a);
  each([](const auto& x) { return min(x, Real(0.2)) + max(Real(0.1), x) + min(x, x) + max(x, x); },
       a);
}

TEST_CASE_TEMPLATE("simd: numbers of every kind mix with packs", Real, float, double) {
  const auto a = numbers<Real>(0);
  const double tolerance = 4 * static_cast<double>(std::numeric_limits<Real>::epsilon());
  check_lanes(
      0.1 * a + 1 - a / 3 - 2.5F + 1 / (a + 20) + (7 - a) * 2,
      [&](std::size_t l) {
        const auto x = static_cast<double>(a[l]);
        return 0.1 * x + 1 - x / 3 - 2.5 + 1 / (x + 20) + (7 - x) * 2;
      },
      4 * tolerance);
  check_lanes(constant<Twice<Real>>(0.25), [](std::size_t) { return 0.25; });
  CHECK(constant<Real>(0.25) == Real(0.25));
  check_lanes(where_less(a, 0, -a, a), [&](std::size_t l) { return std::abs(a[l]); });
  check_lanes(where_less(0.5, a, 1, 0), [&](std::size_t l) { return Real(0.5) < a[l] ? 1 : 0; });
  CHECK(where_less(Real(1), Real(2), Real(3), Real(4)) == Real(3));
  CHECK(!std::is_convertible_v<Twice<Real>, double>);
}

TEST_CASE_TEMPLATE("simd: choices and sums, for packs and for plain numbers", Real, float, double) {
  const double tolerance = 32 * static_cast<double>(std::numeric_limits<Real>::epsilon());
  const auto a = numbers<Real>(0), b = -a;
  check_lanes(minimum(a, b), [&](std::size_t l) { return minimum(a[l], b[l]); });
  check_lanes(maximum(a, b), [&](std::size_t l) { return maximum(a[l], b[l]); });
  check_lanes(where_positive(a, a, b),
              [&](std::size_t l) { return where_positive(a[l], a[l], b[l]); });
  auto c = a;
  for (std::size_t i = 0; i < c.registers; ++i) accumulate(c.part[i], a.part[i], b.part[i]);
  check_lanes(
      c, [&](std::size_t l) { return a[l] * b[l] + a[l]; }, tolerance);
  Real plain(4);
  accumulate(plain, Real(2), Real(3));
  CHECK(plain == Real(10));
  CHECK(minimum(Real(1), Real(2)) == Real(1));
  CHECK(maximum(Real(1), Real(2)) == Real(2));
  CHECK(where_positive(Real(0), Real(1), Real(2)) == Real(2));
  const Real nan = std::numeric_limits<Real>::quiet_NaN();
  CHECK(minimum(nan, Real(1)) == Real(1));
  CHECK(maximum(nan, Real(1)) == Real(1));
  check_lanes(minimum(Twice<Real>(nan), b), [&](std::size_t l) { return b[l]; });
  check_lanes(maximum(Twice<Real>(nan), b), [&](std::size_t l) { return b[l]; });

  double sum = 0;
  for (std::size_t l = 0; l < lanes_of<Twice<Real>>; ++l) sum += static_cast<double>(a[l]);
  CHECK(std::abs(static_cast<double>(sum_lanes(a)) - sum) <= tolerance * 10);
  CHECK(sum_lanes(Real(4)) == Real(4));
  CHECK(sum_register(Real(4)) == Real(4));
  const Twice<Real> twos(Real(2));
  CHECK(sum_register(load_once(&twos.part[0])) == static_cast<Real>(2 * simd_width<Real>));
}

TEST_CASE_TEMPLATE("simd: sums of several registers come in their order", Real, float, double) {
  constexpr std::size_t N = 2 * simd_width<Real>;
  Pack<Real, N * simd_width<Real>> registers;
  for (std::size_t i = 0; i < N * simd_width<Real>; ++i)
    registers[i] = static_cast<Real>(i % 7 + i / simd_width<Real> * 100);
  std::vector<Real> sums(N), right(N);
  for (std::size_t n = 0; n < N; ++n) right[n] = sum_register(registers.part[n]);
  sum_registers<N>(registers.part, sums.data());
  CHECK(sums == right);  // of whole numbers, in whatever order
}

TEST_CASE("simd: lanes are numbered from zero and can be written") {
  Twice<double> a(0.0);
  lane_of(a, 1) = 5;
  CHECK(a[1] == 5);
  CHECK(a.lanes()[1] == 5);
  CHECK(lane_of(a, 0) == 0);
  double x = 2;
  lane_of(x, 0) = 3;
  CHECK(x == 3);
}

TEST_CASE("simd: types and padding") {
  constexpr std::size_t w = simd_width<double>;
  CHECK(padded_lanes<double, 1> == 1);
  CHECK(padded_lanes<double, w> == w);
  CHECK(padded_lanes<double, w + 1> == 2 * w);
  CHECK(std::is_same_v<lanes_t<float, 1>, float>);
  CHECK(std::is_same_v<lanes_t<double, 2 * w + 1>, Pack<double, 3 * w>>);
  CHECK(std::is_same_v<real_t<Twice<float>>, float>);
  CHECK(std::is_same_v<real_t<double>, double>);
  CHECK(lanes_of<double> == 1);
  CHECK(lanes_of<Twice<double>> == 2 * w);
  CHECK(sizeof(Twice<double>) == 2 * w * sizeof(double));
  CHECK(std::is_same_v<dan::register_t<Twice<float>>, Twice<float>::Register>);
  CHECK(registers_of<Twice<double>> == 2);
  CHECK(registers_of<double> == 1);
}
