// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "dan/analysis/carried.hpp"
#include "dan/core/batch.hpp"
#include "dan/core/error.hpp"
#include "dan/experiment/record.hpp"
#include "dan/network/trained_for.hpp"
#include "dan/observe/observations.hpp"
#include "dan/observe/places.hpp"
#include "dan/problem/climate.hpp"

namespace dan::app {

/// A method that goes cycle by cycle, whatever its type, in one run or in several side by side that
/// share nothing but the method: what bindings hold.
///
///     cycler->start(guess, deviation, seed);
///     for (;;) {
///       cycler->forecast();
///       cycler->analyse(values, variances, places);
///       cycler->estimate(x);
///     }
/// All arrays are contiguous doubles in units of the problem, runs × what is said; sizes are
/// checked (ShapeError). What is asked before `start` or `load` is a ConfigError. Run r has the
/// same bits for any number of runs; what it draws is keyed by (seed, r, cycle), as in a twin
/// experiment.
class Cycler {
 public:
  explicit Cycler(std::size_t runs) : runs_(runs) {
    if (runs == 0 || runs >= climate_runs)
      throw ConfigError(
          to_text("runs is ", runs, ", expected from 1 to ", climate_runs - 1, ", side by side"));
  }
  Cycler(const Cycler&) = delete;
  Cycler& operator=(const Cycler&) = delete;
  virtual ~Cycler() = default;

  [[nodiscard]] std::size_t runs() const { return runs_; }
  [[nodiscard]] virtual std::size_t size() const = 0;   ///< elements of a state
  [[nodiscard]] virtual std::size_t slots() const = 0;  ///< observations in a cycle, at most
  /// Numbers of a place, where they come with the observations: its position and, of a state with
  /// several channels, which of them is seen; else 0.
  [[nodiscard]] virtual std::size_t coordinates() const = 0;
  /// States that a run's forecast is made of, an ensemble or one; 0 if they cannot be exchanged.
  [[nodiscard]] virtual std::size_t states() const = 0;
  /// Analyses since the start.
  [[nodiscard]] std::size_t cycle() const { return cycle_; }
  /// That of the start.
  [[nodiscard]] std::uint64_t seed() const { return seed_; }

  /// A first guess (size) with an error of this deviation, in units of the norm.
  virtual void start(std::span<const double> guess, double deviation, std::uint64_t seed) = 0;
  /// The same that knows the climate of the model only. Cost: 32,000 model steps and 16 spin-ups.
  virtual void start_from_climate(std::uint64_t seed) = 0;
  virtual void forecast() = 0;
  /// `values`: one for each slot, NaN where it is silent; `variances` of their errors, empty: those
  /// of the problem, and no others where its errors are correlated; `places`: slots × coordinates,
  /// where the problem has none of its own. After an error all is as before, but where the analysis
  /// of a run fails, or its estimate is not finite, and that of another one is done: then there is
  /// no state any more.
  virtual void analyse(std::span<const double> values, std::span<const double> variances,
                       std::span<const double> places) = 0;
  virtual void estimate(std::span<double> x) const = 0;
  /// H of the estimates, a number for each slot, at `places` as for `analyse`; any number where one
  /// of these is NaN, of a slot that is silent.
  virtual void observe(std::span<const double> places, std::span<double> y) = 0;
  /// The method's own, one for each run, NaN if it has none.
  virtual void spread(std::span<double> to) const = 0;
  /// The setting that a network was trained for, if the method is one and knows.
  [[nodiscard]] virtual std::optional<TrainedFor> trained_for() const = 0;
  /// State `n` of the forecast (of run n / states), to be read and to be replaced by one of the
  /// caller's model, which then takes the place of `forecast`.
  virtual void state(std::size_t n, std::span<double> x) const = 0;
  virtual void set_state(std::size_t n, std::span<const double> x) = 0;
  /// What is carried and the seed of the start, to go on with the same bits in another process; see
  /// save_carried.
  virtual void save(const std::filesystem::path& file) const = 0;
  /// `seed`: needed for a file without one only, of an earlier version; throws ConfigError for
  /// another one than the file's, which would not go on with the same bits.
  virtual void load(const std::filesystem::path& file,
                    std::optional<std::uint64_t> seed = std::nullopt) = 0;

