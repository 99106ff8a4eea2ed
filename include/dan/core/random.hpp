// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <Random123/philox.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>

/// \file
/// Counter-based random numbers: every number is a function of its key and its position.
///
/// Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011
/// (Philox 4×64 with 10 rounds, library Random123).

namespace dan {

/// What a random number is for; numbers of different purposes are independent.
///
/// The lower half of the number counts. The upper half keeps it apart from every seed below 2³²: a
/// RandomKey of the bytes {v, v, 0, 0} is what g++ 12 may get wrong, see core/compiler.hpp.
enum class Purpose : std::uint64_t {
  truth = (std::uint64_t{1} << 32) + 1,  ///< initial conditions of the truth
  observation,                           ///< observation errors
  available,                             ///< which slots of an observation operator report
  first_guess,                           ///< error of the first guess
  ensemble,                              ///< initial ensemble members
  analysis,     ///< random parts of an analysis (perturbed observations, rotations)
  weights,      ///< initial weights of a network
  restart,      ///< first guess of a restarted training lane
  upset,        ///< what makes a training lane lose the truth
  fingerprint,  ///< states and cycles that tell settings apart
  model_noise,  ///< noise of the model in a truth
  forecast,     ///< noise of the model in the members of a forecast
  replacement,  ///< members in the place of those whose forecast failed
  ties,         ///< ranks among equal members
  sample,       ///< an ensemble drawn from a covariance
  user = (std::uint64_t{1} << 32) + 1000  ///< first number for purposes of the user
};

/// The name of a sequence of random numbers.
struct RandomKey {
  std::uint64_t seed = 0;
  Purpose purpose = Purpose::truth;
  std::uint64_t run = 0;
  std::uint64_t cycle = 0;

  [[nodiscard]] RandomKey with(Purpose other) const { return {seed, other, run, cycle}; }
  /// That of run `lane` of a group whose first run this is.
  [[nodiscard]] RandomKey of_lane(std::size_t lane) const {
    return {seed, purpose, run + lane, cycle};
  }
};

/// First run numbers of what must never meet the runs of an experiment, whatever the seeds.
inline constexpr std::uint64_t climate_runs = std::uint64_t{1} << 32;
inline constexpr std::uint64_t training_runs = std::uint64_t{1} << 33;

namespace detail {
/// Calls use(position, four words) until `count` words are made.
template <class Use>
void random_words(const RandomKey& key, std::size_t count, const Use& use) {
  const r123::Philox4x64 generator;
  const r123::Philox4x64::key_type name{{key.seed, static_cast<std::uint32_t>(key.purpose)}};
  for (std::size_t block = 0; 4 * block < count; ++block)
    use(4 * block, generator(r123::Philox4x64::ctr_type{{key.run, key.cycle, block, 0}}, name));
}
/// The middle of one of 2⁵² equal parts of (0, 1); exact, so never 0 or 1.
inline double open_unit(std::uint64_t word) {
  return (static_cast<double>(word >> 12) + 0.5) * 0x1p-52;
}
}  // namespace detail

/// Fills `out` with independent uniform numbers in (0, 1); the first n do not depend on its size.
template <class Real>
void fill_uniform(const RandomKey& key, std::span<Real> out) {
  detail::random_words(key, out.size(), [&](std::size_t first, const auto& words) {
    for (std::size_t i = 0; i < 4 && first + i < out.size(); ++i)
      if constexpr (sizeof(Real) < sizeof(double))  // fewer bits, so that none rounds up to 1
        out[first + i] = (static_cast<Real>(words[i] >> 41) + Real(0.5)) * Real(0x1p-23);
      else
        out[first + i] = static_cast<Real>(detail::open_unit(words[i]));
  });
}

/// Fills `out` with independent N(0, 1) numbers (Box–Muller, in double); the first n do not
/// depend on its size.
template <class Real>
void fill_normal(const RandomKey& key, std::span<Real> out) {
  detail::random_words(key, out.size(), [&](std::size_t first, const auto& words) {
    std::array<double, 4> normal;
    for (std::size_t pair = 0; pair < 4; pair += 2) {
      const double radius = std::sqrt(-2 * std::log(detail::open_unit(words[pair])));
      const double angle = 2 * std::numbers::pi * detail::open_unit(words[pair + 1]);
      normal[pair] = radius * std::cos(angle);
      normal[pair + 1] = radius * std::sin(angle);
    }
    for (std::size_t i = 0; i < 4 && first + i < out.size(); ++i)
      out[first + i] = static_cast<Real>(normal[i]);
  });
}

}  // namespace dan
