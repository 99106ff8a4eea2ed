// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <span>
#include <string>

#include "dan/app/menu.hpp"
#include "dan/core/notice.hpp"
#include "dan/network/trained_for.hpp"
#include "dan/observe/table.hpp"

/// \file
/// What looks wrong in a table of observations before it is assimilated, and after.

namespace dan::app::detail {

/// The rows of a table up to cycle `cycle`.
template <class Table>
Table rows_up_to(const Table& table, const CycleTimes& times, std::size_t cycle) {
  Table part;
  for (const auto& row : table.rows())
    if (times.cycles(row.time) < static_cast<double>(cycle) + 0.5) part.add(row);
  return part;
}

/// What a `notice` says of a table: observations before the first analysis, which are not used;
/// cycles without any; what a network was not trained for.
template <class Table>
void notice_of_table(const Table& table, const Assimilation& task, const Cycler& cycler) {
  const std::string file = task.observations.string();
  const auto early = rows_up_to(table, task.times, 0);
  if (!early.rows().empty())
    notice(to_text(file, ": not used: ", early.rows().size(),
                   " observations before the first analysis, at ",
                   task.times.start + task.times.interval, "; with start ",
                   early.rows()[0].time - task.times.interval, " they would be"));
  if (early.rows().size() == table.rows().size()) return;
  const auto trained = cycler.trained_for();
  TrainedFor here = trained.value_or(TrainedFor{});
  const double infinity = std::numeric_limits<double>::infinity();
  here.least_variance = here.least_observed = infinity;
  here.most_variance = here.most_observed = 0;
  std::size_t with_any = 0;
  const auto rows = table.rows();
  for (std::size_t n = early.rows().size(); n < rows.size(); ++with_any) {
    const auto cycle = static_cast<std::size_t>(std::floor(task.times.cycles(rows[n].time) + 0.5));
    const auto seen = rows_of(table, task.times, cycle);
    const auto observed = static_cast<double>(seen.size()) / static_cast<double>(cycler.size());
    here.least_observed = std::min(here.least_observed, observed);
    here.most_observed = std::max(here.most_observed, observed);
    for (const auto& row : seen) {
      here.least_variance = std::min(here.least_variance, row.deviation * row.deviation);
      here.most_variance = std::max(here.most_variance, row.deviation * row.deviation);
    }
    n += seen.size();
  }
  if (const auto last = last_cycle(table, task.times); last > 10 && 2 * with_any < last)
    notice(to_text(file, ": ", last - with_any, " of ", last,
                   " cycles have no observation; is time in the units of the problem, and the "
                   "interval, ",
                   task.times.interval, ", that of the observations?"));
  if (!trained) return;
  std::string list;
  for (const auto& difference : differences(*trained, here)) list += "\n  " + difference;
  if (!list.empty())
    notice(to_text(file,
                   ": the network was trained for other observations, so its analyses may "
                   "not be as good:",
                   list));
}

/// Innovations y − H(x^f), and how far the observations are from their own mean, from the second
/// quarter of the cycles on.
class InnovationCheck {
 public:
  /// Of a cycle; `late`: whether it counts.
  template <class Rows>
  [[nodiscard]] double add(const Rows& seen, std::span<const double> predicted, bool late) {
    double squares = 0;
    for (std::size_t j = 0; j < seen.size(); ++j) {
      const double d = seen[j].value - predicted[j], y = seen[j].value;
      squares += d * d;
      if (!late) continue;
      auto& [count, sum, sum_of_squares] = channels_[seen[j].place.channel];
      ++count, sum += y, sum_of_squares += y * y;
      innovations_ += d * d, errors_ += seen[j].deviation * seen[j].deviation;
    }
    count_ += late ? seen.size() : 0;
    return std::sqrt(squares / static_cast<double>(seen.size()));
  }
  /// The root mean square of the innovations, and of the deviations of the observations' errors.
  [[nodiscard]] double rms() const { return root_mean(innovations_); }
  [[nodiscard]] double error() const { return root_mean(errors_); }
  /// The standard deviation of the observations of each channel.
  [[nodiscard]] double deviation() const {
    double squares = 0;
    for (const auto& [channel, sums] : channels_)
      squares += sums.squares - sums.sum * sums.sum / static_cast<double>(sums.count);
    return root_mean(squares);
  }
  /// Forecasts that are no better than a constant.
  void notice_of(const std::string& file) const {
    if (count_ >= 100 && rms() > 0.9 * deviation())
      notice(to_text(
          file, ": the forecasts are no nearer to the observations, ", three_digits(rms()),
          " in the root mean square, than the observations' own mean is, ",
          three_digits(deviation()), "; are time, place and value in the units of the problem?"));
  }

 private:
  struct Sums {
    std::size_t count = 0;
    double sum = 0, squares = 0;
  };
  [[nodiscard]] double root_mean(double squares) const {
    return std::sqrt(squares / static_cast<double>(count_));
  }
  std::map<std::size_t, Sums> channels_;
  double innovations_ = 0, errors_ = 0;
  std::size_t count_ = 0;
};

}  // namespace dan::app::detail