 protected:
  std::size_t runs_;
  std::size_t cycle_ = 0;
  std::uint64_t seed_ = 1;
};

/// The cycler of a method: its runs in groups of as many as the method computes side by side; what
/// is left of the last group repeats the last run.
template <class Problem, class Method>
class CyclerOf : public Cycler {
 public:
  using Carried = typename Method::Carried;
  static constexpr bool moving = MovingOperator<typename Problem::Operator>,
                        correlated = CorrelatedOperator<typename Problem::Operator>;
  static constexpr std::size_t lanes = Method::runs;

  CyclerOf(const Problem& problem, Method method, std::size_t runs = 1)
      : Cycler(runs),
        problem_(problem),
        method_(std::move(method)),
        observed_((runs + lanes - 1) / lanes) {
    for (std::size_t j = 0; j < Problem::slots; ++j)
      variances_.push_back(problem_.noise.variance(j));
  }

  [[nodiscard]] std::size_t size() const override { return Problem::size; }
  [[nodiscard]] std::size_t slots() const override { return Problem::slots; }
  [[nodiscard]] std::size_t coordinates() const override {
    if constexpr (moving)
      return Problem::Geometry::dimensions + (Problem::channels > 1 ? 1 : 0);
    else
      return 0;
  }
  [[nodiscard]] std::size_t states() const override {
    if constexpr (!exchanges)
      return 0;
    else if constexpr (requires { Method::members; })
      return Method::members;
    else
      return 1;
  }

