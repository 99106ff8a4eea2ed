// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "dan/analysis/carried.hpp"
#include "dan/core/error.hpp"
#include "dan/core/tensor.hpp"
#include "dan/experiment/record.hpp"
#include "dan/observe/observations.hpp"
#include "dan/observe/places.hpp"
#include "dan/problem/climate.hpp"

namespace dan::app {

/// A method that goes cycle by cycle, whatever its type: what bindings hold.
///
///     cycler->start(guess, deviation, seed);
///     for (;;) {
///       cycler->forecast();
///       cycler->analyse(values, variances, places);
///       cycler->estimate(x);
///     }
/// All arrays are contiguous doubles in units of the problem; sizes are checked (ShapeError). What
/// is asked before `start` or `load` is a ConfigError.
class Cycler {
 public:
  Cycler() = default;
  Cycler(const Cycler&) = delete;
  Cycler& operator=(const Cycler&) = delete;
  virtual ~Cycler() = default;

  [[nodiscard]] virtual std::size_t size() const = 0;   ///< elements of a state
  [[nodiscard]] virtual std::size_t slots() const = 0;  ///< observations in a cycle, at most
  /// Numbers of a place, where they come with the observations: its position and, of a state with
  /// several channels, which of them is seen; else 0.
  [[nodiscard]] virtual std::size_t coordinates() const = 0;
  /// States that a forecast is made of, an ensemble or one; 0 if they cannot be exchanged.
  [[nodiscard]] virtual std::size_t states() const = 0;
  /// Analyses since the start.
  [[nodiscard]] std::size_t cycle() const { return cycle_; }

  /// A first guess with an error of this deviation, in units of the norm.
  virtual void start(std::span<const double> guess, double deviation, std::uint64_t seed) = 0;
  /// The same that knows the climate of the model only. Cost: 32,000 model steps.
  virtual void start_from_climate(std::uint64_t seed) = 0;
  virtual void forecast() = 0;
  /// `values`: one for each slot, NaN where it is silent; `variances` of their errors, empty: those
  /// of the problem; `places`: slots × coordinates, where the problem has none of its own.
  virtual void analyse(std::span<const double> values, std::span<const double> variances,
                       std::span<const double> places) = 0;
  virtual void estimate(std::span<double> x) const = 0;
  /// The method's own, NaN if it has none.
  [[nodiscard]] virtual double spread() const = 0;
  /// State `n` of the forecast, to be read and to be replaced by one of the caller's model, which
  /// then takes the place of `forecast`.
  virtual void state(std::size_t n, std::span<double> x) const = 0;
  virtual void set_state(std::size_t n, std::span<const double> x) = 0;
  /// What is carried, to go on with the same bits in another process; see save_carried. `seed` is
  /// that of the start.
  virtual void save(const std::filesystem::path& file) const = 0;
  virtual void load(const std::filesystem::path& file, std::uint64_t seed) = 0;

 protected:
  std::size_t cycle_ = 0;
  std::uint64_t seed_ = 1;
};

/// The cycler of a method; one that holds several runs side by side has the same in all of them.
template <class Problem, class Method>
class CyclerOf : public Cycler {
 public:
  using Carried = typename Method::Carried;
  static constexpr bool moving = MovingOperator<typename Problem::Operator>;

