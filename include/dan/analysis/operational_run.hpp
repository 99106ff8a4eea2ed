// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <utility>

#include "dan/analysis/carried.hpp"
#include "dan/core/random.hpp"
#include "dan/observe/table.hpp"

namespace dan {

/// A method on its way through observations, cycle by cycle, which stops today and goes on tomorrow
/// with the same bits.
///
///     OperationalRun run(filter, filter.start(guess, 3.6, {.seed = 1}), "letkf.safetensors");
///     while (run.cycle() < last_cycle(table, times)) {
///       run.next(rows_of(table, times, run.cycle() + 1));
///       run.save();
///     }
/// What it draws is keyed by (seed, cycle). Of a method with several runs side by side the first is
/// this one, and the others see no row. After an error of `next`, go on from the file with another
/// object. Cost: a forecast and an analysis a cycle; no allocation but that of rows.
template <Resumable Method>
class OperationalRun {
 public:
  using Carried = typename Method::Carried;
  using Observed = typename Method::Observed;
  using Estimate = typename Method::Estimate;

  /// After the last cycle that `file` holds, where it is there, else `first`, before any cycle.
  /// Throws as `load_carried`. The method must live as long.
  OperationalRun(const Method& method, Carried first, std::filesystem::path file,
                 std::uint64_t seed = 1)
      : method_(method),
        file_(std::move(file)),
        seed_(seed),
        now_(std::filesystem::exists(file_) ? load_carried(method, file_)
                                            : Resumed<Method>{std::move(first), 0}) {}

  [[nodiscard]] std::size_t cycle() const { return now_.cycle; }  ///< those done
  [[nodiscard]] const Carried& carried() const { return now_.carried; }

  /// Forecasts one cycle and analyses what is observed then; throws what the method does.
  void next(const Observed& observed) {
    method_.forecast(now_.carried);
    method_.analyse(now_.carried, observed, {.seed = seed_, .run = 0, .cycle = now_.cycle + 1});
    ++now_.cycle;
  }
  /// The same with rows of a table, none in a gap; throws ConfigError, before the forecast, for
  /// more of them than the operator has slots.
  template <std::size_t Dimensions, std::size_t Channels>
  void next(std::span<const ObservationRow<Dimensions, Channels>> rows) {
    set_observations(observed_, 0, rows);
    next(observed_);
  }

  [[nodiscard]] Estimate estimate() const {
    Estimate x;
    method_.estimate(now_.carried, x);
    return x;
  }
  /// How large the method believes the error to be; NaN where it does not know.
  [[nodiscard]] double spread() const {
    std::array<double, Method::runs> spreads;
    spreads.fill(std::numeric_limits<double>::quiet_NaN());
    if constexpr (requires { method_.spread(now_.carried, spreads); })
      method_.spread(now_.carried, spreads);
    return spreads[0];
  }

  /// Writes the file as a whole or not at all; throws as `save_carried`.
  void save() const { save_carried(method_, now_.carried, now_.cycle, file_); }

 private:
  const Method& method_;
  std::filesystem::path file_;
  std::uint64_t seed_;
  Resumed<Method> now_;
  Observed observed_{};
};

}  // namespace dan
