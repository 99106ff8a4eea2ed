// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/observe/observations.hpp"
#include "dan/observe/places.hpp"

/// \file
/// Observations as they come: a row with time, place, value and error for each of them.
///
///     ObservationTable<Ring<40>> table = load_observations<Ring<40>>("buoys.csv");
///     const CycleTimes times{.interval = 0.05};
///     for (std::size_t cycle = 1; cycle <= last_cycle(table, times); ++cycle) {
///       set_observations(observed, 0, rows_of(table, times, cycle));
///       filter.forecast(carried);
///       filter.analyse(carried, observed, {.cycle = cycle});
///     }

namespace dan {

/// One observation of a state with so many channels.
template <std::size_t Dimensions, std::size_t Channels = 1>
struct ObservationRow {
  double time = 0;
  Place<Dimensions> place{};
  double value = 0;
  double deviation = 1;  ///< standard deviation of its error

  bool operator==(const ObservationRow&) const = default;
};

/// Observations in the order of their times, each checked when it is added.
template <class Geometry_, std::size_t Channels = 1>
class ObservationTable {
 public:
  using Geometry = Geometry_;
  using Row = ObservationRow<Geometry::dimensions, Channels>;
  static constexpr std::size_t channels = Channels;

  /// Throws ConfigError, with the number of the row, counted from 1, where `fault` finds one.
  void add(const Row& row) {
    if (const std::string found = fault(row); !found.empty())
      throw ConfigError(to_text("ObservationTable: row ", rows_.size() + 1, ", column ", found));
    rows_.push_back(row);
  }

  /// What a row that is to be the next must not be, the column first; empty if time and value are
  /// finite, the time is not before that of the last row, the place is inside the domain, the
  /// channel is one of the state and the deviation is finite and above zero.
  [[nodiscard]] std::string fault(const Row& row) const {
    if (!std::isfinite(row.time))
      return to_text("time is ", row.time, ", expected a finite number");
    if (!rows_.empty() && row.time < rows_.back().time)
      return to_text("time is ", row.time, ", expected at least ", rows_.back().time,
                     ", that of the row before; sort the rows by time");
    if (row.place.channel >= Channels)
      return to_text("channel is ", row.place.channel, ", expected less than ", Channels,
                     ", the channels of the state");
    if (!std::isfinite(row.value))
      return to_text("value is ", row.value,
                     ", expected a finite number; leave out what is missing");
    if (const double variance = row.deviation * row.deviation;
        !(std::isfinite(variance) && variance > 0 && row.deviation > 0))
      return to_text("deviation is ", row.deviation,
                     ", expected a finite number greater than zero, with a square that is so too");
    try {
      static_cast<void>(Geometry::corners_of(row.place.position));
    } catch (const ConfigError& e) {
      return to_text("place is outside the domain: ", e.what());
    }
    return {};
  }

  [[nodiscard]] std::span<const Row> rows() const { return rows_; }

 private:
  std::vector<Row> rows_;
};

/// When the cycles are: cycle k, from 1 for the first analysis, at start + k · interval.
struct CycleTimes {
  double start = 0;        ///< time of the first guess
  double interval = 1;     ///< from cycle to cycle
  double tolerance = 0.5;  ///< how far an observation may be from its cycle, in intervals

