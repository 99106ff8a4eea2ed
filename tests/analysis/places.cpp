// SPDX-License-Identifier: BSD-3-Clause
// Every analysis with places that come with the observations, held against operators without.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include "dan/analysis/climatology.hpp"
#include "dan/analysis/denkf.hpp"
#include "dan/analysis/ekf.hpp"
#include "dan/analysis/enkf.hpp"
#include "dan/analysis/enkf_n.hpp"
#include "dan/analysis/enks.hpp"
#include "dan/analysis/ensrf.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/analysis/ienks.hpp"
#include "dan/analysis/learned.hpp"
#include "dan/analysis/letkf.hpp"
#include "dan/analysis/oi.hpp"
#include "dan/analysis/var3d.hpp"
#include "dan/analysis/var4d.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/interpolate.hpp"
#include "dan/observe/subset.hpp"
#include "dan/observe/table.hpp"
#include "dan/problem/scaling.hpp"
#include "dan/problem/truth.hpp"
#include "dan/train/trainer.hpp"
#include "support/battery.hpp"
#include "support/map_battery.hpp"

using namespace dan;

namespace {
using Model = Rk4<Lorenz96<8>>;
using Grid = Ring<8>;
using At = ObserveAt<Grid, 4>;
using Full = Problem<Model, ObserveAll<8>>;
using Placed = Problem<Model, At>;
constexpr std::size_t runs = 3, cycles = 8;

/// The operator's own places are others than those of the observations.
Placed placed_problem() { return {.observe = At({{{{0.5}}, {{1.5}}, {{2.5}}, {{3.5}}}})}; }

/// In every cycle and run other four elements report, in one of three cycles three of them.
std::vector<std::size_t> elements_of(std::size_t cycle, std::size_t run) {
  std::vector<std::size_t> elements;
  for (std::size_t i = 0; i < 8 && elements.size() < 4; ++i)
    if ((3 * i + cycle + run) % 8 < 4) elements.push_back(i);
  if ((cycle + run) % 3 == 0) elements.pop_back();
  return elements;
}

/// The estimates of an analysis of the elements or places of every cycle, cycle by cycle.
template <class Method>
std::vector<double> estimates(const Method& method) {
  using Observed = typename Method::Observed;
  constexpr std::size_t lanes = Observed::lanes;
  TwinTruth<Full, lanes> twin({.start = {.spin_up = 100}}, {.seed = 4});
  typename Method::FirstGuessBatch guess;
  for (std::size_t l = 0; l < lanes; ++l)
    for (std::size_t i = 0; i < 8; ++i) guess.at(i, l) = twin.truth().at(i, l) + 0.5;
  guess.repeat_last_lane();
  auto carried = method.start(guess, 1, {.seed = 5});
  std::vector<double> out;
  for (std::size_t cycle = 1; cycle <= cycles; ++cycle) {
    twin.next();
    Observed observed;
    for (std::size_t l = 0; l < lanes; ++l) {
      std::vector<ObservationRow<1>> rows;
      for (const std::size_t i : elements_of(cycle, l)) {
        const double deviation = 0.5 + 0.125 * static_cast<double>(i);
        const double value = twin.observed().values.at(i, l);
        rows.push_back({0, {{static_cast<double>(i)}, 0}, value, deviation});
      }
      if constexpr (requires { observed.places; }) {
        set_observations(observed, l, rows);
      } else {
        std::vector<double> values(8, std::nan("")), variances(8, 1.0);
        for (const auto& row : rows) {
          const auto i = static_cast<std::size_t>(row.place.position[0]);
          values[i] = row.value, variances[i] = row.deviation * row.deviation;
        }
        set_observations(observed, l, values, variances, MissingValues::unobserved);
      }
    }
    observed.values.repeat_last_lane(), observed.precision.repeat_last_lane();
    method.forecast(carried);
    method.analyse(carried, observed, {.seed = 6, .cycle = cycle});
    typename Method::Estimate estimate;
    method.estimate(carried, estimate);
    for (std::size_t l = 0; l < lanes; ++l)
      for (std::size_t i = 0; i < 8; ++i) out.push_back(estimate.at(i, l));
  }
  return out;
}

/// Both give the same, which is no small change of the forecast; `exact`: bit for bit.
template <class A, class B>
void check_same(const A& all, const B& at, bool exact) {
  const auto expected = estimates(all), found = estimates(at);
  double worst = 0;
  for (std::size_t n = 0; n < expected.size(); ++n)
    worst = std::max(worst, std::abs(found[n] - expected[n]));
  CHECK(worst <= 1e-9);
  if (exact) CHECK(test::all_same_bits(found, expected));
}

template <template <class, std::size_t> class Filter, class Config>
void check_filter(const Config& config) {
  check_same(Filter<Full, 6>({}, config), Filter<Placed, 6>(placed_problem(), config), true);
}

Climate some_climate() {
  Climate climate{zero_tensor<double>(8), zero_tensor<double>(8, 8)};
  for (std::size_t i = 0; i < 8; ++i) {
    climate.mean(i) = 2.3;
    for (std::size_t k = 0; k < 8; ++k) climate.covariance(i, k) = i == k ? 13 : 1;
  }
  return climate;
}
template <class Problem, std::size_t Members>
using Letkf_ = Letkf<Problem, Members>;
}  // namespace

