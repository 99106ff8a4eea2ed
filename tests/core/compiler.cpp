// SPDX-License-Identifier: BSD-3-Clause
// What dan/core/compiler.hpp tells of g++ 12 with AVX-512 must not be able to hit us. The compiler
// that runs this test may be another one, so that the bytes are looked at, not the consequences.
#include "dan/core/compiler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "dan/dan.hpp"

using namespace dan;

namespace {
using Words = std::vector<std::uint64_t>;

/// Whether g++ 12.2 takes these 4 or 8 words for a repeated one. It keeps a constant without the
/// words at its end that repeat the sign of the one before, and compares what is left.
bool is_taken_for_repeated(std::span<const std::uint64_t> words) {
  std::size_t kept = words.size();
  const auto sign = [&](std::size_t i) { return words[i] >> 63 ? ~std::uint64_t{0} : 0; };
  while (kept > 1 && words[kept - 1] == sign(kept - 2)) --kept;
  return kept > 1 && kept < words.size() &&
         std::ranges::all_of(words.first(kept), [&](auto word) { return word == words[0]; });
}

/// The same of any 32 or 64 bytes within these.
bool has_pattern(const Words& words) {
  for (const std::size_t size : {4U, 8U})
    for (std::size_t at = 0; at + size <= words.size(); ++at)
      if (is_taken_for_repeated(std::span(words).subspan(at, size))) return true;
  return false;
}

/// The words of a T with its default values; padding is zero.
template <class T, class Make>
Words words_of(const Make& make) {
  static_assert(std::is_trivially_copyable_v<T>);  // others are copied field by field
  alignas(T) std::array<unsigned char, sizeof(T)> bytes{};
  void (*volatile construct)(const Make&, void*) = [](const Make& from, void* to) { from(to); };
  construct(make, bytes.data());
  Words words((sizeof(T) + 7) / 8);
  std::memcpy(words.data(), bytes.data(), sizeof(T));
  return words;
}
template <class T>
Words words_of_default() {
  return words_of<T>([](void* to) { ::new (to) T{}; });
}
template <class T>
Words words_of_value(const T& value) {
  return words_of<T>([&](void* to) { ::new (to) T(value); });
}

template <class... T>
void check_defaults() {
  const auto check = [](const doctest::String& name, const Words& words) {
    CAPTURE(name);
    CHECK_FALSE(has_pattern(words));
  };
  (check(doctest::toString<T>(), words_of_default<T>()), ...);
}

struct Four {
  double a, b, c, d;
};
struct EightFloats {
  std::array<float, 8> x;
};
struct EightDoubles {
  std::array<double, 8> x;
};
}  // namespace

TEST_CASE("compiler: the pattern is what g++ 12.2 gets wrong") {
  // -S -O2 -march=x86-64-v4 of a function that passes each of these by value.
  for (const Four& wrong : {Four{1, 1, 0, 0}, Four{2, 2, 2, 0}})
    CHECK(has_pattern(words_of_value(wrong)));
  for (const Four& right :
       {Four{1, 0, 0, 0}, Four{0, 1, 1, 0}, Four{0, 0, 1, 1}, Four{-1, -1, 0, 0}, Four{1, 1, 1, 1},
        Four{1, 2, 0, 0}, Four{1, 1, 0, 1}, Four{0, 0, 0, 0}})
    CHECK_FALSE(has_pattern(words_of_value(right)));
  CHECK(has_pattern({~4ULL, ~4ULL, ~0ULL, ~0ULL}));  // the integers -5, -5, -1, -1
  CHECK(has_pattern(words_of_value(EightFloats{{1, 2, 1, 2, 0, 0, 0, 0}})));
  CHECK(has_pattern(words_of_value(EightFloats{{1, 1, 1, 1, 1, 1, 0, 0}})));
  CHECK_FALSE(has_pattern(words_of_value(EightFloats{{1, 1, 1, 1, 1, 0, 0, 0}})));
  CHECK_FALSE(has_pattern(words_of_value(EightFloats{{1, 1, 0, 0, 0, 0, 0, 0}})));
  CHECK(has_pattern(words_of_value(EightDoubles{{1, 1, 1, 1, 0, 0, 0, 0}})));
  CHECK(has_pattern(words_of_value(EightDoubles{{1, 1, 1, 1, 1, 1, 1, 0}})));
  CHECK(has_pattern({7, 1, 1, 0, 0}));  // as a part of a larger object
}

// check.py holds this list against the headers.
TEST_CASE("compiler: no default of ours has it") {
  using Model = Rk4<Lorenz96<40>>;
  using Channels1 = AnalysisNetwork<NetworkShape{}, Ring<40>>;
  check_defaults<BackwardKalmanConfig, ClimateConfig, DenkfConfig, EkfConfig, EnkfConfig,
                 EnkfNConfig, EnsrfConfig, EtkfConfig, FiniteSizePrior, IenksConfig, Inflation,
                 LetkfConfig, Localisation, Var4dConfig, TaylorFit, RandomKey, GaussianStart,
                 KuramotoSivashinskyStart, KuramotoSivashinsky<64>, Etdrk4Coefficients,
                 ConfidenceInterval, TruthConfig, TwinConfig, NetworkShape, AnalysisBounds<1>,
                 AdamConfig, MuonConfig, NormLimit, CosineSchedule, Upsets, StoredTruths,
                 TrainedProblem, Itinerary, TrainConfig, Watch, Finish, EnsrfTeacher<64>,
                 ForecastConfig, LearnedConfig, InnovationTest, ShockConfig, Corner, CycleTimes,
                 ObservationRow<1>, LyapunovConfig, CovariantConfig, MeanAndDeviation,
                 SampledInnovations, Belief, SpreadSkillBin>();
  check_defaults<Model, Lorenz63, Rk4<Lorenz63>, Channels1>();
}

TEST_CASE("compiler: no inflation has it, whatever its numbers") {
  const std::array<double, 5> numbers{0, 0.5, 1, 1.04, 2};
  for (const double before : numbers)
    for (const double perturbations : numbers)
      for (const double spread : numbers)
        for (const double factor : numbers)
          if (factor > 0)
            CHECK_FALSE(has_pattern(words_of_value(Inflation{.before = before,
                                                             .relax_perturbations = perturbations,
                                                             .relax_spread = spread,
                                                             .factor = factor})));
}

TEST_CASE("compiler: no key of random numbers has it") {
  for (std::uint64_t seed = 0; seed < 2000; ++seed)
    for (const Purpose purpose :
         {Purpose::truth, Purpose::observation, Purpose::available, Purpose::first_guess,
          Purpose::ensemble, Purpose::analysis, Purpose::weights, Purpose::restart, Purpose::upset,
          Purpose::fingerprint, Purpose::model_noise, Purpose::forecast, Purpose::replacement,
          Purpose::user})
      for (const std::uint64_t run : {std::uint64_t{0}, seed})
        if (has_pattern(words_of_value(RandomKey{seed, purpose, run, 0})))
          FAIL("seed " << seed << ", purpose " << static_cast<std::uint32_t>(purpose));
}
