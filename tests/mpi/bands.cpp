// SPDX-License-Identifier: BSD-3-Clause
// A torus cut into bands under MPI; tests/mpi/run_bands compares numbers of ranks.
//   bands test            a convolution and a model: checksums of all that all ranks have found
//   bands speed           2 ranks: time of exchanges and of the work between them
#include "../support/bands.hpp"

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "dan/mpi/ranks.hpp"

namespace {
using namespace dan;

/// FNV-1a of the bits.
std::uint64_t checksum(const std::vector<double>& values) {
  std::uint64_t sum = 14695981039346656037U;
  for (const double x : values) sum = (sum ^ std::bit_cast<std::uint64_t>(x)) * 1099511628211U;
  return sum;
}

void print(const MpiRanks& ranks, const char* what, const test::Found& found) {
  const std::array<std::uint64_t, 3> mine{checksum(found.forward), checksum(found.backward),
                                          checksum(found.weights)};
  auto first = mine;
  ranks.broadcast(std::as_writable_bytes(std::span(first)), 0);
  if (ranks.any(mine != first)) throw NumericalError("bands: the ranks do not agree");
  if (ranks.rank() > 0) return;
  std::printf("%s:", what);
  for (const std::uint64_t sum : mine)
    std::printf(" %016llx", static_cast<unsigned long long>(sum));
  std::puts("");
}

template <std::size_t Ranks>
void run_test(const MpiRanks& ranks) {
  print(ranks, "convolution", test::convolution_in_bands<Torus<16, 12>, 16 / Ranks, 5>(ranks));
  print(ranks, "model", test::model_in_bands<Torus<32, 10>, 32 / Ranks, 8>(ranks));
}

/// Milliseconds of one call in the mean of `count`, of the slowest rank; all begin together.
template <class Call>
double milliseconds(const MpiRanks& ranks, std::size_t count, const Call& call) {
  (void)ranks.any(false);
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t n = 0; n < count; ++n) call();
  (void)ranks.any(false);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
             .count() /
         static_cast<double>(count);
}

void report(const MpiRanks& ranks, const char* what, std::size_t bytes, double exchange,
            double work) {
  if (ranks.rank() == 0)
    std::printf("%s: %zu bytes a rank in %.3f ms, the rest %.3f ms, %.1f %%\n", what, bytes,
                exchange, work, 100 * exchange / (exchange + work));
}

/// 40 to 40 channels, and a model, on 64 × 64 points.
void run_speed(const MpiRanks& ranks) {
  using Whole = Torus<64, 64>;
  {
    using Cut = TorusBand<Whole, 32, 2>;
    using Layer = BandConvolution<Cut, 40, 40, 5, Silu>;
    using T = Pack<float, simd_width<float>>;
    const auto halo = test::halo_of<Cut>(ranks);
    const auto params = test::random_parameters(Layer::parameters);
    std::vector<T> x(Layer::inputs, T(1.0F)), z(Layer::outputs), d(Layer::inputs, T(0.0F));
    std::vector<float> d_rows(32 * Layer::parameters), sum(Layer::parameters);
    const auto cache = std::make_unique<typename Layer::template Cache<T>>();
    const auto forward = [&] { Layer::forward(halo, params.data(), x.data(), z.data(), *cache); };
    const auto both = [&] {
      forward();
      Layer::backward(halo, params.data(), x.data(), *cache, z.data(), d.data(), d_rows.data());
    };
    both();
    for (int again = 0; again < 3; ++again) {
      const double of_exchange = milliseconds(ranks, 200, [&] { halo.exchange(std::span(x)); });
      const std::size_t bytes = 2 * Cut::first * 40 * sizeof(T);
      report(ranks, "layer forward", bytes, of_exchange,
             milliseconds(ranks, 20, forward) - of_exchange);
      report(ranks, "layer forward and back", 2 * bytes, 2 * of_exchange,
             milliseconds(ranks, 10, both) - 2 * of_exchange);
      const double of_sum = milliseconds(
          ranks, 20, [&] { sum_rows(ranks, std::span<const float>(d_rows), std::span(sum)); });
      if (ranks.rank() == 0) std::printf("sum of the weights' gradient: %.3f ms\n", of_sum);
    }
  }
  using Cut = TorusBand<Whole, 32, 8>;
  using T = Pack<double, simd_width<double>>;
  const auto halo = test::halo_of<Cut>(ranks);
  const Rk4<test::Burgers<Cut>> model;
  std::vector<T> x(Cut::points, T(1.0));
  for (int again = 0; again < 3; ++again) {
    const double of_exchange = milliseconds(ranks, 1000, [&] { halo.exchange(std::span(x)); });
    report(ranks, "model step", 2 * Cut::first * sizeof(T), of_exchange,
           milliseconds(ranks, 200, [&] {
             halo.exchange(std::span(x));
             model.step(x.data(), x.data());
           }) - of_exchange);
  }
}
}  // namespace

int main(int argc, char** argv) {
  return mpi_main(argc, argv, [&](MpiRanks& ranks) {
    const std::string_view what = argc == 2 ? argv[1] : "";
    if (what == "speed") return run_speed(ranks);
    if (what != "test") throw ConfigError("bands: expected test or speed");
    if (ranks.size() == 2) return run_test<2>(ranks);
    if (ranks.size() == 4) return run_test<4>(ranks);
    run_test<1>(ranks);  // says how many ranks it expects
  });
}
