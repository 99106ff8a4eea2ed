// SPDX-License-Identifier: BSD-3-Clause
#include "dan/geometry/band.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "support/bands.hpp"
#include "support/thread_ranks.hpp"

using namespace dan;
using test::ThreadRanks;

namespace {
double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

/// Row and column of every point, and which channel: what a filled halo must hold.
template <class Whole, std::size_t Rows, std::size_t Width>
void check_exchange() {
  using Cut = TorusBand<Whole, Rows, Width>;
  constexpr std::size_t length = Whole::columns * 2;
  ThreadRanks::run(Cut::bands, [&](const ThreadRanks& ranks) {
    const auto halo = test::halo_of<Cut>(ranks);
    std::vector<int> x(Cut::points * 2, -1);
    const auto value = [&](std::size_t i) {
      const std::size_t row = (halo.first_row() + Whole::rows - Width + i / length) % Whole::rows;
      return static_cast<int>(row * 1000 + i % length);
    };
    for (std::size_t i = Width * length; i < (Width + Rows) * length; ++i) x[i] = value(i);
    halo.exchange(std::span(x));
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(x[i] == value(i));
  });
}

/// ⟨E u, v⟩ = ⟨u, Eᵀ v⟩, u own rows of all ranks, v all rows with halos.
template <class Whole, std::size_t Rows, std::size_t Width>
void check_adjoint() {
  using Cut = TorusBand<Whole, Rows, Width>;
  std::vector<double> differences(Cut::bands), sizes(Cut::bands);
  ThreadRanks::run(Cut::bands, [&](const ThreadRanks& ranks) {
    const auto halo = test::halo_of<Cut>(ranks);
    std::vector<double> u(Cut::points * 3), v(u.size());
    fill_normal<double>({.seed = 1, .run = ranks.rank()}, u);
    fill_normal<double>({.seed = 2, .run = ranks.rank()}, v);
    auto filled = u, added = v;
    halo.exchange(std::span(filled));
    halo.exchange_adjoint(std::span(added));
    double left = 0, right = 0;
    for (std::size_t i = 0; i < u.size(); ++i) {
      const bool own = i >= Cut::first * 3 && i < (Cut::first + Cut::own) * 3;
      left += filled[i] * v[i], right += own ? u[i] * added[i] : 0;
      if (!own) CHECK(added[i] == 0);
    }
    differences[ranks.rank()] = left - right;
    sizes[ranks.rank()] = std::abs(left) + std::abs(right);
  });
  CHECK(std::abs(std::accumulate(differences.begin(), differences.end(), 0.0)) <
        1e-14 * std::accumulate(sizes.begin(), sizes.end(), 0.0));
  // One by one they are not equal: numbers have changed hands.
  if (Cut::bands > 1) CHECK(std::abs(differences[0]) > 1e-3);
}
}  // namespace

TEST_CASE("band: exchange fills the halo, around the torus") {
  check_exchange<Torus<12, 5>, 12, 2>();
  check_exchange<Torus<12, 5>, 6, 6>();
  check_exchange<Torus<12, 5>, 4, 1>();
  check_exchange<Torus<12, 5>, 3, 2>();
}

TEST_CASE("band: the adjoint of the exchange") {
  check_adjoint<Torus<12, 5>, 12, 2>();
  check_adjoint<Torus<12, 5>, 6, 6>();
  check_adjoint<Torus<12, 5>, 4, 3>();  // rows that both neighbours have
  check_adjoint<Torus<12, 5>, 3, 1>();
}

TEST_CASE("band: sum_rows adds rows in their order") {
  // Numbers of such sizes that every order has its own sum.
  std::vector<float> rows(12 * 3);
  fill_normal<float>({.seed = 3}, rows);
  for (std::size_t n = 0; n < rows.size(); ++n) rows[n] *= static_cast<float>(n * n);
  std::vector<float> expected(3, 0.0F);
  for (std::size_t n = 0; n < rows.size(); ++n) expected[n % 3] += rows[n];
  for (const std::size_t size : {1U, 2U, 4U})
    ThreadRanks::run(size, [&](const ThreadRanks& ranks) {
      const std::size_t share = rows.size() / size;
      std::vector<float> sum(3, 0.0F);
      sum_rows(ranks, std::span<const float>(rows).subspan(ranks.rank() * share, share),
               std::span(sum));
      CHECK(sum == expected);
    });
}

TEST_CASE("band: a model's steps have the bits of the whole torus, their adjoint of any cut") {
  using Whole = Torus<32, 6>;
  const auto whole = test::model_in_bands<Whole, 32, 0>(OneProcess());
  const auto one = test::model_in_bands<Whole, 32, 8>(OneProcess());
  CHECK(one.forward == whole.forward);
  // The order of sums differs where the plain torus closes.
  CHECK(largest_difference(one.backward, whole.backward) < 1e-14);
  const auto check = [&]<std::size_t Rows>(std::integral_constant<std::size_t, Rows>) {
    ThreadRanks::run(32 / Rows, [&](const ThreadRanks& ranks) {
      CHECK(test::model_in_bands<Whole, Rows, 8>(ranks) == one);
      const auto scattered = test::model_in_bands<Whole, Rows, 4, test::Adjoint::scatter>(ranks);
      CHECK(scattered.forward == whole.forward);
      CHECK(largest_difference(scattered.backward, whole.backward) < 1e-14);
    });
  };
  check(std::integral_constant<std::size_t, 16>());
  check(std::integral_constant<std::size_t, 8>());
}

TEST_CASE("band: what does not fit is refused") {
  using Cut = TorusBand<Torus<12, 5>, 4, 1>;
  CHECK_THROWS_WITH_AS(Halo<Cut>(),
                       "Halo: processes has 1 ranks, expected 3, one for each band of 4 of the "
                       "torus's 12 rows",
                       ConfigError);
  const Halo<TorusBand<Torus<4, 5>, 4, 1>> halo;
  std::vector<double> x(31);
  CHECK_THROWS_WITH_AS(halo.exchange(std::span(x)),
                       "Halo::exchange: x has 31 elements, expected a multiple of 30, the points "
                       "of a band with its halo",
                       ShapeError);
  CHECK_THROWS_AS(halo.exchange_adjoint(std::span(x)), ShapeError);
  constexpr OneProcess alone;
  std::vector<double> sum(2);
  CHECK_THROWS_WITH_AS(sum_rows(alone, std::span<const double>(x), std::span(sum)),
                       "sum_rows: rows has 31 numbers, expected a multiple of 2, those of the sum",
                       ShapeError);
}
