// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dan/app/menu.hpp"
#include "dan/core/error.hpp"
#include "dan/core/notice.hpp"
#include "dan/network/trained_for.hpp"
#include "dan/observe/table.hpp"

/// \file
/// What looks wrong in a table of observations before it is assimilated, and after.

namespace dan::app {

namespace detail {

/// The rows of a table up to cycle `cycle`.
template <class Table>
Table rows_up_to(const Table& table, const CycleTimes& times, std::size_t cycle) {
  Table part;
  for (const auto& row : table.rows())
    if (times.cycles(row.time) < static_cast<double>(cycle) + 0.5) part.add(row);
  return part;
}

/// Of a table that has an observation to assimilate a `notice` says: observations before the first
/// analysis, which are not used; cycles without any; what a network was not trained for. Throws
/// ConfigError for one that has none, or in which less than one in a thousand of more than a
/// million cycles has any, as after a time that is mistyped.
template <class Table>
void check_table(const Table& table, const Assimilation& task, const Cycler& cycler) {
  const std::string file = task.observations.string();
  const auto rows = table.rows();
  const auto early = rows_up_to(table, task.times, 0).rows().size();
  const double first_time = task.times.start + task.times.interval;
  if (early == rows.size())
    throw ConfigError(
        to_text(file, ": no observation is at the first analysis, at ", first_time, ", or later",
                rows.empty() ? ""
                             : to_text("; with --start ", rows[0].time - task.times.interval,
                                       " the first of ", rows.size(), " is there")));
  if (early > 0)
    notice(to_text(file, ": not used: ", early, " observations before the first analysis, at ",
                   first_time, "; with --start ", rows[0].time - task.times.interval,
                   " they would be"));
  const auto trained = cycler.trained_for();
  TrainedFor here = trained.value_or(TrainedFor{});
  here.least_variance = here.least_observed = std::numeric_limits<double>::infinity();
  here.most_variance = here.most_observed = 0;
  const auto cycle_of = [&](const auto& row) {
    return static_cast<std::size_t>(std::floor(task.times.cycles(row.time) + 0.5));
  };
  std::size_t with_any = 0;
  for (std::size_t n = early; n < rows.size(); ++with_any) {
    const auto seen = rows_of(table, task.times, cycle_of(rows[n]));
    const auto observed = static_cast<double>(seen.size()) / static_cast<double>(cycler.size());
    here.least_observed = std::min(here.least_observed, observed);
    here.most_observed = std::max(here.most_observed, observed);
    for (const auto& row : seen) {
      here.least_variance = std::min(here.least_variance, row.deviation * row.deviation);
      here.most_variance = std::max(here.most_variance, row.deviation * row.deviation);
    }
    n += seen.size();
  }
  const std::size_t first = cycle_of(rows[early]), last = cycle_of(rows.back());
  if (const auto cycles = last - first + 1; cycles > 1'000'000 && with_any < cycles / 1000)
    throw ConfigError(to_text(file, ": the last observation, at ", rows.back().time,
                              ", is in cycle ", last, ", and ", with_any,
                              " cycles have any; is time in the units of the problem, and the "
                              "interval, ",
                              task.times.interval, ", that of the observations?"));
  if (first > 10)
    notice(to_text(file, ": the first observation is in cycle ", first, "; with --start ",
                   rows[early].time - task.times.interval, " it would be in the first"));
  if (const auto cycles = last - first + 1; cycles > 10 && 2 * with_any <= cycles)
    notice(to_text(file, ": ", cycles - with_any, " of ", cycles,
                   " cycles have no observation; is time in the units of the problem, and the "
                   "interval, ",
                   task.times.interval, ", that of the observations?"));
  if (!trained) return;
  // Errors within a few per cent are those of the training.
  const auto nearly = [](double& found, double in_training) {
    if (std::abs(found - in_training) < 0.05 * in_training) found = in_training;
  };
  nearly(here.least_variance, trained->least_variance);
  nearly(here.most_variance, trained->most_variance);
  std::string list;
  for (const auto& difference : differences(*trained, here)) list += "\n  " + difference;
  if (!list.empty())
    notice(to_text(file,
                   ": the network was trained for other observations, so its analyses may "
                   "not be as good:",
                   list));
}

/// Innovations y − H(x^f), beside the observations' errors and their scatter.
class InnovationCheck {
 public:
  /// Those of a cycle; returns their root mean square.
  template <class Rows>
  [[nodiscard]] double add(std::size_t cycle, const Rows& seen, std::span<const double> predicted) {
    double squares = 0;
    for (std::size_t j = 0; j < seen.size(); ++j) {
      const double innovation = seen[j].value - predicted[j];
      squares += innovation * innovation;
      if (!(std::abs(innovation) > 20 * seen[j].deviation) || far_later_ > 0) continue;
      if (far_ == 0) far_ = cycle;
      if (cycle > 10) far_later_ = cycle;
    }
    const double size = std::sqrt(squares / static_cast<double>(seen.size()));
    add_cycle(seen, size);
    for (std::size_t j = 0; j < seen.size(); ++j)
      all_[all_.size() - seen.size() + j].own = std::pow(seen[j].value - predicted[j], 2);
    return size;
  }
  /// Those of a cycle whose root mean square is known.
  template <class Rows>
  void add_cycle(const Rows& seen, double size) {
    for (const auto& row : seen)
      all_.push_back({row.place.channel, row.value, size * size, row.deviation * row.deviation,
                      std::numeric_limits<double>::quiet_NaN()});
  }