TEST_CASE("places: at grid points every ensemble filter is that of the elements") {
  check_filter<Etkf>(EtkfConfig{});
  check_filter<EnkfN>(EnkfNConfig{});
  check_filter<Denkf>(DenkfConfig{});
  check_filter<Letkf_>(LetkfConfig{.radius = 1.5, .batch = 2});
  check_filter<Ienks>(IenksConfig{.lag = 0});
  check_filter<Ienks>(IenksConfig{.lag = 1});
  check_filter<Ienks>(IenksConfig{.lag = 4, .shift = 2});
  check_filter<Ienks>(IenksConfig{.lag = 3, .form = IenksForm::bundle});
  check_same(Enks{Etkf<Full, 6>({}), 3}, Enks{Etkf<Placed, 6>(placed_problem()), 3}, true);
  check_same(Ensrf<Full, 6, runs>({}), Ensrf<Placed, 6, runs>(placed_problem()), true);
  const Localisation near{.radius = 1.5};
  check_same(Ensrf<Full, 6, runs>({}, {.localisation = near}),
             Ensrf<Placed, 6, runs>(placed_problem(), {.localisation = near}), true);
}

TEST_CASE("places: at grid points the LETKF is that of the subset, bit for bit") {
  using Subset = Problem<Model, ObserveSubset<8, 4>>;
  const Letkf<Subset, 6> subset({.observe = ObserveSubset<8, 4>({6, 1, 2, 5})}, {.radius = 1});
  const Letkf<Placed, 6> at(placed_problem(), {.radius = 1});
  const std::vector<double> values{1, 2, -1, 4}, variances{1, 0.5, 2, 0.25};
  const std::vector<Place<1>> places{{{6}}, {{1}}, {{2}}, {{5}}};
  Letkf<Subset, 6>::Observed fixed;
  Letkf<Placed, 6>::Observed moving;
  set_observations(fixed, 0, values, variances);
  set_observations(moving, 0, values, variances, places);
  auto a = subset.start({}, 1, {.seed = 5});
  auto b = at.start({}, 1, {.seed = 5});
  const auto before = a.ensemble;
  subset.analyse(a, fixed, {});
  at.analyse(b, moving, {});
  CHECK(test::all_same_bits(a.ensemble.numbers(), b.ensemble.numbers()));
  CHECK_FALSE(test::all_same_bits(a.ensemble.numbers(), before.numbers()));
}

