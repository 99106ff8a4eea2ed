// SPDX-License-Identifier: BSD-3-Clause
#include "dan/app/cycler.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../support/battery.hpp"
#include "../support/temporary_folder.hpp"
#include "dan/analysis/climatology.hpp"
#include "dan/analysis/enkf.hpp"
#include "dan/analysis/enkf_n.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/analysis/ienks.hpp"
#include "dan/analysis/learned.hpp"
#include "dan/analysis/var3d.hpp"
#include "dan/analysis/var4d.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/io/safetensors.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"
#include "dan/observe/interpolate.hpp"
#include "dan/observe/whitened.hpp"
#include "dan/problem/truth.hpp"

using namespace dan;

namespace {
constexpr std::size_t size = 8, cycles = 6;
using Model = Rk4<Lorenz96<size>>;
using Full = Problem<Model, ObserveAll<size>>;
using Placed = Problem<Model, ObserveAt<Ring<size>, 4>>;
using Rows = std::vector<std::vector<double>>;  ///< one for each run

std::vector<double> joined(const Rows& rows) {
  std::vector<double> all;
  for (const auto& row : rows) all.insert(all.end(), row.begin(), row.end());
  return all;
}
Rows split(const std::vector<double>& all, std::size_t runs) {
  Rows rows;
  const auto each = static_cast<std::ptrdiff_t>(all.size() / runs);
  for (auto at = all.begin(); at != all.end(); at += each) rows.emplace_back(at, at + each);
  return rows;
}

/// Truths on the attractor, a run each, with first guesses, observations and places.
struct Data {
  std::size_t runs;
  Rows truth{}, guess{};