  /// For the message of an analysis that cannot go on: the first cycle with an observation far from
  /// its forecast, by 20 deviations of its error where those of a filter that works are a few.
  [[nodiscard]] std::string suspicion() const {
    return far_ == 0 ? ""
                     : to_text("; perhaps there is a value that cannot be in cycle ", far_,
                               ", the first with an innovation of more than 20 deviations");
  }

  /// Root mean squares of the last three quarters of the observations: innovations, errors, and
  /// distances from the mean of their channel; not a number without any.
  struct Sizes {
    double innovation, error, scatter;
  };
  [[nodiscard]] Sizes sizes() const { return sizes_of(all_); }

  /// What looks wrong, where there are a hundred: forecasts that are hardly better than a constant,
  /// innovations that do not suit the errors (of good filters with three observations of 40 a cycle
  /// they were up to 3 times as large). Of several channels each by itself, those of this call.
  /// Also an observation far from its forecast, after the first ten cycles.
  void notice_of(const std::string& file) const {
    if (far_later_ > 0)
      notice(to_text(file, ": in cycle ", far_later_,
                     " an innovation is more than 20 deviations of its observation's error; is "
                     "there a value that cannot be?"));
    std::map<std::size_t, std::vector<Departure>> channels;
    for (const auto& one : all_) channels[one.channel].push_back(one);
    if (channels.size() == 1) return notice_of_channel(all_, file);
    for (auto& [channel, here] : channels) {
      std::erase_if(here, [](const Departure& one) { return std::isnan(one.own); });
      for (auto& one : here) one.innovation = one.own;
      notice_of_channel(here, to_text(file, ": channel ", channel));
    }
  }

 private:
  struct Departure {
    std::size_t channel;
    double value, innovation, error;  ///< y, mean δ² of the cycle, R
    double own;                       ///< δ²; NaN where only the mean is known
  };

  [[nodiscard]] static Sizes sizes_of(const std::vector<Departure>& all) {
    const auto late = std::span(all).subspan(all.size() / 4);
    std::map<std::size_t, std::pair<double, double>> sums;  // by channel: of values, of ones
    for (const auto& one : late) sums[one.channel].first += one.value, ++sums[one.channel].second;
    Sizes squares{0, 0, 0};
    for (const auto& one : late) {
      const auto& [sum, count] = sums[one.channel];
      squares.innovation += one.innovation;
      squares.error += one.error;
      squares.scatter += std::pow(one.value - sum / count, 2);
    }
    const auto root = [&](double sum) { return std::sqrt(sum / static_cast<double>(late.size())); };
    return {root(squares.innovation), root(squares.error), root(squares.scatter)};
  }
  static void notice_of_channel(const std::vector<Departure>& all, const std::string& file) {
    if (all.size() < 100) return;
    const auto [innovation, error, scatter] = sizes_of(all);
    const auto say = [&](const auto&... what) { notice(to_text(file, ": ", what...)); };
    const auto here = [](double size) { return three_digits(size); };
    if (scatter <= error)
      say("the errors of the observations, ", here(error),
          " in the root mean square, are larger "
          "than these differ from their mean, ",
          here(scatter), "; is deviation in the units of value?");
    else if (innovation * innovation - error * error > 0.8 * (scatter * scatter - error * error))
      say("the forecasts are hardly nearer to the observations, ", here(innovation),
          " in the root mean square, than these are to their mean, ", here(scatter),
          "; are time, place and value in the units of the problem?");
    else if (innovation > 4 * error)
      say("the innovations, ", here(innovation),
          " in the root mean square, are much larger than the errors of the observations, ",
          here(error), "; are place, value and deviation in the units of the problem?");
    else if (innovation < 0.6 * error)
      say("the innovations, ", here(innovation),
          " in the root mean square, are much smaller than the errors of the observations, ",
          here(error), "; is deviation in the units of value?");
  }

  std::vector<Departure> all_;
  std::size_t far_ = 0, far_later_ = 0;  ///< the first such cycle, and after the first ten
};

}  // namespace detail

}  // namespace dan::app