  CyclerOf(const Problem& problem, Method method) : problem_(problem), method_(std::move(method)) {}

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
    require_size("start", "guess", guess.size(), Problem::size, "state element");
    require_finite("start", "guess", guess);
    typename Method::FirstGuessBatch batch;
    for (std::size_t i = 0; i < Problem::size; ++i)
      for (std::size_t l = 0; l < Method::runs; ++l) batch.at(i, l) = guess[i];
    batch.repeat_last_lane();
    carried_.emplace(method_.start(batch, deviation, {.seed = seed}));
    seed_ = seed, cycle_ = 0;
  }
  void start_from_climate(std::uint64_t seed) override {
    const ClimateMoments climate = climate_moments_of(problem_);
    double square = 0;
    for (std::size_t i = 0; i < Problem::size; ++i)
      square += std::pow(climate.deviation[i] / problem_.unit(i), 2) / Problem::size;
    start(span_of(climate.mean), std::sqrt(square), seed);
  }
  /// Where a model throws, some members are a cycle ahead of the others: there is no state then.
  void forecast() override {
    try {
      method_.forecast(carried("forecast"));
    } catch (...) {
      carried_.reset();
      throw;
    }
  }
  void analyse(std::span<const double> values, std::span<const double> variances,
               std::span<const double> places) override {
    Carried& now = carried("analyse");
    require_size("analyse", "values", values.size(), Problem::slots, "slot");
    std::vector<double> own;
    if (variances.empty()) {
      for (std::size_t j = 0; j < Problem::slots; ++j) own.push_back(problem_.noise.variance(j));
      variances = own;
    }
    if constexpr (moving) {
      require_size("analyse", "places", places.size(), Problem::slots * coordinates(),
                   "coordinate of a slot");
      using At = std::decay_t<decltype(observed_.places)>;
      std::vector<typename At::PlaceType> at(Problem::slots);
      for (std::size_t j = 0; j < Problem::slots; ++j) {
        const double* number = &places[j * coordinates()];
        for (double& position : at[j].position) position = *number++;
        if (Problem::channels == 1 || std::isnan(values[j])) continue;
        if (!(*number >= 0 && *number < static_cast<double>(Problem::channels) &&
              *number == std::floor(*number)))
          throw ConfigError(to_text("analyse: the channel of observation ", j, " is ", *number,
                                    ", expected a whole number from 0 to ", Problem::channels - 1));
        at[j].channel = static_cast<std::size_t>(*number);
      }
      for (std::size_t l = 0; l < Method::runs; ++l)
        set_observations(observed_, l, values, variances,
                         std::span<const typename At::PlaceType>(at), MissingValues::unobserved);
    } else {
      require_size("analyse", "places", places.size(), 0, "place: the problem has its own");
      for (std::size_t l = 0; l < Method::runs; ++l)
        set_observations(observed_, l, values, variances, MissingValues::unobserved);
    }
    method_.analyse(now, observed_, {.seed = seed_, .cycle = cycle_ + 1});
    ++cycle_;
  }
  void estimate(std::span<double> x) const override {
    require_size("estimate", "x", x.size(), Problem::size, "state element");
    typename Method::Estimate estimate;
    method_.estimate(carried("estimate"), estimate);
    for (std::size_t i = 0; i < Problem::size; ++i) x[i] = estimate.at(i, 0);
  }
  [[nodiscard]] double spread() const override {
    double spread = std::numeric_limits<double>::quiet_NaN();
    if constexpr (HasSpread<Method>) {
      std::vector<double> spreads(Method::runs);
      method_.spread(carried("spread"), spreads);
      spread = spreads[0];
    }
    return spread;
  }
  void state(std::size_t n, std::span<double> x) const override {
    require_state("state", n, x.size());
    const auto& now = carried("state");
    if constexpr (exchanges)
      for (std::size_t i = 0; i < Problem::size; ++i) x[i] = element(now, n, i);
  }
  void set_state(std::size_t n, std::span<const double> x) override {
    require_state("set_state", n, x.size());
    require_finite("set_state", "x", x);
    auto& now = carried("set_state");
    if constexpr (exchanges)
      for (std::size_t i = 0; i < Problem::size; ++i) put(now, n, i, x[i]);
  }
  void save(const std::filesystem::path& file) const override {
    save_carried(method_, carried("save"), cycle_, file);
  }
  void load(const std::filesystem::path& file, std::uint64_t seed) override {
    auto [carried, cycle] = load_carried(method_, file);
    carried_.emplace(std::move(carried));
    cycle_ = cycle, seed_ = seed;
  }

 private:
  /// A window of past cycles, or a covariance, would be wrong beside another state.
  static constexpr bool exchanges = [] {
    return !requires(Carried c) { c.window; }
    &&!requires(Carried c) { c.covariance; };
  }();
  /// Element i of state n: of an ensemble, of a network's states, of a state.
  static double element(const Carried& carried, std::size_t n, std::size_t i) {
    if constexpr (requires { carried.ensemble; })
      return carried.ensemble.at(i, n);
    else if constexpr (requires { carried.values; })
      return static_cast<double>(carried.values.at(n * Problem::size + i, 0));
    else
      return carried.state.at(i, 0);
  }
  static void put(Carried& carried, std::size_t n, std::size_t i, double x) {
    if constexpr (requires { carried.ensemble; })
      carried.ensemble.at(i, n) = x;
    else
      for (std::size_t l = 0; l < Method::runs; ++l)
        if constexpr (requires { carried.values; })
          carried.values.at(n * Problem::size + i, l) = static_cast<typename Method::Real>(x);
        else
          carried.state.at(i, l) = x;
  }
  [[nodiscard]] const Carried& carried(std::string_view function) const {
    if (!carried_)
      throw ConfigError(to_text(function, ": there is no state yet; start it, or load one"));
    return *carried_;
  }
  [[nodiscard]] Carried& carried(std::string_view function) {
    return const_cast<Carried&>(std::as_const(*this).carried(function));
  }
  static void require_finite(std::string_view function, std::string_view name,
                             std::span<const double> numbers) {
    for (std::size_t i = 0; i < numbers.size(); ++i)
      if (!std::isfinite(numbers[i]))
        throw ConfigError(to_text(function, ": ", name, "[", i, "] is ", numbers[i],
                                  ", expected a finite number"));
  }
  void require_state(std::string_view function, std::size_t n, std::size_t elements) const {
    if (n >= states())
      throw ConfigError(to_text(function, ": n is ", n, ", expected less than ", states(),
                                ", the states of the method"));
    require_size(function, "x", elements, Problem::size, "state element");
  }

  Problem problem_;
  Method method_;
  std::optional<Carried> carried_{};
  typename Method::Observed observed_{};
};

}  // namespace dan::app