  explicit Data(std::size_t count) : runs(count) {
    for (std::size_t r = 0; r < runs; ++r) {
      truth.push_back(normal(r, 100));
      for (auto& x : truth[r]) x += 8;
      for (std::size_t k = 0; k < 200; ++k) Model().step(truth[r].data(), truth[r].data());
      guess.push_back(truth[r]);
      for (std::size_t i = 0; i < size; ++i) guess[r][i] += 0.5 * normal(r, 101)[i];
    }
  }
  static std::vector<double> normal(std::size_t run, std::size_t cycle) {
    std::vector<double> out(size);
    fill_normal<double>(RandomKey{.seed = 5, .run = run, .cycle = cycle}, std::span(out));
    return out;
  }
  /// Of cycle k; what is silent, and an outlier that a network goes back from, are of single runs.
  Rows observations(std::size_t k, std::size_t slots) {
    Rows all;
    for (std::size_t r = 0; r < runs; ++r) {
      Model().step(truth[r].data(), truth[r].data());
      const auto error = normal(r, k);
      std::vector<double> y;
      for (std::size_t j = 0; j < slots; ++j) y.push_back(truth[r][j] + error[j]);
      if ((r + k) % 3 == 0) y[(r + k) % slots] = std::numeric_limits<double>::quiet_NaN();
      if (r == 1 && k == 4)
        for (auto& value : y) value += 40;
      all.push_back(y);
    }
    return all;
  }
  /// On the elements that `observations` sees; the same in all runs but the last slot.
  static Rows places(std::size_t runs) {
    Rows all;
    for (std::size_t r = 0; r < runs; ++r) all.push_back({0, 1, 2, r % 2 == 0 ? 3 : 3.25});
    return all;
  }
};

/// What runs `first` to `first + count` of the data give: all estimates, spreads and states.
Rows cycled(app::Cycler& cycler, Data data, std::size_t first) {
  const std::size_t runs = cycler.runs();
  const auto mine = [&](const Rows& rows) {
    return joined(Rows(rows.begin() + static_cast<std::ptrdiff_t>(first),
                       rows.begin() + static_cast<std::ptrdiff_t>(first + runs)));
  };
  cycler.start(mine(data.guess), 0.5, 3);
  Rows out(runs);
  for (std::size_t k = 1; k <= cycles; ++k) {
    const auto y = mine(data.observations(k, cycler.slots()));
    const std::vector<double> variances(y.size(), 1.5);
    cycler.forecast();
    if (k == 3)  // a model elsewhere
      for (std::size_t n = 0; n < runs * cycler.states(); ++n) {
        std::vector<double> x(size);
        cycler.state(n, x);
        for (auto& element : x) element += 0.01;
        cycler.set_state(n, x);
      }
    cycler.analyse(
        y, k % 2 == 0 ? std::span<const double>(variances) : std::span<const double>(),
        cycler.coordinates() > 0 ? mine(Data::places(data.runs)) : std::vector<double>());
    std::vector<double> x(runs * size), spread(runs);
    cycler.estimate(x);
    cycler.spread(spread);
    for (std::size_t r = 0; r < runs; ++r) {
      const auto at = split(x, runs)[r];
      out[r].insert(out[r].end(), at.begin(), at.end());
      out[r].push_back(spread[r]);
    }
  }
  CHECK(cycler.cycle() == cycles);
  return out;
}

const Climate& climate() {
  static const Climate made = climatology_of(Full{}, {.cycles = 500});
  return made;
}

using Network = AnalysisNetwork<NetworkShape{.filters = 16,
                                             .blocks = 2,
                                             .sub_blocks = 2,
                                             .kernel = 3,
                                             .head = Head::gain,
                                             .memory = 2,
                                             .gain_radius = 3,
                                             .products = 8},
                                Ring<size>>;
Trained<Network> trained() {
  Trained<Network> out;
  Network::initialise(1, span_of(out.parameters));
  out.network.input_deviation.fill(3.6);
  out.trained_for = trained_for(Full{}, out.network);
  return out;
}

/// make(runs) is a cycler that draws no numbers: every run is as if it were alone.
template <class Make, class Alone>
void check_as_alone(const Make& make, const Alone& alone) {
  const Data data(19);  // more than a group, and no whole number of groups
  const Rows together = cycled(*make(19), data, 0);
  for (std::size_t r = 0; r < 19; ++r) {
    CAPTURE(r);
    CHECK(test::all_same_bits(together[r], cycled(*alone(), data, r)[0]));
  }
}
template <class Method, class Problem>
auto maker(const Problem& problem, const Method& method) {
  return [=](std::size_t runs) {
    return std::make_unique<app::CyclerOf<Problem, Method>>(problem, method, runs);
  };
}
}  // namespace

TEST_CASE("cycler: runs side by side have the bits of each alone, with places of their own") {
  const auto var3d = maker(Full{}, Var3d<Full>(Full{}, climate(), 0.1));
  check_as_alone(var3d, [&] { return var3d(1); });
  const Placed placed{.observe = ObserveAt<Ring<size>, 4>({{{{0}}, {{1}}, {{2}}, {{3}}}})};
  const auto moving = maker(placed, Var3d<Placed>(placed, climate(), 0.1));
  check_as_alone(moving, [&] { return moving(1); });
}

TEST_CASE("cycler: a network's runs do not know of each other, and are close to one alone") {
  const auto lanes = maker(Full{}, Learned<Full, Network, 16>(Full{}, trained()));
  check_as_alone(lanes, [&] { return lanes(1); });
  // One state has a kernel of its own, whose sums are in another order: round-off of single
  // precision in states of 10, in six cycles.
  const Data data(3);
  const auto alone = maker(Full{}, Learned<Full, Network, 1>(Full{}, trained()));
  const Rows together = cycled(*lanes(3), data, 0);
  for (std::size_t r = 0; r < 3; ++r) {
    const auto one = cycled(*alone(1), data, r)[0];
    double most = 0;
    for (std::size_t n = 0; n < one.size(); ++n)
      most = std::max(most, std::abs(one[n] - together[r][n]));
    CHECK(most < 2e-5);
  }
}