TEST_CASE("places: at grid points the variational methods are those of the elements") {
  const auto climate = some_climate();
  check_same(Var3d<Full, runs>({}, climate), Var3d<Placed, runs>(placed_problem(), climate), false);
  check_same(Oi<Full, runs>({}, climate), Oi<Placed, runs>(placed_problem(), climate), false);
  check_same(Ekf<Full>({}), Ekf<Placed>(placed_problem()), true);
  for (const std::size_t lag : {0U, 1U, 3U}) {
    const Var4dConfig config{.lag = lag, .use = WindowUse::all};
    check_same(Var4d<Full, runs>({}, climate, config),
               Var4d<Placed, runs>(placed_problem(), climate, config), false);
  }
}

namespace {
using Net = AnalysisNetwork<NetworkShape{.filters = 4,
                                         .blocks = 1,
                                         .sub_blocks = 1,
                                         .kernel = 3,
                                         .head = Head::gain,
                                         .memory = 1,
                                         .gain_radius = 2,
                                         .sees_precision = true},
                            Ring<8>>;
Trained<Net> some_network() {
  Trained<Net> trained;
  trained.network.input_mean = {2.3};
  trained.network.input_deviation = {3.6};
  Net::initialise(1, span_of(trained.parameters));
  return trained;
}
}  // namespace

TEST_CASE("places: at grid points a learned analysis is that of the elements") {
  for (const bool way_back : {false, true}) {
    const LearnedConfig config{.way_back = way_back};
    check_same(Learned<Full, Net, runs>({}, some_network(), config),
               Learned<Placed, Net, runs>(placed_problem(), some_network(), config), true);
  }
  const Placed problem{.noise = DiagonalNoise<4>({4, 1, 0.25, 9})};
  for (const double s : observation_deviations(problem, Net{})) CHECK(s == 0.5);  // the smallest
}

TEST_CASE("places: the derivative of a learned cycle between grid points") {
  using Observed = observed_t<At, double>;
  const Placed problem = placed_problem();
  const Net network;
  Observed observed;
  const auto values = test::normal(4, 9);
  const std::vector<double> variances{1, 0.5, 2, 0.25};
  const std::vector<Place<1>> places{{{7.75}}, {{1.5}}, {{3}}, {{3.125}}};
  set_observations(observed, 0, values, variances, places);
  const std::vector<double> units(8, 1.0);
  test::check_map(LearnedCycle<Placed, Net, Observed>{problem, network, observed, units}, 0.3, 3.0);
}

namespace {
/// Slot j sees ¾ x_j + ¼ x_{j+1}: interpolation by hand.
struct Between {
  static constexpr std::size_t points = 8, channels = 1, slots = 4;
  static constexpr bool linear = true;
  template <class T>
  void observe(const T* x, T* y) const {
    for (std::size_t j = 0; j < slots; ++j) y[j] = T(0.75) * x[j] + T(0.25) * x[j + 1];
  }
  template <class T>
  void observe_tangent(const T*, const T* dx, T* dy) const {
    observe(dx, dy);
  }
  template <class T>
  void observe_adjoint(const T*, const T* d_y, T* d_x) const {
    for (std::size_t j = 0; j < slots; ++j)
      d_x[j] += T(0.75) * d_y[j], d_x[j + 1] += T(0.25) * d_y[j];
  }
  void available(const RandomKey&, bool* mask) const { std::fill_n(mask, slots, true); }
  [[nodiscard]] Place<1> place(std::size_t slot) const {
    return {{static_cast<double>(slot) + 0.25}};
  }
};
using ByHand = Problem<Model, Between>;

/// One cycle with observations between grid points.
template <class A, class B>
void check_between(const A& by_hand, const B& at) {
  const auto analysed = [](const auto& method) {
    using Method = std::remove_cvref_t<decltype(method)>;
    typename Method::FirstGuessBatch guess;
    fill_normal<double>({.seed = 3}, guess.numbers());
    auto carried = method.start(guess, 1, {.seed = 5});
    typename Method::Observed observed;
    const std::vector<double> values{1, 2, -1, 4}, variances{1, 0.5, 2, 0.25};
    const std::vector<Place<1>> places{{{0.25}}, {{1.25}}, {{2.25}}, {{3.25}}};
    for (std::size_t l = 0; l < Method::runs; ++l)
      if constexpr (requires { observed.places; })
        set_observations(observed, l, values, variances, places);
      else
        set_observations(observed, l, values, variances);
    for (int cycle = 0; cycle < 3; ++cycle) {
      method.forecast(carried);
      method.analyse(carried, observed, {});
    }
    typename Method::Estimate estimate;
    method.estimate(carried, estimate);
    return array_of(estimate);
  };
  const auto expected = analysed(by_hand), found = analysed(at);
  for (std::size_t n = 0; n < expected.size(); ++n)
    CHECK(found.data()[n] == doctest::Approx(expected.data()[n]).epsilon(1e-9));
}
}  // namespace