  /// (time − start) / interval.
  [[nodiscard]] double cycles(double time) const { return (time - start) / interval; }
  /// Throws ConfigError, in the name of `function`, unless start is finite, interval > 0 and
  /// 0 ≤ tolerance ≤ ½.
  void require_valid(std::string_view function) const {
    if (!std::isfinite(start))
      throw ConfigError(to_text(function, ": start is ", start, ", expected a finite number"));
    require_positive(function, "interval", interval);
    if (!(tolerance >= 0 && tolerance <= 0.5))
      throw ConfigError(
          to_text(function, ": tolerance is ", tolerance, ", expected a number from 0 to 0.5"));
  }
};

/// The last cycle that has an observation; 0 if there is none. Throws ConfigError for one beyond
/// 10^12, of which no loop sees the end.
template <class Table>
[[nodiscard]] std::size_t last_cycle(const Table& table, const CycleTimes& times) {
  times.require_valid("last_cycle");
  if (table.rows().empty()) return 0;
  const double last = std::floor(times.cycles(table.rows().back().time) + 0.5);
  if (last > 1e12)
    throw ConfigError(to_text("last_cycle: row ", table.rows().size(), ", column time is ",
                              table.rows().back().time, ", cycle ", last,
                              ", expected at most 1e12; is the interval, ", times.interval,
                              ", in the units of the table?"));
  return last > 0 ? static_cast<std::size_t>(last) : 0;
}

/// The observations of cycle `cycle`: those to which no other cycle is nearer (just between two
/// cycles: of the later one). None is a gap, which may be of any length; what is before the first
/// analysis is of no cycle. Throws ConfigError, with the number of the row, if one is farther than
/// the tolerance from the cycle. Cost: a binary search.
template <class Table>
[[nodiscard]] std::span<const typename Table::Row> rows_of(const Table& table,
                                                           const CycleTimes& times,
                                                           std::size_t cycle) {
  times.require_valid("rows_of");
  const auto rows = table.rows();
  const auto before = [&](double limit) {
    const auto at = std::ranges::partition_point(
        rows, [&](const auto& row) { return times.cycles(row.time) < limit; });
    return static_cast<std::size_t>(at - rows.begin());
  };
  const auto k = static_cast<double>(cycle);
  const std::size_t first = before(k - 0.5), last = before(k + 0.5);
  for (std::size_t n = first; n < last; ++n)
    if (const double off = times.cycles(rows[n].time) - k; std::abs(off) > times.tolerance)
      throw ConfigError(to_text("rows_of: row ", n + 1, ", column time is ", rows[n].time, ", ",
                                off, " intervals from cycle ", cycle, ", expected at most ",
                                times.tolerance,
                                "; choose start and interval so that cycles are where observations "
                                "are, or a larger tolerance"));
  return rows.subspan(first, last - first);
}

/// The largest number of observations in a cycle: how many slots an operator needs. Throws as
/// `rows_of` and `last_cycle`. Cost: a binary search for each cycle that has observations.
template <class Table>
[[nodiscard]] std::size_t most_in_a_cycle(const Table& table, const CycleTimes& times) {
  (void)last_cycle(table, times);  // no cycle is beyond it
  const auto rows = table.rows();
  std::size_t most = 0;
  for (std::size_t n = 0; n < rows.size();) {
    const double cycle = std::floor(times.cycles(rows[n].time) + 0.5);
    const std::size_t count =
        cycle < 1 ? 0 : rows_of(table, times, static_cast<std::size_t>(cycle)).size();
    most = std::max(most, count);
    n += std::max<std::size_t>(1, count);
  }
  return most;
}

/// Writes the observations of one run and cycle into lane `lane` of `to`, a slot for each row; the
/// other slots are silent.
/// Throws ConfigError if there are more rows than slots, and what the other `set_observations`
/// throw; `to` is then unchanged.
template <std::floating_point Real, std::size_t Slots, std::size_t Lanes, class Places>
void set_observations(
    PlacedObservations<Real, Slots, Lanes, Places>& to, std::size_t lane,
    std::span<const ObservationRow<Places::Geometry::dimensions, Places::channels>> rows) {
  if (rows.size() > Slots)
    throw ConfigError(to_text("set_observations: rows has ", rows.size(),
                              " observations, expected at "
                              "most ",
                              Slots,
                              ", the slots of the operator; give it more "
                              "(most_in_a_cycle), or cycles a shorter interval"));
  std::vector<double> values(Slots, std::numeric_limits<double>::quiet_NaN()), variances(Slots, 1);
  std::vector<typename Places::PlaceType> places(Slots);
  for (std::size_t j = 0; j < rows.size(); ++j) {
    values[j] = rows[j].value;
    variances[j] = rows[j].deviation * rows[j].deviation;
    places[j] = rows[j].place;
  }
  set_observations(to, lane, std::span<const double>(values), std::span<const double>(variances),
                   std::span<const typename Places::PlaceType>(places), MissingValues::unobserved);
}

/// Not from the table of a state with other channels.
template <std::floating_point Real, std::size_t Slots, std::size_t Lanes, class Places,
          std::size_t Dimensions, std::size_t Channels>
requires(Channels != Places::channels) void set_observations(
    PlacedObservations<Real, Slots, Lanes, Places>&, std::size_t,
    std::span<const ObservationRow<Dimensions, Channels>>) {
  static_assert(Channels == Places::channels,
                "set_observations: the table is one of states with other channels; take "
                "load_observations<Geometry, Channels>, or ObservationTable<Geometry, Channels>");
}

/// Adds what reports in lane `lane` of the observations of a cycle, with its place and error, so
/// that a twin experiment can be written down. Throws as `add`.
template <class Geometry, std::size_t Channels, class Operator, class Observed>
void add_observations(ObservationTable<Geometry, Channels>& table, double time,
                      const Operator& operation, const Observed& observed, std::size_t lane = 0) {
  for (std::size_t j = 0; j < Observed::slots; ++j) {
    const auto precision = static_cast<double>(observed.precision.at(j, lane));
    if (precision == 0) continue;
    Place<Geometry::dimensions> place;
    if constexpr (requires { observed.places.sight(lane, j); })
      place = observed.places.sight(lane, j).place;
    else
      place = place_of<Geometry>(operation, j);
    table.add(
        {time, place, static_cast<double>(observed.values.at(j, lane)), 1 / std::sqrt(precision)});
  }
}

}  // namespace dan