TEST_CASE("cycler: what a run draws does not depend on how many there are") {
  const Data data(5);
  const auto make = maker(Full{}, Enkf<Full, 5>(Full{}, {}));
  const Rows all = cycled(*make(5), data, 0);
  const Rows three = cycled(*make(3), data, 0);
  for (std::size_t r = 0; r < 3; ++r) CHECK(test::all_same_bits(all[r], three[r]));
  CHECK(test::all_same_bits(all[0], cycled(*make(1), data, 0)[0]));
  CHECK_FALSE(test::all_same_bits(all[2], cycled(*make(1), data, 2)[0]));  // numbers of run 0
}

TEST_CASE("cycler: all runs are saved with their seed, and go on with the same bits") {
  const test::TemporaryFolder folder;
  const auto file = folder / "state";
  const auto check = [&](const auto& make, std::size_t runs) {
    CAPTURE(runs);
    Data data(runs);
    const auto first = make(runs), second = make(runs);
    first->start(joined(data.guess), 0.5, 1ULL << 63);  // a seed of 64 bits
    const auto step = [&](app::Cycler& cycler, const Rows& y) {
      cycler.forecast();
      cycler.analyse(joined(y), {}, {});
    };
    for (std::size_t k = 1; k <= 3; ++k) step(*first, data.observations(k, size));
    first->save(file);
    second->load(file);
    CHECK(second->cycle() == 3);
    for (std::size_t k = 4; k <= 6; ++k) {
      const Rows y = data.observations(k, size);
      step(*first, y), step(*second, y);
      std::vector<double> a(runs * size), b(runs * size);
      first->estimate(a), second->estimate(b);
      CHECK(test::all_same_bits(a, b));
    }
  };
  const auto enkf = maker(Full{}, Enkf<Full, 5>(Full{}, {}));
  const auto network = maker(Full{}, Learned<Full, Network, 16>(Full{}, trained()));
  check(enkf, 1), check(enkf, 3), check(network, 19);
}

TEST_CASE("cycler: a file says its seed; another one, and other runs, are refused") {
  const test::TemporaryFolder folder;
  const auto file = folder / "state";
  const auto make = maker(Full{}, Enkf<Full, 5>(Full{}, {}));
  const auto one = make(1), two = make(2);
  one->start(std::vector<double>(size, 8.0), 1, 7);
  one->save(file);
  const auto refused = [&]<class Error>(app::Cycler& cycler, std::optional<std::uint64_t> seed,
                                        const std::string& why, const Error&) {
    CHECK_THROWS_WITH_AS(cycler.load(file, seed), why.c_str(), Error);
  };
  one->load(file, 7);
  refused(*one, 8, to_text("load: seed is 8, expected 7, that of ", file.string(), ", or none"),
          ConfigError(""));
  refused(*two, 7, to_text("load: ", file.string(), " holds runs side by side = 1, expected 2"),
          FileError(""));
  two->start(std::vector<double>(2 * size, 8.0), 1, 7);
  two->save(file);
  refused(*one, {}, to_text("load: ", file.string(), " holds runs side by side = 2, expected 1"),
          FileError(""));

  // A file of an earlier version: what save_carried writes.
  const Enkf<Full, 5> method(Full{}, {});
  save_carried(method, method.start({}, 1, {}), 4, file);
  refused(*one, {},
          to_text("load: ", file.string(),
                  " has no seed, as files of an earlier version; give that of its start"),
          FileError(""));
  one->load(file, 9);
  CHECK(one->cycle() == 4);
  one->save(file);
  refused(*one, 8, to_text("load: seed is 8, expected 9, that of ", file.string(), ", or none"),
          ConfigError(""));
  // And that version reads what is written now.
  CHECK(load_carried(method, file).cycle == 4);
}