  void start(std::span<const double> guess, double deviation, std::uint64_t seed) override {
    require_runs_of("start", "guess", guess.size(), Problem::size, "state element");
    require_finite("start", "guess", guess);
    require_positive("start", "deviation", deviation);
    std::vector<typename Method::FirstGuessBatch> batches(groups());
    for (std::size_t r = 0; r < runs_; ++r)
      for_lanes(r, [&](std::size_t l) {
        for (std::size_t i = 0; i < Problem::size; ++i)
          batches[r / lanes].at(i, l) = guess[r * Problem::size + i];
      });
    std::vector<Carried> carried;
    for (std::size_t g = 0; g < groups(); ++g) {
      batches[g].repeat_last_lane();
      carried.push_back(method_.start(batches[g], deviation, key(seed, g, 0)));
    }
    carried_ = std::move(carried);
    seed_ = seed, cycle_ = 0;
  }
  void start_from_climate(std::uint64_t seed) override {
    const ClimateMoments climate = climate_moments_of(problem_);
    double square = 0;
    for (std::size_t i = 0; i < Problem::size; ++i)
      square += std::pow(climate.deviation[i] / problem_.unit(i), 2) / Problem::size;
    std::vector<double> guess;
    for (std::size_t r = 0; r < runs_; ++r)
      guess.insert(guess.end(), climate.mean.begin(), climate.mean.end());
    start(guess, std::sqrt(square), seed);
  }
  /// After an error all is as before. Of a network, which cannot be copied, and where one of
  /// several groups of runs was done, there is no state then.
  void forecast() override {
    require_started("forecast");
    std::size_t done = std::is_copy_constructible_v<Carried> ? 0 : 1;
    try {
      for_groups([&](std::size_t g) {
        if constexpr (std::is_copy_constructible_v<Carried>) {
          Carried next = carried_[g];
          method_.forecast(next);
          carried_[g] = std::move(next);
          ++done;
        } else {
          method_.forecast(carried_[g]);
        }
      });
    } catch (...) {
      if (done > 0) carried_.clear();
      throw;
    }
  }
  void analyse(std::span<const double> values, std::span<const double> variances,
               std::span<const double> places) override {
    require_started("analyse");
    constexpr std::size_t slots = Problem::slots;
    require_runs_of("analyse", "values", values.size(), slots, "slot");
    if constexpr (correlated)
      require_size("analyse", "variances", variances.size(), 0,
                   "variance: the errors of the problem are correlated, and its own");
    else if (!variances.empty())
      require_runs_of("analyse", "variances", variances.size(), slots, "slot");
    require_places("analyse", places);
    for (std::size_t r = 0; r < runs_; ++r)
      naming(r, r, [&] {
        set_observed("analyse", r, values.subspan(r * slots, slots),
                     variances.empty() ? variances_ : variances.subspan(r * slots, slots),
                     places_of(r, places));
      });
    std::size_t done = 0;
    try {
      for_groups([&](std::size_t g) {
        const RandomKey now = key(seed_, g, cycle_ + 1);
        if constexpr (std::is_copy_constructible_v<Carried>) {
          Carried next = carried_[g];
          method_.analyse(next, observed_[g], now);
          require_finite_estimate("analyse", next, g);
          carried_[g] = std::move(next);
          ++done;
        } else {  // of a network, which fails where its forecast has
          require_finite_estimate("analyse", carried_[g], g);
          method_.analyse(carried_[g], observed_[g], now);
          ++done;
          require_finite_estimate("analyse", carried_[g], g);
        }
      });
    } catch (...) {
      if (done > 0) carried_.clear();
      throw;
    }
    ++cycle_;
  }
  void estimate(std::span<double> x) const override {
    require_runs_of("estimate", "x", x.size(), Problem::size, "state element");
    require_started("estimate");
    typename Method::Estimate estimate;
    for (std::size_t g = 0; g < groups(); ++g) {
      method_.estimate(carried_[g], estimate);
      for (std::size_t r = g * lanes; r < end_of(g); ++r)
        for (std::size_t i = 0; i < Problem::size; ++i)
          x[r * Problem::size + i] = estimate.at(i, r % lanes);
    }
  }
  void observe(std::span<const double> places, std::span<double> y) override {
    require_started("observe");
    require_places("observe", places);
    require_runs_of("observe", "y", y.size(), Problem::slots, "slot");
    typename Method::Estimate x;
    Batch<double, Problem::slots, 1, lanes> seen;
    for (std::size_t r = 0; moving && r < runs_; ++r)
      naming(r, r, [&] {
        const auto here = places_of(r, places);
        std::vector<double> values(Problem::slots);  // NaN: a slot without a place is silent
        for (std::size_t n = 0; n < here.size(); ++n) values[n / coordinates()] += 0 * here[n];
        set_observed("observe", r, values, variances_, here);
      });
    for (std::size_t g = 0; g < groups(); ++g) {
      method_.estimate(carried_[g], x);
      if constexpr (correlated)
        problem_.observe.inner().observe(x.data(), seen.data());
      else
        placed(problem_.observe, observed_[g]).observe(x.data(), seen.data());
      for (std::size_t r = g * lanes; r < end_of(g); ++r)
        for (std::size_t j = 0; j < Problem::slots; ++j)
          y[r * Problem::slots + j] = seen.at(j, r % lanes);
    }
  }
  [[nodiscard]] std::optional<TrainedFor> trained_for() const override {
    if constexpr (requires { method_.trained().trained_for; })
      return method_.trained().trained_for;
    else
      return std::nullopt;
  }
  void spread(std::span<double> to) const override {
    require_runs_of("spread", "to", to.size(), 1, "run");
    require_started("spread");
    std::ranges::fill(to, std::numeric_limits<double>::quiet_NaN());
    if constexpr (HasSpread<Method>) {
      std::array<double, lanes> spreads{};
      for (std::size_t g = 0; g < groups(); ++g) {
        method_.spread(carried_[g], spreads);
        for (std::size_t r = g * lanes; r < end_of(g); ++r) to[r] = spreads[r % lanes];
      }
    }
  }
  void state(std::size_t n, std::span<double> x) const override {
    require_state("state", n, x.size());
    if constexpr (exchanges) {
      const std::size_t r = n / states();
      for (std::size_t i = 0; i < Problem::size; ++i)
        x[i] = static_cast<double>(
            Method::element(const_cast<Carried&>(carried_[r / lanes]), n % states(), i, r % lanes));
    }
  }
  void set_state(std::size_t n, std::span<const double> x) override {
    require_state("set_state", n, x.size());
    require_finite("set_state", "x", x);
    if constexpr (exchanges) {
      const std::size_t r = n / states();
      for_lanes(r, [&](std::size_t l) {
        for (std::size_t i = 0; i < Problem::size; ++i) {
          auto& to = Method::element(carried_[r / lanes], n % states(), i, l);
          to = static_cast<std::decay_t<decltype(to)>>(x[i]);
        }
      });
    }
  }
  void save(const std::filesystem::path& file) const override {
    require_started("save");
    for (std::size_t g = 0; g < groups(); ++g) require_finite_estimate("save", carried_[g], g);
    ArchiveWriter writer;
    writer.same("runs side by side", runs_);
    writer.same("seed", seed_);
    auto cycle = cycle_;
    transfer(const_cast<std::vector<Carried>&>(carried_), cycle, writer);  // which changes nothing
    writer.save(file);
  }
  void load(const std::filesystem::path& file,
            std::optional<std::uint64_t> seed = std::nullopt) override {
    ArchiveReader reader("load", file);
    if (runs_ > 1 || reader.has("runs side by side")) reader.same("runs side by side", runs_);
    const std::vector<typename Method::FirstGuessBatch> nothing(1);
    std::vector<Carried> carried;
    for (std::size_t g = 0; g < groups(); ++g) carried.push_back(method_.start(nothing[0], 1, {}));
    std::size_t cycle = 0;
    transfer(carried, cycle, reader);
    reader.finish();
    for (std::size_t g = 0; g < groups(); ++g) require_finite_estimate("load", carried[g], g);
    std::uint64_t own = seed.value_or(0);
    if (reader.has("seed"))
      reader.count("seed", own, std::numeric_limits<std::uint64_t>::max());
    else if (!seed)
      throw FileError(to_text("load: ", file.string(),
                              " has no seed, as files of an earlier version; give that of its "
                              "start"));
    if (seed && *seed != own)
      throw ConfigError(to_text("load: seed is ", *seed, ", expected ", own, ", that of ",
                                file.string(), ", or none"));
    carried_ = std::move(carried);
    cycle_ = cycle, seed_ = own;
  }