TEST_CASE("places: between grid points as an operator written by hand") {
  const ByHand by_hand;
  const Placed at = placed_problem();
  check_between(EnkfN<ByHand, 6>(by_hand), EnkfN<Placed, 6>(at));
  check_between(Enkf<ByHand, 6>(by_hand), Enkf<Placed, 6>(at));
  check_between(Letkf<ByHand, 6>(by_hand, {.radius = 1}), Letkf<Placed, 6>(at, {.radius = 1}));
  check_between(Ienks<ByHand, 6>(by_hand, {.lag = 2}), Ienks<Placed, 6>(at, {.lag = 2}));
  check_between(Ekf<ByHand>(by_hand), Ekf<Placed>(at));
  const auto climate = some_climate();
  check_between(Var3d<ByHand, runs>(by_hand, climate), Var3d<Placed, runs>(at, climate));
  const Var4dConfig config{.lag = 2};
  check_between(Var4d<ByHand, runs>(by_hand, climate, config),
                Var4d<Placed, runs>(at, climate, config));
}

TEST_CASE("places: the gradient of 4D-Var is that of its cost") {
  const Var4d<Placed, 1> method(placed_problem(), some_climate(), {.lag = 3});
  TwinTruth<Placed, 1> twin(placed_problem(), {.seed = 2});
  auto carried = method.start(twin.truth(), 1, {});
  for (int cycle = 0; cycle < 3; ++cycle) {
    twin.next();
    method.forecast(carried);
    method.analyse(carried, twin.observed(), {});
  }
  const auto v = test::normal_numbers(8, 1), u = test::normal_numbers(8, 2);
  test::Numbers gradient(8);
  method.gradient(carried, v.data(), gradient.data());
  const auto cost = [&](std::span<const double> at) {
    return test::Numbers{method.cost(carried, at.data())};
  };
  const auto tangent = [&](std::span<const double> dv) {
    double sum = 0;
    for (std::size_t i = 0; i < 8; ++i) sum += gradient[i] * dv[i];
    return test::Numbers{sum};
  };
  CHECK(taylor_slope(cost, tangent, v, u).passes());
}

namespace {
/// Instruments whose gains come with the observations: y_i = g_i x_i. Places are any value.
template <std::size_t Lanes>
struct Gains {
  std::array<std::array<double, 8>, Lanes> gain{};
  void set_lane(std::size_t lane, const Gains<1>& from) { gain[lane] = from.gain[0]; }
};
struct Instruments : ObserveAll<8> {
  const Gains<1>* gains = nullptr;

  template <std::size_t Lanes>
  using Places = Gains<Lanes>;
  template <std::size_t Lanes>
  [[nodiscard]] Instruments at(const Gains<Lanes>& given) const {
    static_assert(Lanes == 1, "Instruments: of one run only");
    Instruments bound;
    bound.gains = &given;
    return bound;
  }
  [[nodiscard]] Gains<1> draw(const RandomKey&) const { return {}; }