TEST_CASE("cycler: errors name the run; after one of an observation all is as before") {
  const auto make = maker(Full{}, Enkf<Full, 5>(Full{}, {}));
  const auto three = make(3), two = make(2);
  std::vector<double> y(3 * size, 8.0), x(3 * size), before(3 * size);
  CHECK_THROWS_WITH_AS(
      three->forecast(),
      "forecast: there is no state, not yet or no more after an error; start it, or load one",
      ConfigError);
  CHECK_THROWS_WITH_AS(three->start(std::vector<double>(size, 8.0), 1, 1),
                       "start: guess has shape (8), expected (24), one per state element of each "
                       "of 3 runs",
                       ShapeError);
  three->start(y, 1, 1);
  three->estimate(before);
  y[2 * size + 1] = std::numeric_limits<double>::infinity();
  try {
    three->analyse(y, {}, {});
    FAIL("accepted an infinite value");
  } catch (const NumericalError& error) {
    CHECK(std::string(error.what()).starts_with("run 2: set_observations: values[1] is inf"));
  }
  three->estimate(x);
  CHECK(test::all_same_bits(x, before));
  CHECK(three->cycle() == 0);
  CHECK_THROWS_WITH_AS(three->state(15, std::span(x).first(size)),
                       "state: n is 15, expected less than 15, the states of the method",
                       ConfigError);
  CHECK_THROWS_AS(make(0), ConfigError);
  CHECK_THROWS_AS(make(std::size_t{1} << 32), ConfigError);

  // A run that cannot go on after another one has: there is no state any more.
  two->start(std::vector<double>(2 * size, 8.0), 1, 1);
  for (std::size_t n = 5; n < 10; ++n) two->set_state(n, std::vector<double>(size, 1e308));
  try {
    two->analyse(std::vector<double>(2 * size, 8.0), {}, {});
    FAIL("analysed states of 1e308");
  } catch (const NumericalError& error) {
    CHECK_MESSAGE(std::string(error.what()).starts_with("run 1: "), error.what());
  }
  CHECK_THROWS_AS(two->forecast(), ConfigError);
}

namespace {
/// Lorenz 96 that cannot go on when it is told so.
struct Fragile : Model {
  const bool* breaks = nullptr;
  template <class T>
  void step(const T* x, T* y) const {
    Model::step(x, y);
    if (*breaks) throw NumericalError("the model broke");
  }
};
}  // namespace

TEST_CASE("cycler: after a forecast that failed all is as before") {
  bool breaks = false;
  using World = Problem<Fragile, ObserveAll<size>>;
  World world;
  world.model.breaks = &breaks;
  app::CyclerOf<World, Etkf<World, 5>> cycler(world, Etkf<World, 5>(world));
  cycler.start(std::vector<double>(size, 8.0), 1, 1);
  std::vector<double> before(size), after(size);
  cycler.state(2, before);
  breaks = true;
  CHECK_THROWS_WITH_AS(cycler.forecast(), doctest::Contains("the model broke"), NumericalError);
  cycler.state(2, after);
  CHECK(test::all_same_bits(after, before));
  breaks = false;
  cycler.forecast();
  cycler.state(2, after);
  CHECK_FALSE(test::all_same_bits(after, before));
}

TEST_CASE("cycler: correlated errors are those of the problem") {
  // An R that is diagonal after all, whose observations need no whitening.
  auto covariance = zero_tensor<double>(size, size);
  for (std::size_t i = 0; i < size; ++i) covariance(i, i) = 1 + 0.25 * static_cast<double>(i % 3);
  using Correlated = Problem<Model, Whitened<ObserveAll<size>>>;
  const Correlated problem{.observe = {{}, covariance}};
  app::CyclerOf<Correlated, Etkf<Correlated, 5>> whitened(problem, Etkf<Correlated, 5>(problem));
  app::CyclerOf<Full, Etkf<Full, 5>> plain(Full{}, Etkf<Full, 5>(Full{}));
  Data data(1);
  std::vector<double> variances;
  for (std::size_t i = 0; i < size; ++i) variances.push_back(covariance(i, i));
  whitened.start(data.guess[0], 0.5, 3), plain.start(data.guess[0], 0.5, 3);
  for (std::size_t k = 1; k <= cycles; ++k) {
    const auto y = data.observations(k, size)[0];
    whitened.forecast(), plain.forecast();
    whitened.analyse(y, {}, {}), plain.analyse(y, variances, {});
  }
  std::vector<double> a(size), b(size);
  const auto same = [&] {
    double most = 0;
    for (std::size_t i = 0; i < size; ++i) most = std::max(most, std::abs(a[i] - b[i]));
    return most < 1e-10;  // round-off
  };
  whitened.estimate(a), plain.estimate(b);
  CHECK(same());
  whitened.observe({}, a), plain.observe({}, b);
  CHECK(same());
  CHECK_THROWS_WITH_AS(whitened.analyse(a, variances, {}),
                       doctest::Contains("variances has shape (8), expected (0)"), ShapeError);
}

