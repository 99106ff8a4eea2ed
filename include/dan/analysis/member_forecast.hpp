// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "dan/analysis/failed_members.hpp"
#include "dan/analysis/member_noise.hpp"
#include "dan/core/error.hpp"
#include "dan/core/notice.hpp"
#include "dan/core/random.hpp"

/// \file
/// What a forecast is besides the model, for ensembles with a lane per member: members that fail
/// are replaced, and the model's noise joins the others.

namespace dan {

/// Options of the forecast of an ensemble.
struct ForecastConfig {
  NoiseForm noise = NoiseForm::completed;  ///< of a problem with model noise
  double most_failed = 0.25;  ///< share of the members that may fail in a forecast, 0: none

  /// Throws ConfigError, in the name of `function`, if a number is out of its range.
  void require_valid(std::string_view function) const {
    if (!(most_failed >= 0 && most_failed < 1))
      throw ConfigError(to_text(function, ": forecast.most_failed is ", most_failed,
                                ", expected a share from 0 (an error if one fails) to below 1"));
  }
};

/// After the model: failed members are replaced, and the noise joins. `key`: of this forecast.
/// Returns false, without a change, if too many failed; says once that some did.
template <class Problem, class Ensemble, std::size_t Members>
[[nodiscard]] bool finish_forecast(const Problem& problem, const ForecastConfig& config,
                                   const RandomKey& key, FailedMembers<Members>& failed,
                                   Ensemble& ensemble) {
  ensemble.repeat_last_lane();  // padding does not fail on its own
  failed.find(ensemble, key);
  if (failed.count() > 0) {
    if (!failed.replaceable(config.most_failed)) return false;
    failed.replace(ensemble);
    notice(
        "an ensemble filter replaced members whose forecast was not finite by draws from the "
        "others (TwinScores::replaced tells how many); a smaller time step or inflation may keep "
        "members from failing");
  }
  if constexpr (!Problem::perfect_model) add_noise_to_members(problem, config.noise, key, ensemble);
  return true;
}

/// What `transfer` of an ensemble's carried tells of its keys, one for each run.
template <class Archive>
void transfer_keys(std::span<RandomKey> keys, Archive& archive) {
  constexpr std::uint64_t half = std::uint64_t{1} << 32;  // doubles hold no 64 bits
  std::vector<double> numbers;
  for (const auto& key : keys)
    for (const std::uint64_t n : {key.seed, key.run, key.cycle}) {
      const std::uint64_t high = n / half, low = n % half;
      numbers.push_back(static_cast<double>(high));
      numbers.push_back(static_cast<double>(low));
    }
  archive.numbers("keys", std::span<double>(numbers), 1);
  if (!Archive::reads) return;
  for (const double n : numbers)
    archive.require("keys", n >= 0 && n < static_cast<double>(half) && n == std::floor(n), n,
                    ", expected whole numbers from 0 to below 2^32,");
  const auto read = [&](std::size_t at) {
    return static_cast<std::uint64_t>(numbers[at]) * half +
           static_cast<std::uint64_t>(numbers[at + 1]);
  };
  for (std::size_t l = 0; l < keys.size(); ++l)
    keys[l] = {read(6 * l), Purpose::forecast, read(6 * l + 2), read(6 * l + 4)};
}

}  // namespace dan