  template <class T>
  void observe(const T* x, T* y) const {
    for (std::size_t i = 0; i < 8; ++i) y[i] = T(gains == nullptr ? 1 : gains->gain[0][i]) * x[i];
  }
  template <class T>
  void observe_tangent(const T*, const T* dx, T* dy) const {
    observe(dx, dy);
  }
  template <class T>
  void observe_adjoint(const T*, const T* d_y, T* d_x) const {
    for (std::size_t i = 0; i < 8; ++i)
      d_x[i] += T(gains == nullptr ? 1 : gains->gain[0][i]) * d_y[i];
  }
};
}  // namespace

TEST_CASE("places: of an operator of one's own") {
  using Own = Problem<Model, Instruments>;
  const Letkf<Own, 6> own({});
  const Letkf<Full, 6> full({});
  auto a = own.start({}, 1, {.seed = 5});
  auto b = full.start({}, 1, {.seed = 5});
  for (std::size_t cycle = 1; cycle < 4; ++cycle) {
    Letkf<Own, 6>::Observed measured;
    Letkf<Full, 6>::Observed observed;
    for (std::size_t i = 0; i < 8; ++i) {  // powers of two lose no bit
      const double gain = std::ldexp(1, static_cast<int>((i + cycle) % 3));
      const auto y = static_cast<double>(i);
      measured.places.gain[0][i] = gain;
      measured.values[i] = gain * y, measured.precision[i] = 1 / (gain * gain);
      observed.values[i] = y, observed.precision[i] = 1;
    }
    own.forecast(a), full.forecast(b);
    own.analyse(a, measured, {}), full.analyse(b, observed, {});
  }
  for (std::size_t n = 0; n < a.ensemble.numbers().size(); ++n)
    CHECK(a.ensemble.numbers()[n] == doctest::Approx(b.ensemble.numbers()[n]).epsilon(1e-12));
}

TEST_CASE("places: a reporting slot without a place is an error") {
  const EnkfN<Placed, 6> filter(placed_problem());
  auto carried = filter.start({}, 1, {});
  EnkfN<Placed, 6>::Observed observed;
  observed.precision[2] = 1;
  CHECK_THROWS_WITH_AS(filter.analyse(carried, observed, {}),
                       doctest::Contains("EnkfN::analyse: observation 2 has no place, expected"),
                       ConfigError);
}

TEST_CASE("places: a twin experiment with random places") {
  using Random = Problem<Rk4<Lorenz96<40>>, ObserveRandomPlaces<Ring<40>, 40>>;
  const Random problem{.observe = ObserveRandomPlaces<Ring<40>, 40>(20, 40)};
  const TwinConfig config{.runs = 2, .cycles = 300, .burn_in = 50, .threads = 1, .progress = false};
  const auto enkf = run_twin(problem, EnkfN<Random, 24>(problem), config);
  const auto letkf =
      run_twin(problem, Letkf<Random, 12>(problem, {.inflation = {.factor = 1.02}}), config);
  CHECK(enkf.failures.empty());
  CHECK(letkf.failures.empty());
  CHECK(enkf.analysis_rmse < 0.4);
  CHECK(letkf.analysis_rmse < 0.4);
}