TEST_CASE("cycler: after an analysis that failed all is as before, and no estimate is not finite") {
  Data data(1);
  const auto check = [&](app::Cycler& cycler) {
    cycler.start(data.guess[0], 0.5, 3);
    std::vector<double> y(size, 1), x(size), after(size);
    for (int k = 0; k < 3; ++k) cycler.forecast(), cycler.analyse(y, {}, {});
    cycler.forecast();
    cycler.estimate(x);
    y[3] = 1e300;
    try {  // whether rounding lets it pass differs from processor to processor
      cycler.analyse(y, {}, {});
    } catch (const NumericalError&) {
      cycler.estimate(after);
      CHECK(test::all_same_bits(x, after));
      y[3] = 1;
      cycler.analyse(y, {}, {});
    }
    cycler.estimate(x);
    for (const double number : x) CHECK(std::isfinite(number));
    CHECK(cycler.cycle() == 4);
  };
  app::CyclerOf<Full, Ienks<Full, 5>> ienks(Full{}, Ienks<Full, 5>(Full{}, {.lag = 3}));
  check(ienks);
  app::CyclerOf<Full, Var4d<Full>> var4d(Full{}, Var4d<Full>(Full{}, climate(), {.lag = 3}));
  check(var4d);
  app::CyclerOf<Full, EnkfN<Full, 5>> enkf_n(Full{}, EnkfN<Full, 5>(Full{}));
  check(enkf_n);
}

TEST_CASE("cycler: a diverged state is not saved, and a network keeps its own after an error") {
  Data data(1);
  const test::TemporaryFolder folder;
  std::vector<double> wild(size), x(size), after(size);
  for (std::size_t i = 0; i < size; ++i) wild[i] = i % 2 == 0 ? 1e200 : -1e200;
  app::CyclerOf<Full, Var3d<Full, 1>> var3d(Full{}, Var3d<Full, 1>(Full{}, climate(), 0.02));
  var3d.start(data.guess[0], 0.5, 3);
  var3d.save(folder / "state");
  const std::string before = read_file("test", folder / "state");
  var3d.set_state(0, wild);
  var3d.forecast();
  CHECK_THROWS_WITH_AS(var3d.save(folder / "state"),
                       doctest::Contains("save: the estimate is not finite"), NumericalError);
  CHECK(read_file("test", folder / "state") == before);

  using Net = NetworkFor<Full, NetworkShape{.filters = 2, .blocks = 1, .sub_blocks = 1}>;
  Trained<Net> trained;
  app::CyclerOf<Full, Learned<Full, Net, 1>> network(Full{},
                                                     Learned<Full, Net, 1>(Full{}, trained));
  network.start(wild, 0.5, 3);
  network.forecast();
  const std::vector<double> y(size, 1);
  CHECK_THROWS_WITH_AS(network.analyse(y, {}, {}), doctest::Contains("is not finite"),
                       NumericalError);
  CHECK_NOTHROW(network.estimate(x));
  network.set_state(0, data.guess[0]);
  CHECK_NOTHROW(network.analyse(y, {}, {}));
}
