// SPDX-License-Identifier: BSD-3-Clause
// Counts the allocations of the whole test program, to show that a cycle of a learned analysis
// makes none, and one of an ensemble filter none after the first.
#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <type_traits>

#include "dan/analysis/ekf.hpp"
#include "dan/analysis/enkf_n.hpp"
#include "dan/analysis/learned.hpp"
#include "dan/analysis/letkf.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

namespace {
std::atomic<std::size_t> allocations{0};
}  // namespace

#ifdef SANITIZED  // which must keep its own operators
constexpr bool counts = false;
#else
constexpr bool counts = true;

namespace {
/// Memory of exactly this size, so that other checkers see every byte beyond it.
void* counted(std::size_t size, std::size_t alignment) {
  ++allocations;
  void* p = nullptr;
  return posix_memalign(&p, alignment, size) == 0 ? p : nullptr;
}
void* counted_or_throw(std::size_t size, std::size_t alignment) {
  if (void* p = counted(size, alignment)) return p;
  throw std::bad_alloc();
}
constexpr std::size_t usual = alignof(std::max_align_t);
}  // namespace

// Not inlined: g++ takes an inlined std::free for the wrong partner of new.
void* operator new(std::size_t size) { return counted_or_throw(size, usual); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return counted(size, usual);
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}
#endif

namespace {
using namespace dan;
using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;

template <NetworkShape Shape, std::size_t Runs>
std::size_t allocations_of_cycles() {
  using Network = AnalysisNetwork<Shape, Ring<40>>;
  Trained<Network> trained;
  Network::initialise(1, span_of(trained.parameters));
  const Learned<Lorenz, Network, Runs> analysis(Lorenz{}, trained);
  typename Learned<Lorenz, Network, Runs>::FirstGuessBatch guess;
  for (std::size_t i = 0; i < guess.size; ++i)
    for (std::size_t l = 0; l < Runs; ++l) guess.at(i, l) = static_cast<double>(i % 5);
  guess.repeat_last_lane();
  typename Learned<Lorenz, Network, Runs>::Observed observed;
  typename Learned<Lorenz, Network, Runs>::Estimate estimate;
  auto carried = analysis.start(guess, 1, {});
  std::size_t before = 0;
  for (int cycle = 0; cycle < 4; ++cycle) {
    if (cycle == 1) before = allocations;  // scratch memory of the first stays with the thread
    analysis.forecast(carried);
    analysis.analyse(carried, observed, {});
    analysis.estimate(carried, estimate);
  }
  return allocations - before;
}
}  // namespace

TEST_CASE("learned: a cycle allocates nothing after the first, for one state or many") {
  if (!counts) {
    MESSAGE("skipped: a sanitizer has operators of its own");
    return;
  }
  constexpr NetworkShape plain{.filters = 8, .blocks = 2, .sub_blocks = 2};
  constexpr NetworkShape recurrent{
      .filters = 8, .blocks = 1, .sub_blocks = 2, .members = 2, .head = Head::gain, .memory = 2};
  constexpr NetworkShape retracing = [](NetworkShape shape) {
    shape.retrace = 2;
    return shape;
  }(recurrent);
  const std::size_t before = allocations;
  CHECK(Trained<AnalysisNetwork<plain, Ring<40>>>{}.parameters.size() > 0);
  CHECK(allocations > before);  // the counter counts
  CHECK(allocations_of_cycles<plain, 1>() == 0);
  CHECK(allocations_of_cycles<plain, 2 * simd_width<float>>() == 0);
  CHECK(allocations_of_cycles<recurrent, 1>() == 0);
  CHECK(allocations_of_cycles<retracing, 1>() == 0);
}

TEST_CASE("ensemble filters: a cycle allocates nothing after the first, precise or not") {
  if (!counts) return;
  const auto check = [](const auto& filter) {
    using Filter = std::decay_t<decltype(filter)>;
    typename Filter::FirstGuessBatch guess;
    for (std::size_t i = 0; i < guess.size; ++i) guess[i] = static_cast<double>(i % 5);
    for (const double precision : {1.0, 1e12}) {
      typename Filter::Observed observed;
      observed.precision.fill(precision);
      auto carried = filter.start(guess, 1, {});
      filter.analyse(carried, observed, {});
      carried.ensemble = filter.start(guess, 1, {}).ensemble;
      const std::size_t before = allocations;
      filter.analyse(carried, observed, {});
      filter.forecast(carried);
      filter.analyse(carried, observed, {});
      CHECK(allocations == before);
    }
  };
  check(EnkfN<Lorenz, 20>(Lorenz{}));
  check(Letkf<Lorenz, 7>(Lorenz{}));
}

TEST_CASE("extended Kalman filter: a cycle allocates nothing after the first") {
  if (!counts) return;
  const Ekf<Lorenz> filter(Lorenz{}, {.inflation = 1.06});
  Ekf<Lorenz>::FirstGuessBatch guess;
  for (std::size_t i = 0; i < guess.size; ++i) guess[i] = static_cast<double>(i % 5);
  Ekf<Lorenz>::Observed observed;
  observed.precision.fill(1);
  auto carried = filter.start(guess, 1, {});
  std::size_t before = 0;
  for (int cycle = 0; cycle < 3; ++cycle) {
    if (cycle == 1) before = allocations;
    filter.forecast(carried);
    filter.analyse(carried, observed, {});
  }
  CHECK(allocations == before);
}
