// SPDX-License-Identifier: BSD-3-Clause
#include "dan/transform/real_fourier.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"
#include "support/battery.hpp"

using namespace dan;
using test::dot, test::largest_difference, test::Numbers;

namespace {
/// The sum itself: X_k = Σ_j x_j exp(−2πi jk/n).
Numbers plain_forward(const Numbers& x) {
  const std::size_t n = x.size();
  Numbers out;
  for (std::size_t k = 0; k <= n / 2; ++k) {
    long double re = 0, im = 0;
    for (std::size_t j = 0; j < n; ++j) {
      const long double angle = 2 * std::numbers::pi_v<long double> *
                                static_cast<long double>(j * k % n) / static_cast<long double>(n);
      re += static_cast<long double>(x[j]) * std::cos(angle);
      im -= static_cast<long double>(x[j]) * std::sin(angle);
    }
    out.push_back(static_cast<double>(re));
    out.push_back(static_cast<double>(im));
  }
  return out;
}

template <class Fourier>
Numbers forward(const Numbers& x) {
  Numbers spectrum(Fourier::coefficients, 7.0);
  Fourier::forward(x.data(), spectrum.data());
  return spectrum;
}
}  // namespace

TEST_CASE_TEMPLATE("real_fourier: forward is the sum, inverse takes it back", Fourier,
                   RealFourier<2>, RealFourier<4>, RealFourier<6>, RealFourier<8>, RealFourier<10>,
                   RealFourier<14>, RealFourier<30>, RealFourier<36>, RealFourier<64>,
                   RealFourier<96>, RealFourier<128>, RealFourier<512>) {
  constexpr std::size_t n = Fourier::points;
  const Numbers x = test::normal_numbers(n, 1);
  const Numbers spectrum = forward<Fourier>(x);
  CHECK(largest_difference(spectrum, plain_forward(x)) < 1e-14 * static_cast<double>(n));
  CHECK(spectrum[1] == 0);
  CHECK(spectrum[n + 1] == 0);
  Numbers back(n);
  Fourier::inverse(spectrum.data(), back.data());
  CHECK(largest_difference(back, x) < 1e-14);
  Numbers with_noise = spectrum;  // what no real x has is not seen
  with_noise[1] = with_noise[n + 1] = 3;
  Numbers same(n);
  Fourier::inverse(with_noise.data(), same.data());
  CHECK(test::all_same_bits(back, same));
}

TEST_CASE_TEMPLATE("real_fourier: the adjoints are the transposes and accumulate", Fourier,
                   RealFourier<2>, RealFourier<6>, RealFourier<16>, RealFourier<30>,
                   RealFourier<128>) {
  constexpr std::size_t n = Fourier::points, m = Fourier::coefficients;
  const Numbers x = test::normal_numbers(n, 2), s = test::normal_numbers(m, 3);
  Numbers fx = forward<Fourier>(x), ft(n, 0.0), gs(n), gt(m, 0.0);
  Fourier::forward_adjoint(s.data(), ft.data());
  CHECK(std::abs(dot(fx, s) - dot(x, ft)) < 1e-13 * static_cast<double>(n));
  Fourier::inverse(s.data(), gs.data());
  Fourier::inverse_adjoint(x.data(), gt.data());
  CHECK(std::abs(dot(gs, x) - dot(s, gt)) < 1e-13 * static_cast<double>(n));
  Numbers more_x(n, 1.0), more_s(m, 1.0);
  Fourier::forward_adjoint(s.data(), more_x.data());
  Fourier::inverse_adjoint(x.data(), more_s.data());
  for (std::size_t i = 0; i < n; ++i) CHECK(more_x[i] == 1 + ft[i]);
  for (std::size_t i = 0; i < m; ++i) CHECK(more_s[i] == 1 + gt[i]);
}

TEST_CASE("real_fourier: each lane is a transform of its own; a stride is that of the points") {
  using Fourier = RealFourier<24>;
  constexpr std::size_t lanes = 2 * simd_width<double>, n = Fourier::points, stride = 3;
  using T = Pack<double, lanes>;
  const Numbers numbers = test::normal_numbers(n * lanes, 4);
  Aligned<T> x(n * stride), back(n * stride), spectrum(Fourier::coefficients);
  for (auto& pack : back) pack = T(5);
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t l = 0; l < lanes; ++l) x[j * stride][l] = numbers[j * lanes + l];
  Fourier::forward(x.data(), spectrum.data(), stride);
  Fourier::inverse(spectrum.data(), back.data(), stride);
  for (std::size_t l = 0; l < lanes; ++l) {
    Numbers one(n), found, found_back, one_back(n);
    for (std::size_t j = 0; j < n; ++j) one[j] = x[j * stride][l];
    for (const T& pack : spectrum) found.push_back(pack[l]);
    const Numbers alone = forward<Fourier>(one);
    CHECK(test::all_same_bits(found, alone));
    Fourier::inverse(alone.data(), one_back.data());
    for (std::size_t j = 0; j < n; ++j) found_back.push_back(back[j * stride][l]);
    CHECK(test::all_same_bits(found_back, one_back));
    CHECK(back[1][l] == 5);  // what lies between is left alone
  }
  Numbers once(n, 0.0), spread(n * stride, 0.0);
  const Numbers s = test::normal_numbers(Fourier::coefficients, 5);
  Fourier::forward_adjoint(s.data(), once.data());
  Fourier::forward_adjoint(s.data(), spread.data(), stride);
  for (std::size_t j = 0; j < n; ++j) CHECK(spread[j * stride] == once[j]);
}

TEST_CASE("real_fourier: float agrees with double") {
  using Fourier = RealFourier<128>;
  const Numbers x = test::normal_numbers(128, 6), exact = forward<Fourier>(x);
  const std::vector<float> single(x.begin(), x.end());
  std::vector<float> spectrum(Fourier::coefficients);
  Fourier::forward(single.data(), spectrum.data());
  CHECK(largest_difference(exact, Numbers(spectrum.begin(), spectrum.end())) < 1e-5 * 12);
}