 private:
  static constexpr bool exchanges = HasElements<Method> && !requires { Method::keeps_past; };

  [[nodiscard]] std::size_t groups() const { return observed_.size(); }
  /// After the last run of group g.
  [[nodiscard]] std::size_t end_of(std::size_t g) const { return std::min((g + 1) * lanes, runs_); }
  /// call(l) for the lanes of run r in its group: one, and what is left after the last run.
  template <class Call>
  void for_lanes(std::size_t r, const Call& call) const {
    for (std::size_t l = r % lanes; l < (r + 1 == runs_ ? lanes : r % lanes + 1); ++l) call(l);
  }
  template <class Call>
  void for_groups(const Call& call) const {
    for (std::size_t g = 0; g < groups(); ++g) naming(g * lanes, end_of(g) - 1, [&] { call(g); });
  }
  /// Calls; an error says in which of several runs it was.
  template <class Call>
  void naming(std::size_t first, std::size_t last, const Call& call) const {
    const auto named = [&](const auto& error) {
      if (runs_ == 1) throw;
      throw std::decay_t<decltype(error)>(
          to_text("run ", first, last > first ? to_text(" to ", last) : "", ": ", error.what()));
    };
    try {
      call();
    } catch (const NumericalError& error) {
      named(error);
    } catch (const ConfigError& error) {
      named(error);
    }
  }
  static RandomKey key(std::uint64_t seed, std::size_t g, std::size_t cycle) {
    return {.seed = seed, .run = g * lanes, .cycle = cycle};
  }