namespace {
/// Two fields on a ring, the first one in units of 1/`unit`: what is a power of two changes no bit.
template <int unit>
struct TwoFields {
  using Geometry = Ring<8>;
  static constexpr std::size_t points = 8, channels = 2;
  template <class T>
  void step(const T* x, T* y) const {
    std::array<T, 16> next;
    for (std::size_t p = 0; p < 8; ++p) {
      const std::size_t here = 2 * p, east = 2 * ((p + 1) % 8), west = 2 * ((p + 7) % 8);
      next[here] = 0.5 * x[here] + 0.25 * unit * x[west + 1] +
                   unit * 3.0 * sin(x[east] * (1.0 / unit) + x[here + 1]);
      next[here + 1] = 0.5 * x[here + 1] - 3.0 * cos(x[west] * (1.0 / unit));
    }
    for (std::size_t i = 0; i < 16; ++i) y[i] = next[i];
  }
};
template <int unit>
struct InUnits {
  std::size_t spin_up = 20;
  void operator()(const RandomKey& key, std::span<double> x) const {
    fill_normal<double>(key, x);
    for (std::size_t i = 0; i < 16; i += 2) x[i] *= unit;
  }
};
template <int unit>
using Fields =
    Problem<Differentiated<TwoFields<unit>>, ObserveRandomPlaces<Ring<8>, 10, 2>, InUnits<unit>>;
template <int unit>
Fields<unit> fields() {
  std::array<double, 10> variances;
  for (std::size_t j = 0; j < 10; ++j) variances[j] = j % 2 == 0 ? 0.25 * unit * unit : 1;
  return {.observe = ObserveRandomPlaces<Ring<8>, 10, 2>(4, 10),
          .noise = DiagonalNoise<10>(variances),
          .norm = {{unit, 1}}};
}
/// A network trained by four updates, and the score of its analyses.
template <int unit>
std::pair<Tensor<float, 1>, double> trained_fields() {
  using World = Fields<unit>;
  using Network = NetworkFor<World, NetworkShape{.filters = 8,
                                                 .blocks = 1,
                                                 .sub_blocks = 1,
                                                 .kernel = 3,
                                                 .head = Head::gain,
                                                 .memory = 2,
                                                 .gain_radius = 1,
                                                 .sees_precision = true}>;
  const auto world = fields<unit>();
  Network network;
  scale_inputs(world, network);
  Trainer<World, Network, 16> trainer(
      world, network, {.updates = 4, .groups = 1, .unroll = 2, .warm_up = 1, .threads = 1});
  const auto trained = trainer.run();
  const auto s = observation_deviations(world, trained.network);
  for (std::size_t i = 0; i < 16; ++i) CHECK(s[i] == (i % 2 == 0 ? 0.5 * unit : 1));
  CHECK(trained.trained_for->deviations == std::vector<double>{0.5 * unit, 1});
  // Where places and errors come from a table, those of the problem are nobody's.
  using Table = Problem<Differentiated<TwoFields<unit>>, ObserveAt<Ring<8>, 10, 2>, InUnits<unit>>;
  const Learned<Table, Network, 1> by_table(Table{}, trained);
  for (std::size_t i = 0; i < 16; ++i) CHECK(by_table.deviations()[i] == s[i]);
  // Trained for several problems, it saw each in the units of its own errors.
  const Table elsewhere{.noise = DiagonalNoise<10>(9)};
  auto several = trained, other = trained;
  several.trained_for->join(*trained.trained_for);
  CHECK(Learned<Table, Network, 1>(elsewhere, several).deviations()[0] == s[0]);  // all alike
  other.trained_for->least_variance *= 4, other.trained_for->most_variance *= 4;
  several.trained_for->join(*other.trained_for);
  CHECK(Learned<Table, Network, 1>(elsewhere, several).deviations()[0] == 3);
  const auto scores = run_twin(world, Learned<World, Network, 4>(world, trained),
                               {.runs = 4, .cycles = 50, .burn_in = 10, .threads = 1});
  return {trained.parameters, scores.analysis_rmse};
}
}  // namespace

TEST_CASE("places: the units of a channel are no matter, in training and after it") {
  const auto [weights, score] = trained_fields<1>();
  const auto [other_weights, other_score] = trained_fields<1024>();
  float largest = 0;
  for (std::size_t i = 0; i < weights.size(); ++i)
    largest = std::max(largest, std::abs(weights(i) - other_weights(i)));
  CHECK(largest < 1e-5);
  CHECK(other_score == doctest::Approx(score).epsilon(1e-4));
}