  [[nodiscard]] std::span<const double> places_of(std::size_t r,
                                                  std::span<const double> places) const {
    const std::size_t numbers = Problem::slots * coordinates();
    return places.subspan(r * numbers, numbers);
  }
  void require_places(std::string_view function, std::span<const double> places) const {
    if (moving)
      require_runs_of(function, "places", places.size(), Problem::slots * coordinates(),
                      "coordinate of a slot");
    else
      require_size(function, "places", places.size(), 0, "place: the problem has its own");
  }
  /// Writes the observations of run r.
  void set_observed([[maybe_unused]] std::string_view function, std::size_t r,
                    std::span<const double> values, std::span<const double> variances,
                    [[maybe_unused]] std::span<const double> places) {
    auto& observed = observed_[r / lanes];
    if constexpr (moving) {
      using At = std::decay_t<decltype(observed.places)>;
      std::vector<typename At::PlaceType> at(Problem::slots);
      for (std::size_t j = 0; j < Problem::slots; ++j) {
        const double* number = &places[j * coordinates()];
        for (double& position : at[j].position) position = *number++;
        if (Problem::channels == 1 || std::isnan(values[j])) continue;
        if (!(*number >= 0 && *number < static_cast<double>(Problem::channels) &&
              *number == std::floor(*number)))
          throw ConfigError(to_text(function, ": the channel of observation ", j, " is ", *number,
                                    ", expected a whole number from 0 to ", Problem::channels - 1));
        at[j].channel = static_cast<std::size_t>(*number);
      }
      for_lanes(r, [&](std::size_t l) {
        set_observations(observed, l, values, variances,
                         std::span<const typename At::PlaceType>(at), MissingValues::unobserved);
      });
    } else {
      for_lanes(r, [&](std::size_t l) {
        if constexpr (correlated)
          set_observations(observed, l, values, problem_.observe, MissingValues::unobserved);
        else
          set_observations(observed, l, values, variances, MissingValues::unobserved);
      });
    }
  }
  /// One run as save_carried writes it; several in a part for each group.
  template <class Archive>
  void transfer(std::vector<Carried>& carried, std::size_t& cycle, Archive& archive) const {
    detail::transfer_identity<Method>(archive, cycle);
    for (std::size_t g = 0; g < groups(); ++g) {
      const auto group = [&](auto& part) { method_.transfer(carried[g], part); };
      if (runs_ == 1)
        group(archive);
      else
        archive.part(to_text("groups.", g), group);
    }
  }

  /// Lanes after the last run are as this one.
  void require_finite_estimate(std::string_view function, const Carried& carried,
                               std::size_t g) const {
    dan::detail::require_finite_estimate(
        method_, carried, [&](std::size_t lane, std::size_t, double) {
          throw NumericalError(to_text(
              function, ": the estimate", runs_ > 1 ? to_text(" of run ", g * lanes + lane) : "",
              " is not finite; the analysis has diverged, or a state or an observation cannot be"));
        });
  }
  void require_started(std::string_view function) const {
    if (carried_.empty())
      throw ConfigError(
          to_text(function,
                  ": there is no state, not yet or no more after an error; start it, or load one"));
  }
  void require_runs_of(std::string_view function, std::string_view name, std::size_t found,
                       std::size_t each, std::string_view per) const {
    if (found == runs_ * each) return;  // no text is made for nothing
    require_size(function, name, found, runs_ * each,
                 runs_ > 1 ? to_text(per, " of each of ", runs_, " runs") : std::string(per));
  }
  static void require_finite(std::string_view function, std::string_view name,
                             std::span<const double> numbers) {
    for (std::size_t i = 0; i < numbers.size(); ++i)
      if (!std::isfinite(numbers[i]))
        throw ConfigError(to_text(function, ": ", name, "[", i, "] is ", numbers[i],
                                  ", expected a finite number"));
  }
  void require_state(std::string_view function, std::size_t n, std::size_t elements) const {
    if (n >= runs_ * states())
      throw ConfigError(to_text(function, ": n is ", n, ", expected less than ", runs_ * states(),
                                ", the states of the method"));
    require_size(function, "x", elements, Problem::size, "state element");
    require_started(function);
  }

  Problem problem_;
  Method method_;
  std::vector<typename Method::Observed> observed_;  ///< of each group
  std::vector<Carried> carried_{};                   ///< of each group, or none
  std::vector<double> variances_{};                  ///< the problem's
};

}  // namespace dan::app
